"""What the session itself refuses, beyond the rules: the texts, and how a decision becomes a refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rules.decision import Decision, Refusal, Verdict
from rules.tree import Carrier, CarrierKind

MESSAGE: Final = "dbgate refused this statement"

#: An empty text decides nothing and does nothing.
EMPTY: Final = Decision(Verdict.ALLOW, "empty")

PATH_MOVED: Final = Refusal(
    "dbgate:search-path",
    MESSAGE,
    'rule "dbgate:search-path": an earlier statement of the same text or batch changes what names mean',
    "send the statements one at a time, or write schema-qualified names and set search_path in a query of its own",
)

EXECUTES_MORE: Final = Refusal(
    "dbgate:carrier",
    MESSAGE,
    'rule "dbgate:carrier": EXECUTE of a statement that is no SELECT, INSERT, UPDATE, DELETE or MERGE',
    "send that statement itself, not its name",
)

CATALOG_UNREAD: Final = Refusal(
    "dbgate:catalog",
    MESSAGE,
    'rule "dbgate:catalog": this session has changed the structure, and the gate could not read the catalog since',
    "try again in a moment",
    sqlstate="55000",
)

NESTED_CARRIER: Final = Refusal(
    "dbgate:carrier",
    MESSAGE,
    'rule "dbgate:carrier": it runs a prepared statement or cursor by name inside another one; masks cannot follow',
    "write the query itself in place of the name",
)

SPLICED_OTHERWISE: Final = Refusal(
    "dbgate:filter",
    MESSAGE,
    'rule "dbgate:filter": the row filters for your role, or the structure they rest on, have changed since this '
    "statement was prepared or opened",
    "prepare or open it again",
    sqlstate="26000",
)

TOO_MANY_PREPARED: Final = Refusal(
    "dbgate:prepared",
    MESSAGE,
    'rule "dbgate:prepared": this session holds as many prepared statements, or as much text in them, as it may',
    "close prepared statements (Close, DEALLOCATE) before you prepare new ones",
    sqlstate="53400",
)


def unknown_name(carrier: Carrier) -> Refusal:
    """A cursor or prepared statement that the gate saw nobody open, with the server's SQLSTATE for one that is not."""
    return Refusal(
        "dbgate:carrier",
        MESSAGE,
        f'rule "dbgate:carrier": the gate saw nothing open {carrier.kind.value} "{carrier.name}" in this session',
        "open it with DECLARE or PREPARE in this session first",
        sqlstate="34000" if carrier.kind is CarrierKind.CURSOR else "26000",
    )


def refused(decisions: tuple[Decision, ...]) -> Decision | None:
    """The first decision that is no ALLOW."""
    for decision in decisions:
        if decision.verdict is not Verdict.ALLOW:
            return decision
    return None


def refuse(decision: Decision, refusal: Refusal) -> Decision:
    """The same statement, refused for this reason. Rules that allowed or masked it are not named."""
    return replace(decision, verdict=Verdict.REFUSE, refusal=refusal, rules=(refusal.rule,))
