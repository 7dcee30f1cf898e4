"""A relay in front of a real server that masks every column of one table, so that drivers show what they can read.

No policy and no session: rows go through `compile_rewriter` and the cell masks alone. Each connection has a thread."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dbgate.session.mysql.cells import Cell, cell_masker, told_definition
from protocols.mysql.capabilities import UNREADABLE, Capability
from protocols.mysql.fieldtypes import FieldType
from protocols.mysql.handshake import HandshakeResponse41, decode_handshake, decode_response
from protocols.mysql.packets import encode, encode_all
from protocols.mysql.relay import Columns, Expect, Kind, Piece, ReplyReader, expected
from protocols.mysql.rows import RowRewriter, compile_rewriter
from protocols.mysql.wire import lenenc
from rules.decision import Mask

TABLE = b"every_type"
KEY = b"0123456789abcdef"
NOT_OFFERED = UNREADABLE | Capability.SSL
#: information_schema's names of MariaDB's types that come as strings, by column of the table
NAMES = {b"j": "json", b"u": "uuid", b"i6": "inet6", b"i4": "inet4"}


@dataclass
class Relay:
    """`mask` may be changed between statements. `troubles`: what went wrong in a connection's thread."""

    host: str
    port: int
    own_port: int
    mask: Mask
    troubles: list[BaseException]


@contextlib.contextmanager
def masking_relay(host: str, port: int, mask: Mask) -> Iterator[Relay]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(host, port, listener.getsockname()[1], mask, [])
        threading.Thread(target=_accept, args=(listener, relay), daemon=True).start()
        yield relay
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, relay: Relay) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, relay), daemon=True).start()


def _serve(client: socket.socket, relay: Relay) -> None:
    with client, socket.create_connection((relay.host, relay.port)) as server:
        try:
            capabilities = _login(client, server)
            while (command := _packet(client)) is not None:
                server.sendall(command)
                _reply(client, server, expected(command[4]), capabilities, relay.mask)
        except (ConnectionError, BrokenPipeError):
            pass
        except BaseException as trouble:
            relay.troubles.append(trouble)


def _packet(source: socket.socket) -> bytes | None:
    """One packet with its header."""
    head = source.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        return None
    size = int.from_bytes(head[:3], "little")
    return head + (source.recv(size, socket.MSG_WAITALL) if size else b"")


def _login(client: socket.socket, server: socket.socket) -> Capability:
    """Pass on a login of a user without a password. Returns what both sides have."""
    greeting = decode_handshake((_packet(server) or b"")[4:])
    offered = replace(greeting, capabilities=greeting.capabilities & ~NOT_OFFERED)
    client.sendall(encode(offered.encode(), 0))
    answer = _packet(client) or b""
    response = decode_response(answer[4:], offered.capabilities)
    assert isinstance(response, HandshakeResponse41)
    server.sendall(answer)
    while (said := _packet(server) or b"\0\0\0\0\xff")[4] not in (0x00, 0xFF):
        client.sendall(said)
        if said[4:6] != b"\x01\x03":
            server.sendall(_packet(client) or b"")
    client.sendall(said)
    return response.capabilities & offered.capabilities


def _reply(client: socket.socket, server: socket.socket, expect: Expect, capabilities: Capability, mask: Mask) -> None:
    reader = ReplyReader(expect, capabilities)
    buffer, rewriter = b"", None
    while not reader.complete:
        sequence = reader.sequence
        piece = reader.next(buffer, 0)
        if piece is None:
            received = server.recv(1 << 16)
            if not received:
                raise ConnectionError
            buffer += received
            continue
        data = buffer[piece.start : piece.end]
        if isinstance(piece.value, Columns):
            data, rewriter = _columns(piece.value, sequence, capabilities, mask)
        elif piece.kind is Kind.ROWS and rewriter is not None:
            data = _rows(rewriter, data, piece, sequence)
        client.sendall(data)
        buffer = buffer[piece.end :]


def _columns(columns: Columns, sequence: int, capabilities: Capability, mask: Mask) -> tuple[bytes, RowRewriter | None]:
    """The definitions as the client is told, and what masks the rows."""
    definitions = columns.definitions(capabilities)
    cells = {
        number: Cell(mask, each, columns.binary, KEY, NAMES.get(each.org_name, ""), own_zone=True)
        for number, each in enumerate(definitions)
        if each.org_table == TABLE and each.type != FieldType.NULL
    }
    maskers = {number: cell_masker(cell) for number, cell in cells.items()}
    told = [told_definition(cells[n], maskers[n]) if n in cells else each for n, each in enumerate(definitions)]
    payloads = [lenenc(len(told)), *(each.encode(capabilities) for each in told)]
    payloads += [columns.eof.encode(capabilities)] if columns.eof is not None else []
    rewriter = compile_rewriter([each.type for each in definitions], maskers, columns.binary) if maskers else None
    return encode_all(payloads, sequence)[0], rewriter


def _rows(rewriter: RowRewriter, data: bytes, piece: Piece, sequence: int) -> bytes:
    made = rewriter(data, 0, len(data), sequence, 0)
    assert (made.consumed, made.rows, made.shift) == (len(data), piece.rows, 0)
    return made.data
