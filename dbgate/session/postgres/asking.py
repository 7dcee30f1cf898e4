"""The gate's own question for the search path, asked on the client's connection: between two of its batches, or within
one before a message whose names may mean something else by now.

It is asked in the extended protocol and under names of its own: a simple Query would destroy the client's unnamed
statement and portal. Its first messages take away what a question that failed half-way has left; Close of a name that
does not exist is no error (protocol chapter, "Extended Query"). All replies are swallowed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from dbgate.session.postgres.splice import Splice
from dbgate.session.postgres.state import Asked, AskedPath, Phase, State
from protocols.errors import PeerError
from protocols.postgres import frontend
from protocols.postgres.frontend import Target
from protocols.postgres.ledger import Answer, Ask, Entry

#: No client may make a statement or portal whose name begins so.
RESERVED: Final = "dbgate\x01"
OWN_NAME: Final = f"{RESERVED}path"
#: Nobody makes it: what must fail is bound to it.
NO_STATEMENT: Final = f"{RESERVED}refused"
#: The effective schemas, temporary and implicit ones included, in order.
QUESTION: Final = "SELECT pg_catalog.current_schemas(true)"

_MESSAGES: Final = (
    (Ask.CLOSE, frontend.Close(Target.PORTAL, OWN_NAME)),
    (Ask.CLOSE, frontend.Close(Target.STATEMENT, OWN_NAME)),
    (Ask.PARSE, frontend.Parse(OWN_NAME, QUESTION)),
    (Ask.BIND, frontend.Bind(OWN_NAME, OWN_NAME)),
    (Ask.EXECUTE, frontend.Execute(OWN_NAME)),
    (Ask.CLOSE, frontend.Close(Target.PORTAL, OWN_NAME)),
    (Ask.CLOSE, frontend.Close(Target.STATEMENT, OWN_NAME)),
)
_ENCODED: Final = b"".join(message.encode() for _, message in _MESSAGES)
ASK_PATH: Final = _ENCODED + frontend.Sync().encode()
ASK_IN_BATCH: Final = _ENCODED + frontend.Flush().encode()


def ask_path(state: State) -> bytes:
    """Enter the question in the ledger; returns its bytes. Only between two batches: its Sync would end an open one."""
    asked = AskedPath()
    _expect(state, asked)
    state.ledger.expect(Ask.SYNC, Answer.SWALLOW, asked)
    return ASK_PATH


def ask_in_batch(state: State) -> bytes:
    """As `ask_path` within an open batch. If an earlier message of it fails, the server skips the question too; if the
    question fails (a cancel), so has the batch, and the client is told."""
    state.path_provisional = True
    _expect(state, AskedPath(in_batch=True))
    return ASK_IN_BATCH


def _expect(state: State, asked: AskedPath) -> None:
    state.phase = Phase.AWAITS_PATH
    for ask, _ in _MESSAGES:
        state.ledger.expect(ask, Answer.SWALLOW, asked)


def may_ask(state: State) -> bool:
    """A failed transaction, and a batch whose rest is skipped, answer nothing; an open batch must not be ended."""
    return state.status != ord("E") and not state.ledger.skipping and not state.ledger.open_batch


def may_ask_in_batch(state: State) -> bool:
    """A catalog that is out of date is not mended by the path; a COPY that is read takes no question."""
    ledger = state.ledger
    if not ledger.open_batch or ledger.skipping or ledger.copying:
        return False
    return state.watched and state.path_dirty and not state.catalog_dirty and state.status != ord("E")


def end_batch(state: State) -> None:
    """The batch's own end is being sent; whether it failed is not known yet."""
    if state.path_provisional:
        state.path_provisional, state.path_dirty = False, True


def swallow_own(state: State, entry: Entry[Asked], splice: Splice, start: int, end: int) -> bool:
    """Takes a reply to the question off the client's bytes; False for replies to anything else."""
    if not isinstance(entry.subject, AskedPath):
        return False
    splice.replace(start, end)
    asked = entry.subject
    if asked.in_batch and not state.ledger.entries:
        take_path(state, asked.answer)
    return True


def take_path(state: State, answer: str) -> None:
    """The answer; without one (the question failed) it will be asked again."""
    state.phase = Phase.OPEN
    if answer:
        state.path_dirty = False
        use_path(state, read_schemas(answer))


def use_path(state: State, schemas: tuple[str, ...]) -> None:
    """Most questions find the path as it was: then all decisions stay."""
    if schemas != state.login.search_path:
        state.login = replace(state.login, search_path=schemas)
        state.use(state.policy)


def read_schemas(array: str) -> tuple[str, ...]:
    """A name[] in its text form, `{pg_catalog,"My Schema"}` (documentation, "Array Input and Output Syntax")."""
    found = ARRAY_ITEM.findall(array[1:-1])
    return tuple(quoted.replace('\\"', '"').replace("\\\\", "\\") if quoted else bare for quoted, bare in found)


ARRAY_ITEM: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,"]+)')


def require_unreserved(name: str, what: str) -> None:
    """Raises PeerError for a name that is the gate's own."""
    if name.startswith(RESERVED):
        raise PeerError(f"{what} names that begin with {RESERVED!r} are the gate's own")
