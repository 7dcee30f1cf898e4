"""Where a statement begins behind its query attributes: the server and the codec agree, or the codec refuses.

A client that finds a value which the two read differently could show one statement to the gate and run another one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from itertools import product

import pytest

from protocols.errors import PeerError
from protocols.mysql import commands
from protocols.mysql.capabilities import Capability
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand
from tests.transcripts.mysql.record import BASE, DEPRECATE_EOF, LONG_PASSWORD, QUERY_ATTRIBUTES, Connection

pytestmark = pytest.mark.live

AGREED = BASE | LONG_PASSWORD | DEPRECATE_EOF | QUERY_ATTRIBUTES
BEHIND = b"abcdefghijklmnopqrstuvwxyz"  # what of it is no value is the statement: the server quotes it in its error
QUOTED = re.compile(rb"near '(.*)' at line", re.DOTALL)


class Server:
    """Asks, and comes back when the server has hung up."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection = self._fresh()

    def _fresh(self) -> Connection:
        return Connection(self._path, AGREED, b"bare", quiet=0.02)

    def close(self) -> None:
        self._connection.close()

    def statement(self, payload: bytes) -> bytes | None:
        """The statement as the server reads it, or None when it reads none."""
        _, reply = self._connection.ask(payload)
        found = QUOTED.search(reply)
        if found is None:
            self.close()
            self._connection = self._fresh()
        return found[1] if found else None


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with needed_mysql(Brand.MYSQL) as started:
        if started.socket is None:
            pytest.skip("the server has no socket on this machine")
        started.run("CREATE USER bare@localhost")
        with contextlib.closing(Server(str(started.socket))) as found:
            yield found


def ours(payload: bytes) -> bytes | None:
    try:
        command = commands.decode(payload, Capability(AGREED))
    except PeerError:
        return None
    assert isinstance(command, commands.Query)
    return command.sql


def one(kind: int, value: bytes, bitmap: int = 0, bound: int = 1, name: bytes = b"\x01n") -> bytes:
    return b"\x03\x01\x01" + bytes([bitmap, bound]) + kind.to_bytes(2, "little") + name + value + BEHIND


TYPES = [*range(22), *range(241, 256), 0x103, 0x4003, 0x8003, 0x8103, 0x01FE]
LENGTHS = (
    b"\xfb",
    b"\xfc\x02\0",
    b"\xfd\x02\0\0",
    b"\xfe\x02" + bytes(7),
    b"\xfe\x02\0\0\0\1\0\0\0",
    b"\xff" + bytes(8),
)
NAMES = (b"\0", b"\xfc\1\0n", b"\xfbn", b"\xffn", b"\xfd\1\0\0n", b"\x60n")
PAYLOADS = [
    *(one(kind, b"\x02", bitmap) for kind, bitmap in product(TYPES, (0, 1))),
    *(one(kind, length) for kind, length in product((254, 12, 246, 16), LENGTHS)),
    *(one(254, b"\x02", name=name) for name in NAMES),
    *(one(254, b"\x02", bound=bound) for bound in (0, 2, 255)),
    *(one(254, b"\x02", bitmap=bitmap) for bitmap in (0x02, 0x80, 0xFE, 0xFF)),
    *(
        b"\x03" + head + b"z" + BEHIND
        for head in (b"\0\1", b"\0\0", b"\0\2", b"\xfb\1", b"\xfc\0\0\1", b"\0\xfc\1\0", b"\1")
    ),
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload[:20].hex())
def test_the_statement_decided_is_the_one_that_runs(server: Server, payload: bytes) -> None:
    decided, run = ours(payload), server.statement(payload)
    assert decided is None or run is None or decided == run


def test_ordinary_attributes_are_read(server: Server) -> None:
    for payload in (one(254, b"\x02ab"), one(8, bytes(8)), one(0x8003, bytes(4)), one(5, bytes(8)), one(246, b"\x011")):
        assert ours(payload) == server.statement(payload) == BEHIND
