"""What a session sees of the store in which the use of jobs is added up: plain methods, no I/O of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

#: stands for "as much as one likes"; fits the store's 64 bits with room for one more sum
UNBOUNDED: Final = 1 << 62


class AccountUnavailable(Exception):  # noqa: N818 - a state of the store, told to clients as a refusal
    """The store can be neither read nor written. Nothing was added."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a job has used in the window that is open now. `resets`: when that ends, as text in UTC."""

    rows: int
    bytes: int
    cells: int
    resets: str


@dataclass(frozen=True, slots=True)
class Share:
    """What a job may use in one window of so many seconds, the sums themselves included."""

    window: int
    rows: int = UNBOUNDED
    bytes: int = UNBOUNDED
    cells: int = UNBOUNDED


class Account(Protocol):
    """One job's. Every method raises AccountUnavailable."""

    def usage(self, window: int) -> Usage: ...

    def spend(self, shares: tuple[Share, ...], rows: int, size: int, cells: int) -> bool:
        """Adds to every share's window, or, when one of the sums would go beyond its share, to none."""

    def statements(self, count: int, most: int, purpose: str) -> float:
        """Counts statements of this minute: 0.0, or the seconds to wait, and then none was counted. `purpose` keeps
        counts apart."""


class NoAccount:
    """For sessions whose gate keeps no store: any limit that needs one refuses."""

    def usage(self, window: int) -> Usage:
        raise AccountUnavailable

    def spend(self, shares: tuple[Share, ...], rows: int, size: int, cells: int) -> bool:
        raise AccountUnavailable

    def statements(self, count: int, most: int, purpose: str) -> float:
        raise AccountUnavailable
