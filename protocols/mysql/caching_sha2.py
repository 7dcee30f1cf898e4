"""caching_sha2_password's proof, both sides. Full authentication is a password in the clear, or sealed with RSA.

The fast path: the client sends SHA256(password) XOR SHA256(digest, nonce), where digest = SHA256(SHA256(password)).
A server that remembers the digest can check that without knowing the password.
Source: MySQL internals manual, "Caching SHA-2 Pluggable Authentication".
"""

from __future__ import annotations

import hashlib
import hmac

NAME = "caching_sha2_password"
RESPONSE_SIZE = 32

#: what the server says in AuthMoreData
FAST_OK, FULL = b"\x03", b"\x04"
#: what the client says to get the server's RSA key
REQUEST_KEY = b"\x02"


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def digest(password: str) -> bytes:
    """SHA256(SHA256(password)): as secret as the password to whoever listens, so it lives in memory only."""
    return _sha256(_sha256(password.encode()))


def respond(password: str, nonce: bytes) -> bytes:
    """The client's proof; nothing for an empty password."""
    if not password:
        return b""
    return _xor(_sha256(password.encode()), _sha256(digest(password) + nonce))


def matches(response: bytes, nonce: bytes, remembered: bytes) -> bool:
    """Whether a client that answered so knows the password of this digest."""
    if len(response) != RESPONSE_SIZE:
        return False
    single = _xor(response, _sha256(remembered + nonce))
    return hmac.compare_digest(_sha256(single), remembered)
