"""What a client sends once it is logged in, as values: read with `decode`, written with `.encode(capabilities)`.

Source: MySQL internals, "Command Phase"; MariaDB knowledge base, "Server Protocol". A payload goes in
and comes out, without packet headers. SQL and names stay bytes: they are in the session's `character_set_client`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from protocols.mysql.capabilities import Capability
from protocols.mysql.codes import Code as Code  # offered here as well
from protocols.mysql.codes import CursorFlag as CursorFlag
from protocols.mysql.faults import malformed
from protocols.mysql.parameters import Parameter, read_block, write_block
from protocols.mysql.wire import Reader, cstring, integer, lenenc


@dataclass(frozen=True, slots=True)
class Query:
    """COM_QUERY. `attributes` travel under CLIENT_QUERY_ATTRIBUTES."""

    sql: bytes
    attributes: tuple[Parameter, ...] = ()
    code: ClassVar[int] = Code.QUERY

    def encode(self, capabilities: Capability) -> bytes:
        return b"\x03" + self._attributes(capabilities) + self.sql

    def _attributes(self, capabilities: Capability) -> bytes:
        if not capabilities & Capability.QUERY_ATTRIBUTES:
            return b""
        head = lenenc(len(self.attributes)) + b"\x01"
        return head + write_block(self.attributes, named=True) if self.attributes else head


@dataclass(frozen=True, slots=True)
class _Bare:
    """A command without arguments."""

    code: ClassVar[int]

    def encode(self, capabilities: Capability) -> bytes:
        return bytes([self.code])


class Quit(_Bare):
    """COM_QUIT."""

    __slots__ = ()
    code = Code.QUIT


class Statistics(_Bare):
    """COM_STATISTICS."""

    __slots__ = ()
    code = Code.STATISTICS


class ProcessInfo(_Bare):
    """COM_PROCESS_INFO."""

    __slots__ = ()
    code = Code.PROCESS_INFO


class Debug(_Bare):
    """COM_DEBUG."""

    __slots__ = ()
    code = Code.DEBUG


class Ping(_Bare):
    """COM_PING."""

    __slots__ = ()
    code = Code.PING


class ResetConnection(_Bare):
    """COM_RESET_CONNECTION."""

    __slots__ = ()
    code = Code.RESET_CONNECTION


@dataclass(frozen=True, slots=True)
class _Raw:
    """A command whose argument is everything after the code, kept as it came."""

    argument: bytes
    code: ClassVar[int]

    def encode(self, capabilities: Capability) -> bytes:
        return bytes([self.code]) + self.argument


class ChangeUser(_Raw):
    """COM_CHANGE_USER; the login reads its argument."""

    __slots__ = ()
    code = Code.CHANGE_USER


class Shutdown(_Raw):
    """COM_SHUTDOWN."""

    __slots__ = ()
    code = Code.SHUTDOWN


class BinlogDump(_Raw):
    """COM_BINLOG_DUMP."""

    __slots__ = ()
    code = Code.BINLOG_DUMP


class BinlogDumpGtid(_Raw):
    """COM_BINLOG_DUMP_GTID."""

    __slots__ = ()
    code = Code.BINLOG_DUMP_GTID


class TableDump(_Raw):
    """COM_TABLE_DUMP."""

    __slots__ = ()
    code = Code.TABLE_DUMP


class RegisterReplica(_Raw):
    """COM_REGISTER_SLAVE."""

    __slots__ = ()
    code = Code.REGISTER_SLAVE


class StmtBulkExecute(_Raw):
    """MariaDB's COM_STMT_BULK_EXECUTE."""

    __slots__ = ()
    code = Code.STMT_BULK_EXECUTE


class Multi(_Raw):
    """MariaDB's COM_MULTI."""

    __slots__ = ()
    code = Code.MULTI


@dataclass(frozen=True, slots=True)
class _Named:
    """A command about one database; the name is the rest of the packet."""

    name: bytes
    code: ClassVar[int]

    def encode(self, capabilities: Capability) -> bytes:
        return bytes([self.code]) + self.name


class InitDb(_Named):
    """COM_INIT_DB."""

    __slots__ = ()
    code = Code.INIT_DB


class CreateDb(_Named):
    """COM_CREATE_DB."""

    __slots__ = ()
    code = Code.CREATE_DB


class DropDb(_Named):
    """COM_DROP_DB."""

    __slots__ = ()
    code = Code.DROP_DB


@dataclass(frozen=True, slots=True)
class FieldList:
    """COM_FIELD_LIST: the columns of `table` whose names are LIKE `wildcard`."""

    table: bytes
    wildcard: bytes = b""
    code: ClassVar[int] = Code.FIELD_LIST

    def encode(self, capabilities: Capability) -> bytes:
        return b"\x04" + cstring(self.table) + self.wildcard


@dataclass(frozen=True, slots=True)
class Refresh:
    """COM_REFRESH: what FLUSH does, by bits."""

    flags: int
    code: ClassVar[int] = Code.REFRESH

    def encode(self, capabilities: Capability) -> bytes:
        return b"\x07" + integer(self.flags, 1)


@dataclass(frozen=True, slots=True)
class ProcessKill:
    """COM_PROCESS_KILL: end the connection with this id."""

    connection_id: int
    code: ClassVar[int] = Code.PROCESS_KILL

    def encode(self, capabilities: Capability) -> bytes:
        return b"\x0c" + integer(self.connection_id, 4)


@dataclass(frozen=True, slots=True)
class SetOption:
    """COM_SET_OPTION: 0 puts multi-statements on, 1 off."""

    option: int
    code: ClassVar[int] = Code.SET_OPTION

    def encode(self, capabilities: Capability) -> bytes:
        return b"\x1b" + integer(self.option, 2)


@dataclass(frozen=True, slots=True)
class StmtPrepare:
    """COM_STMT_PREPARE."""

    sql: bytes
    code: ClassVar[int] = Code.STMT_PREPARE

    def encode(self, capabilities: Capability) -> bytes:
        return b"\x16" + self.sql


@dataclass(frozen=True, slots=True)
class StmtExecute:
    """COM_STMT_EXECUTE. `payload` is what follows the iteration count; `read_parameters` reads it."""

    statement_id: int
    flags: int
    payload: bytes = b""
    iterations: int = 1
    code: ClassVar[int] = Code.STMT_EXECUTE

    def encode(self, capabilities: Capability) -> bytes:
        head = integer(self.statement_id, 4) + integer(self.flags, 1) + integer(self.iterations, 4)
        return b"\x17" + head + self.payload


@dataclass(frozen=True, slots=True)
class StmtSendLongData:
    """COM_STMT_SEND_LONG_DATA: a piece of one parameter's value. There is no reply."""

    statement_id: int
    parameter: int
    data: bytes
    code: ClassVar[int] = Code.STMT_SEND_LONG_DATA

    def encode(self, capabilities: Capability) -> bytes:
        return b"\x18" + integer(self.statement_id, 4) + integer(self.parameter, 2) + self.data


@dataclass(frozen=True, slots=True)
class StmtClose:
    """COM_STMT_CLOSE. There is no reply."""

    statement_id: int
    code: ClassVar[int] = Code.STMT_CLOSE

    def encode(self, capabilities: Capability) -> bytes:
        return b"\x19" + integer(self.statement_id, 4)


@dataclass(frozen=True, slots=True)
class StmtReset:
    """COM_STMT_RESET: drop long data and the cursor."""

    statement_id: int
    code: ClassVar[int] = Code.STMT_RESET

    def encode(self, capabilities: Capability) -> bytes:
        return b"\x1a" + integer(self.statement_id, 4)


@dataclass(frozen=True, slots=True)
class StmtFetch:
    """COM_STMT_FETCH: up to `rows` rows of the cursor."""

    statement_id: int
    rows: int
    code: ClassVar[int] = Code.STMT_FETCH

    def encode(self, capabilities: Capability) -> bytes:
        return b"\x1c" + integer(self.statement_id, 4) + integer(self.rows, 4)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A command that is not known here, or that no client may send (COM_SLEEP, COM_CONNECT, ...)."""

    code: int
    argument: bytes = b""

    def encode(self, capabilities: Capability) -> bytes:
        return integer(self.code, 1) + self.argument


Raw: TypeAlias = (
    ChangeUser | Shutdown | BinlogDump | BinlogDumpGtid | TableDump | RegisterReplica | StmtBulkExecute | Multi
)
Bare: TypeAlias = Quit | Statistics | ProcessInfo | Debug | Ping | ResetConnection
Named: TypeAlias = InitDb | CreateDb | DropDb
Statement: TypeAlias = StmtPrepare | StmtExecute | StmtSendLongData | StmtClose | StmtReset | StmtFetch
Command: TypeAlias = Query | Bare | Raw | Named | Statement | FieldList | Refresh | ProcessKill | SetOption | Unknown


def decode(payload: bytes, capabilities: Capability) -> Command:
    """The command in one payload. Raises `PeerError` when it is empty, too short, or longer than its fields."""
    if not payload:
        raise malformed("command", "the packet is empty")
    code = payload[0]
    if (whole := _WHOLE.get(code)) is not None:
        return whole(payload[1:])
    if (read := _READ.get(code)) is None:
        return Unknown(code, payload[1:])
    reader = Reader(payload, Code(code).name, 1)
    command = read(reader, capabilities)
    reader.finish()
    return command


def _query(reader: Reader, capabilities: Capability) -> Command:
    attributes: tuple[Parameter, ...] = ()
    if capabilities & Capability.QUERY_ATTRIBUTES:
        count, sets = reader.lenenc("parameter_count"), reader.lenenc("parameter_set_count")
        if sets != 1:
            raise malformed("COM_QUERY", f"parameter_set_count {sets}")
        if count:
            attributes = read_block(reader, count, named=True)[1]
    return Query(reader.rest(), attributes)


def _stmt_execute(reader: Reader, capabilities: Capability) -> Command:
    statement_id, flags, iterations = reader.u32("statement id"), reader.u8("flags"), reader.u32("iteration count")
    return StmtExecute(statement_id, flags, reader.rest(), iterations)


def _bare(make: Callable[[], Command]) -> _Read:
    return lambda reader, capabilities: make()


_Read: TypeAlias = Callable[[Reader, Capability], Command]
_WHOLE: dict[int, Callable[[bytes], Command]] = {
    kind.code: kind
    for kind in (
        ChangeUser,
        Shutdown,
        BinlogDump,
        BinlogDumpGtid,
        TableDump,
        RegisterReplica,
        StmtBulkExecute,
        Multi,
        InitDb,
        CreateDb,
        DropDb,
        StmtPrepare,
    )
}
_READ: dict[int, _Read] = {
    Code.QUERY: _query,
    Code.FIELD_LIST: lambda reader, _: FieldList(reader.cstring("table"), reader.rest()),
    Code.REFRESH: lambda reader, _: Refresh(reader.u8("flags")),
    Code.PROCESS_KILL: lambda reader, _: ProcessKill(reader.u32("connection id")),
    Code.SET_OPTION: lambda reader, _: SetOption(reader.u16("option")),
    Code.STMT_EXECUTE: _stmt_execute,
    Code.STMT_SEND_LONG_DATA: lambda reader, _: StmtSendLongData(
        reader.u32("statement id"), reader.u16("parameter"), reader.rest()
    ),
    Code.STMT_CLOSE: lambda reader, _: StmtClose(reader.u32("statement id")),
    Code.STMT_RESET: lambda reader, _: StmtReset(reader.u32("statement id")),
    Code.STMT_FETCH: lambda reader, _: StmtFetch(reader.u32("statement id"), reader.u32("rows")),
    **{kind.code: _bare(kind) for kind in (Quit, Statistics, ProcessInfo, Debug, Ping, ResetConnection)},
}
