"""The commands that are neither COM_QUERY nor about prepared statements.

Those that say in a command what a statement can say are decided as that statement: COM_INIT_DB as USE, COM_FIELD_LIST
as SELECT *, COM_STATISTICS as SHOW STATUS. Those of administration and replication are closed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from dbgate.session.mysql.deciding import decide, in_utf8
from dbgate.session.mysql.effects import note_sent
from dbgate.session.mysql.killing import kill_session
from dbgate.session.mysql.login import Brand, pin_texts
from dbgate.session.mysql.metering import admitted
from dbgate.session.mysql.refusals import EMPTY, law, refuse, refused
from dbgate.session.mysql.sending import Out, Sending, answer, forward, refuse_command
from dbgate.session.mysql.state import (
    AskedDatabase,
    AskedFields,
    AskedOption,
    AskedPlain,
    AskedReset,
    State,
)
from protocols.mysql.commands import Code, FieldList, InitDb, ProcessKill, Quit, SetOption, decode
from protocols.mysql.packets import encode
from protocols.mysql.relay import Expect
from protocols.mysql.replies import Err
from rules.decision import Decision, Refusal, Verdict

#: A text of no statement (blanks, a comment): the server says what it thinks of it.
NO_STATEMENT: Final = EMPTY
USE_TEXT: Final = re.compile(rb"\s*USE\s+(`?)([A-Za-z0-9_$-]+)\1\s*;?\s*\Z", re.I)
SHOWS: Final = re.compile(r"SHOW (COUNT\s*\(\s*\*\s*\)|WARNINGS|ERRORS)", re.I)
NOT_ALLOWED: Final = (1227, "42000")  # ER_SPECIFIC_ACCESS_DENIED_ERROR
ACCESS_DENIED: Final = 1045


# ---------------------------------------------------------------- the default database


def server_database(state: State, sql: bytes) -> bytes:
    """USE of the gate's name for the database becomes USE of the server's."""
    found = USE_TEXT.match(sql) if sql[:64].lstrip()[:3].upper() == b"USE" else None
    if found is None or (mapped := mapped_name(state, found[2])) is None:
        return sql
    return b"USE " + quoted(mapped)


def mapped_name(state: State, name: bytes) -> bytes | None:
    """The server's name of the database that the gate calls so; None when the server itself has that name."""
    login = state.login
    if not login.default_database or name != login.database.encode() or login.database == login.default_database:
        return None
    return None if login.database in state.context.catalog.schemas else login.default_database.encode()


def quoted(name: bytes) -> bytes:
    return b"`" + name.replace(b"`", b"``") + b"`"


def on_init_db(state: State, sending: Sending) -> Out:
    command = decode(sending.payload, state.login.client)
    assert isinstance(command, InitDb)
    mapped = mapped_name(state, command.name)
    text = in_utf8(state, b"USE " + quoted(mapped or command.name))
    (decision,) = admitted(state, decided_as(state, text))
    if decision.refusal is not None:
        return refuse_command(state, sending, said(text), decision, decision.refusal)
    name = said(in_utf8(state, mapped or command.name))
    asked = AskedDatabase(name, state.start_run(said(text), decision))
    return forward(state, sending, asked, Expect.OK, None if mapped is None else b"\x02" + mapped)


def decided_as(state: State, text: bytes | None) -> tuple[Decision]:
    """The one decision that stands for a command."""
    decisions = decide(state, text)
    return (refused(decisions) or (decisions[0] if len(decisions) == 1 else refuse(EMPTY, NO_NAME)),)


NO_NAME: Final = law("command", "the name in the command is no name", "send the statement as a query")


def said(text: bytes | None) -> str:
    return str(text or b"", "utf-8", "replace")


# ---------------------------------------------------------------- other commands that go on


def on_ping(state: State, sending: Sending) -> Out:
    return forward(state, sending, AskedPlain(), Expect.OK)


def on_quit(state: State, sending: Sending) -> Out:
    state.close("the client has ended the session")
    return Out(sending.raw)


def on_statistics(state: State, sending: Sending) -> Out:
    text = b"SHOW STATUS"
    (decision,) = admitted(state, decided_as(state, text))
    if decision.refusal is not None:
        return refuse_command(state, sending, "COM_STATISTICS", decision, decision.refusal)
    run = state.start_run("COM_STATISTICS", decision)
    return forward(state, sending, AskedPlain(run), Expect.STATISTICS)


def on_field_list(state: State, sending: Sending) -> Out:
    """The answer has no rows: the definitions pass, default values only where nothing of the table is masked."""
    command = decode(sending.payload, state.login.client)
    assert isinstance(command, FieldList)
    text = in_utf8(state, b"SELECT * FROM " + quoted(command.table))
    (decision,) = admitted(state, decided_as(state, text))
    if decision.refusal is not None:
        return refuse_command(state, sending, said(text), decision, decision.refusal)
    asked = AskedFields(state.start_run(said(text), decision), decision)
    out = forward(state, sending, asked, Expect.FIELD_LIST)
    note_sent(state, (decision,))
    return out


def on_set_option(state: State, sending: Sending) -> Out:
    command = decode(sending.payload, state.login.client)
    assert isinstance(command, SetOption)
    return forward(state, sending, AskedOption(command.option == 0), Expect.OK)


def on_reset_connection(state: State, sending: Sending) -> Out:
    """The server forgets what was set for the session; what the gate rests on is set again before the client hears."""
    pins = list(pin_texts(state.login.brand, state.login.charset, state.context.limits))
    return forward(state, sending, AskedReset(pins), Expect.OK)


def on_process_kill(state: State, sending: Sending) -> Out:
    command = decode(sending.payload, state.login.client)
    assert isinstance(command, ProcessKill)
    return kill_session(state, sending, command.connection_id, False, f"KILL {command.connection_id}")


# ---------------------------------------------------------------- diagnostics that could tell


def without_diagnostics(state: State, decisions: Sequence[Decision], text: bytes) -> bytes | None:
    """SHOW WARNINGS and its like after a statement on hidden data: a statement that shows an empty list in the same
    form. None when the text may go."""
    found = SHOWS.match(decisions[0].detail) if state.tainted and len(decisions) == 1 else None
    if found is None:
        return None
    words = found[1].upper()
    if not words.startswith("COUNT"):
        return f"SHOW {words} LIMIT 0".encode()
    name = "error_count" if b"ERRORS" in text.upper() else "warning_count"
    return f"SELECT 0 AS `@@session.{name}`".encode()


# ---------------------------------------------------------------- what is closed


def closed(name: str, kind: str, instead: str) -> Callable[[State, Sending], Out]:
    """A command that the gate answers itself, with an error, whatever the rules say."""
    refusal = law("command", f"{name} is closed at this gate", instead)

    def handler(state: State, sending: Sending) -> Out:
        state.start_run(name, refuse(Decision(Verdict.REFUSE, kind, detail=name), refusal))
        return answer(state, sending, told(refusal))

    return handler


def told(refusal: Refusal) -> Err:
    errno, sqlstate = NOT_ALLOWED
    return Err(errno, sqlstate, f"{refusal.message}. {refusal.detail}. {refusal.hint}".encode())


def on_change_user(state: State, sending: Sending) -> Out:
    """A session at the gate is one login's: its rules, its audit, its upstream. The change fails as it fails in the
    server: MySQL ends the session then, MariaDB goes on with it."""
    refusal = law("command", "a session belongs to the user who logged in", "open a new connection as the other user")
    state.start_run("COM_CHANGE_USER", refuse(Decision(Verdict.REFUSE, "session", detail="COM_CHANGE_USER"), refusal))
    out = answer(state, sending, Err(ACCESS_DENIED, "28000", told(refusal).message))
    if state.login.brand is Brand.MARIADB:
        return out
    state.close("the client has asked for another user")
    return Out(encode(Quit().encode(state.login.upstream), 0), out.to_client)


ASK: Final = "ask a database administrator"
CLOSED: Final[dict[int, Callable[[State, Sending], Out]]] = {
    Code.CHANGE_USER: on_change_user,
    Code.PROCESS_KILL: on_process_kill,
    Code.CREATE_DB: closed("COM_CREATE_DB", "create", "send CREATE DATABASE as a query"),
    Code.DROP_DB: closed("COM_DROP_DB", "drop", "send DROP DATABASE as a query"),
    Code.REFRESH: closed("COM_REFRESH", "admin", "send FLUSH as a query"),
    Code.SHUTDOWN: closed("COM_SHUTDOWN", "admin", ASK),
    Code.PROCESS_INFO: closed("COM_PROCESS_INFO", "admin", "send SHOW PROCESSLIST as a query"),
    Code.DEBUG: closed("COM_DEBUG", "admin", ASK),
    Code.BINLOG_DUMP: closed("COM_BINLOG_DUMP", "replication", ASK),
    Code.BINLOG_DUMP_GTID: closed("COM_BINLOG_DUMP_GTID", "replication", ASK),
    Code.TABLE_DUMP: closed("COM_TABLE_DUMP", "replication", ASK),
    Code.REGISTER_SLAVE: closed("COM_REGISTER_SLAVE", "replication", ASK),
    Code.SUBSCRIBE_GROUP_REPLICATION_STREAM: closed("COM_SUBSCRIBE_GROUP_REPLICATION_STREAM", "replication", ASK),
    Code.CLONE: closed("COM_CLONE", "admin", ASK),
    Code.DAEMON: closed("COM_DAEMON", "admin", ASK),
    Code.DELAYED_INSERT: closed("COM_DELAYED_INSERT", "admin", ASK),
    Code.STMT_BULK_EXECUTE: closed("COM_STMT_BULK_EXECUTE", "insert", "execute the statement row by row"),
    Code.MULTI: closed("COM_MULTI", "admin", "send the commands one at a time"),
}
