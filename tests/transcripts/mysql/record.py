"""Records what real servers answer, byte for byte, with a socket of its own: no codec of ours takes part.

    python -m tests.transcripts.mysql.record mysql /path/to/socket      # root without a password
    python -m tests.transcripts.mysql.record mariadb /path/to/socket

A reply counts as whole when nothing more has come for a while, so that the reader under test has no say in it.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
QUIET = 0.25  # seconds
LONG_PASSWORD, DEPRECATE_EOF, SESSION_TRACK, QUERY_ATTRIBUTES = 1, 1 << 24, 1 << 23, 1 << 27
MARIADB_EXTENDED_METADATA = 1 << 35
BASE = 4 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 19
MIXES = {
    "plain": 0,
    "track": SESSION_TRACK,
    "deprecate": DEPRECATE_EOF,
    "both": SESSION_TRACK | DEPRECATE_EOF,
}
BRAND_MIXES = {
    "mysql": {"attributes": SESSION_TRACK | DEPRECATE_EOF | QUERY_ATTRIBUTES},
    "mariadb": {"extended": SESSION_TRACK | DEPRECATE_EOF | MARIADB_EXTENDED_METADATA},
}

SETUP = (
    "drop database if exists recorded; create database recorded; use recorded;"
    "create table t (id int primary key auto_increment, v varchar(20) default 'x');"
    "create table kinds (a tinyint unsigned, b bigint, c double, d decimal(9,2), e date, f datetime(6), g time(3),"
    " h json, i blob, j enum('p','q'), k bit(9), l year);"
    "insert into kinds values (200, -5, 1.5, -12.30, '2024-02-29', '2024-02-29 12:34:56.789', '-30:00:01.5',"
    " '{\"a\": 1}', x'00ff', 'q', b'100000001', 2024), (null,null,null,null,null,null,null,null,null,null,null,null);"
    "create procedure two() begin select 1 a; select 2 b, 'x' c; end;"
    "create procedure outs(in i int, out x int, inout y int) begin set x = i + 1, y = y * 2; select 7 r; end"
)
TRACK = (
    "set session_track_system_variables = '*', session_track_schema = 1, session_track_state_change = 1,"
    " session_track_transaction_info = 'CHARACTERISTICS'"
)
NO_REPLY = (0x01, 0x18, 0x19)


def query(text: str, attributes: bool) -> bytes:
    return b"\x03" + (b"\0\x01" if attributes else b"") + text.encode()


def script(attributes: bool, tracked: bool) -> Iterator[bytes]:
    """The commands in their order. `%ID%` stands for the id of the last prepared statement."""
    for text in (TRACK,) if tracked else ():
        yield query(text, attributes)
    for text in (
        "insert into t (v) values ('a'), ('b'), (null)",
        "update t set v = 'c' where id = 2",
        "select * from t",
        "select * from kinds",
        "select '', null, repeat('y', 300), repeat('z', 70000)",
        "select 1 from t where id = 77",
        "select * from missing",
        "select 1; do 1; select 2 from t where 0; update t set v = 'd' where id = 1",
        "select 1; select * from missing; select 2",
        "select id, (select id from t) from t",
        "call two()",
        "show warnings",
        "insert ignore into t (id) values (1)",
        "begin",
        "insert into t (v) values ('e')",
        "rollback",
        "set names latin1",
        "set names utf8mb4",
        "use mysql",
    ):
        yield query(text, attributes)
    yield b"\x02recorded"
    yield b"\x02missing"
    yield b"\x04t\0%"
    yield b"\x04missing\0"
    yield from (b"\x09", b"\x0a", b"\x0d", b"\x0e", b"\x1b\x00\x00", b"\x1b\x01\x00", b"\x1b\x07\x00")
    yield from prepared(attributes)
    yield from (b"\x1f", b"\x77nobody", b"\x02recorded")
    if attributes:
        block = (
            b"\x01\x01\x00\x01"
            + b"\xfe\x00"
            + b"\x05trace"
            + b"\x0212"
            + b"select mysql_query_attribute_string('trace')"
        )
        yield b"\x03" + block


def execute(flags: int, values: bytes, attributes: bool, types: tuple[int, ...] = ()) -> bytes:
    head = b"\x17%ID%" + struct.pack("<BI", flags, 1)
    if not types:
        return head + (b"\0" if attributes and flags & 8 else b"")
    names = b"\0" if attributes else b""
    block = bytes((len(types) + 7) // 8) + b"\1" + b"".join(struct.pack("<H", kind) + names for kind in types) + values
    return head + (bytes([len(types)]) if attributes else b"") + block


def prepared(attributes: bool) -> Iterator[bytes]:
    yield b"\x16select * from missing"
    yield b"\x16select * from kinds"
    yield execute(8 if attributes else 0, b"", attributes)
    yield b"\x1a%ID%"
    yield b"\x19%ID%"
    yield b"\x16select id, v from t where id > ? and v <> ?"
    yield execute(0, struct.pack("<q", 0) + b"\x01z", attributes, (8, 253))
    yield execute(1, struct.pack("<q", 0) + b"\x01z", attributes, (8, 253))
    yield b"\x1c%ID%" + struct.pack("<I", 1)
    yield b"\x1c%ID%" + struct.pack("<I", 5)
    yield b"\x1c%ID%" + struct.pack("<I", 5)
    yield execute(1, struct.pack("<q", 99) + b"\x01z", attributes, (8, 253))
    yield b"\x1c%ID%" + struct.pack("<I", 5)
    yield b"\x18%ID%\x01\x00zz"
    yield execute(0, struct.pack("<q", 0), attributes, (8, 253))
    yield b"\x16call outs(?, ?, ?)"
    yield execute(0, struct.pack("<qqq", 1, 2, 3), attributes, (8, 8, 8))
    yield b"\x16insert into t (v) values (?)"
    yield execute(0, b"\x01n", attributes, (253,))
    yield b"\x16call two()"
    yield execute(8 if attributes else 0, b"", attributes)


class Connection:
    """A login without a password, then commands and what comes back."""

    def __init__(self, path: str, capabilities: int, user: bytes = b"root", quiet: float = QUIET) -> None:
        self._quiet = quiet
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._statement = b""
        self._packet()
        fixed = struct.pack("<IIB", capabilities & 0xFFFFFFFF, 1 << 24, 45) + bytes(19)
        plugin = b"caching_sha2_password\0" if capabilities & LONG_PASSWORD else b"mysql_native_password\0"
        self._send(fixed + struct.pack("<I", capabilities >> 32) + user + b"\0\0" + plugin, 1)
        while (packet := self._packet())[4] != 0:
            assert packet[4] in (1, 0xFE), packet
            if packet[4] == 0xFE:
                self._send(b"", packet[3] + 1)

    def _exact(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._socket.recv(size - len(data)) or sys.exit("the server is gone")
        return data

    def _packet(self) -> bytes:
        header = self._exact(4)
        return header + self._exact(int.from_bytes(header[:3], "little"))

    def _send(self, payload: bytes, sequence: int) -> None:
        self._socket.sendall(len(payload).to_bytes(3, "little") + bytes([sequence]) + payload)

    def close(self) -> None:
        self._socket.close()

    def ask(self, payload: bytes) -> tuple[bytes, bytes]:
        """The command as sent, and every byte of its reply."""
        payload = payload.replace(b"%ID%", self._statement)
        self._send(payload, 0)
        reply = b""
        self._socket.settimeout(0.1 if payload[0] in NO_REPLY else 5)
        try:
            while piece := self._socket.recv(1 << 20):
                reply += piece
                self._socket.settimeout(self._quiet)
        except TimeoutError:
            pass
        if payload[0] == 0x16 and reply[4] == 0:
            self._statement = reply[5:9]
        return payload, reply


def shortened(data: bytes) -> list[str | int]:
    """Hexadecimal pieces; of a long run of one byte only the byte and the count, so that the files stay small."""
    pieces: list[str | int] = []
    position = 0
    for run in re.finditer(rb"(.)\1{999,}", data, re.DOTALL):
        pieces += [data[position : run.start()].hex(), run[1].hex(), len(run[0])]
        position = run.end()
    return [*pieces, data[position:].hex()]


def main(brand: str, path: str) -> None:
    for name, extra in (MIXES | BRAND_MIXES[brand]).items():
        capabilities = BASE | extra | (LONG_PASSWORD if brand == "mysql" else 0)
        attributes, tracked = bool(extra & QUERY_ATTRIBUTES), bool(extra & SESSION_TRACK)
        Connection(path, capabilities).ask(query(SETUP, attributes))
        connection = Connection(path, capabilities)
        connection.ask(b"\x02recorded")
        answers = map(connection.ask, script(attributes, tracked))
        exchanges = [[command.hex(), shortened(reply)] for command, reply in answers]
        lines = ",\n".join(f"  {json.dumps(exchange)}" for exchange in exchanges)
        text = f'{{"capabilities": {capabilities}, "exchanges": [\n{lines}\n]}}\n'
        (HERE / f"{brand}-{name}.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
