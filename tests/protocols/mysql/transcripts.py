"""What real MySQL 9 and MariaDB 10.11 servers answered, for every mix of capabilities (`tests/transcripts/mysql`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from protocols.mysql.capabilities import Capability

FOLDER = Path(__file__).parents[2] / "transcripts" / "mysql"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


@dataclass(frozen=True)
class Exchange:
    """A command's payload and the whole reply."""

    command: bytes
    reply: bytes


@dataclass(frozen=True)
class Transcript:
    capabilities: Capability
    exchanges: tuple[Exchange, ...]


def whole(pieces: list[str | int]) -> bytes:
    """Hexadecimal pieces; behind every other one the byte and the length of a run."""
    data = bytes.fromhex(str(pieces[0]))
    for index in range(1, len(pieces), 3):
        byte, count, after = pieces[index : index + 3]
        data += bytes.fromhex(str(byte)) * int(count) + bytes.fromhex(str(after))
    return data


@cache
def transcript(name: str) -> Transcript:
    recorded = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    exchanges = tuple(Exchange(bytes.fromhex(command), whole(reply)) for command, reply in recorded["exchanges"])
    return Transcript(Capability(recorded["capabilities"]), exchanges)
