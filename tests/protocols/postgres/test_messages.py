"""Every message: written and read back, cut short, lengthened, replaced by garbage; and frames."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.postgres import backend, diagnostics, frames, frontend, startup
from protocols.postgres.reader import ByteReader
from tests.protocols.postgres import strategies as some

LIMIT = 1 << 20
Decode = Callable[[int, bytes], object]


def parts(whole: bytes) -> tuple[int, bytes]:
    """Kind and payload of one message."""
    [(kind, start, end)], consumed = frames.split(whole, 0, LIMIT)
    assert (start, end, consumed) == (0, len(whole), len(whole))
    return kind, whole[frames.HEADER_SIZE :]


@given(some.frontend_messages)
def test_frontend_messages_read_as_written(message: frontend.FrontendMessage) -> None:
    assert frontend.decode(*parts(message.encode())) == message


@given(some.backend_messages)
def test_backend_messages_read_as_written(message: backend.BackendMessage) -> None:
    assert backend.decode(*parts(message.encode())) == message


@given(some.startup_packets)
def test_startup_packets_read_as_written(packet: startup.StartupPacket) -> None:
    assert startup.decode(packet.encode()) == packet


#: messages that hold "the rest of the payload": any length is one
OPEN_ENDED = (
    frontend.CopyData,
    frontend.AuthenticationData,
    backend.BackendKeyData,
    backend.AuthenticationSASLContinue,
    backend.AuthenticationSASLFinal,
    backend.AuthenticationUnsupported,
)


def check_exact_length(decode: Decode, message: object, whole: bytes) -> None:
    """No shorter payload is this message, and no longer one is any."""
    kind, payload = parts(whole)
    for size in range(len(payload)):
        with contextlib.suppress(PeerError):
            assert decode(kind, payload[:size]) != message
    if not isinstance(message, OPEN_ENDED):
        with pytest.raises(PeerError):
            decode(kind, payload + b"\1")


@given(some.frontend_messages)
def test_frontend_payloads_have_one_length(message: frontend.FrontendMessage) -> None:
    check_exact_length(frontend.decode, message, message.encode())


@given(some.backend_messages)
def test_backend_payloads_have_one_length(message: backend.BackendMessage) -> None:
    check_exact_length(backend.decode, message, message.encode())


@given(st.sampled_from(sorted(frontend.DECODERS)), st.binary(max_size=60))
def test_garbage_from_a_client_is_a_peer_error(kind: int, payload: bytes) -> None:
    with contextlib.suppress(PeerError):
        frontend.decode(kind, payload)


@given(st.sampled_from(sorted(backend.DECODERS)), st.binary(max_size=60))
@example(ord("v"), b"\0\3\0\2\xff\xff\xff\xff")
@example(ord("T"), b"\xff\xff")
def test_garbage_from_a_server_is_a_peer_error(kind: int, payload: bytes) -> None:
    with contextlib.suppress(PeerError):
        backend.decode(kind, payload)


@given(some.frontend_messages, some.backend_messages, some.startup_packets, st.data())
def test_damaged_messages_are_messages_or_peer_errors(
    front: frontend.FrontendMessage, back: backend.BackendMessage, packet: startup.StartupPacket, data: st.DataObject
) -> None:
    """Far closer to the truth than garbage; and what is read can be written, to be read as the same again."""
    for decode, whole in ((frontend.decode, front.encode()), (backend.decode, back.encode())):
        payload = data.draw(some.damaged(whole[frames.HEADER_SIZE :]))
        with contextlib.suppress(PeerError):
            read = decode(whole[0], payload)
            again = read.encode()
            assert decode(again[0], again[frames.HEADER_SIZE :]) == read
    with contextlib.suppress(PeerError):
        startup.decode(data.draw(some.damaged(packet.encode())))


READERS: dict[str, Callable[[bytes], object]] = {
    "read_password": frontend.read_password,
    "read_sasl_initial_response": frontend.read_sasl_initial_response,
    "read_query": frontend.read_query,
    "read_parse": frontend.read_parse,
    "read_execute": frontend.read_execute,
    "read_target": frontend.read_target,
    "read_bind_names": frontend.read_bind_names,
    "read_bind_result_formats": frontend.read_bind_result_formats,
    "startup": startup.decode,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@given(garbage=st.binary(max_size=60))
def test_garbage_in_a_hot_reader_is_a_peer_error(read: Callable[[bytes], object], garbage: bytes) -> None:
    with contextlib.suppress(PeerError):
        read(garbage)


@given(st.binary(max_size=40))
def test_garbage_after_a_startup_header_is_a_peer_error(garbage: bytes) -> None:
    for code in (b"\0\3\0\0", b"\0\3\0\2", b"\4\xd2\x16\x2e", b"\4\xd2\x16\x2f", b"\4\xd2\x16\x30"):
        with contextlib.suppress(PeerError):
            startup.decode((8 + len(garbage)).to_bytes(4, "big") + code + garbage)


@given(st.builds(frontend.Bind, some.texts, some.texts, some.formats, some.values, some.formats), st.binary(max_size=9))
def test_a_bind_can_be_looked_into_where_it_lies(bind: frontend.Bind, around: bytes) -> None:
    whole = bind.encode()
    buffer, start = around + whole + around, len(around) + frames.HEADER_SIZE
    end = len(around) + len(whole)
    assert frontend.read_bind_names(buffer, start, end) == (bind.portal, bind.statement)
    assert frontend.read_bind_result_formats(buffer, start, end) == bind.result_formats


@given(some.values, some.formats, st.data())
def test_looking_into_a_bind_checks_it_as_reading_does(
    values: tuple[bytes | None, ...], formats: tuple[int, ...], data: st.DataObject
) -> None:
    whole = frontend.Bind("p", "s", (), values, formats).encode()
    payload = data.draw(some.damaged(whole[frames.HEADER_SIZE :]))
    try:
        read = frontend.decode(ord("B"), payload)
    except PeerError as error:
        if error.sqlstate == "08P01":  # names are not decoded here
            with pytest.raises(PeerError):
                frontend.read_bind_result_formats(payload)
    else:
        assert isinstance(read, frontend.Bind)
        assert frontend.read_bind_result_formats(payload) == read.result_formats


@given(some.texts, some.texts, some.oids, some.i32)
def test_texts_can_be_looked_into_where_they_lie(name: str, sql: str, types: tuple[int, ...], rows: int) -> None:
    query, parse = frontend.Query(sql).encode(), frontend.Parse(name, sql, types).encode()
    execute = frontend.Execute(name, rows).encode()
    buffer = b"xx" + query + parse + execute + b"yy"
    places, _ = frames.split(buffer[:-2], 2, LIMIT)
    (_, start1, end1), (_, start2, end2), (_, start3, end3) = places
    assert frontend.read_query(buffer, start1 + 5, end1) == sql.encode()
    assert frontend.read_parse(buffer, start2 + 5, end2) == (name, sql.encode(), types)
    assert frontend.read_execute(buffer, start3 + 5, end3) == (name, rows)


@given(st.sampled_from(frontend.Target), some.texts, st.data())
def test_a_target_is_read_as_the_whole_message_is(target: frontend.Target, name: str, data: st.DataObject) -> None:
    payload = frontend.Describe(target, name).encode()[frames.HEADER_SIZE :]
    assert frontend.read_target(b"xx" + payload + b"y", 2, 2 + len(payload)) == (ord(target.value), name)
    damaged = data.draw(some.damaged(payload))
    try:
        read = frontend.decode(ord("D"), damaged)
    except PeerError:
        with pytest.raises(PeerError):
            frontend.read_target(damaged)
    else:
        assert isinstance(read, frontend.Describe)
        assert frontend.read_target(damaged) == (ord(read.target.value), read.name)


@pytest.mark.parametrize("payload", [b"", b"select 1", b"select 1\0 drop\0", b"select 1\0\0"])
def test_a_query_is_one_string(payload: bytes) -> None:
    with pytest.raises(PeerError, match="Query"):
        frontend.read_query(payload)


@pytest.mark.parametrize(
    ("formats", "width", "each"),
    [((), 3, (0, 0, 0)), ((1,), 2, (1, 1)), ((0, 1), 2, (0, 1)), ((), 0, ()), ((1,), 0, ()), ((1,), 1, (1,))],
)
def test_format_codes_are_spread_over_the_columns(formats: tuple[int, ...], width: int, each: tuple[int, ...]) -> None:
    assert frontend.column_formats(formats, width) == each


@pytest.mark.parametrize(
    ("formats", "width", "code"), [((0, 1), 3, "08P01"), ((2,), 1, "22023"), ((-1, 0), 2, "22023")]
)
def test_format_codes_that_do_not_fit_are_errors(formats: tuple[int, ...], width: int, code: str) -> None:
    with pytest.raises(PeerError) as caught:
        frontend.column_formats(formats, width)
    assert caught.value.sqlstate == code


@pytest.mark.parametrize("message", [b"Q\0\0\0\6\xff\0", b"P\0\0\0\7\xff\0\0"])
def test_names_and_sql_must_be_utf8(message: bytes) -> None:
    with pytest.raises(PeerError, match="UTF8") as caught:
        frontend.decode(message[0], message[5:] + b"\0\0")
    assert caught.value.sqlstate == "22021"


def test_unknown_kinds_are_refused() -> None:
    for decode in (frontend.decode, backend.decode):
        with pytest.raises(PeerError, match="message type"):
            decode(ord("~"), b"")
    with pytest.raises(PeerError, match="authentication request 99"):
        backend.decode(ord("R"), b"\0\0\0\x63")


@pytest.mark.parametrize(
    "message",
    [
        frontend.Query("select 1\0; drop table t"),
        frontend.Parse("a\0b", "select 1"),
        frontend.Query("\ud800"),
        frontend.Execute("", 1 << 31),
        backend.BackendKeyData(1, b"abc"),
        backend.BackendKeyData(1, bytes(257)),
        startup.CancelRequest(1, b""),
        startup.StartupMessage((3, 0), {"user": "x" * 10_001}),
    ],
)
def test_what_cannot_be_sent_is_our_mistake(message: frontend.FrontendMessage) -> None:
    with pytest.raises(UsageError):
        message.encode()


def test_errors_have_the_servers_order_and_always_get_out() -> None:
    error = backend.error("ERROR", "42501", "no \0 way\ud800", "why", "mend", table="t", position="7")
    assert [code for code, _ in error.fields] == ["S", "V", "C", "M", "D", "H", "t", "P"]
    read = backend.decode(*parts(error.encode()))
    assert isinstance(read, diagnostics.ErrorResponse)
    assert (read.get("C"), read.get("M"), read.get("X")) == ("42501", "no \ufffd way?", None)
    assert [code for code, _ in backend.notice("NOTICE", "00000", "n").fields] == ["S", "V", "C", "M"]


def test_error_texts_before_the_encoding_is_known_are_read_leniently() -> None:
    read = backend.decode(ord("E"), b"Mfa\xefled\0\0")
    assert isinstance(read, diagnostics.ErrorResponse)
    assert read.get("M") == "fa\ufffdled"


def test_a_peer_error_becomes_a_fatal_one() -> None:
    assert backend.fatal(PeerError("m", "0A000", "h")) == backend.error("FATAL", "0A000", "m", hint="h")


@pytest.mark.parametrize(
    ("tag", "count"),
    [("INSERT 0 3", 3), ("SELECT 5", 5), ("UPDATE 0", 0), ("COPY 12", 12), ("BEGIN", None), ("CREATE TABLE", None),
     ("", None), ("5", None), ("SELECT x", None), ("SELECT ²", None), ("SELECT " + "9" * 30, None)],
)  # fmt: skip
def test_tags_tell_their_rows(tag: str, count: int | None) -> None:
    assert backend.row_count(tag) == count


# ---------------------------------------------------------------- frames


@given(st.lists(some.frontend_messages, max_size=6), st.data())
def test_any_chunking_gives_the_same_messages(messages: list[frontend.FrontendMessage], data: st.DataObject) -> None:
    stream = b"".join(message.encode() for message in messages)
    waiting, found = b"", []
    for piece in some.pieces(stream, data.draw(some.cuts(len(stream)))):
        waiting += piece
        places, consumed = frames.split(waiting, 0, LIMIT)
        found += [frontend.decode(kind, waiting[start + frames.HEADER_SIZE : end]) for kind, start, end in places]
        waiting = waiting[consumed:]
    assert (found, waiting) == (messages, b"")


@given(some.backend_messages, some.backend_messages)
def test_one_message_at_a_time(one: backend.BackendMessage, two: backend.BackendMessage) -> None:
    head, tail = one.encode(), two.encode()
    for size in range(len(head)):
        assert frames.first(head[:size], 0, LIMIT) is None
    assert frames.first(head + tail, 0, LIMIT) == (head[0], 0, len(head))
    assert frames.first(head + tail, len(head), LIMIT) == (tail[0], len(head), len(head) + len(tail))


@pytest.mark.parametrize("length", [0, 3, 101, 0x80000000, 0xFFFFFFFF])
def test_a_length_no_message_has_is_refused_at_once(length: int) -> None:
    header = b"Q" + length.to_bytes(4, "big")
    for read in (frames.split, frames.first):
        with pytest.raises(PeerError, match=f"invalid message length {length} in a message of kind 'Q'"):
            read(header, 0, 100)


def test_a_length_at_the_limit_is_waited_for() -> None:
    assert frames.split(b"Q" + (100).to_bytes(4, "big"), 0, 100) == ([], 0)
    assert frames.message(b"Q", b"abc") == b"Q\0\0\0\7abc"


# ---------------------------------------------------------------- startup


@pytest.mark.parametrize("size", [0, 4, 7, 10_005, 0x47455420])
def test_startup_lengths_are_bounded(size: int) -> None:
    with pytest.raises(PeerError, match="invalid length of startup packet"):
        startup.packet_size(size.to_bytes(4, "big"))


def test_a_startup_length_is_waited_for() -> None:
    assert startup.packet_size(b"\0\0\0") is None
    assert startup.packet_size(b"\0\0\x27\x14") == 10_004
    assert startup.packet_size(b"xx" + startup.SSLRequest().encode(), 2) == 8


@pytest.mark.parametrize(
    "payload", [b"user\0bob\0", b"user\0bob", b"user\0", b"\0\0", b"user\0bob\0\0x", b"user\0bob\0\0\0", b""]
)
def test_startup_needs_its_terminator(payload: bytes) -> None:
    packet = (8 + len(payload)).to_bytes(4, "big") + b"\0\3\0\0" + payload
    with pytest.raises(PeerError, match="expected terminator as last byte"):
        startup.decode(packet)


@pytest.mark.parametrize("version", [(2, 0), (4, 0), (0, 0), (1234, 9999)])
def test_other_major_versions_are_refused_as_a_server_does(version: tuple[int, int]) -> None:
    with pytest.raises(PeerError) as caught:
        startup.decode(startup.StartupMessage(version, {"user": "bob"}).encode())
    assert caught.value.sqlstate == "0A000"
    assert (
        caught.value.message == f"unsupported frontend protocol {version[0]}.{version[1]}: server supports 3.0 to 3.2"
    )


@pytest.mark.parametrize(
    ("asked", "spoken"), [((3, 0), (3, 0)), ((3, 1), (3, 0)), ((3, 2), (3, 2)), ((3, 9999), (3, 2))]
)
def test_versions_are_negotiated(asked: tuple[int, int], spoken: tuple[int, int]) -> None:
    assert startup.negotiate(asked) == spoken


@pytest.mark.parametrize(
    ("value", "asked"),
    [("true", True), ("on", True), ("1", True), ("database", True), ("garbage", True), ("", True), ("o", True),
     ("false", False), ("f", False), ("NO", False), ("off", False), ("of", False), ("0", False)],
)  # fmt: skip
def test_only_a_clear_no_is_no_replication(value: str, asked: bool) -> None:
    assert startup.is_replication(value) is asked


def test_direct_tls_is_told_by_its_first_byte() -> None:
    assert startup.starts_tls(0x16)
    assert not startup.starts_tls(startup.SSLRequest().encode()[0])


# ---------------------------------------------------------------- reader


def test_a_count_the_payload_cannot_hold_is_a_lie() -> None:
    with pytest.raises(PeerError, match="insufficient data"):
        ByteReader(b"\xff\xff").u32s()
    with pytest.raises(PeerError, match="negative length"):
        ByteReader(b"\xff\xff\xff\xfe").value()
    with pytest.raises(PeerError, match="negative length"):
        ByteReader(b"abc").skip(-1)


def test_a_reader_stays_within_its_end() -> None:
    reader = ByteReader(b"ab\0cd\0", 0, 2)
    with pytest.raises(PeerError, match="terminating NUL"):
        reader.cstring()
    assert reader.rest() == b"ab"
    with pytest.raises(PeerError, match="insufficient data"):
        reader.u8()
