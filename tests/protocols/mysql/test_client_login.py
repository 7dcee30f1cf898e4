"""The gate's side towards upstream servers: every plugin, hostile servers, any chunking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.mysql import caching_sha2, ed25519, native_password, packets, sealing
from protocols.mysql.capabilities import Capability
from protocols.mysql.client_login import ClientLogin, Event, LoggedIn, LoginFailed, Phase, StartTls, Tls
from protocols.mysql.handshake import AuthMoreData, AuthSwitchRequest, HandshakeResponse41, SslRequest, decode_response
from protocols.mysql.replies import Ok, error
from tests.protocols.mysql.logins import CAPS, KEY, NONCE, PEM, SECOND, greeting

PASSWORD = "correct horse"
CLEAR = PASSWORD.encode() + b"\0"


class Script:
    """A server that says what it is told to, whatever the client answers."""

    def __init__(self, client: ClientLogin, plugin: str = caching_sha2.NAME, tls: bool = False) -> None:
        self.client = client
        self.sequence = 0
        self.sent = b""
        self.first = self.say(greeting(plugin, tls).encode())

    def say(self, payload: bytes) -> Event | None:
        self.client.receive(packets.encode(payload, self.sequence))
        self.sequence = self.sequence + 1 & 0xFF
        event = self.client.next_event()
        self.hear()
        return event

    def hear(self) -> bytes:
        """What the client sent, without its header."""
        data = self.client.to_send()
        if data:
            assert data[3] == self.sequence
            self.sequence = data[3] + 1 & 0xFF
            self.sent = data[packets.HEADER_SIZE :]
        return self.sent

    @property
    def response(self) -> HandshakeResponse41:
        found = decode_response(self.sent, CAPS)
        assert isinstance(found, HandshakeResponse41)
        return found


def client(tls: Tls = Tls.NEVER, **options: object) -> ClientLogin:
    return ClientLogin("app", PASSWORD, tls=tls, **options)  # type: ignore[arg-type]


def test_the_response() -> None:
    wished = Capability.DEPRECATE_EOF | Capability.LOCAL_FILES | Capability.COMPRESS | Capability.MULTI_STATEMENTS
    script = Script(client(database="shop", attributes={"a": "b"}, capabilities=wished | Capability.CONNECT_ATTRS))
    found = script.response
    assert (found.user, found.database, found.plugin) == ("app", "shop", "caching_sha2_password")
    assert found.attributes == {"a": "b"}
    assert found.auth_response == caching_sha2.respond(PASSWORD, NONCE)
    assert found.capabilities & Capability.DEPRECATE_EOF
    # what a server might use against us, and what this one has not
    for absent in (Capability.LOCAL_FILES, Capability.COMPRESS, Capability.MULTI_STATEMENTS, Capability.SSL):
        assert not found.capabilities & absent


def test_the_greetings_plugin_is_answered_at_once_where_we_have_it() -> None:
    script = Script(client(), native_password.NAME)
    assert script.response.plugin == native_password.NAME
    assert script.response.auth_response == native_password.respond(PASSWORD, NONCE)
    event = script.say(Ok().encode(CAPS))
    assert isinstance(event, LoggedIn)
    assert event.plugin == native_password.NAME


@pytest.mark.parametrize("plugin", ["parsec", "dialog", "client_ed25519", "sha256_password", "mysql_clear_password"])
def test_other_plugins_in_the_greeting_are_left_to_the_switch(plugin: str) -> None:
    assert Script(client(), plugin).response.plugin == caching_sha2.NAME


def test_fast_path() -> None:
    script = Script(client())
    assert script.say(AuthMoreData(caching_sha2.FAST_OK).encode()) is None
    assert isinstance(script.say(Ok().encode(CAPS)), LoggedIn)


def test_full_over_rsa() -> None:
    script = Script(client())
    script.say(AuthMoreData(caching_sha2.FULL).encode())
    assert script.sent == b"\x02"
    script.say(AuthMoreData(PEM).encode())
    assert sealing.unseal(script.sent, NONCE, KEY) == CLEAR
    assert isinstance(script.say(Ok().encode(CAPS)), LoggedIn)


def test_a_key_that_is_known_is_not_asked_for() -> None:
    script = Script(client(public_key=PEM))
    script.say(AuthMoreData(caching_sha2.FULL).encode())
    assert sealing.unseal(script.sent, NONCE, KEY) == CLEAR
    with pytest.raises(PeerError):  # another key comes too late
        script.say(AuthMoreData(PEM).encode())


def test_full_inside_tls() -> None:
    login = client(Tls.ALWAYS)
    script = Script(login, tls=True)
    assert script.first == StartTls()
    assert isinstance(decode_response(script.sent, CAPS | Capability.SSL), SslRequest)
    login.tls_started()
    script.hear()
    assert script.response.auth_response == caching_sha2.respond(PASSWORD, NONCE)
    script.say(AuthMoreData(caching_sha2.FULL).encode())
    assert script.sent == CLEAR


def test_full_on_a_unix_socket() -> None:
    script = Script(client(private=True))
    script.say(AuthMoreData(caching_sha2.FULL).encode())
    assert script.sent == CLEAR


@pytest.mark.parametrize(
    ("plugin", "data", "expected"),
    [
        (caching_sha2.NAME, SECOND + b"\0", caching_sha2.respond(PASSWORD, SECOND)),
        (native_password.NAME, SECOND + b"\0", native_password.respond(PASSWORD, SECOND)),
        ("sha256_password", SECOND + b"\0", b"\x01"),
        (ed25519.NAME, b"n" * 32, ed25519.sign(PASSWORD, b"n" * 32)),
    ],
)
def test_switches(plugin: str, data: bytes, expected: bytes) -> None:
    script = Script(client())
    assert script.say(AuthSwitchRequest(plugin, data).encode()) is None
    assert script.sent == expected


def test_several_switches_as_mariadb_does_for_users_with_several_plugins() -> None:
    script = Script(client())
    script.say(AuthSwitchRequest(ed25519.NAME, b"n" * 32).encode())
    script.say(AuthSwitchRequest(native_password.NAME, SECOND + b"\0").encode())
    assert script.sent == native_password.respond(PASSWORD, SECOND)
    event = script.say(Ok().encode(CAPS))
    assert isinstance(event, LoggedIn)
    assert event.plugin == native_password.NAME


# ------------------------------------------------------------ servers that want too much


def test_no_clear_password_without_tls() -> None:
    script = Script(client())
    before = script.sent
    event = script.say(AuthSwitchRequest("mysql_clear_password", b"").encode())
    assert isinstance(event, LoginFailed)
    assert not event.by_server
    assert "set upstream.tls.mode" in event.error.text
    assert script.sent == before


@pytest.mark.parametrize("plugin", ["parsec", "dialog", "mysql_old_password", "authentication_kerberos_client", "ü"])
def test_unknown_plugins_are_named_with_a_mend(plugin: str) -> None:
    event = Script(client()).say(AuthSwitchRequest(plugin, b"x").encode())
    assert isinstance(event, LoginFailed)
    assert plugin in event.error.text
    assert "caching_sha2_password" in event.error.text


def test_a_lone_switch_byte_is_a_server_of_old() -> None:
    event = Script(client()).say(b"\xfe")
    assert isinstance(event, LoginFailed)
    assert "mysql_old_password" in event.error.text


def test_a_second_factor() -> None:
    event = Script(client()).say(b"\x02whatever\0")
    assert isinstance(event, LoginFailed)
    assert "second factor" in event.error.text


def test_a_server_without_tls_where_tls_is_asked_for() -> None:
    login = client(Tls.ALWAYS)
    script = Script(login)
    assert isinstance(script.first, LoginFailed)
    assert script.sent == b""


@pytest.mark.parametrize("tls", [Tls.NEVER, Tls.IF_OFFERED])
def test_tls_where_it_can_be(tls: Tls) -> None:
    assert Script(client(tls)).response.user == "app"
    assert (Script(client(tls), tls=True).first == StartTls()) == (tls is Tls.IF_OFFERED)


def test_bytes_in_clear_before_tls() -> None:
    login = client(Tls.ALWAYS)
    login.receive(packets.encode(greeting(tls=True).encode(), 0) + b"x")
    with pytest.raises(PeerError, match="unencrypted"):
        login.next_event()
    login = client(Tls.ALWAYS)
    Script(login, tls=True)
    login.receive(packets.encode(Ok().encode(CAPS), 2))
    assert login.next_event() is None
    with pytest.raises(PeerError, match="unencrypted"):
        login.tls_started()


@pytest.mark.parametrize(
    "payload",
    [
        b"\xfb/etc/passwd",  # LOCAL INFILE
        b"",
        b"\x01",
        b"\x01\x05",
        b"\x01" + PEM,  # a key nobody asked for
        b"\x00",
        AuthSwitchRequest(caching_sha2.NAME, b"short").encode(),
        AuthSwitchRequest(ed25519.NAME, b"n" * 20).encode(),
    ],
)
def test_what_no_server_says_here(payload: bytes) -> None:
    login = client()
    script = Script(login)
    before = script.sent
    with pytest.raises(PeerError):
        script.say(payload)
    assert login.to_send() == b""
    assert script.sent == before
    assert login.next_event() is None


def test_full_authentication_for_no_password() -> None:
    login = ClientLogin("app", None, tls=Tls.NEVER)
    script = Script(login)
    assert script.response.auth_response == b""
    with pytest.raises(PeerError):
        script.say(AuthMoreData(caching_sha2.FULL).encode())


def test_switching_without_end() -> None:
    script = Script(client())
    switch = AuthSwitchRequest(native_password.NAME, SECOND + b"\0").encode()
    for _ in range(4):
        script.say(switch)
    with pytest.raises(PeerError, match="too often"):
        script.say(switch)


def test_a_bad_key() -> None:
    script = Script(client())
    script.say(AuthMoreData(caching_sha2.FULL).encode())
    with pytest.raises(PeerError, match="no public key"):
        script.say(AuthMoreData(b"not a key").encode())


def test_a_password_too_long_for_rsa() -> None:
    script = Script(ClientLogin("app", "x" * 300, tls=Tls.NEVER, public_key=PEM))
    event = script.say(AuthMoreData(caching_sha2.FULL).encode())
    assert isinstance(event, LoginFailed)
    assert "use TLS" in event.error.text


def test_an_error_instead_of_a_greeting() -> None:
    login = client()
    login.receive(packets.encode(b"\xff\x10\x04Too many connections", 0))
    event = login.next_event()
    assert isinstance(event, LoginFailed)
    assert event.by_server
    assert (event.error.errno, event.error.sqlstate, event.error.text) == (1040, "", "Too many connections")


def test_a_refusal() -> None:
    event = Script(client()).say(error(1045, "28000", "Access denied").encode())
    assert isinstance(event, LoginFailed)
    assert event.by_server
    assert event.error.errno == 1045


def test_out_of_order() -> None:
    login = client()
    login.receive(packets.encode(greeting().encode(), 1))
    with pytest.raises(PeerError, match="out of order"):
        login.next_event()


def test_misuse() -> None:
    with pytest.raises(UsageError):
        client().tls_started()
    with pytest.raises(UsageError):
        _ = client().handshake


@given(st.integers(1, 40))
def test_any_chunking(size: int) -> None:
    login = client()
    sent = packets.encode(greeting().encode(), 0)
    for start in range(0, len(sent), size):
        login.receive(sent[start : start + size])
        assert login.next_event() is None
    assert login.to_send()
    sent = packets.encode(AuthMoreData(caching_sha2.FAST_OK).encode(), 2) + packets.encode(Ok().encode(CAPS), 3)
    events = []
    for start in range(0, len(sent), size):
        login.receive(sent[start : start + size])
        events.append(login.next_event())
    assert isinstance(events[-1], LoggedIn)
    assert not any(events[:-1])


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=4), st.booleans())
def test_garbage_never_gets_the_password(payloads: list[bytes], greeted: bool) -> None:
    login = client()
    sent = b""
    sequence = 0
    try:
        if greeted:
            login.receive(packets.encode(greeting().encode(), 0))
            assert login.next_event() is None
            sent, sequence = login.to_send(), 2
        for payload in payloads:
            login.receive(packets.encode(payload, sequence))
            login.next_event()
            answer = login.to_send()
            sent += answer
            sequence += 2 if answer else 1
    except PeerError:
        assert login._phase is Phase.DONE
    assert PASSWORD.encode() not in sent
