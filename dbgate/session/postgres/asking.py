"""The gate's own question for the search path, asked on the client's connection between two of its batches.

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
    (Ask.SYNC, frontend.Sync()),
)
ASK_PATH: Final = b"".join(message.encode() for _, message in _MESSAGES)


def ask_path(state: State) -> bytes:
    """Enter the question in the ledger; returns its bytes. Only between two batches: its Sync would end an open one."""
    state.phase = Phase.AWAITS_PATH
    asked = AskedPath()
    for ask, _ in _MESSAGES:
        state.ledger.expect(ask, Answer.SWALLOW, asked)
    return ASK_PATH


def may_ask(state: State) -> bool:
    """A failed transaction, and a batch whose rest is skipped, answer nothing; an open batch must not be ended."""
    return state.status != ord("E") and not state.ledger.skipping and not state.ledger.open_batch


def swallow_own(entry: Entry[Asked], splice: Splice, start: int, end: int) -> bool:
    """Takes a reply to the question off the client's bytes; False for replies to anything else."""
    if not isinstance(entry.subject, AskedPath):
        return False
    splice.replace(start, end)
    return True


def take_path(state: State, answer: str) -> None:
    """The answer; without one (the question failed) it will be asked again."""
    state.phase = Phase.OPEN
    if answer:
        state.path_dirty = False
        state.login = replace(state.login, search_path=read_schemas(answer))
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
