"""A Query of several statements, some of which change what the names in the next ones mean, or may be ended by a limit.

`CREATE TEMP TABLE t ...; INSERT INTO t ...` cannot be decided as a whole: what t is, only the server can say once the
first statement has run. Such a text goes as one batch of the extended protocol, statement by statement, and the gate
asks in between (`asking`). To the server both are one implicit transaction, which ends with the Sync; the client sees
the replies to a Query: acknowledgements are swallowed, and an error ends the text (protocol chapter, "Multiple
Statements in a Simple Query", "Pipelining").

Each statement is sent behind as many spaces as characters precede it, so that positions in errors are the client's own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from dbgate.session.limiting import brings_rows
from dbgate.session.long_texts import Waits
from dbgate.session.postgres.elsewhere import decisions_of
from dbgate.session.postgres.freshness import FAILED, WITHIN, is_nameless, may_move
from dbgate.session.postgres.state import Asked, AskedDescribe, AskedPath, Phase, Script, State
from dbgate.session.splice import Splice
from protocols.postgres import frontend
from protocols.postgres.frontend import Target
from protocols.postgres.ledger import Answer, Ask, Entry
from rules.decision import Decision, Verdict

#: Kinds whose statements do the same in both protocols. LOCK and DECLARE need an open transaction, which several
#: statements of one Query are and a batch is not; VACUUM must have none; COPY speaks a protocol of its own.
_LIKE_WORDS: Final = (
    "select insert update delete merge truncate create alter drop comment grant explain show session transaction"
)
LIKE_KINDS: Final = frozenset(_LIKE_WORDS.split())
#: statements of one text
MOST: Final = 1000
#: bytes of spaces that one text may cost; beyond that positions count from the start of the statement
MOST_SPACES: Final = 4 << 20

#: What the client gets no reply to, as it has sent a Query.
_ACKNOWLEDGED: Final = frozenset({Ask.PARSE, Ask.BIND, Ask.CLOSE})
_RUN: Final = (
    frontend.Bind("", "").encode(),
    frontend.Describe(Target.PORTAL, "").encode(),
    frontend.Execute("").encode(),
)
SYNC: Final = frontend.Sync().encode()
#: A Query leaves neither an unnamed statement nor an unnamed portal behind.
_LEAVE: Final = (frontend.Close(Target.STATEMENT, "").encode(), frontend.Close(Target.PORTAL, "").encode())
#: After a failure the server listens again from the first Sync on; the reply to the last ends the text.
END: Final = (SYNC, *_LEAVE, SYNC)


def script_of(state: State, text: bytes) -> Script | None:
    """The text as a script, if it must be one. Raises Waits for a long text that has no answer yet, or until earlier
    batches are answered: their errors are none of the script's."""
    ledger, limited = state.ledger, state.limiter is not None and state.limiter.limits.measures
    if not limited and (not state.watched or b";" not in text):
        return None
    if ledger.open_batch or (state.path_dirty and state.status != FAILED):
        return None
    decisions = decisions_of(state, state.context, text)
    moved = state.watched and moves_names(state, decisions)
    if (
        not (moved or (limited and must_be_held(decisions)))
        or len(decisions) > MOST
        or not all(map(is_alike, decisions))
    ):
        return None
    if ledger.entries:
        state.phase = Phase.AWAITS_QUIET
        raise Waits
    return Script(deque(messages_of(text, decisions)))


def moves_names(state: State, decisions: tuple[Decision, ...]) -> bool:
    """Is there a statement whose names mean something else after an earlier one?"""
    first = next((n for n, decision in enumerate(decisions) if may_move(state, decision)), len(decisions))
    return not all(map(is_nameless, decisions[first + 1 :]))


def must_be_held(decisions: tuple[Decision, ...]) -> bool:
    """Would a result that a limit ends come too late for what the text does? A Query commits by itself, and its later
    statements run; in a batch they wait until the rows have been seen."""
    bringing = any(brings_rows(decision) for decision in decisions)
    return bringing and (len(decisions) > 1 or any(decision.writes for decision in decisions))


def is_alike(decision: Decision) -> bool:
    """Does it the same as part of a batch? What is refused for its names may be allowed when its turn comes."""
    if decision.verdict is not Verdict.ALLOW and not decision.missing:
        return False
    carries = decision.defines or decision.runs or decision.drops
    alike = decision.kind in LIKE_KINDS or decision.detail == "ANALYZE"
    return alike and not carries and decision.detail != "DISCARD ALL"


def messages_of(text: bytes, decisions: tuple[Decision, ...]) -> list[bytes]:
    """A COMMIT or ROLLBACK ends a batch, so that what it has made lasting is known to the next one."""
    padded = len(text) * len(decisions) <= MOST_SPACES
    found: list[bytes] = []
    for decision in decisions:
        before = len(text[: decision.start].decode("utf-8", "replace")) if padded else 0
        piece = " " * before + text[decision.start : decision.end].decode("utf-8", "replace")
        found += (frontend.Parse("", piece).encode(), *_RUN)
        if decision.kind == "transaction" and decision.detail not in WITHIN and decision is not decisions[-1]:
            found.append(SYNC)
    return [*found, *END]


def feed(state: State, handle: Callable[[State, int, Splice, int, int], bool]) -> bytes:
    """Handle the script's messages as if the client had sent them, until one must wait; returns what goes upstream."""
    sent: list[bytes] = []
    while (script := state.script) is not None and state.phase is Phase.OPEN:
        message, before = script.waiting[0], len(state.ledger.entries)
        splice = Splice(message)
        handled = handle(state, message[0], splice, 0, len(message))
        sent.append(splice.finish(len(message) if handled else 0))
        if not handled:
            break
        script.waiting.popleft()
        if not script.waiting:
            state.script = None
        for number in range(before, len(state.ledger.entries)):
            note_entry(state, state.ledger.entries[number])
    return b"".join(sent)


def note_entry(state: State, entry: Entry[Asked]) -> None:
    """The client has sent a Query, and gets the replies to one. Between two batches the script waits for quiet."""
    between = entry.ask is Ask.SYNC and state.script is not None
    if entry.answer is Answer.FORWARD and (between or entry.ask in _ACKNOWLEDGED):
        entry.answer = Answer.SWALLOW
    if isinstance(entry.subject, AskedDescribe):
        entry.subject.of_script = True
    if between:
        state.phase = Phase.AWAITS_QUIET


def fail_script(state: State, asked: Asked) -> None:
    """A statement has failed: none of the rest runs. The gate's own question between two batches is none of them."""
    if state.script is not None and not (isinstance(asked, AskedPath) and not asked.in_batch):
        state.script.waiting = deque(END)
