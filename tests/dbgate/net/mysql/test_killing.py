"""KILL by the gate's own ids: of one's own sessions only, on whichever worker they are."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from dbgate.net.cancel import ConnectionIds, worker_of
from dbgate.net.mysql import killing
from dbgate.net.mysql.killing import Killer, Running, open_kill_post, post_path


class Victim:
    """A driver, as far as KILL goes."""

    def __init__(self) -> None:
        self.closed_because: list[str] = []

    def close(self, reason: str) -> None:
        self.closed_because.append(reason)


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "run").mkdir()
        yield Path(name)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, bool]]:
    """What the servers were asked: (upstream, the query only?)."""
    asked: list[tuple[Any, bool]] = []

    async def kill_upstream(upstream: Any, *, query_only: bool) -> bool:
        asked.append((upstream, query_only))
        return True

    monkeypatch.setattr(killing, "kill_upstream", kill_upstream)
    return asked


def opened(killer: Killer, identity: str, upstream: str) -> tuple[int, Victim]:
    victim, number = Victim(), killer.ids.issue()
    killer.opened(number, Running(identity, victim, upstream))  # type: ignore[arg-type]
    return number, victim


def start(work: Coroutine[Any, Any, None]) -> None:
    asyncio.get_running_loop().create_task(work)


def test_ids_are_one_workers_and_fresh() -> None:
    ids = ConnectionIds(3)
    issued = [ids.issue() for _ in range(1000)]
    assert len(set(issued)) == 1000
    assert {worker_of(number) for number in issued} == {3}
    assert all(0 < number < 1 << 31 for number in issued)


@pytest.mark.parametrize("query_only", [True, False])
def test_here(directory: Path, sent: list[Any], query_only: bool) -> None:
    killer = Killer(0, directory, start)
    number, victim = opened(killer, "agent", "server")
    assert asyncio.run(killer.kill("agent", number, query_only=query_only))
    assert sent == [("server", query_only)]
    assert bool(victim.closed_because) is not query_only


@pytest.mark.parametrize("identity", ["other", "", "AGENT"])
def test_not_those_of_others(directory: Path, sent: list[Any], identity: str) -> None:
    killer = Killer(0, directory, start)
    number, victim = opened(killer, "agent", "server")
    assert not asyncio.run(killer.kill(identity, number, query_only=False))
    assert (sent, victim.closed_because) == ([], [])


@pytest.mark.parametrize("number", [0, 1 << 8, 1 << 32, (1 << 63) - 1])
def test_not_those_that_nobody_has(directory: Path, sent: list[Any], number: int) -> None:
    killer = Killer(0, directory, start)
    own, _ = opened(killer, "agent", "server")
    assert not asyncio.run(killer.kill("agent", number if number != own else number + 256, query_only=False))
    killer.closed(own)
    assert not asyncio.run(killer.kill("agent", own, query_only=False))
    assert sent == []


async def both(directory: Path) -> tuple[Killer, Killer, list[asyncio.DatagramTransport]]:
    killers = [Killer(worker, directory, start) for worker in (0, 1)]
    posts = [await open_kill_post(post_path(directory, each.ids.worker), each.received) for each in killers]
    return killers[0], killers[1], posts


@pytest.mark.parametrize(("identity", "found"), [("agent", True), ("other", False)])
def test_on_another_worker(directory: Path, sent: list[Any], identity: str, found: bool) -> None:
    async def run() -> None:
        asking, having, posts = await both(directory)
        number, victim = opened(having, "agent", "server")
        answers = await asyncio.gather(*(asking.kill(identity, number, query_only=one) for one in (True, True, False)))
        assert answers == [found] * 3
        assert len(sent) == 3 * found
        assert len(victim.closed_because) == found
        for post in posts:
            post.close()
        await asyncio.sleep(0)

    asyncio.run(run())


def test_a_worker_that_is_not_there_has_no_sessions(directory: Path) -> None:
    killer = Killer(0, directory, start)
    assert not asyncio.run(killer.kill("agent", 7 << 8 | 5, query_only=True))


def test_a_worker_that_does_not_answer(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killing, "ANSWER_TIME", 0.05)

    async def run() -> None:
        killer = Killer(0, directory, start)
        deaf = await open_kill_post(post_path(directory, 5), lambda data: None)
        assert not await killer.kill("agent", 7 << 8 | 5, query_only=True)
        deaf.close()
        await asyncio.sleep(0)

    asyncio.run(run())


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"1", b"{}", b'{"found": 1}', b'{"found": 1, "number": []}', b"\xff", b'{"id": "x"}'],
)
def test_nonsense_from_another_worker_is_nothing(directory: Path, data: bytes) -> None:
    Killer(0, directory, start).received(data)
