"""The file of budgets: sums that never go beyond their shares, whoever adds, whatever is killed."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbgate.budgets.accounts import account_of
from dbgate.budgets.ledger import BLOCK, FIRST, KEPT, SLOT_SIZE, Ledger, LedgerUnusable
from dbgate.session.accounts import UNBOUNDED, AccountUnavailable, Share, Usage

DAY = 86400
NOON = 1_800_000_000 // DAY * DAY + DAY // 2
KEY, OTHER = b"k" * 16, b"o" * 16
MOST = (10, UNBOUNDED, UNBOUNDED)


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    return Ledger(tmp_path / "budgets", clock)


def test_adds_up_to_the_share_and_no_further(ledger: Ledger) -> None:
    assert ledger.sums(KEY, DAY) == (0, 0, 0)
    assert ledger.add(((KEY, DAY, MOST),), (7, 100, 3))
    assert not ledger.add(((KEY, DAY, MOST),), (4, 1, 1))
    assert ledger.add(((KEY, DAY, MOST),), (3, 1, 1))
    assert ledger.sums(KEY, DAY) == (10, 101, 4)
    assert ledger.add(((KEY, DAY, MOST),), (0, 5, 0))  # what is used up counts only for more of it
    assert ledger.sums(OTHER, DAY) == (0, 0, 0)


def test_all_windows_or_none(ledger: Ledger) -> None:
    both = ((KEY, DAY, MOST), (OTHER, 3600, (5, UNBOUNDED, UNBOUNDED)))
    assert not ledger.add(both, (6, 1, 0))
    assert ledger.sums(KEY, DAY) == ledger.sums(OTHER, 3600) == (0, 0, 0)
    assert ledger.add(both, (5, 1, 0))
    assert ledger.sums(KEY, DAY) == ledger.sums(OTHER, 3600) == (5, 1, 0)


def test_a_new_window_begins_anew(ledger: Ledger, clock: Clock) -> None:
    ledger.add(((KEY, DAY, MOST),), (10, 1, 1))
    clock.now += DAY // 2 - 1
    assert not ledger.add(((KEY, DAY, MOST),), (1, 0, 0))
    clock.now += 1
    assert ledger.sums(KEY, DAY) == (0, 0, 0)
    assert ledger.add(((KEY, DAY, MOST),), (1, 0, 0))


def test_a_clock_that_goes_back_gives_nothing_back(ledger: Ledger, clock: Clock) -> None:
    ledger.add(((KEY, DAY, MOST),), (10, 1, 1))
    clock.now -= 3 * DAY
    assert not ledger.add(((KEY, DAY, MOST),), (1, 0, 0))
    assert ledger.add(((KEY, DAY, MOST),), (0, 1, 0))
    clock.now += 3 * DAY
    assert ledger.sums(KEY, DAY) == (10, 2, 1)


def test_outlives_its_process(ledger: Ledger, tmp_path: Path, clock: Clock) -> None:
    ledger.add(((KEY, DAY, MOST),), (4, 5, 6))
    ledger.tick(OTHER, 2, 3)
    ledger.close()
    again = Ledger(tmp_path / "budgets", clock)
    assert again.sums(KEY, DAY) == (4, 5, 6)
    assert again.tick(OTHER, 2, 3) > 0


# ---------------------------------------------------------------- statements in a minute


def test_so_many_in_a_minute(ledger: Ledger, clock: Clock) -> None:
    assert [ledger.tick(KEY, 1, 3) for _ in range(3)] == [0.0, 0.0, 0.0]
    wait = ledger.tick(KEY, 1, 3)
    assert 60 <= wait <= 61
    clock.now += wait - 0.01
    assert 0 < ledger.tick(KEY, 1, 3) <= 0.02
    clock.now += 0.02
    assert ledger.tick(KEY, 3, 3) == 0.0
    assert ledger.tick(KEY, 4, 3) > 0


def test_after_a_long_pause_nothing_counts(ledger: Ledger, clock: Clock) -> None:
    ledger.tick(KEY, 3, 3)
    clock.now += 100_000
    assert ledger.tick(KEY, 3, 3) == 0.0


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.floats(0, 40), st.integers(1, 3)), max_size=40),
    most=st.integers(1, 6),
)
def test_never_more_in_any_sixty_seconds(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[float, int]],
                                         most: int) -> None:  # fmt: skip
    clock = Clock()
    ledger = Ledger(tmp_path_factory.mktemp("rate") / "budgets", clock)
    granted: list[float] = []
    for pause, count in steps:
        clock.now += pause
        wait = ledger.tick(KEY, count, most)
        if wait == 0.0:
            granted += [clock.now] * count
        elif count <= most:
            assert 0 < wait <= 61
            clock.now += wait
            assert ledger.tick(KEY, count, most) == 0.0
            granted += [clock.now] * count
        recent = [moment for moment in granted if moment > clock.now - 60]
        assert len(recent) <= most
    ledger.close()


# ---------------------------------------------------------------- slots


def test_expired_slots_are_given_away(tmp_path: Path, clock: Clock) -> None:
    ours, theirs = (Ledger(tmp_path / "budgets", clock) for _ in range(2))
    keys = [n.to_bytes(16, "big") for n in range(1, BLOCK + 1)]
    for key in keys:
        ours.add(((key, 3600, MOST),), (1, 1, 1))
    assert theirs.sums(keys[0], 3600) == (1, 1, 1)
    clock.now += 2 * 3600 + KEPT
    for n in range(10):
        ours.add(((bytes([200 + n]) * 16, 3600, MOST),), (2, 2, 2))
    assert (tmp_path / "budgets").stat().st_size == FIRST + BLOCK * SLOT_SIZE
    assert all(theirs.sums(bytes([200 + n]) * 16, 3600) == (2, 2, 2) for n in range(10))
    assert theirs.add(((keys[-1], 3600, MOST),), (10, 0, 0))
    assert ours.sums(keys[-1], 3600) == (10, 0, 0)
    assert all(ours.sums(bytes([200 + n]) * 16, 3600) == (2, 2, 2) for n in range(10))


def add_until_refused(path: str, size: int, counted: multiprocessing.Queue[int]) -> None:
    ledger, granted = Ledger(Path(path)), 0
    while ledger.add(((KEY, 366 * DAY, (2000, UNBOUNDED, UNBOUNDED)),), (size, 1, 1)):
        granted += size
    counted.put(granted)


def test_workers_share_the_sum(tmp_path: Path) -> None:
    """Four processes at once: together exactly as much as the share."""
    spawn = multiprocessing.get_context("spawn")
    counted = spawn.Queue()
    path = str(tmp_path / "budgets")
    workers = [spawn.Process(target=add_until_refused, args=(path, 1, counted)) for _ in range(4)]
    for worker in workers:
        worker.start()
    total = sum(counted.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join(10)
    counted.close()
    assert total == 2000
    assert Ledger(Path(path)).sums(KEY, 366 * DAY)[0] == 2000


def add_for_ever(path: str) -> None:
    ledger = Ledger(Path(path))
    while True:
        ledger.add(((KEY, 366 * DAY, (UNBOUNDED,) * 3),), (1, 1, 1))


def test_a_killed_worker_leaves_no_lock_and_a_whole_sum(tmp_path: Path) -> None:
    path = tmp_path / "budgets"
    spawn = multiprocessing.get_context("spawn")
    worker = spawn.Process(target=add_for_ever, args=(str(path),))
    worker.start()
    ledger = Ledger(path)
    end = time.monotonic() + 30
    while not ledger.sums(KEY, 366 * DAY)[0] and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join(10)
    rows, size, cells = ledger.sums(KEY, 366 * DAY)
    assert rows == size == cells > 0
    assert ledger.add(((KEY, 366 * DAY, (UNBOUNDED,) * 3),), (1, 1, 1))


def hold_lock(path: str, ready: multiprocessing.Queue[bool]) -> None:
    file = os.open(path, os.O_RDWR)
    fcntl.lockf(file, fcntl.LOCK_EX)
    ready.put(True)
    time.sleep(60)


def test_a_lock_that_is_never_let_go_does_not_stop_the_gate(ledger: Ledger) -> None:
    ledger.add(((KEY, DAY, MOST),), (1, 1, 1))
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Queue()
    holder = spawn.Process(target=hold_lock, args=(str(ledger.path), ready))
    holder.start()
    assert ready.get(timeout=30)
    began = time.monotonic()
    with pytest.raises(LedgerUnusable, match="budgets"):
        ledger.sums(KEY, DAY)
    assert time.monotonic() - began < 5
    holder.kill()
    holder.join(10)
    ready.close()
    assert ledger.sums(KEY, DAY) == (1, 1, 1)


def test_a_file_that_is_not_ours(ledger: Ledger) -> None:
    ledger.path.write_bytes(b"something else entirely, that nobody should overwrite")
    with pytest.raises(LedgerUnusable, match="move it away"):
        ledger.add(((KEY, DAY, MOST),), (1, 1, 1))
    assert ledger.path.read_bytes().startswith(b"something else")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    account = account_of(Ledger(tmp_path / "nowhere" / "budgets"), "shop", "agent", "", False)
    for use in (
        lambda: account.usage(DAY),
        lambda: account.spend((Share(DAY),), 1, 1, 1),
        lambda: account.statements(1, 1, "x"),
    ):
        with pytest.raises(AccountUnavailable):
            use()


# ---------------------------------------------------------------- accounts


def test_a_verified_job_is_its_own_account_and_a_claimed_one_is_not(ledger: Ledger) -> None:
    nightly = account_of(ledger, "shop", "agent", "nightly", True)
    nightly.spend((Share(DAY),), 5, 50, 2)
    same = account_of(ledger, "shop", "other-user", "nightly", True)
    assert same.usage(DAY) == Usage(5, 50, 2, "2027-01-16 00:00:00 UTC")
    claimed = account_of(ledger, "shop", "agent", "nightly", False)
    assert claimed.usage(DAY).rows == 0
    claimed.spend((Share(DAY),), 1, 1, 1)
    assert account_of(ledger, "shop", "agent", "another name", False).usage(DAY).rows == 1
    assert account_of(ledger, "shop", "agent", "", False).usage(DAY).rows == 1
    assert account_of(ledger, "hr", "agent", "", False).usage(DAY).rows == 0
    assert account_of(ledger, "shop", "nightly", "", False).usage(DAY).rows == 0


def test_windows_and_purposes_are_kept_apart(ledger: Ledger) -> None:
    account = account_of(ledger, "shop", "agent", "", False)
    account.spend((Share(DAY, rows=9),), 5, 1, 1)
    assert account.usage(3600).rows == 0
    assert account.statements(1, 1, "enforced") == 0.0
    assert account.statements(1, 1, "observed") == 0.0
    assert account.statements(1, 1, "enforced") > 0
