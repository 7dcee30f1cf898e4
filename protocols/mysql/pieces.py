"""What a reply is made of: the pieces that `relay.ReplyReader` hands over."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from protocols.errors import UsageError
from protocols.mysql.capabilities import Capability
from protocols.mysql.codes import Code
from protocols.mysql.replies import ColumnDefinition, Eof, Err, Ok, PrepareOk, decode_definition


class Expect(Enum):
    """What a server answers a command with."""

    NOTHING = "nothing"
    OK = "OK or EOF"
    TEXT_RESULT = "text results"
    BINARY_RESULT = "binary results"
    FETCH = "binary rows"
    PREPARE = "prepared statement"
    FIELD_LIST = "field list"
    STATISTICS = "text"
    AUTH = "authentication"


class Kind(Enum):
    """What a piece of a reply is."""

    OK = "OK"
    ERR = "ERR"
    LOCAL_INFILE = "LOCAL INFILE request"
    COLUMNS = "column count and definitions"
    ROWS = "rows"
    ROWS_END = "end of rows"
    PREPARED = "prepared statement"
    FIELDS = "field list"
    TEXT = "text"
    AUTH = "authentication"


@lru_cache(maxsize=4096)
def _definition(payload: bytes, capabilities: Capability, has_default: bool) -> ColumnDefinition:
    return decode_definition(payload, capabilities, has_default)


class Columns(NamedTuple):
    """The columns of one result: the payloads of their definitions, and the EOF behind them if there is one."""

    payloads: tuple[bytes, ...]
    binary: bool
    eof: Eof | None

    def definitions(self, capabilities: Capability) -> tuple[ColumnDefinition, ...]:
        """The definitions decoded (and kept). Raises `PeerError`."""
        return tuple(_definition(payload, capabilities, False) for payload in self.payloads)


class Prepared(NamedTuple):
    """A COM_STMT_PREPARE response."""

    ok: PrepareOk
    parameters: Columns
    columns: Columns


class Fields(NamedTuple):
    """A COM_FIELD_LIST response: definitions with default values."""

    payloads: tuple[bytes, ...]
    end: Ok | Eof

    def definitions(self, capabilities: Capability) -> tuple[ColumnDefinition, ...]:
        """The definitions decoded (and kept). Raises `PeerError`."""
        return tuple(_definition(payload, capabilities, True) for payload in self.payloads)


Value: TypeAlias = Ok | Eof | Err | Columns | Prepared | Fields | bytes | None


class Piece(NamedTuple):
    """`buffer[start:end]` of a reply: whole packets (of rows: see `ReplyReader.whole_rows`).

    `value` by kind: OK -> Ok (or Eof, the answer to COM_SET_OPTION and COM_DEBUG), ERR -> Err, LOCAL_INFILE -> the file
    name, COLUMNS -> Columns, ROWS -> None, ROWS_END -> Ok or Eof, PREPARED -> Prepared, FIELDS -> Fields, TEXT -> the
    text, AUTH -> the payload. `rows`: how many rows end in a ROWS piece. `more`: another result follows this one.
    """

    kind: Kind
    start: int
    end: int
    value: Value = None
    rows: int = 0
    more: bool = False


_REPLIES: Final[dict[int, Expect]] = {
    Code.QUIT: Expect.NOTHING,
    Code.INIT_DB: Expect.OK,
    Code.QUERY: Expect.TEXT_RESULT,
    Code.FIELD_LIST: Expect.FIELD_LIST,
    Code.CREATE_DB: Expect.OK,
    Code.DROP_DB: Expect.OK,
    Code.REFRESH: Expect.OK,
    Code.STATISTICS: Expect.STATISTICS,
    Code.PROCESS_INFO: Expect.TEXT_RESULT,
    Code.PROCESS_KILL: Expect.OK,
    Code.DEBUG: Expect.OK,
    Code.PING: Expect.OK,
    Code.CHANGE_USER: Expect.AUTH,
    Code.STMT_PREPARE: Expect.PREPARE,
    Code.STMT_EXECUTE: Expect.BINARY_RESULT,
    Code.STMT_SEND_LONG_DATA: Expect.NOTHING,
    Code.STMT_CLOSE: Expect.NOTHING,
    Code.STMT_RESET: Expect.OK,
    Code.SET_OPTION: Expect.OK,
    Code.STMT_FETCH: Expect.FETCH,
    Code.RESET_CONNECTION: Expect.OK,
}


def expected(code: int) -> Expect:
    """What answers the command with this code. Raises `UsageError` for one whose reply cannot be read here."""
    if (expect := _REPLIES.get(code)) is None:
        raise UsageError(f"the reply to command 0x{code:02x} is not known")
    return expect
