"""Our login to an upstream: every method, every refusal, any chunking; and a real server."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from protocols.errors import PeerError, UsageError
from protocols.postgres import backend, client_login, frontend, startup
from protocols.postgres.client_login import (
    AuthMethod,
    ClientLogin,
    LoggedIn,
    LoginFailed,
    LoginResult,
    cancel_request,
    ssl_request,
)
from protocols.postgres.scram import SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ChannelBinding, ScramServer, Verifier
from tests.live.servers import PASSWORD, Postgres
from tests.protocols.postgres import strategies as some

HASH = bytes(range(32))
VERIFIER = Verifier.make("pencil", b"salt", 2)
OK = backend.AuthenticationOk().encode()
READY = backend.ReadyForQuery(backend.TransactionStatus.IDLE).encode()
CLEARTEXT = backend.AuthenticationCleartextPassword().encode()
MD5 = backend.AuthenticationMD5Password(b"salt").encode()
SASL = backend.AuthenticationSASL((SCRAM_SHA_256_PLUS, SCRAM_SHA_256)).encode()
KEY = backend.BackendKeyData(77, b"abcd").encode()
NOTICE = backend.notice("NOTICE", "00000", "hello")
SETTLED = (
    backend.ParameterStatus("server_version", "15.1").encode()
    + backend.ParameterStatus("is_superuser", "off").encode()
    + NOTICE.encode()
    + KEY
    + READY
)


def make(password: str | None = "pencil", **options: Any) -> ClientLogin:
    login = ClientLogin("bob", "shop", {"application_name": "x"}, password, "cnonce", **options)
    assert isinstance(startup.decode(login.to_send()), startup.StartupMessage)
    return login


def outcome(login: ClientLogin, *reads: bytes) -> LoginResult | None:
    for data in reads:
        login.receive(data)
    return login.next_event()


def test_the_startup_message_says_who_we_are() -> None:
    login = ClientLogin("bob", "shop", {"application_name": "x"}, None, "cnonce", protocol=(3, 2))
    parameters = {"user": "bob", "database": "shop", "application_name": "x"}
    assert startup.decode(login.to_send()) == startup.StartupMessage((3, 2), parameters)
    assert login.to_send() == b""


@pytest.mark.parametrize(("user", "parameters"), [("", {}), ("bob", {"user": "eve"}), ("bob", {"database": "x"})])
def test_who_we_are_is_said_once(user: str, parameters: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        ClientLogin(user, "shop", parameters, None, "cnonce")


def test_a_trusting_server_lets_us_in() -> None:
    assert outcome(make(None), OK + SETTLED + b"rest") == LoggedIn(
        parameters={"server_version": "15.1", "is_superuser": "off"},
        process_id=77,
        secret_key=b"abcd",
        protocol=(3, 0),
        notices=(NOTICE,),
        rest=b"rest",
        method=AuthMethod.NONE,
    )


def test_cleartext_is_only_sent_when_allowed() -> None:
    login = make(allow_cleartext=True)
    assert outcome(login, CLEARTEXT) is None
    assert login.to_send() == frontend.PasswordMessage("pencil").encode()
    result = outcome(login, OK + SETTLED)
    assert isinstance(result, LoggedIn)
    assert result.method is AuthMethod.PASSWORD

    careful = make()
    refused = outcome(careful, CLEARTEXT)
    assert isinstance(refused, LoginFailed)
    assert "cleartext password" in (refused.error.get("M") or "")
    assert (careful.to_send(), refused.by_server) == (b"", False)


def test_md5_is_answered() -> None:
    login = make()
    assert outcome(login, MD5) is None
    inner = hashlib.md5(b"pencilbob").hexdigest().encode()
    assert login.to_send() == frontend.PasswordMessage("md5" + hashlib.md5(inner + b"salt").hexdigest()).encode()
    assert isinstance(outcome(login, OK + SETTLED), LoggedIn)


def scram_up_to(login: ClientLogin, binding: bytes | None = None) -> tuple[bytes | None, str]:
    """The server's part of the exchange: its final message (None: wrong password) and the mechanism chosen."""
    server = ScramServer(VERIFIER, "snonce", binding)
    assert outcome(login, backend.AuthenticationSASL(server.mechanisms).encode()) is None
    first = frontend.read_sasl_initial_response(login.to_send()[5:])
    challenge = server.first(first.data or b"", first.mechanism)
    assert outcome(login, backend.AuthenticationSASLContinue(challenge).encode()) is None
    return server.final(login.to_send()[5:]), first.mechanism


@pytest.mark.parametrize(
    ("ours", "theirs", "policy", "mechanism"),
    [
        (None, None, ChannelBinding.PREFER, SCRAM_SHA_256),
        (HASH, None, ChannelBinding.PREFER, SCRAM_SHA_256),
        (None, HASH, ChannelBinding.PREFER, SCRAM_SHA_256),
        (HASH, HASH, ChannelBinding.PREFER, SCRAM_SHA_256_PLUS),
        (HASH, HASH, ChannelBinding.REQUIRE, SCRAM_SHA_256_PLUS),
        (HASH, HASH, ChannelBinding.DISABLE, SCRAM_SHA_256),
    ],
)
def test_scram_logs_in(ours: bytes | None, theirs: bytes | None, policy: ChannelBinding, mechanism: str) -> None:
    login = make(channel_binding_hash=ours, channel_binding_policy=policy, require_auth={AuthMethod.SCRAM})
    final, chosen = scram_up_to(login, theirs)
    assert final is not None
    assert chosen == mechanism
    assert isinstance(outcome(login, backend.AuthenticationSASLFinal(final).encode() + OK + SETTLED), LoggedIn)


def test_a_server_that_does_not_know_the_password_is_left() -> None:
    login = make()
    scram_up_to(login)
    with pytest.raises(PeerError, match="server does not know the password"):
        outcome(login, backend.AuthenticationSASLFinal(b"v=" + b"A" * 43 + b"=").encode() + OK + SETTLED)
    assert login.next_event() is None


def test_a_server_cannot_skip_its_own_proof() -> None:
    login = make()
    scram_up_to(login)
    with pytest.raises(PeerError, match="AuthenticationOk in phase SCRAM_FINAL"):
        outcome(login, OK + SETTLED)


@pytest.mark.parametrize(
    ("request_", "options", "words"),
    [
        (SASL, {"password": None}, "none is configured"),
        (MD5, {"password": None}, "none is configured"),
        (MD5, {"require_auth": {AuthMethod.SCRAM}}, "method md5, which is not allowed"),
        (OK, {"require_auth": {AuthMethod.SCRAM}}, "method none, which is not allowed"),
        (CLEARTEXT, {"require_auth": {AuthMethod.SCRAM}, "allow_cleartext": True}, "method password"),
        (OK, {"channel_binding_policy": ChannelBinding.REQUIRE}, "channel binding is required"),
        (MD5, {"channel_binding_policy": ChannelBinding.REQUIRE}, "channel binding is required"),
        (backend.AuthenticationUnsupported(7, "GSSAPI").encode(), {}, "GSSAPI"),
        (backend.AuthenticationUnsupported(9, "SSPI").encode(), {}, "SSPI"),
        (backend.AuthenticationUnsupported(2, "Kerberos V5").encode(), {}, "Kerberos V5"),
    ],
)
def test_what_we_will_not_do_is_named(request_: bytes, options: dict[str, Any], words: str) -> None:
    login = make(**options)
    result = outcome(login, request_ + SETTLED)
    assert isinstance(result, LoginFailed)
    assert words in (result.error.get("M") or "")
    assert (result.by_server, login.to_send()) == (False, b"")


@pytest.mark.parametrize("before", [b"", NOTICE.encode(), OK, OK + KEY])
def test_the_servers_error_is_handed_on(before: bytes) -> None:
    error = backend.error("FATAL", "53300", "sorry, too many clients already")
    result = outcome(make(), before + error.encode())
    assert isinstance(result, LoginFailed)
    assert (result.error, result.by_server) == (error, True)


@pytest.mark.parametrize(("asked", "given_"), [((3, 2), (3, 0)), ((3, 2), (3, 2)), ((3, 0), (3, 0))])
def test_a_server_may_speak_less(asked: tuple[int, int], given_: tuple[int, int]) -> None:
    negotiate = backend.NegotiateProtocolVersion(given_).encode()
    result = outcome(make(protocol=asked), negotiate + OK + SETTLED)
    assert isinstance(result, LoggedIn)
    assert result.protocol == given_


@pytest.mark.parametrize(
    "stream",
    [
        backend.NegotiateProtocolVersion((3, 2)).encode() + OK,
        backend.NegotiateProtocolVersion((2, 0)).encode() + OK,
        backend.NegotiateProtocolVersion((3, 0), ("_pq_.x",)).encode() + OK,
        backend.NegotiateProtocolVersion((3, 0)).encode() * 2,
        OK + OK,
        OK + MD5,
        READY,
        KEY,
        OK + backend.BackendKeyData(1, bytes(32)).encode(),
        OK + backend.ReadyForQuery(backend.TransactionStatus.FAILED).encode(),
        OK + backend.DataRow((b"x",)).encode(),
        backend.AuthenticationSASLContinue(b"r=x").encode(),
        backend.AuthenticationSASLFinal(b"v=x").encode(),
        MD5 + MD5,
        MD5 + SASL,
        backend.AuthenticationSASL(("OAUTHBEARER",)).encode(),
        b"R\0\1\0\0",
    ],
)
def test_a_server_that_breaks_the_protocol_is_left(stream: bytes) -> None:
    login = make()
    with pytest.raises(PeerError):
        outcome(login, stream)
    assert login.next_event() is None


def test_long_cancel_keys_belong_to_protocol_3_2() -> None:
    result = outcome(make(protocol=(3, 2)), OK + backend.BackendKeyData(1, bytes(32)).encode() + READY)
    assert isinstance(result, LoggedIn)
    assert result.secret_key == bytes(32)
    assert "secret" not in repr(result)


def test_requests_of_their_own_connection() -> None:
    assert startup.decode(client_login.ssl_request()) == startup.SSLRequest()
    assert startup.decode(client_login.cancel_request(7, b"k" * 32)) == startup.CancelRequest(7, b"k" * 32)


# ---------------------------------------------------------------- any chunking, any garbage


def converse(reads: Iterable[bytes]) -> tuple[list[LoginResult], bytes]:
    login, results, out = make(allow_cleartext=True), list[LoginResult](), b""
    for data in reads:
        login.receive(data)
        if result := login.next_event():
            results.append(result)
        out += login.to_send()
    return results, out


@pytest.mark.parametrize("stream", [OK + SETTLED, MD5 + OK + SETTLED, CLEARTEXT + OK + SETTLED, NOTICE.encode() + MD5])
@given(data=st.data())
def test_any_chunking_gives_the_same_result(stream: bytes, data: st.DataObject) -> None:
    whole = converse([stream])
    assert converse(some.pieces(stream, data.draw(some.cuts(len(stream))))) == whole
    assert converse(bytes([byte]) for byte in stream) == whole


@settings(max_examples=200)
@given(st.sampled_from([b"", OK, MD5, SASL, OK + KEY, b"R\0\0\0"]), st.binary(max_size=60))
def test_garbage_is_a_peer_error(before: bytes, garbage: bytes) -> None:
    with contextlib.suppress(PeerError):
        converse([before, garbage])


@given(st.sampled_from([OK + SETTLED, MD5 + OK + SETTLED, SASL + OK, CLEARTEXT + OK + SETTLED]), st.data())
def test_a_damaged_conversation_is_an_outcome_or_a_peer_error(stream: bytes, data: st.DataObject) -> None:
    with contextlib.suppress(PeerError):
        converse([data.draw(some.damaged(stream))])


@given(st.sampled_from([b"", OK, MD5, SASL]), some.backend_messages)
def test_any_message_is_handled_or_a_peer_error(before: bytes, message: backend.BackendMessage) -> None:
    with contextlib.suppress(PeerError):
        converse([before, message.encode(), message.encode()])


# ---------------------------------------------------------------- a real server


def connect(server: Postgres, login: ClientLogin) -> LoginResult:
    """Log in over a plain socket and say goodbye."""
    with socket.create_connection((server.host, server.port), timeout=10) as connection:
        result = None
        while result is None:
            if data := login.to_send():
                connection.sendall(data)
            login.receive(connection.recv(7))  # small reads: messages arrive in pieces
            result = login.next_event()
        connection.sendall(frontend.Terminate().encode())
    return result


@pytest.mark.live
@pytest.mark.parametrize(
    ("user", "method"),
    [("app", AuthMethod.SCRAM), ("app_md5", AuthMethod.MD5), ("app_password", AuthMethod.PASSWORD)],
)
@pytest.mark.parametrize("protocol", [(3, 0), (3, 2)])
def test_a_real_server_lets_us_in(server: Postgres, user: str, method: AuthMethod, protocol: tuple[int, int]) -> None:
    parameters = {"application_name": "tests", "client_encoding": "UTF8"}
    login = ClientLogin(user, "postgres", parameters, PASSWORD, "abcdefgh", protocol=protocol, allow_cleartext=True)
    result = connect(server, login)
    assert isinstance(result, LoggedIn), result
    assert result.method is method
    assert result.parameters["application_name"] == "tests"
    assert result.parameters["session_authorization"] == user
    assert result.process_id > 0
    assert len(result.secret_key) >= 4
    assert result.rest == b""


@pytest.mark.live
@pytest.mark.parametrize("user", ["app", "app_md5", "app_password", "nobody_knows"])
def test_a_real_server_refuses_a_wrong_password(server: Postgres, user: str) -> None:
    login = ClientLogin(user, "postgres", {}, "wrong", "abcdefgh", allow_cleartext=True)
    result = connect(server, login)
    assert isinstance(result, LoginFailed)
    assert (result.by_server, result.error.get("C")) == (True, "28P01")


@pytest.mark.live
@pytest.mark.parametrize("password", ["pässwörd", "I\u00adX", "\u0627\u0031", "\u2168\ue000", "e\u0301", "\u00ad"])
def test_a_real_server_prepares_passwords_as_we_do(server: Postgres, password: str) -> None:
    with server.connect() as connection:
        name, secret = sql.Identifier("app_unicode"), sql.Literal(password)
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, secret))
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'app_unicode'").fetchone()
    assert row is not None
    verifier = Verifier.parse(row[0])
    assert verifier.matches(password)
    assert verifier.encode() == row[0]
    login = ClientLogin("app_unicode", "postgres", {}, password, "abcdefgh", require_auth={AuthMethod.SCRAM})
    assert isinstance(connect(server, login), LoggedIn)


def tls_connection(server: Postgres) -> ssl.SSLSocket:
    """Asked for as in protocol 3: SSLRequest, `S`, the handshake."""
    plain = socket.create_connection((server.host, server.port), timeout=10)
    plain.sendall(ssl_request())
    assert plain.recv(1) == b"S"
    context = ssl.create_default_context(cafile=str(server.authority.root))
    context.check_hostname = False
    return context.wrap_socket(plain)


def log_in(connection: socket.socket, login: ClientLogin) -> tuple[LoggedIn, bytes]:
    """The outcome and all that was sent."""
    sent, result = b"", None
    while result is None:
        connection.sendall(data := login.to_send())
        sent += data
        login.receive(connection.recv(4096))
        result = login.next_event()
    assert isinstance(result, LoggedIn), result
    return result, sent


def cancelled(server: Postgres, connection: socket.socket, keys: LoggedIn) -> bytes:
    """Everything the server says to a statement that is cancelled from another connection."""
    connection.sendall(frontend.Query("SELECT pg_sleep(30)").encode())
    time.sleep(0.2)
    with socket.create_connection((server.host, server.port), timeout=10) as other:
        other.sendall(cancel_request(keys.process_id, keys.secret_key))
        assert other.recv(1) == b""
    connection.settimeout(10)
    answer = b""
    while not answer.endswith(backend.ReadyForQuery(backend.TransactionStatus.IDLE).encode()):
        answer += connection.recv(4096)
    return answer


@pytest.mark.live
@pytest.mark.parametrize("protocol", [(3, 0), (3, 2)])
def test_a_real_server_binds_the_channel_and_cancels(server: Postgres, protocol: tuple[int, int]) -> None:
    """PostgreSQL 18 speaks 3.2 and gives out keys of 32 bytes; older ones negotiate down."""
    if not server.tls:
        pytest.skip("this PostgreSQL has no TLS")
    newest = (3, 2) if server.version >= 180000 else (3, 0)
    with tls_connection(server) as connection:
        binding = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").digest()
        policy = ChannelBinding.REQUIRE
        login = ClientLogin(
            *("app", "postgres", {}, PASSWORD, "abcdefgh"),
            protocol=protocol,
            channel_binding_hash=binding,
            channel_binding_policy=policy,
        )
        result, sent = log_in(connection, login)
        assert b"SCRAM-SHA-256-PLUS" in sent
        assert result.protocol == min(protocol, newest)
        assert len(result.secret_key) == (32 if result.protocol == (3, 2) else 4)
        assert b"C57014\0" in cancelled(server, connection, result)
