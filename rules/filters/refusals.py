"""Why a statement on a filtered table is refused."""

from __future__ import annotations

from typing import Final

from rules.book.model import Rule
from rules.decision import Refusal
from rules.denying import REFUSED

FILTER: Final = "dbgate:filter"


class NotSpliced(Exception):  # noqa: N818 - it carries a refusal, it is no programming error
    """Raised where a filter cannot be put in place for certain. `rule` None: for a reason of the gate's own."""

    def __init__(self, rule: Rule | None, why: str, mend: str) -> None:
        super().__init__(why)
        self.rule = rule
        self.why = why
        self.mend = mend

    def refusal(self) -> Refusal:
        if self.rule is None:
            return Refusal(FILTER, REFUSED, f"{FILTER}: {self.why}", self.mend)
        return rule_refusal(self.rule, self.why, self.mend)


def rule_refusal(rule: Rule, why: str, mend: str) -> Refusal:
    detail = f'rule "{rule.id}" ({rule.place.for_clients}): {why}'
    return Refusal(rule.id, REFUSED, f"{detail}; {rule.message}" if rule.message else detail, rule.instead or mend)
