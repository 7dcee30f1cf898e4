"""Long texts in a process of their own: the same decisions, bounded in time, and never the worker's end."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dbgate.net.decider import Decided, Ready, decode_reply, encode
from dbgate.net.elsewhere import Decisions, Elsewhere, Job
from rules.book import load
from rules.decision import Decision, Verdict
from rules.policy import Policy, PolicyContext
from rules.postgres.ddl import catalog_from_ddl
from tests.dbgate.net.test_driver import in_loop

CATALOG = catalog_from_ddl("CREATE TABLE t (a int, b text); CREATE TABLE secrets (a int);")
RULES = """
version: 1
rules:
  - id: all
    allow: {statements: [select, insert], tables: [t]}
  - id: hide-b
    mask: {columns: [t.b], with: hash}
"""
ROWS = b"insert into t values " + b", ".join([b"(1, 'x')"] * 2000)
MASKED = b"select b from t where a in (" + b", ".join([b"1"] * 5000) + b")"


def policy(rules: str = RULES) -> Policy:
    found = load({"rules.yaml": rules})
    assert found.rulebook is not None, found.problems
    return Policy(found.rulebook, CATALOG, b"0123456789abcdef0123456789abcdef")


def context(rules: str = RULES) -> PolicyContext:
    return policy(rules).context("agent", "shop", "", ("pg_catalog", "public"))


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Elsewhere]:
    elsewhere = Elsewhere(**settings)
    try:
        yield elsewhere
    finally:
        await elsewhere.stop()


async def decide(elsewhere: Elsewhere, by: PolicyContext, text: bytes) -> Decisions:
    answered: asyncio.Future[Decisions] = asyncio.get_running_loop().create_future()
    elsewhere.submit(Job(by, text, lambda: True, answered.set_result))
    return await answered


@in_loop
async def test_another_process_decides_as_this_one_would() -> None:
    by = context()
    async with running() as elsewhere:
        assert elsewhere.pid is None  # nobody has asked yet
        for text in (ROWS, MASKED, b"select a from secrets", b"selec", b"select 1; select b from t", b"\xff"):
            assert await decide(elsewhere, by, text) == by.decide(text)
        assert elsewhere.killed == 0


@in_loop
async def test_lasting_decisions_reach_the_cache() -> None:
    by = context()
    async with running() as elsewhere:
        await decide(elsewhere, by, b"select a from t")
        await decide(elsewhere, by, b"\xff")
    assert by.knows(b"select a from t")
    assert not by.knows(b"\xff")


@in_loop
async def test_new_rules_hold_from_the_next_text_on() -> None:
    async with running() as elsewhere:
        assert (await decide(elsewhere, context(), ROWS))[0].verdict is Verdict.ALLOW
        strict = context(RULES.replace("[select, insert]", "[select]"))
        assert (await decide(elsewhere, strict, ROWS))[0].verdict is Verdict.REFUSE
        assert (await decide(elsewhere, context(), ROWS))[0].verdict is Verdict.ALLOW


@in_loop
async def test_a_killed_process_costs_one_text() -> None:
    by = context()
    async with running() as elsewhere:
        await decide(elsewhere, by, ROWS)
        first = elsewhere.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        answer = asyncio.create_task(decide(elsewhere, by, ROWS))
        await asyncio.sleep(0.1)
        os.kill(first, signal.SIGKILL)
        (refused,) = await answer
        assert refused.refusal is not None
        assert refused.refusal.rule == "dbgate:internal"
        assert (await decide(elsewhere, by, ROWS))[0].verdict is Verdict.ALLOW
        assert elsewhere.pid != first


@in_loop
async def test_a_process_that_died_in_between_is_not_missed() -> None:
    by = context()
    async with running() as elsewhere:
        await decide(elsewhere, by, ROWS)
        assert elsewhere.pid is not None
        os.kill(elsewhere.pid, signal.SIGKILL)
        await asyncio.sleep(0.5)
        assert (await decide(elsewhere, by, ROWS))[0].verdict is Verdict.ALLOW


@in_loop
async def test_what_takes_too_long_is_refused_and_its_process_killed() -> None:
    by = context()
    async with running(time_limit=0.5) as elsewhere:
        await decide(elsewhere, by, b"select a from t")
        assert elsewhere.pid is not None
        os.kill(elsewhere.pid, signal.SIGSTOP)
        before = time.monotonic()
        (refused,) = await decide(elsewhere, by, ROWS)
        assert 0.4 < time.monotonic() - before < 10
        assert refused.verdict is Verdict.REFUSE
        assert refused.refusal is not None
        assert (refused.refusal.rule, elsewhere.killed) == ("dbgate:too-complex", 1)
        assert not by.knows(ROWS)


@in_loop
async def test_the_loop_goes_on_meanwhile() -> None:
    async with running() as elsewhere:
        by = context()
        await decide(elsewhere, by, b"select 1")
        answer = asyncio.create_task(decide(elsewhere, by, b"select 1 from t where " + b" or ".join([b"a = 1"] * 9000)))
        turns = 0
        while not answer.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 10


@in_loop
async def test_texts_are_served_in_turn_and_those_nobody_waits_for_are_left_out() -> None:
    by, answers = context(), []
    async with running() as elsewhere:
        for name, wanted in (("first", True), ("gone", False), ("last", True)):
            elsewhere.submit(Job(by, b"select 1", lambda w=wanted: w, lambda _, n=name: answers.append(n)))  # type: ignore[misc]
        await decide(elsewhere, by, b"select 2")
    assert answers == ["first", "last"]


@pytest.mark.parametrize(
    "program",
    ["raise SystemExit(3)", "print('x' * 100)", "import sys; sys.stdin.buffer.read(1)"],
    ids=["dies", "talks nonsense", "dies later"],
)
def test_a_process_that_does_not_work_refuses(program: str) -> None:
    async def run() -> Decisions:
        async with running(command=(sys.executable, "-c", program)) as elsewhere:
            return await asyncio.wait_for(decide(elsewhere, context(), ROWS), 30)

    (refused,) = asyncio.run(run())
    assert refused.verdict is Verdict.REFUSE


@in_loop
async def test_a_program_that_is_not_there_refuses() -> None:
    async with running(command=("/nowhere/python",)) as elsewhere:
        assert (await decide(elsewhere, context(), ROWS))[0].verdict is Verdict.REFUSE


HOSTILE = {
    "parentheses": b"select " + b"(" * 10_000 + b"1" + b")" * 10_000,
    "ors": b"select 1 from t where " + b" or ".join([b"a = 1"] * 5000),
    "in": b"select 1 from t where a in (" + b",".join([b"1"] * 100_000) + b")",
    "nested in": b"select 1 from t where a in (" * 5000,
    "arrays": b"select " + b"array[" * 2000 + b"1" + b"]" * 2000,
    "columns": b"update t set (" + b",".join([b"a"] * 20_000) + b") = (select 1)",
    "sums": b"select 1" + b"+1" * 300_000,
    "statements": b"select 1;" * 100_000,
    "quotes": b"'" * 900_001,
    "comments": b"/*" * 400_000,
    "words": b"x " * 450_000,
}


@in_loop
async def test_hostile_texts_end_in_a_decision() -> None:
    by = context()
    async with running() as elsewhere:
        for name, text in HOSTILE.items():
            decisions = await decide(elsewhere, by, text)
            assert all(isinstance(decision, Decision) for decision in decisions), name
        assert (await decide(elsewhere, by, b"select a from t"))[0].verdict is Verdict.ALLOW


@in_loop
async def test_the_end_of_the_worker_is_the_end_of_the_process() -> None:
    elsewhere = Elsewhere()
    await decide(elsewhere, context(), b"select 1")
    pid = elsewhere.pid
    await elsewhere.stop()
    assert str(pid) not in os.listdir("/proc")


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("true",)


def test_a_reply_makes_nothing_but_decisions() -> None:
    assert decode_reply(encode(Ready())[8:]) == Ready()
    assert decode_reply(encode(Decided((), True))[8:]) == Decided((), True)
    for value in (Evil(), Path("x"), (Decided((), True),)):
        with pytest.raises(pickle.UnpicklingError):
            decode_reply(pickle.dumps(value))
