"""client_ed25519 of MariaDB: an Ed25519 signature whose secret scalar comes from the password itself.

The plugin hashes the password where Ed25519 (RFC 8032) hashes a 32 byte seed, so no library's private key fits, and
the arithmetic stands here. It is not constant in time: it is for a login of our own to a server, where one signature
is made for each connection, and not for signing what strangers send in bulk.
Source: RFC 8032 sections 5.1 and 6; MariaDB documentation, "Authentication Plugin - ed25519".
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TypeAlias

NAME = "client_ed25519"
NONCE_SIZE = 32

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y = 46316835694926478169428394003475163141307993866256225615783033603165251855960
_WINDOW = 4  # bits of a scalar that one addition takes care of

#: extended coordinates X, Y, Z, T: x = X/Z, y = Y/Z, xy = T/Z
_Point: TypeAlias = tuple[int, int, int, int]

_ZERO: _Point = (0, 1, 1, 0)
_BASE: _Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)


def sign(password: str, nonce: bytes) -> bytes:
    """64 bytes that prove the knowledge of the password; `nonce` is what the server sent."""
    expanded = hashlib.sha512(password.encode()).digest()
    scalar = _clamped(expanded[:32])
    public = _encode(_times_base(scalar))
    secret = _number(hashlib.sha512(expanded[32:] + nonce).digest()) % _ORDER
    commitment = _encode(_times_base(secret))
    challenge = _number(hashlib.sha512(commitment + public + nonce).digest()) % _ORDER
    return commitment + ((secret + challenge * scalar) % _ORDER).to_bytes(32, "little")


def public_key(password: str) -> bytes:
    """What the server keeps of a password: 32 bytes."""
    return _encode(_times_base(_clamped(hashlib.sha512(password.encode()).digest()[:32])))


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _clamped(data: bytes) -> int:
    return _number(data) & ((1 << 254) - 8) | (1 << 254)


def _add(p: _Point, q: _Point) -> _Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


@cache
def _table() -> tuple[tuple[_Point, ...], ...]:
    """For each window of a scalar the base point times every digit there; made at the first signature."""
    rows: list[tuple[_Point, ...]] = []
    step = _BASE
    for _ in range(0, 256, _WINDOW):
        row = [_ZERO]
        for _ in range(1, 1 << _WINDOW):
            row.append(_add(row[-1], step))
        rows.append(tuple(row))
        step = _add(row[-1], step)
    return tuple(rows)


def _times_base(scalar: int) -> _Point:
    result = _ZERO
    for row in _table():
        result = _add(result, row[scalar & ((1 << _WINDOW) - 1)])
        scalar >>= _WINDOW
    return result


def _encode(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")
