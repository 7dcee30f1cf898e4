"""The gate's side towards clients: every plugin, what nobody may learn from the steps, faults, any chunking."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.mysql import caching_sha2, native_password, packets, sealing
from protocols.mysql.capabilities import Capability
from protocols.mysql.client_login import ClientLogin, LoggedIn, Tls
from protocols.mysql.handshake import HandshakeResponse41, SslRequest
from protocols.mysql.replies import Err, decode_err, error
from protocols.mysql.server_login import (
    KeyRequested,
    Known,
    PasswordReceived,
    Phase,
    Proven,
    ResponseReceived,
    ServerLogin,
    TlsRequested,
    Unproven,
)
from tests.protocols.mysql.logins import (
    CAPS,
    DENIED,
    KEY,
    NONCE,
    PEM,
    SECOND,
    Answering,
    first_packet,
    greeting,
    meet,
    native_digest,
)

ATTRIBUTES = {"_client_name": "test", "program_name": "reports"}


def response(plugin: str, auth: bytes, caps: Capability = CAPS) -> HandshakeResponse41:
    return HandshakeResponse41(caps, 1 << 24, 255, "agent", auth, "shop", plugin, ATTRIBUTES)


def begun(
    plugin: str, auth: bytes, known: Known | None = None, caps: Capability = CAPS, *, private: bool = False
) -> tuple[ServerLogin, object]:
    server = ServerLogin(greeting(), private=private)
    server.to_send()
    first_packet(server, response(plugin, auth, caps))
    assert isinstance(server.next_event(), ResponseReceived)
    return server, server.begin(known or Known(), SECOND)


def say(server: ServerLogin, payload: bytes, sequence: int) -> object:
    server.receive(packets.encode(payload, sequence))
    return server.next_event()


@pytest.mark.parametrize("tls", [Tls.NEVER, Tls.ALWAYS])
@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("remembered", [False, True])
def test_caching_sha2(tls: Tls, private: bool, right: bool, remembered: bool) -> None:
    known = Known(sha2=caching_sha2.digest("secret") if remembered else None)
    gate = Answering("secret", known)
    client = ClientLogin(
        "agent", "secret" if right else "bad", database="shop", attributes=ATTRIBUTES, capabilities=CAPS, tls=tls,
        private=private,
    )  # fmt: skip
    end = meet(client, ServerLogin(greeting(tls=True), private=private), gate)
    assert isinstance(end, LoggedIn if right else Err)
    assert gate.outcome is right
    assert gate.response is not None
    assert (gate.response.user, gate.response.database) == ("agent", "shop")
    assert gate.response.attributes == ATTRIBUTES
    proof = ["Proven"] if right and remembered else ["PasswordReceived"]
    sealed = ["KeyRequested"] if proof == ["PasswordReceived"] and tls is Tls.NEVER and not private else []
    started = ["TlsRequested"] if tls is Tls.ALWAYS else []
    assert gate.steps == [*started, "ResponseReceived", *sealed, *proof]


def test_a_client_that_has_the_key_need_not_ask() -> None:
    gate = Answering("secret")
    client = ClientLogin("agent", "secret", tls=Tls.NEVER, public_key=PEM)
    assert isinstance(meet(client, ServerLogin(greeting()), gate), LoggedIn)
    assert gate.steps == ["ResponseReceived", "PasswordReceived"]


@pytest.mark.parametrize("password", ["secret", "bad"])
def test_native_password_where_there_is_a_verifier(password: str) -> None:
    server, event = begun(
        native_password.NAME, native_password.respond(password, NONCE), Known(native=native_digest("secret"))
    )
    if password == "secret":
        assert event == Proven(native_password.NAME)
    else:
        assert event is None
        assert server.phase is Phase.SWITCHED


def test_one_cannot_tell_the_unknown_from_a_wrong_password() -> None:
    """Byte for byte, whatever plugin the client begins with and whatever the gate knows of the user."""
    proofs = [
        ("caching_sha2_password", caching_sha2.respond("bad", NONCE)),
        ("mysql_native_password", native_password.respond("bad", NONCE)),
        ("sha256_password", b"\x01"),
        ("mysql_clear_password", b"bad\0"),
        ("client_ed25519", b""),
        ("caching_sha2_password", b""),
        ("mysql_native_password", b""),
    ]
    knowledge = [Known(), Known(native_digest("secret")), Known(None, caching_sha2.digest("secret")),
                 Known(native_digest("secret"), caching_sha2.digest("secret"))]  # fmt: skip
    old = CAPS & ~Capability.PLUGIN_AUTH
    for (plugin, proof), caps in itertools.product(proofs, (CAPS, old)):
        seen = {_conversation(plugin if caps is CAPS else "", proof, known, caps) for known in knowledge}
        assert len(seen) == 1, (plugin, caps)


def _conversation(plugin: str, proof: bytes, known: Known, caps: Capability) -> tuple[object, ...]:
    """All bytes and steps of a client with a wrong password."""
    server, event = begun(plugin, proof, known, caps)
    seen: list[object] = []
    for sequence in itertools.count(3, 2):
        sent = server.to_send()
        seen += [type(event), sent]
        if isinstance(event, PasswordReceived | Unproven):
            server.refuse(DENIED)
            return (*seen, server.to_send())
        if isinstance(event, KeyRequested):
            server.send_key(PEM)
            sent = server.to_send()
            event = say(server, sealing.seal("bad", NONCE, PEM), sent[3] + 1)
            continue
        switched = b"caching_sha2_password" in sent
        answer = caching_sha2.respond("bad", SECOND) if switched else caching_sha2.REQUEST_KEY
        event = say(server, answer, sequence)
    raise AssertionError


def test_clients_without_plugins_come_by_native_password_alone() -> None:
    caps = CAPS & ~Capability.PLUGIN_AUTH
    _, event = begun("", native_password.respond("secret", NONCE), Known(native=native_digest("secret")), caps)
    assert event == Proven(native_password.NAME)
    server, event = begun("", native_password.respond("bad", NONCE), Known(native=native_digest("secret")), caps)
    assert isinstance(event, Unproven)
    with pytest.raises(UsageError):
        server.accept()


@pytest.mark.parametrize("private", [False, True])
def test_a_clear_password_is_only_read_where_nobody_listens(private: bool) -> None:
    server, event = begun("mysql_clear_password", b"secret\0", private=private)
    if private:
        assert isinstance(event, PasswordReceived)
        assert event.read(None) == "secret"
    else:
        assert event is None
        assert b"caching_sha2_password" in server.to_send()


def test_a_clear_password_without_tls_is_taken_for_a_sealed_one() -> None:
    server, event = begun("caching_sha2_password", caching_sha2.respond("secret", NONCE))
    assert event is None
    event = say(server, b"secret\0", 3)
    assert isinstance(event, PasswordReceived)
    assert event.sealed
    assert event.read(KEY) is None


def test_sha256_password_waits_for_its_own_nonce() -> None:
    server, event = begun("sha256_password", b"")
    assert event is None
    assert b"\xfesha256_password\0" + SECOND + b"\0" in server.to_send()
    assert isinstance(say(server, b"\x01", 3), KeyRequested)
    server.send_key(PEM)
    event = say(server, sealing.seal("secret", SECOND, PEM), 5)
    assert isinstance(event, PasswordReceived)
    assert event.read(KEY) == "secret"


def test_sha256_password_is_sealed_even_on_a_unix_socket() -> None:
    _, event = begun("sha256_password", sealing.seal("secret", NONCE, PEM), private=True)
    assert isinstance(event, PasswordReceived)
    assert event.read(KEY) == "secret"


@pytest.mark.parametrize("data", [b"secret", b"", b"\xff\0"])
def test_passwords_that_cannot_be_read(data: bytes) -> None:
    assert PasswordReceived("x", False, data, NONCE).read(None) is None
    assert PasswordReceived("x", True, b"secret\0", NONCE).read(None) is None


# ------------------------------------------------------------ faults


def _ssl_request() -> bytes:
    return packets.encode(SslRequest(CAPS | Capability.SSL, 1, 45).encode(CAPS), 1)


def test_nothing_may_come_in_clear_behind_an_ssl_request() -> None:
    server = ServerLogin(greeting(tls=True))
    answer = packets.encode(response("caching_sha2_password", b"").encode(CAPS), 2)
    server.receive(_ssl_request() + answer)
    with pytest.raises(PeerError, match="unencrypted data"):
        server.next_event()
    assert server.next_event() is None
    server = ServerLogin(greeting(tls=True))
    server.receive(_ssl_request())
    assert server.next_event() == TlsRequested()
    server.receive(answer)
    with pytest.raises(PeerError, match="unencrypted data"):
        server.tls_started()


def test_tls_that_is_not_offered() -> None:
    server = ServerLogin(greeting())
    server.receive(_ssl_request())
    with pytest.raises(PeerError, match="does not offer"):
        server.next_event()


def test_tls_twice() -> None:
    server = ServerLogin(greeting(tls=True))
    server.receive(_ssl_request())
    server.next_event()
    server.tls_started()
    server.receive(packets.encode(SslRequest(CAPS, 1, 45).encode(CAPS), 2))
    with pytest.raises(PeerError, match="twice"):
        server.next_event()


def test_tls_announced_and_not_begun() -> None:
    server = ServerLogin(greeting(tls=True))
    first_packet(server, response("caching_sha2_password", b"", CAPS | Capability.SSL))
    with pytest.raises(PeerError, match="did not begin"):
        server.next_event()


@pytest.mark.parametrize("sequence", [0, 2, 255])
def test_packets_out_of_order(sequence: int) -> None:
    server = ServerLogin(greeting())
    server.to_send()
    first_packet(server, response("caching_sha2_password", b""), sequence)
    with pytest.raises(PeerError, match="out of order"):
        server.next_event()
    server.refuse(error(1156, "08S01", "no"))
    # the client has said nothing of what it can read, so there is no SQLSTATE
    assert decode_err(server.to_send()[4:]).sqlstate == ""


def test_too_much_before_the_login_is_complete() -> None:
    server = ServerLogin(greeting())
    for _ in range(4):
        server.receive(bytes(1 << 16))
    with pytest.raises(PeerError, match="too much data"):
        server.receive(b"x")


def test_a_packet_that_is_too_long_is_not_waited_for() -> None:
    server = ServerLogin(greeting())
    server.receive(b"\xff\xff\xff\x01")
    with pytest.raises(PeerError, match="bigger"):
        server.next_event()


def test_refusing_has_the_next_sequence_id() -> None:
    server, _ = begun("caching_sha2_password", caching_sha2.respond("x", NONCE))
    server.to_send()
    server.refuse(DENIED)
    sent = server.to_send()
    assert sent[3] == 3
    assert decode_err(sent[4:]) == DENIED


def test_commands_sent_ahead_are_kept() -> None:
    server, _ = begun("caching_sha2_password", caching_sha2.respond("secret", NONCE),
                      Known(sha2=caching_sha2.digest("secret")))  # fmt: skip
    ping = packets.encode(b"\x0e", 0)
    server.accept()
    server.receive(ping)
    assert server.next_event() is None
    assert server.take_rest() == ping


@given(st.integers(1, 90))
def test_any_chunking(size: int) -> None:
    server = ServerLogin(greeting())
    sent = packets.encode(response("caching_sha2_password", caching_sha2.respond("x", NONCE)).encode(CAPS), 1)
    events = []
    for start in range(0, len(sent), size):
        assert not events
        server.receive(sent[start : start + size])
        if (event := server.next_event()) is not None:
            events.append(event)
    assert [type(event) for event in events] == [ResponseReceived]


@given(st.lists(st.binary(max_size=120), max_size=4), st.booleans(), st.booleans())
def test_garbage_is_the_peers_fault(payloads: list[bytes], tls: bool, framed: bool) -> None:
    server = ServerLogin(greeting(tls=tls))
    gate = Answering("secret")
    try:
        for sequence, payload in enumerate(payloads, 1):
            server.receive(packets.encode(payload, sequence) if framed else payload)
            gate.run(server)
    except PeerError:
        assert server.phase is Phase.FAILED
    assert not gate.outcome


@given(st.binary(max_size=400), st.binary(max_size=300), st.sampled_from(
    ["caching_sha2_password", "sha256_password", "mysql_native_password", "mysql_clear_password", "dialog", ""]
))  # fmt: skip
def test_garbage_proves_nothing(auth: bytes, more: bytes, plugin: str) -> None:
    gate = Answering("secret", Known(native_digest("secret"), caching_sha2.digest("secret")))
    server = ServerLogin(greeting())
    server.to_send()
    first_packet(server, response(plugin, auth))
    gate.run(server)
    for _ in range(3):
        if gate.outcome is None:
            sent = server.to_send()
            server.receive(packets.encode(more, sent[3] + 1 if sent else 3))
            gate.run(server)
    assert not gate.outcome


def test_no_secret_is_printed() -> None:
    _, event = begun("mysql_clear_password", b"secret\0", Known(b"secret-native", b"secret-sha2"), private=True)
    texts = repr(event) + repr(response("x", b"secret\0")) + repr(Known(b"secret", b"secret")) + repr(greeting())
    assert "secret" not in texts
    assert NONCE.decode() not in texts
