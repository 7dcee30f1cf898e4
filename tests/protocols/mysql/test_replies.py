"""OK, EOF, ERR, definitions: written and read under every mix of capabilities."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.mysql import replies, session_track
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.faults import out_of_order, too_large
from tests.protocols.mysql.strategies import TRACK, blobs, capabilities, definitions, eofs, errs, oks, tracked_oks
from tests.protocols.postgres.strategies import damaged

PLAIN = Capability.PROTOCOL_41


@given(oks, capabilities)
def test_ok_comes_out_as_it_went_in(ok: replies.Ok, agreed: Capability) -> None:
    assert replies.decode_ok(ok.encode(agreed), agreed) == ok


@given(tracked_oks)
def test_session_changes_travel_only_where_agreed(ok: replies.Ok) -> None:
    assert replies.decode_ok(ok.encode(PLAIN | TRACK), PLAIN | TRACK) == ok
    without = replies.decode_ok(ok.encode(PLAIN), PLAIN)
    assert without.changes == ()
    assert StatusFlag.SESSION_STATE_CHANGED not in without.status
    assert without.info == ok.info


def test_ok_as_the_server_lays_it_out() -> None:
    assert replies.Ok().encode(PLAIN | TRACK) == b"\0\0\0\x02\0\0\0"
    assert replies.Ok(info=b"hello").encode(PLAIN) == b"\0\0\0\x02\0\0\0\x05hello"
    changed = StatusFlag.AUTOCOMMIT | StatusFlag.SESSION_STATE_CHANGED
    ok = replies.Ok(status=changed, changes=(session_track.schema(b"shop"),))
    assert ok.encode(PLAIN | TRACK) == b"\0\0\0\x02\x40\0\0\0\x07\x01\x05\x04shop"


@given(eofs, errs, definitions)
def test_the_others_come_out_as_they_went_in(
    eof: replies.Eof, err: replies.Err, definition: replies.ColumnDefinition
) -> None:
    assert replies.decode_eof(eof.encode(PLAIN)) == eof
    assert replies.decode_err(err.encode(PLAIN)) == err
    assert replies.decode_definition(definition.encode(), PLAIN) == definition


@given(definitions, st.none() | blobs, blobs)
def test_definitions_with_more_in_them(base: replies.ColumnDefinition, default: bytes | None, extra: bytes) -> None:
    extended = PLAIN | Capability.MARIADB_EXTENDED_METADATA
    values = {name: getattr(base, name) for name in base.__slots__}
    listed = replies.ColumnDefinition(**values | {"has_default": True, "default": default})
    assert replies.decode_definition(listed.encode(PLAIN), PLAIN, has_default=True) == listed
    described = replies.ColumnDefinition(**values | {"extended": extra})
    assert replies.decode_definition(described.encode(extended), extended) == described
    with pytest.raises(PeerError):
        replies.decode_definition(listed.encode(PLAIN), PLAIN)


def test_an_error_before_the_client_is_known_has_no_sqlstate() -> None:
    err = replies.decode_err(b"\xff\x10\x04Too many connections")
    assert err == replies.Err(1040, "", b"Too many connections")
    assert err.encode() == b"\xff\x10\x04Too many connections"
    assert replies.Err(1040, "08004", b"x").encode(Capability(0)) == b"\xff\x10\x04x"


def test_what_a_broken_peer_is_told() -> None:
    assert replies.fatal(out_of_order(0, 3)).errno == 1156
    assert replies.fatal(too_large(64)).sqlstate == "08S01"
    told = replies.fatal(PeerError("what", "08P01", "mend"))
    assert (told.errno, told.sqlstate, told.text) == (1835, "HY000", "what (mend)")
    assert replies.error(1142, "42000", "Größe €", "cp1252").message == b"Gr\xf6\xdfe \x80"
    assert replies.error(1142, "42000", "Ω", "latin-1").message == b"?"
    with pytest.raises(UsageError):
        replies.Err(1, "42", b"").encode()


DECODERS: list[Callable[[bytes], object]] = [
    lambda data: replies.decode_ok(data, PLAIN),
    lambda data: replies.decode_ok(data, PLAIN | TRACK),
    replies.decode_eof,
    replies.decode_err,
    lambda data: replies.decode_definition(data, PLAIN),
    lambda data: replies.decode_definition(data, PLAIN, has_default=True),
    replies.decode_prepare_ok,
]


@given(st.data())
def test_damaged_packets_are_a_peer_error_or_something_else(data: st.DataObject) -> None:
    packet = data.draw(oks | tracked_oks | eofs | errs | definitions)
    broken = data.draw(st.binary(max_size=40) | damaged(packet.encode(PLAIN | TRACK)))
    for decode in DECODERS:
        try:
            decode(broken)
        except PeerError:
            continue


@pytest.mark.parametrize(
    ("decode", "packet"),
    [
        (0, b""),
        (0, b"\x01\0\0\x02\0\0\0"),
        (0, b"\0\0\0\x02\0\0"),
        (0, b"\0\0\0\x02\0\0\0\x03ab"),
        (1, b"\0\0\0\x02\x40\0\0\0\x02\x01\x05"),
        (1, b"\0\0\0\x02\x40\0\0\0"[:7] + b"\0\x01\x05\0"),
        (2, b"\xfe\0\0\0"),
        (2, b"\xfe\0\0\0\0\0"),
        (3, b"\xff\xff\xff\x01\x01\x01"),  # a progress report
        (3, b"\xff\x10\x04#4200"),
        (3, b"\xff\x10\x04#42\n00x"),
        (4, b"\x03def\0\0\0\0\0\x0b" + bytes(12)),
        (4, b"\x03def\0\0\0\0\0\x0c" + bytes(11)),
        (6, b"\0\x01\0\0\0"),
    ],
)
def test_broken_packets(decode: int, packet: bytes) -> None:
    with pytest.raises(PeerError):
        DECODERS[decode](packet)


def test_what_session_changes_say() -> None:
    variable = session_track.system_variable(b"sql_mode", b"ANSI")
    assert variable.variables() == ((b"sql_mode", b"ANSI"),)
    two = session_track.SessionChange(0, variable.data + session_track.system_variable(b"a", b"").data)
    assert two.variables() == ((b"sql_mode", b"ANSI"), (b"a", b""))
    assert session_track.schema(b"shop").text() == b"shop"
    assert session_track.SessionChange(3, b"\0\x04a:1-").gtids() == b"a:1-"
    for broken in (b"\x05ab", b"\x01ab"):
        with pytest.raises(PeerError):
            session_track.SessionChange(1, broken).text()
    with pytest.raises(PeerError):
        session_track.SessionChange(0, b"\x01a").variables()
