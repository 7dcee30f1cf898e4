"""The gate's own question for the search path, and for the session's own world where that may have changed (`world`),
asked on the client's connection: between two of its batches, or within one before a message whose names may mean
something else by now.

It is asked in the extended protocol and under names of its own: a simple Query would destroy the client's unnamed
statement and portal. Its first messages take away what a question that failed half-way has left; Close of a name that
does not exist is no error (protocol chapter, "Extended Query"). All replies are swallowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from dbgate.session.postgres.state import Asked, AskedColumns, AskedPath, Phase, State
from dbgate.session.postgres.world import WORLD, Told, own_path, read_world
from dbgate.session.splice import Splice
from protocols.errors import PeerError
from protocols.postgres import frontend
from protocols.postgres.frontend import Target
from protocols.postgres.ledger import Answer, Ask, Entry
from rules.own_world import TEMPORARY

#: No client may make a statement or portal whose name begins so.
RESERVED: Final = "dbgate\x01"
OWN_NAME: Final = f"{RESERVED}path"
#: Nobody makes it: what must fail is bound to it.
NO_STATEMENT: Final = f"{RESERVED}refused"
#: The effective schemas, temporary and implicit ones included, in order.
QUESTION: Final = "SELECT pg_catalog.current_schemas(true)"

_ASKS: Final = (Ask.CLOSE, Ask.CLOSE, Ask.PARSE, Ask.BIND, Ask.EXECUTE, Ask.CLOSE, Ask.CLOSE)


def _messages(question: str, end: frontend.FrontendMessage) -> bytes:
    """The messages of `_ASKS`, then `end`."""
    closing = frontend.Close(Target.PORTAL, OWN_NAME).encode() + frontend.Close(Target.STATEMENT, OWN_NAME).encode()
    asking = (frontend.Parse(OWN_NAME, question), frontend.Bind(OWN_NAME, OWN_NAME), frontend.Execute(OWN_NAME))
    return closing + b"".join(message.encode() for message in asking) + closing + end.encode()


@dataclass(frozen=True, slots=True)
class Question:
    """Its messages between two batches, and within one."""

    alone: bytes
    in_batch: bytes


#: for the search path, and for the session's own world with it
QUESTIONS: Final = {
    whole: Question(_messages(text, frontend.Sync()), _messages(text, frontend.Flush()))
    for whole, text in ((False, QUESTION), (True, WORLD))
}
ASK_PATH: Final = QUESTIONS[False].alone
ASK_IN_BATCH: Final = QUESTIONS[False].in_batch


def ask_path(state: State) -> bytes:
    """Enter the question in the ledger; returns its bytes. Only between two batches: its Sync would end an open one."""
    asked = AskedPath(whole=state.world_dirty)
    _expect(state, asked)
    state.ledger.expect(Ask.SYNC, Answer.SWALLOW, asked)
    return QUESTIONS[asked.whole].alone


def ask_in_batch(state: State) -> bytes:
    """As `ask_path` within an open batch. If an earlier message of it fails, the server skips the question too; if the
    question fails (a cancel), so has the batch, and the client is told."""
    state.path_provisional = True
    asked = AskedPath(in_batch=True, whole=state.world_dirty)
    _expect(state, asked)
    return QUESTIONS[asked.whole].in_batch


def _expect(state: State, asked: AskedPath) -> None:
    state.phase = Phase.AWAITS_PATH
    for ask in _ASKS:
        state.ledger.expect(ask, Answer.SWALLOW, asked)


def may_ask(state: State) -> bool:
    """A failed transaction, and a batch whose rest is skipped, answer nothing; an open batch must not be ended."""
    return state.status != ord("E") and not state.ledger.skipping and not state.ledger.open_batch


def may_ask_in_batch(state: State) -> bool:
    """A shared catalog that is out of date is not mended by the answer; a COPY that is read takes no question."""
    ledger = state.ledger
    if not ledger.open_batch or ledger.skipping or ledger.copying:
        return False
    return state.watched and state.path_dirty and not state.catalog_behind and state.status != ord("E")


def end_batch(state: State) -> None:
    """The batch's own end is being sent; whether it failed is not known yet."""
    if state.path_provisional:
        state.path_provisional, state.path_dirty = False, True
        state.world_dirty = state.world_dirty or state.world_moved


def swallow_own(state: State, entry: Entry[Asked], splice: Splice, start: int, end: int) -> bool:
    """Takes a reply to the question off the client's bytes; False for replies to anything else."""
    asked = entry.subject
    if not isinstance(asked, AskedPath | AskedColumns):
        return False
    splice.replace(start, end)
    if isinstance(asked, AskedPath) and asked.in_batch and not state.ledger.entries:
        take_world(state, asked)
    return True


def take_world(state: State, asked: AskedPath) -> None:
    """The answer; without one (the question failed) it will be asked again."""
    state.phase = Phase.OPEN
    told = _told(state, asked)
    state.unanswered = told is None
    if told is None:
        return
    if not asked.whole and TEMPORARY in told.path and TEMPORARY not in state.login.search_path:
        state.world_dirty = True  # a function has made the first temporary relation: what it is, is to be asked
        state.phase = Phase.OPEN if asked.in_batch else Phase.AWAITS_QUIET
        return
    state.path_dirty = False
    state.world_dirty = state.world_dirty and not asked.whole
    use_answer(state, told)


def _told(state: State, asked: AskedPath) -> Told | None:
    """What was answered; of a question for the path alone the world stays as it is."""
    if not asked.answer:
        return None
    if not asked.whole:
        schemas = read_schemas(asked.answer)
        temporary = next((schema for schema in schemas if schema.startswith("pg_temp_")), "")
        return Told(own_path(schemas, temporary), state.world)
    try:
        return read_world(asked.answer, state.policy.catalog)
    except (ValueError, TypeError, KeyError):
        return None


def use_answer(state: State, told: Told) -> None:
    """Most questions find everything as it was: then all decisions stay."""
    if told.path != state.login.search_path or told.world != state.world:
        state.login = replace(state.login, search_path=told.path)
        state.world = told.world
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
