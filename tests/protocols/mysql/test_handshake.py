"""The packets of a connection's start: recorded bytes, round trips, garbage."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.handshake import (
    AuthMoreData,
    AuthSwitchRequest,
    Brand,
    Handshake,
    HandshakeResponse41,
    SslRequest,
    decode_auth_more_data,
    decode_auth_switch,
    decode_handshake,
    decode_response,
)

#: sent by MariaDB 10.11.19: no LONG_PASSWORD, and its own capabilities in the reserved bytes
MARIADB = bytes.fromhex(
    "0a352e352e352d31302e31312e31392d4d6172696144422d302b6465623132753100350000003065305e676a5f7d00feff080200ff8115"
    "0000000000001d000000775f556b3c2a5a67763b6360006d7973716c5f6e61746976655f70617373776f726400"
)
#: sent by MySQL 9.7.4
MYSQL = bytes.fromhex(
    "0a392e372e342d320042000000097a2c5936635f4400ffffff0200ffdf1500000000000000000000564331232d7c41302d625a1500"
    "63616368696e675f736861325f70617373776f726400"
)
BASE = Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH | Capability.LONG_PASSWORD
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)
nonces = st.binary(min_size=20, max_size=20).filter(lambda nonce: b"\0" not in nonce)
optional = st.lists(
    st.sampled_from(
        [Capability.CONNECT_WITH_DB, Capability.CONNECT_ATTRS, Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA,
         Capability.ZSTD_COMPRESSION, Capability.SSL, Capability.DEPRECATE_EOF]
    )
)  # fmt: skip


def test_mariadbs_greeting() -> None:
    found = decode_handshake(MARIADB)
    assert found.brand is Brand.MARIADB
    assert (found.version, found.connection_id, found.character_set) == ("10.11.19-MariaDB-0+deb12u1", 53, 8)
    assert found.nonce == b"0e0^gj_}w_Uk<*Zgv;c`"
    assert found.plugin == "mysql_native_password"
    own = Capability.MARIADB_PROGRESS | Capability.MARIADB_STMT_BULK_OPERATIONS | Capability.MARIADB_CACHE_METADATA
    assert int(found.capabilities) >> 32 == int(own | Capability.MARIADB_EXTENDED_METADATA) >> 32
    assert not found.capabilities & Capability.LONG_PASSWORD
    assert found.encode() == MARIADB


def test_mysqls_greeting() -> None:
    found = decode_handshake(MYSQL)
    assert found.brand is Brand.MYSQL
    assert (found.version, found.connection_id, found.character_set) == ("9.7.4-2", 66, 255)
    assert found.plugin == "caching_sha2_password"
    assert found.encode() == MYSQL


@given(texts, st.integers(0, 2**32 - 1), nonces, st.integers(0, 255), names)
def test_greetings_come_back(version: str, number: int, nonce: bytes, charset: int, plugin: str) -> None:
    greeting = Handshake(version, number, nonce, BASE, charset, StatusFlag.AUTOCOMMIT, plugin)
    assert decode_handshake(greeting.encode()) == greeting


@pytest.mark.parametrize("nonce", [b"n" * 19, b"n" * 21, b"n" * 19 + b"\0"])
def test_a_greeting_needs_a_sound_nonce(nonce: bytes) -> None:
    with pytest.raises(UsageError):
        Handshake("9", 1, nonce, BASE, 45, StatusFlag.AUTOCOMMIT, "x").encode()


def test_older_greetings_are_refused() -> None:
    with pytest.raises(PeerError, match="protocol version 9"):
        decode_handshake(b"\x09" + MARIADB[1:])
    old = Handshake("4.0", 1, b"n" * 20, Capability.PLUGIN_AUTH, 8, StatusFlag.AUTOCOMMIT, "x").encode()
    with pytest.raises(PeerError, match=r"before MySQL 4\.1"):
        decode_handshake(old)


@given(optional, names, st.binary(max_size=250), texts, texts, st.dictionaries(texts, texts, max_size=4))
def test_responses_come_back(
    more: list[Capability], user: str, auth: bytes, database: str, plugin: str, attributes: dict[str, str]
) -> None:
    caps = BASE
    for one in more:
        caps |= one
    sent = HandshakeResponse41(
        caps,
        1 << 24,
        255,
        user,
        auth,
        database if caps & Capability.CONNECT_WITH_DB else "",
        plugin,
        attributes if caps & Capability.CONNECT_ATTRS else {},
        3 if caps & Capability.ZSTD_COMPRESSION else 0,
    )
    assert decode_response(sent.encode(BASE), BASE) == sent


def test_mariadbs_own_bits_count_only_where_the_server_has_its_own() -> None:
    caps = BASE | Capability.MARIADB_STMT_BULK_OPERATIONS
    sent = HandshakeResponse41(caps, 1, 45, "u", plugin="p")
    theirs = (BASE & ~Capability.LONG_PASSWORD) | Capability.MARIADB_STMT_BULK_OPERATIONS
    assert decode_response(sent.encode(theirs), theirs).capabilities == caps
    assert decode_response(sent.encode(BASE), BASE).capabilities == BASE


def test_an_ssl_request_is_the_head_of_a_response() -> None:
    request = SslRequest(BASE | Capability.SSL, 1 << 24, 45)
    assert len(request.encode(BASE)) == 32
    assert decode_response(request.encode(BASE), BASE) == request


def test_a_head_alone_without_tls_is_malformed() -> None:
    head = SslRequest(BASE, 1, 45).encode(BASE)
    with pytest.raises(PeerError, match="no TLS was asked for"):
        decode_response(head[:1] + bytes([head[1] & ~8]) + head[2:], BASE)


@pytest.mark.parametrize(
    ("caps", "rest"),
    [(Capability.SECURE_CONNECTION, b"\0\0\0root\0secret\0"), (Capability.PROTOCOL_41, bytes(28) + b"root\0\0")],
)
def test_clients_of_old_are_told_so(caps: Capability, rest: bytes) -> None:
    with pytest.raises(PeerError, match=r"before MySQL 4\.1"):
        decode_response((int(caps) & 0xFFFF).to_bytes(2, "little") + bytes(2) + rest, BASE)


def test_a_flag_without_its_field_at_the_packets_end() -> None:
    """PHP's mysqlnd sets CONNECT_WITH_DB and may end its packet before the name."""
    short = HandshakeResponse41(BASE & ~Capability.PLUGIN_AUTH, 1, 45, "u").encode(BASE)
    flagged = (int.from_bytes(short[:4], "little") | Capability.CONNECT_WITH_DB).to_bytes(4, "little") + short[4:]
    found = decode_response(flagged, BASE)
    assert isinstance(found, HandshakeResponse41)
    assert (found.user, found.database) == ("u", "")


def test_switches() -> None:
    request = AuthSwitchRequest("client_ed25519", b"n" * 32)
    assert decode_auth_switch(request.encode()) == request
    assert request.nonce == b"n" * 32
    assert AuthSwitchRequest("x", b"n" * 20 + b"\0").nonce == b"n" * 20
    assert decode_auth_switch(b"\xfe").plugin == "mysql_old_password"
    assert decode_auth_more_data(AuthMoreData(b"\x04").encode()).data == b"\x04"


@given(st.binary(max_size=300))
def test_garbage_is_the_peers_fault(data: bytes) -> None:
    for decode in (decode_handshake, decode_auth_switch, decode_auth_more_data):
        with contextlib.suppress(PeerError):
            decode(data)
    with contextlib.suppress(PeerError):
        decode_response(data, BASE)


@given(st.integers(0, 200), st.integers(0, 255))
def test_damaged_packets_are_the_peers_fault(place: int, value: int) -> None:
    caps = BASE | Capability.CONNECT_ATTRS | Capability.CONNECT_WITH_DB | Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA
    sent = HandshakeResponse41(caps, 1, 45, "user", b"p" * 32, "shop", "caching_sha2_password", {"a": "b"}).encode(BASE)
    for packet in (sent[:place], sent[:place] + bytes([value]) + sent[place + 1 :]):
        with contextlib.suppress(PeerError):
            decode_response(packet, BASE)
