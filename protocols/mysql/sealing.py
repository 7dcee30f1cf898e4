"""A password under the server's RSA key: what caching_sha2_password and sha256_password do without TLS.

The zero-terminated password is XORed with the nonce, repeated, and encrypted with RSA and OAEP (SHA-1). It protects
against listeners, not against somebody in the middle who sends a key of his own: a client that must be sure has to
know the key before, or use TLS. Source: MySQL internals manual, "SHA256 Password Plugin".
"""

from __future__ import annotations

from itertools import cycle
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from protocols.errors import PeerError, UsageError

PrivateKey: TypeAlias = rsa.RSAPrivateKey

KEY_BITS = 2048
#: the sizes of a server's key that we encrypt with
SMALLEST_KEY, LARGEST_KEY = 1024, 16_384
_OAEP_OVERHEAD = 42  # bytes: two SHA-1 hashes and two more
_OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303 - the protocol's


def make_key() -> PrivateKey:
    """A new key of the gate's own; takes some 0.1 s."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def public_pem(key: PrivateKey) -> bytes:
    """What a server sends when a client asks for its key."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def ciphertext_size(key: PrivateKey) -> int:
    """Bytes of every sealed password under this key."""
    return key.key_size // 8


def read_public_key(pem: bytes) -> rsa.RSAPublicKey:
    """Raises `PeerError` when it is no RSA key in PEM of a size that we use."""
    try:
        key = serialization.load_pem_public_key(pem.rstrip(b"\0"))
    except (ValueError, UnsupportedAlgorithm):
        raise PeerError("the server's RSA key cannot be read: it is no public key in PEM") from None
    if not isinstance(key, rsa.RSAPublicKey) or not SMALLEST_KEY <= key.key_size <= LARGEST_KEY:
        raise PeerError(f"the server's key is no RSA key of {SMALLEST_KEY} to {LARGEST_KEY} bits")
    return key


def seal(password: str, nonce: bytes, pem: bytes) -> bytes:
    """The password as only the owner of the key can read it. Raises `PeerError` for a bad key, `UsageError` for a
    password that the key is too small for (214 bytes and the terminator fit into 2048 bits)."""
    key = read_public_key(pem)
    clear = _mix(password.encode() + b"\0", nonce)
    if len(clear) > key.key_size // 8 - _OAEP_OVERHEAD:
        raise UsageError("the password is too long for the server's RSA key; use TLS")
    return key.encrypt(clear, _OAEP)


def unseal(sealed: bytes, nonce: bytes, key: PrivateKey) -> bytes | None:
    """The password with its terminator, None when it was not sealed for this key. Takes about 1 ms."""
    try:
        return _mix(key.decrypt(sealed, _OAEP), nonce)
    except ValueError:
        return None


def _mix(data: bytes, nonce: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(data, cycle(nonce), strict=False))
