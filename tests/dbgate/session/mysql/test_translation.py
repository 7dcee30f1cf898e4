"""Client and server have agreed on different forms of replies: the client gets what a server of its own form would have
sent, however the server's bytes are cut. What servers sent is recorded (`tests/transcripts/mysql`)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbgate.session.mysql.login import Brand
from dbgate.session.mysql.session import MysqlSession
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.commands import Code
from protocols.mysql.packets import HEADER_SIZE, encode, split
from protocols.mysql.relay import Kind
from protocols.mysql.replies import Eof, Ok
from tests.dbgate.session.mysql.fakes import LOGIN, MysqlPolicy, new_session
from tests.protocols.mysql.test_transcripts import pieces_of, reader_of
from tests.protocols.mysql.transcripts import Exchange, transcript

PAIRS = [
    (f"{brand}-{a}", f"{brand}-{b}")
    for brand in ("mysql", "mariadb")
    for a, b in (("plain", "deprecate"), ("deprecate", "plain"), ("track", "both"), ("both", "track"))
]
#: what the server tells of the session differs between the recordings; the gate's own pins follow a reset
OTHERWISE = {Code.STATISTICS, Code.PROCESS_INFO, Code.RESET_CONNECTION}
MORE = StatusFlag.MORE_RESULTS_EXISTS


def session_between(upstream: Capability, client: Capability, brand: str) -> MysqlSession:
    login = replace(LOGIN, client=client, upstream=upstream, brand=Brand(brand))
    return new_session(MysqlPolicy(unrestricted=True), login=login)


def heard(session: MysqlSession, exchange: Exchange, size: int) -> bytes | None:
    """What the client gets; None for a command that the server is not to hear of."""
    outcome = session.client_sent(encode(exchange.command, 0), 1)
    if not outcome.to_upstream:
        return None
    out = outcome.to_client
    for at in range(0, len(exchange.reply), size):
        out += session.upstream_sent(exchange.reply[at : at + size], 2).to_client
    return out


def shape(reply: bytes, ends: bool) -> list[tuple[int, int, int]]:
    """Sequence id, length (unless `ends` is false, not of OK packets), first byte of each packet."""
    found = []
    for sequence, start, end in split(reply, 0)[0]:
        first = reply[start + HEADER_SIZE]
        found.append((sequence, end - start if ends or first not in (0x00, 0xFE) else 0, first))
    return found


def story(reply: bytes, exchange: Exchange, capabilities: Capability) -> list[tuple[Kind, bool]]:
    """What a client of these capabilities reads: each piece's kind, and whether another result follows. Rows come as
    one piece, and a cursor's opening may have an end of its own."""
    reader = reader_of(exchange, capabilities)
    pieces = pieces_of(reader, reply)
    assert reader.complete
    told = [(piece.kind, piece.more or says_more(piece.value)) for piece in pieces if not opens_cursor(piece.value)]
    return [each for n, each in enumerate(told) if each[0] is not Kind.ROWS or told[n - 1] != each]


def says_more(value: object) -> bool:
    return isinstance(value, Ok) and MORE in value.status


def opens_cursor(value: object) -> bool:
    return isinstance(value, Ok | Eof) and StatusFlag.CURSOR_EXISTS in value.status


@pytest.mark.parametrize("size", [3, 61, 1 << 20])
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_client_reads_what_its_own_server_would_have_sent(source: str, target: str, size: int) -> None:
    one, other = transcript(source), transcript(target)
    ends = not one.capabilities & Capability.SESSION_TRACK
    session = session_between(one.capabilities, other.capabilities, source.partition("-")[0])
    passed = 0
    for exchange, native in zip(one.exchanges, other.exchanges, strict=True):
        if exchange.command[0] in OTHERWISE:
            continue
        reply = heard(session, exchange, size)
        if reply is None:
            continue
        passed += 1
        assert shape(reply, ends) == shape(native.reply, ends), exchange.command
        if exchange.reply:
            assert story(reply, native, other.capabilities) == story(native.reply, native, other.capabilities)
    assert passed > 40
    assert session.idle


@pytest.mark.parametrize("size", [3, 61, 1 << 20])
@pytest.mark.parametrize("without", [Capability(0), Capability.DEPRECATE_EOF, Capability.SESSION_TRACK])
def test_extended_metadata_are_left_out(without: Capability, size: int) -> None:
    found = transcript("mariadb-extended")
    client = found.capabilities & ~(without | Capability.MARIADB_EXTENDED_METADATA)
    session = session_between(found.capabilities, client, "mariadb")
    for exchange in found.exchanges:
        if exchange.command[0] in OTHERWISE or (reply := heard(session, exchange, size)) is None or not reply:
            continue
        assert story(reply, exchange, client) == story(exchange.reply, exchange, found.capabilities)
    assert session.idle
