"""What proves a password: published and recorded values, and that both sides fit together."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.mysql import caching_sha2, native_password, sealing
from protocols.mysql import ed25519 as mariadb

passwords = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
nonces = st.binary(min_size=20, max_size=20).filter(lambda nonce: b"\0" not in nonce)
KEY = sealing.make_key()


def test_the_native_verifier_is_what_servers_keep() -> None:
    # SELECT PASSWORD('mariadb') in MariaDB's manual
    assert native_password.verifier("mariadb") == "*54958E764CE10E50764C2EECBB71D01F08549980"


@given(passwords, passwords, nonces)
def test_native_password(password: str, other: str, nonce: bytes) -> None:
    digest = native_password.read_verifier(native_password.verifier(password))
    assert native_password.matches(native_password.respond(password, nonce), nonce, digest)
    if other != password:
        assert not native_password.matches(native_password.respond(other, nonce), nonce, digest)
    assert not native_password.matches(native_password.respond(password, nonce), nonce[::-1] + b"x", digest)


@pytest.mark.parametrize("text", ["", "*", "54958E764CE10E50764C2EECBB71D01F08549980", "*" + "G" * 40, "*" + "A" * 39])
def test_what_is_no_native_verifier(text: str) -> None:
    with pytest.raises(UsageError, match="40 hex digits") as caught:
        native_password.read_verifier(text)
    assert not text[1:] or text[1:] not in str(caught.value)


@given(passwords, passwords, nonces)
def test_caching_sha2(password: str, other: str, nonce: bytes) -> None:
    digest = caching_sha2.digest(password)
    assert caching_sha2.matches(caching_sha2.respond(password, nonce), nonce, digest)
    if other != password:
        assert not caching_sha2.matches(caching_sha2.respond(other, nonce), nonce, digest)


@given(st.binary(max_size=64), nonces)
def test_garbage_proves_nothing(response: bytes, nonce: bytes) -> None:
    assert not caching_sha2.matches(response, nonce, caching_sha2.digest("secret"))
    assert not native_password.matches(
        response, nonce, native_password.read_verifier(native_password.verifier("secret"))
    )


def test_no_password_is_no_proof() -> None:
    assert caching_sha2.respond("", b"n" * 20) == native_password.respond("", b"n" * 20) == b""


def test_ed25519_keeps_what_mariadb_keeps() -> None:
    # SELECT ED25519_PASSWORD('secret') in MariaDB's manual
    assert base64.b64encode(mariadb.public_key("secret")).rstrip(b"=") == b"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"


@settings(max_examples=25, deadline=None)
@given(passwords, st.binary(min_size=32, max_size=32))
def test_ed25519_signatures_are_sound(password: str, nonce: bytes) -> None:
    """By another implementation's verification."""
    key = ed25519.Ed25519PublicKey.from_public_bytes(mariadb.public_key(password))
    key.verify(mariadb.sign(password, nonce), nonce)


@settings(max_examples=25, deadline=None)
@given(passwords, nonces)
def test_sealed_passwords(password: str, nonce: bytes) -> None:
    sealed = sealing.seal(password, nonce, sealing.public_pem(KEY))
    assert len(sealed) == sealing.ciphertext_size(KEY)
    assert sealing.unseal(sealed, nonce, KEY) == password.encode() + b"\0"


@given(st.binary(max_size=300))
def test_what_was_not_sealed_for_us_is_not_opened(data: bytes) -> None:
    assert sealing.unseal(data, b"n" * 20, KEY) is None


def test_a_password_that_does_not_fit() -> None:
    with pytest.raises(UsageError, match="use TLS"):
        sealing.seal("x" * 214, b"n" * 20, sealing.public_pem(KEY))
    assert sealing.seal("x" * 213, b"n" * 20, sealing.public_pem(KEY))


def _pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "pem",
    [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
     _pem(ec.generate_private_key(ec.SECP256R1()).public_key())],
)  # fmt: skip
def test_bad_keys(pem: bytes) -> None:
    with pytest.raises(PeerError, match="key"):
        sealing.seal("secret", b"n" * 20, pem)


@given(st.binary(max_size=200))
def test_a_key_of_garbage_is_the_peers_fault(pem: bytes) -> None:
    with pytest.raises(PeerError):
        sealing.read_public_key(pem)
