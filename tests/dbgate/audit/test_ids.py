"""Event ids are UUIDv7 and rise."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from dbgate.audit.ids import EventIds


@given(st.lists(st.integers(0, 2**60), min_size=1, max_size=50))
def test_ids_are_version_7_and_rise_whatever_the_clock_does(times: list[int]) -> None:
    ids = EventIds()
    made = [ids.next(now) for now in times]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    for text in made:
        parsed = uuid.UUID(text)
        assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, text)


def test_the_first_48_bits_are_unix_milliseconds() -> None:
    """The example of RFC 9562, appendix A.6."""
    text = EventIds().next(1_645_557_742_000 * 1_000_000)
    assert text.startswith("017f22e2-79b0-7")


def test_two_processes_do_not_make_the_same_ids() -> None:
    first, second = EventIds(lambda: 10**18), EventIds(lambda: 10**18)
    assert {first.next() for _ in range(1000)}.isdisjoint({second.next() for _ in range(1000)})


def test_extreme_randomness_stays_within_the_format() -> None:
    for filler in (b"\x00", b"\xff"):
        ids = EventIds(lambda: 10**18, lambda count, filler=filler: filler * count)  # type: ignore[misc]
        assert uuid.UUID(ids.next()).version == 7
