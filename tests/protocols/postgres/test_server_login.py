"""A client's login: what it may send when, in any chunking; and what it may not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.postgres import backend, frames, frontend, server_login, startup
from protocols.postgres.scram import SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ChannelBinding, ScramClient, Verifier
from protocols.postgres.server_login import (
    CancelRequested,
    PasswordReceived,
    Phase,
    ScramFinished,
    ServerLogin,
    StartupReceived,
    TlsRequested,
)
from tests.protocols.postgres import strategies as some

HASH = bytes(range(32))
VERIFIER = Verifier.make("pencil", b"salt", 2)
SSL, GSSENC = startup.SSLRequest().encode(), startup.GSSENCRequest().encode()
REFUSAL = backend.error("FATAL", "28P01", "password authentication failed")


def hello(version: tuple[int, int] = (3, 0), **parameters: str) -> bytes:
    return startup.StartupMessage(version, {"user": "bob", **parameters}).encode()


def started(data: bytes, tls: bool = False) -> tuple[ServerLogin, StartupReceived]:
    """A login that has read its StartupMessage."""
    login = ServerLogin(tls)
    login.receive(data)
    event = login.next_event()
    assert isinstance(event, StartupReceived)
    return login, event


def sent(login: ServerLogin) -> list[backend.BackendMessage]:
    """What the machine wants to send, as messages."""
    data = login.to_send()
    places, consumed = frames.split(data, 0, 1 << 20)
    assert consumed == len(data)
    return [backend.decode(kind, data[start + frames.HEADER_SIZE : end]) for kind, start, end in places]


# ---------------------------------------------------------------- startup


def test_a_startup_message_says_who_wants_what() -> None:
    login, event = started(
        hello(
            (3, 2), database="shop", application_name="x", options="-c a=b", replication="off", client_encoding="UTF8"
        )
    )
    assert event == StartupReceived(
        user="bob",
        database="shop",
        protocol=(3, 2),
        parameters={"application_name": "x", "client_encoding": "UTF8"},
        options="-c a=b",
        replication=False,
        protocol_options={},
    )
    assert (login.to_send(), login.phase) == (b"", Phase.CHOOSING)


@pytest.mark.parametrize("parameters", [{}, {"database": ""}])
def test_the_database_is_the_users_by_default(parameters: dict[str, str]) -> None:
    assert started(hello((3, 0), **parameters))[1].database == "bob"


@pytest.mark.parametrize("value", ["true", "database", "1", "on", "?"])
def test_replication_is_told(value: str) -> None:
    assert started(hello(replication=value))[1].replication


@pytest.mark.parametrize(
    ("version", "options", "answer"),
    [
        ((3, 0), {}, []),
        ((3, 1), {}, []),
        ((3, 2), {}, []),
        ((3, 3), {}, [backend.NegotiateProtocolVersion((3, 2))]),
        ((3, 9999), {}, [backend.NegotiateProtocolVersion((3, 2))]),
        ((3, 0), {"_pq_.x": "1"}, [backend.NegotiateProtocolVersion((3, 0), ("_pq_.x",))]),
        ((3, 5), {"_pq_.x": "1", "_pq_.y": ""}, [backend.NegotiateProtocolVersion((3, 2), ("_pq_.x", "_pq_.y"))]),
    ],
)
def test_what_we_cannot_do_is_negotiated(
    version: tuple[int, int], options: dict[str, str], answer: list[backend.BackendMessage]
) -> None:
    login, event = started(hello(version, **options))
    assert sent(login) == answer
    assert event.protocol_options == options
    assert event.parameters == {}


@pytest.mark.parametrize(
    ("packet", "sqlstate"),
    [
        (startup.StartupMessage((2, 0), {"user": "bob"}).encode(), "0A000"),
        (startup.StartupMessage((3, 0), {"user": ""}).encode(), "28000"),
        (startup.StartupMessage((3, 0), {"database": "shop"}).encode(), "28000"),
        (b"GET / HTTP/1.1\r\n\r\n", "08P01"),
        (bytes(8), "08P01"),
    ],
)
def test_a_startup_that_is_none_can_only_be_refused(packet: bytes, sqlstate: str) -> None:
    login = ServerLogin()
    login.receive(packet)
    with pytest.raises(PeerError) as caught:
        login.next_event()
    assert caught.value.sqlstate == sqlstate
    assert login.next_event() is None
    with pytest.raises(UsageError):
        login.accept()
    login.refuse(backend.fatal(caught.value))
    [error] = sent(login)
    assert isinstance(error, backend.ErrorResponse)
    assert error.get("C") == sqlstate


@pytest.mark.parametrize("key", [b"abcd", bytes(256)])
def test_a_cancel_request_is_told_and_never_answered(key: bytes) -> None:
    login = ServerLogin()
    login.receive(startup.CancelRequest(77, key).encode())
    assert login.next_event() == CancelRequested(77, key)
    assert (login.to_send(), login.next_event(), login.phase) == (b"", None, Phase.CLOSED)
    with pytest.raises(UsageError):
        login.refuse(REFUSAL)


# ---------------------------------------------------------------- encryption


def test_tls_is_accepted_and_the_login_goes_on_inside() -> None:
    login = ServerLogin()
    login.receive(SSL)
    assert login.next_event() == TlsRequested()
    assert login.next_event() is None
    login.accept_tls()
    assert (login.to_send(), login.tls) == (b"S", True)
    login.receive(hello())
    assert isinstance(login.next_event(), StartupReceived)


def test_every_encryption_may_be_declined_once_in_any_order() -> None:
    for order in ((SSL, GSSENC), (GSSENC, SSL)):
        login = ServerLogin()
        for request in order:
            login.receive(request)
            if isinstance(login.next_event(), TlsRequested):
                login.decline_tls()
            assert login.to_send() == b"N"
        login.receive(hello())
        assert isinstance(login.next_event(), StartupReceived)
        assert not login.tls


@pytest.mark.parametrize("request_twice", [SSL, GSSENC])
def test_no_encryption_may_be_asked_for_twice(request_twice: bytes) -> None:
    login = ServerLogin()
    login.receive(request_twice)
    if isinstance(login.next_event(), TlsRequested):
        login.decline_tls()
    login.receive(request_twice)
    with pytest.raises(PeerError, match="twice"):
        login.next_event()


@pytest.mark.parametrize("second", [SSL, GSSENC])
@pytest.mark.parametrize("direct", [False, True])
def test_no_encryption_inside_tls(direct: bool, second: bytes) -> None:
    login = ServerLogin(tls=direct)
    if not direct:
        login.receive(SSL)
        login.next_event()
        login.accept_tls()
    login.receive(second)
    with pytest.raises(PeerError, match="encrypted already"):
        login.next_event()


@pytest.mark.parametrize("request_first", [SSL, GSSENC])
@pytest.mark.parametrize("early", [b"\x16", hello()])
def test_bytes_behind_an_encryption_request_are_refused(request_first: bytes, early: bytes) -> None:
    login = ServerLogin()
    login.receive(request_first + early)
    with pytest.raises(PeerError, match="received unencrypted data"):
        login.next_event()


@pytest.mark.parametrize("answer", [ServerLogin.accept_tls, ServerLogin.decline_tls])
def test_bytes_before_our_answer_to_ssl_request_are_refused(answer: Callable[[ServerLogin], None]) -> None:
    login = ServerLogin()
    login.receive(SSL)
    login.next_event()
    login.receive(b"\x16")
    with pytest.raises(PeerError, match="received unencrypted data"):
        answer(login)
    assert login.to_send() == b""


# ---------------------------------------------------------------- authentication


def run_scram(
    login: ServerLogin, password: str, binding: bytes | None = None, mode: ChannelBinding = ChannelBinding.PREFER
) -> bool:
    """The client's part of SCRAM against the machine; the outcome as the machine tells it."""
    [offer] = sent(login)
    assert isinstance(offer, backend.AuthenticationSASL)
    client = ScramClient(password, "cnonce", offer.mechanisms, binding, mode)
    login.receive(frontend.SASLInitialResponse(client.mechanism, client.first()).encode())
    assert login.next_event() is None
    [challenge] = sent(login)
    assert isinstance(challenge, backend.AuthenticationSASLContinue)
    login.receive(frontend.SASLResponse(client.final(challenge.data)).encode())
    outcome = login.next_event()
    assert isinstance(outcome, ScramFinished)
    for final in sent(login):
        assert isinstance(final, backend.AuthenticationSASLFinal)
        client.verify(final.data)
    return outcome.ok


@pytest.mark.parametrize(
    ("binding", "mechanisms"), [(None, (SCRAM_SHA_256,)), (HASH, (SCRAM_SHA_256_PLUS, SCRAM_SHA_256))]
)
def test_scram_logs_in(binding: bytes | None, mechanisms: tuple[str, ...]) -> None:
    login, _ = started(hello(), tls=binding is not None)
    login.begin_scram(VERIFIER, "snonce", binding)
    mode = ChannelBinding.PREFER if binding is None else ChannelBinding.REQUIRE
    assert run_scram(login, "pencil", binding, mode)
    login.receive(frontend.Query("select 1").encode())
    login.accept()
    assert sent(login) == [backend.AuthenticationOk()]
    assert login.rest == frontend.Query("select 1").encode()
    assert login.phase is Phase.ACCEPTED


@pytest.mark.parametrize(("password", "doomed"), [("pencils", False), ("pencil", True)])
def test_a_failed_scram_can_only_be_refused(password: str, doomed: bool) -> None:
    login, _ = started(hello())
    login.begin_scram(VERIFIER, "snonce", doomed=doomed)
    assert not run_scram(login, password)
    with pytest.raises(UsageError):
        login.accept()
    login.refuse(REFUSAL)
    assert sent(login) == [REFUSAL]


def test_a_password_logs_in() -> None:
    login, _ = started(hello(), tls=True)
    login.request_password()
    assert sent(login) == [backend.AuthenticationCleartextPassword()]
    login.receive(frontend.PasswordMessage("tökén").encode() + b"rest")
    event = login.next_event()
    assert event == PasswordReceived("tökén")
    assert "tökén" not in repr(event)
    login.accept()
    assert sent(login) == [backend.AuthenticationOk()]
    assert login.rest == b"rest"


@pytest.mark.parametrize(
    "answer",
    [
        frontend.Query("select 1").encode(),
        frontend.Terminate().encode(),
        frontend.PasswordMessage("").encode(),
        frontend.AuthenticationData(b"no terminator").encode(),
        b"p\xff\xff\xff\xff",
        b"p\0\0\0\3",
    ],
)
def test_another_answer_than_a_password_is_refused(answer: bytes) -> None:
    login, _ = started(hello())
    login.request_password()
    login.receive(answer)
    with pytest.raises(PeerError):
        login.next_event()


@pytest.mark.parametrize(
    "answer",
    [
        frontend.SASLInitialResponse("SCRAM-SHA-1", b"n,,n=,r=abc").encode(),
        frontend.SASLInitialResponse(SCRAM_SHA_256, None).encode(),
        frontend.SASLInitialResponse(SCRAM_SHA_256, b"").encode(),
        frontend.PasswordMessage("pencil").encode(),
        frontend.Query("select 1").encode(),
    ],
)
def test_another_answer_than_sasl_is_refused(answer: bytes) -> None:
    login, _ = started(hello())
    login.begin_scram(VERIFIER, "snonce")
    login.receive(answer)
    with pytest.raises(PeerError):
        login.next_event()


def test_nothing_can_be_bound_without_tls() -> None:
    with pytest.raises(UsageError, match="TLS"):
        started(hello())[0].begin_scram(VERIFIER, "snonce", HASH)


def test_a_client_cannot_fill_our_memory() -> None:
    login, _ = started(hello())
    with pytest.raises(PeerError, match="too much data"):
        login.receive(bytes(server_login.MAX_BUFFERED + 1))


@pytest.mark.parametrize(
    "call",
    [
        ServerLogin.accept,
        ServerLogin.accept_tls,
        ServerLogin.decline_tls,
        ServerLogin.request_password,
        lambda login: login.begin_scram(VERIFIER, "snonce"),
    ],
)
def test_calls_out_of_turn_are_our_mistake(call: Callable[[ServerLogin], None]) -> None:
    with pytest.raises(UsageError, match="STARTUP"):
        call(ServerLogin())


def test_the_table_only_accepts_what_was_proven() -> None:
    sources = {phase for (phase, _), target in server_login.NEXT.items() if target is Phase.ACCEPTED}
    proofs = {step for (_, step), target in server_login.NEXT.items() if target is Phase.DECIDING}
    assert sources == {Phase.DECIDING}
    assert proofs == {server_login.Step.SCRAM_PROVEN, server_login.Step.PASSWORD_GIVEN}


# ---------------------------------------------------------------- any chunking, any garbage


def converse(reads: Iterable[bytes], password: bool) -> tuple[list[object], bytes]:
    """Feed the machine and give every event the obvious answer: events and everything sent."""
    login, events, out = ServerLogin(), list[object](), b""
    for data in reads:
        login.receive(data)
        while event := login.next_event():
            events.append(event)
            if isinstance(event, TlsRequested):
                login.decline_tls()
            elif isinstance(event, StartupReceived) and password:
                login.request_password()
            elif isinstance(event, StartupReceived):
                login.begin_scram(VERIFIER, "snonce")
            elif isinstance(event, PasswordReceived) or (isinstance(event, ScramFinished) and event.ok):
                login.accept()
        out += login.to_send()
    return [*events, login.rest, login.phase], out


def whole_scram() -> bytes:
    client = ScramClient("pencil", "cnonce", [SCRAM_SHA_256])
    challenge = b"r=cnoncesnonce,s=c2FsdA==,i=2"
    first = frontend.SASLInitialResponse(SCRAM_SHA_256, client.first()).encode()
    return hello() + first + frontend.SASLResponse(client.final(challenge)).encode() + b"rest"


CONVERSATIONS = {
    "password": (hello() + frontend.PasswordMessage("pencil").encode() + b"rest", True),
    "scram": (whole_scram(), False),
    "cancel": (startup.CancelRequest(1, b"abcd").encode(), False),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@given(data=st.data())
def test_any_chunking_gives_the_same_events(name: str, data: st.DataObject) -> None:
    stream, password = CONVERSATIONS[name]
    whole = converse([stream], password)
    assert converse(some.pieces(stream, data.draw(some.cuts(len(stream)))), password) == whole
    assert converse((bytes([byte]) for byte in stream), password) == whole


@settings(max_examples=200)
@given(st.sampled_from([b"", hello(), SSL, GSSENC, hello()[:-1]]), st.binary(max_size=60), st.booleans())
def test_garbage_is_a_peer_error(before: bytes, garbage: bytes, password: bool) -> None:
    with contextlib.suppress(PeerError):
        events, _ = converse([before, garbage], password)
        assert Phase.ACCEPTED not in events


@given(st.binary(max_size=60), st.booleans())
def test_garbage_in_an_answer_is_a_peer_error(garbage: bytes, password: bool) -> None:
    answer = frontend.AuthenticationData(garbage).encode()
    with contextlib.suppress(PeerError):
        converse([hello(), answer, answer], password)
