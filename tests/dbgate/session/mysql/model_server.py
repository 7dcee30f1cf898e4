"""A small MySQL server, sans I/O: what it answers follows from the text alone.

SELECT rows N [masked|secret] [as hidden]   N rows of one column       INSERT / UPDATE / SET / BEGIN   OK
... fail ...    error 1062 with a value in its words                    CALL   two results and an OK
SHOW CREATE TABLE   fails: no table is there
SIGNAL          fails as it is told                                     USE x / COM_INIT_DB   OK with the new database
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from protocols.mysql import commands
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.packets import encode, packet_count
from protocols.mysql.replies import ColumnDefinition, Eof, Err, Ok, PrepareOk
from protocols.mysql.session_track import schema
from protocols.mysql.wire import lenenc, lenenc_bytes

FAILURE = Err(1062, "23000", b"Duplicate entry 'ada@example.org' for key 'email'")
SIGNALLED = re.compile(rb"SIGNAL SQLSTATE '(\w{5})' SET MYSQL_ERRNO = (\d+), MESSAGE_TEXT = '([^']*)'")
VALUE = b"4111111111111111"
MORE = StatusFlag.MORE_RESULTS_EXISTS
CURSOR = StatusFlag.CURSOR_EXISTS
COLUMN = ColumnDefinition(b"shop", b"t", b"t", b"c", b"c", 45, 1024, 253, 0, 0)


@dataclass
class ModelServer:
    """`refuses`: the error that a text fails with, for the server that a gate's client should think it speaks to.
    `ran`: the texts that were executed."""

    capabilities: Capability
    refuses: Callable[[bytes], Err | None] = lambda text: None
    database: bytes = b"shop"
    status: StatusFlag = StatusFlag.AUTOCOMMIT
    ran: list[bytes] = field(default_factory=list)
    statements: dict[int, bytes] = field(default_factory=dict)
    cursors: dict[int, int] = field(default_factory=dict)
    killed: bool = False
    _inbox: bytes = b""

    def receive(self, data: bytes) -> bytes:
        """Commands as they come, whole or not; what is answered."""
        self._inbox += data
        out = b""
        while (size := self._whole()) is not None:
            payload, self._inbox = self._inbox[4:size], self._inbox[size:]
            out += self._packets(self._answers(payload))
        return out

    def _whole(self) -> int | None:
        if len(self._inbox) < 4:
            return None
        size = 4 + int.from_bytes(self._inbox[:3], "little")
        return size if len(self._inbox) >= size else None

    def _packets(self, payloads: list[bytes]) -> bytes:
        out, sequence = b"", 1
        for payload in payloads:
            out += encode(payload, sequence)
            sequence += packet_count(len(payload))
        return out

    def _answers(self, payload: bytes) -> list[bytes]:
        command = commands.decode(payload, self.capabilities)
        handler = getattr(self, f"_{type(command).__name__.lower()}", None)
        return [Err(1047, "08S01", b"Unknown command").encode()] if handler is None else handler(command)

    # ---------------------------------------------------------------- commands

    def _ping(self, command: commands.Ping) -> list[bytes]:
        return [self._ok()]

    def _quit(self, command: commands.Quit) -> list[bytes]:
        return []

    def _statistics(self, command: commands.Statistics) -> list[bytes]:
        return [b"Uptime: 1  Threads: 1"]

    def _resetconnection(self, command: commands.ResetConnection) -> list[bytes]:
        self.statements.clear()
        return [self._ok()]

    def _setoption(self, command: commands.SetOption) -> list[bytes]:
        return [self._end()]

    def _initdb(self, command: commands.InitDb) -> list[bytes]:
        return [self._use(command.name)]

    def _fieldlist(self, command: commands.FieldList) -> list[bytes]:
        definition = replace(COLUMN, table=command.table, org_table=command.table, has_default=True, default=VALUE)
        return [definition.encode(self.capabilities), self._end()]

    def _query(self, command: commands.Query) -> list[bytes]:
        if (no := self.refuses(command.sql)) is not None:
            return [no.encode()]
        out: list[bytes] = []
        pieces = [piece.strip() for piece in command.sql.split(b";") if piece.strip()]
        for number, text in enumerate(pieces):
            answers, failed = self._statement(text, number + 1 < len(pieces))
            out += answers
            if failed:
                break
        return out

    def _stmtprepare(self, command: commands.StmtPrepare) -> list[bytes]:
        if (no := self.refuses(command.sql)) is not None:
            return [no.encode()]
        number = len(self.statements) + 1
        self.statements[number] = command.sql
        parameters = command.sql.count(b"?")
        out = [PrepareOk(number, 1, parameters).encode()]
        for count, definition in ((parameters, COLUMN), (1, column_of(command.sql))):
            out += [definition.encode(self.capabilities)] * count + (self._definitions_end() if count else [])
        return out

    def _stmtexecute(self, command: commands.StmtExecute) -> list[bytes]:
        sql = self.statements.get(command.statement_id)
        if sql is None:
            return [Err(1243, "HY000", b"Unknown prepared statement handler").encode()]
        if (no := self.refuses(sql)) is not None:
            return [no.encode()]
        if command.flags & 1:
            self.ran.append(sql)
            self.cursors[command.statement_id] = rows_of(sql)
            head = [lenenc(1), column_of(sql).encode(self.capabilities)]
            return [*head, self._end(self.status | CURSOR)]
        return self._statement(sql, False, binary=True)[0]

    def _stmtfetch(self, command: commands.StmtFetch) -> list[bytes]:
        left = self.cursors.get(command.statement_id, 0)
        count = min(left, command.rows)
        self.cursors[command.statement_id] = left - count
        last = StatusFlag.LAST_ROW_SENT if count < command.rows else CURSOR
        return [*[binary_row()] * count, self._end(self.status | last)]

    def _stmtreset(self, command: commands.StmtReset) -> list[bytes]:
        return [self._ok()]

    def _stmtclose(self, command: commands.StmtClose) -> list[bytes]:
        self.statements.pop(command.statement_id, None)
        return []

    def _stmtsendlongdata(self, command: commands.StmtSendLongData) -> list[bytes]:
        return []

    # ---------------------------------------------------------------- statements

    def _statement(self, text: bytes, more: bool, binary: bool = False) -> tuple[list[bytes], bool]:
        if found := SIGNALLED.match(text):
            return [Err(int(found[2]), found[1].decode(), found[3]).encode()], True
        if text.startswith(b"SHOW CREATE TABLE"):
            return [Err(1146, "42S02", b"Table doesn't exist").encode()], True
        self.ran.append(text)
        verb = text.split()[0].upper()
        if b"fail" in text:
            return [FAILURE.encode()], True
        status = self.status | MORE if more else self.status
        if verb in (b"SELECT", b"SHOW"):
            return self._result(text, status, binary), False
        if verb == b"CALL":
            both = self._result(text, self.status | MORE, binary) * 2
            return [*both, self._ok(status=status)], False
        if verb == b"USE":
            return [self._use(text.split()[1].strip(b"`"), status)], False
        if verb in (b"BEGIN", b"COMMIT"):
            self.status = self.status ^ StatusFlag.IN_TRANS if (verb == b"BEGIN") else StatusFlag.AUTOCOMMIT
            status = self.status | MORE if more else self.status
        return [self._ok(1, status, warnings=2 if b"warn" in text else 0)], False

    def _result(self, text: bytes, status: StatusFlag, binary: bool) -> list[bytes]:
        head = [lenenc(1), column_of(text).encode(self.capabilities), *self._definitions_end()]
        row = binary_row() if binary else lenenc_bytes(VALUE)
        return [*head, *[row] * rows_of(text), self._end(status)]

    def _definitions_end(self) -> list[bytes]:
        return [] if Capability.DEPRECATE_EOF in self.capabilities else [Eof(self.status).encode(self.capabilities)]

    def _end(self, status: StatusFlag | None = None) -> bytes:
        told = self.status if status is None else status
        if Capability.DEPRECATE_EOF in self.capabilities:
            return Ok(0, 0, told, header=0xFE).encode(self.capabilities)
        return Eof(told).encode(self.capabilities)

    def _ok(self, affected: int = 0, status: StatusFlag | None = None, warnings: int = 0) -> bytes:
        return Ok(affected, 0, self.status if status is None else status, warnings).encode(self.capabilities)

    def _use(self, name: bytes, status: StatusFlag | None = None) -> bytes:
        self.database = name
        told = (self.status if status is None else status) | StatusFlag.SESSION_STATE_CHANGED
        return Ok(0, 0, told, changes=(schema(name),)).encode(self.capabilities)


def rows_of(text: bytes) -> int:
    found = re.search(rb"rows (\d+)", text)
    return int(found[1]) if found else 1


def column_of(text: bytes) -> ColumnDefinition:
    name = b"secret" if b"secret" in text else b"denied" if b"denied" in text else b"c"
    return replace(COLUMN, org_name=name, name=name)


def binary_row() -> bytes:
    return b"\0\0" + lenenc_bytes(VALUE)
