"""mysql_native_password: SHA-1 twice, kept by servers as `*` and 40 hex digits of SHA1(SHA1(password)).

Weak: who reads the verifier can try billions of passwords a second, and who also listens to one login has what is
needed to log in. Source: MySQL internals manual, "Native Authentication".
"""

from __future__ import annotations

import hashlib
import hmac
import string

from protocols.errors import UsageError

NAME = "mysql_native_password"
RESPONSE_SIZE = 20
_HEX = frozenset(string.hexdigits)


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def respond(password: str, nonce: bytes) -> bytes:
    """The client's proof: SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password))); nothing for an empty password."""
    if not password:
        return b""
    stage1 = _sha1(password.encode())
    return _xor(stage1, _sha1(nonce + _sha1(stage1)))


def matches(response: bytes, nonce: bytes, digest: bytes) -> bool:
    """Whether a client that answered so knows the password of this SHA1(SHA1(password))."""
    if len(response) != RESPONSE_SIZE:
        return False
    stage1 = _xor(response, _sha1(nonce + digest))
    return hmac.compare_digest(_sha1(stage1), digest)


def verifier(password: str) -> str:
    """What a server keeps: `*` and 40 upper-case hex digits."""
    return "*" + _sha1(_sha1(password.encode())).hex().upper()


def read_verifier(text: str) -> bytes:
    """The 20 bytes of a verifier. Raises `UsageError` without quoting the text, which is a secret."""
    if len(text) != 1 + 2 * RESPONSE_SIZE or text[0] != "*" or not _HEX.issuperset(text[1:]):
        raise UsageError("not a mysql_native_password verifier: expected * and 40 hex digits")
    return bytes.fromhex(text[1:])
