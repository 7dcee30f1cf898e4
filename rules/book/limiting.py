"""The `limit` verb: figures and a window, with their units."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from rules.book.model import DAY, HOUR, Limiting
from rules.book.nodes import Mapping, Node, Scalar
from rules.book.values import Report, check_keys, one_of, read_mapping

#: The largest count: beyond it JSON readers lose digits.
LARGEST: Final = 2**53
#: statement_timeout's own range (milliseconds, a signed 32 bit number)
LONGEST_TIME: Final = 2**31 - 1
#: a minute's statements are counted in 32 bits
MOST_A_MINUTE: Final = 1_000_000
SHORTEST_WINDOW: Final = 60
LONGEST_WINDOW: Final = 366 * DAY
WINDOWS: Final = {"hour": HOUR, "day": DAY}

_COUNT: Final = re.compile(r"[1-9][0-9]{0,15}")
_SIZE: Final = re.compile(r"([1-9][0-9]{0,15}) ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?")
_TIME: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?(ms|s|min|m|h|d)")
BYTES: Final = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
MILLISECONDS: Final = {
    "ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000,
}  # fmt: skip

_COUNT_MEND: Final = "write a whole number from 1 on, without quotes: 10000"
_SIZE_MEND: Final = "write a number and a unit: 64KiB, 50MB, 1GB"
_TIME_MEND: Final = "write a number and a unit: 500ms, 30s, 5m, 1h"


def read_limit(node: Node, report: Report, where: str) -> Limiting | None:
    """The values of a limit rule; None when anything of it was reported."""
    before = len(report.problems)
    body = read_mapping(node, report, f"limit of {where}")
    if body is None:
        return None
    check_keys(body, (*FIGURES, "per"), report, f"limit of {where}")
    _check_figures(body, report, where)
    given = {key.text: FIGURES[key.text](value, report, f"{key.text} of {where}")
             for key, value in body.entries if key.text in FIGURES}  # fmt: skip
    per = body.get("per")
    window = DAY if per is None else _window(per, report, f"per of {where}")
    return Limiting(**given, per=window) if len(report.problems) == before else None


def _check_figures(body: Mapping, report: Report, where: str) -> None:
    names = {key.text for key, _ in body.entries}
    if names <= {"per"}:
        report.add(body, f"limit of {where} names no figure", "it would limit nothing", one_of(FIGURES))
    elif "per" in names and not any(name.endswith("_per_job") for name in names):
        why = "it says when the budgets of a job begin anew, and there is none"
        report.add(body, f'"per" of {where} has nothing to speak of', why, "add rows_per_job, or leave per out")


# ---------------------------------------------------------------- one figure


def _text(node: Node) -> str:
    return node.text.strip() if isinstance(node, Scalar) else ""


def _count_up_to(largest: int) -> Callable[[Node, Report, str], int]:
    def read(node: Node, report: Report, what: str) -> int:
        text = _text(node).replace("_", "")
        plain = isinstance(node, Scalar) and node.plain
        if plain and _COUNT.fullmatch(text) and int(text) <= largest:
            return int(text)
        report.add(node, f"{what} is no whole number from 1 to {largest}", mend=_COUNT_MEND)
        return 1

    return read


def _size(node: Node, report: Report, what: str) -> int:
    match = _SIZE.fullmatch(_text(node))
    size = int(match[1]) * BYTES[match[2] or "B"] if match else 0
    if 0 < size <= LARGEST:
        return size
    report.add(node, f"{what} is no size from 1B to {LARGEST}B", mend=_SIZE_MEND)
    return 1


def _time(node: Node, report: Report, what: str) -> int:
    match = _TIME.fullmatch(_text(node))
    time = float(match[1]) * MILLISECONDS[match[2]] if match else 0
    if 1 <= time <= LONGEST_TIME:
        return int(time)
    report.add(node, f"{what} is no time from 1ms to {LONGEST_TIME // MILLISECONDS['d']}d", mend=_TIME_MEND)
    return 1


def _window(node: Node, report: Report, what: str) -> int:
    """Whole seconds."""
    word = _text(node)
    if word in WINDOWS:
        return WINDOWS[word]
    match = _TIME.fullmatch(word)
    seconds = float(match[1]) * MILLISECONDS[match[2]] / 1000 if match else 0
    if seconds == int(seconds) and SHORTEST_WINDOW <= seconds <= LONGEST_WINDOW:
        return int(seconds)
    why = f"from {SHORTEST_WINDOW}s to {LONGEST_WINDOW // DAY}d"
    report.add(node, f"{what} is no window of time", why, "write hour, day, or a duration: 15m, 12h, 7d")
    return DAY


#: key -> its reader, which gives a stand-in for what it reports
FIGURES: Final[dict[str, Callable[[Node, Report, str], int]]] = {
    "rows_per_statement": _count_up_to(LARGEST),
    "bytes_per_statement": _size,
    "statement_time": _time,
    "statements_per_minute": _count_up_to(MOST_A_MINUTE),
    "rows_per_job": _count_up_to(LARGEST),
    "bytes_per_job": _size,
    "sensitive_cells_per_job": _count_up_to(LARGEST),
}
