"""COM_STMT_EXECUTE as the server is to have it.

With CLIENT_QUERY_ATTRIBUTES the command counts its parameters and names them; a server that does not know query
attributes (MariaDB) must not see that. Source: MySQL internals, "COM_STMT_EXECUTE".
"""

from __future__ import annotations

from typing import Final

from dbgate.session.mysql.registry import Prepared
from dbgate.session.mysql.state import State
from protocols.mysql.capabilities import Capability
from protocols.mysql.commands import CursorFlag, StmtExecute, decode
from protocols.mysql.faults import malformed
from protocols.mysql.parameters import read_block, write_block
from protocols.mysql.wire import Reader

CURSOR: Final = CursorFlag.READ_ONLY
_HEAD: Final = 10  # code, statement id, flags, iteration count


def statement_id(payload: bytes) -> tuple[int, int]:
    """(the statement's number, the flags). Raises PeerError."""
    if len(payload) < _HEAD:
        raise malformed("COM_STMT_EXECUTE", f"{len(payload)} bytes")
    return int.from_bytes(payload[1:5], "little"), payload[5]


def translated(state: State, payload: bytes, prepared: Prepared) -> bytes:
    """The command for this server, with the statement's own number. Raises PeerError for what it cannot take."""
    command = decode(payload, state.login.client)
    assert isinstance(command, StmtExecute)
    lacking = Capability.QUERY_ATTRIBUTES in state.login.client & ~state.login.upstream
    block = _unnamed(command, prepared) if lacking else command.payload
    flags = command.flags & ~CursorFlag.PARAMETER_COUNT_AVAILABLE if lacking else command.flags
    return StmtExecute(prepared.number, flags, block, command.iterations).encode(state.login.upstream)


def _unnamed(command: StmtExecute, prepared: Prepared) -> bytes:
    """The parameters without their count and names."""
    if not prepared.parameters and not command.flags & CursorFlag.PARAMETER_COUNT_AVAILABLE:
        return command.payload
    reader = Reader(command.payload, "COM_STMT_EXECUTE")
    count = reader.lenenc("parameter count")
    if count != prepared.parameters:
        raise malformed("COM_STMT_EXECUTE", f"{count} parameters where {prepared.parameters} are known")
    if not count:
        return b""
    long_data = prepared.long_data
    bound, found = read_block(reader, count, True, prepared.types, long_data)
    reader.finish()
    prepared.types = tuple((parameter.type, parameter.name) for parameter in found)
    return write_block(found, False, bound, long_data)
