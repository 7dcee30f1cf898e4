"""A statement that rules allow and something else refuses: the audit names what refused it, and nothing else."""

from __future__ import annotations

from dbgate.session.postgres.refusals import PATH_MOVED, refuse
from rules.decision import Decision, Verdict


def test_rules_that_allowed_are_not_named_as_refusing() -> None:
    allowed = Decision(Verdict.ALLOW, "select", rules=("agent-reads", "mask-contact"))
    refused = refuse(allowed, PATH_MOVED)
    assert refused.verdict is Verdict.REFUSE
    assert refused.rules == (PATH_MOVED.rule,)
