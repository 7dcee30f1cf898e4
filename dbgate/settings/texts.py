"""Durations, sizes and addresses as people write them. Each parser raises ValueError with the whole sentence."""

from __future__ import annotations

import re
from pathlib import Path

from dbgate.settings.model import Address

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)?")
_BYTES = {
    "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12
}  # fmt: skip
#: what sockaddr_un holds, less the final NUL (Linux 108, others 104)
UNIX_PATH_LIMIT = 103


def parse_duration(text: str) -> float:
    """Seconds of `30s`, `5m`, `250ms`, `1h`, `2d`."""
    if (match := _DURATION.fullmatch(text.strip())) is None:
        raise ValueError("is no duration; write a number and a unit: 250ms, 30s, 5m, 1h")
    return float(match[1]) * _SECONDS[match[2]]


def parse_size(text: str) -> int:
    """Bytes of `64KiB`, `1GiB`, `500MB`, `4096`."""
    if (match := _SIZE.fullmatch(text.strip())) is None:
        raise ValueError("is no size; write a number and a unit: 64KiB, 500MB, 1GiB")
    return int(match[1]) * _BYTES[match[2] or "B"]


def parse_address(text: str) -> Address:
    """`host:port`, `[::1]:port`, `unix:/absolute/path`."""
    if text.startswith("unix:"):
        return _unix(text[5:])
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError("is no address; write host:port (127.0.0.1:6432, [::1]:6432) or unix:/absolute/path")
    return Address(host, int(port))


def _unix(path: str) -> Address:
    if not path.startswith("/"):
        raise ValueError("needs an absolute path after unix:")
    if len(path.encode()) > UNIX_PATH_LIMIT:
        raise ValueError(f"is longer than the {UNIX_PATH_LIMIT} bytes of a unix socket's path")
    return Address(path=Path(path))
