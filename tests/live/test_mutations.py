"""Every attempt of evasions.yaml in every other way that `mutating` knows.

By decision alone: what is refused stays refused, and what is masked stays masked, however a query is wrapped, carried
or spelled. Against a real server: a sample of the mutants that show or depend on hidden values when run directly must
show nothing behind the gate (see test_leaks for what that means).

The whole product runs with `-m fuzz`; DBGATE_FUZZ_SEED chooses the sample, DBGATE_FUZZ_SECONDS how long it may take.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from rules.book import load
from rules.decision import Decision, Verdict
from rules.policy import Policy, PolicyContext
from rules.postgres.ddl import catalog_from_ddl
from tests.live import worlds
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream
from tests.live.mutating import MUTATIONS, Keeps, Mutation, Steps, is_query, mutants
from tests.live.places import Place
from tests.live.servers import PASSWORD, Postgres
from tests.live.test_leaks import BOOKS, EVASIONS, Attempt, hear, leaks, two_worlds

__all__ = ["two_worlds"]  # the fixture

HERE = Path(__file__).parent
CATALOG = catalog_from_ddl((HERE / "shop.sql").read_text())
QUERIES = [a.steps[0] for a in EVASIONS.values() if len(a.steps) == 1 and is_query(a.steps[0])]
STRIDE = 11  # of the queries that a mutation takes in the short run, starting at its own number
SEED = int(os.environ.get("DBGATE_FUZZ_SEED", "20240601"))
SECONDS = float(os.environ.get("DBGATE_FUZZ_SECONDS", "40"))
SAMPLE = 40


# ---------------------------------------------------------------- by decision


@cache
def context(book: str) -> PolicyContext:
    loaded = load({"rules.yaml": (HERE / "rulebooks" / f"{book}.yaml").read_text()})
    assert loaded.rulebook is not None
    policy = Policy(loaded.rulebook, CATALOG, b"k" * 32)
    return policy.context("agent", "shop", "app", ("pg_catalog", "public"))


def decided(book: str, steps: Steps) -> Decision:
    """The decision about the step that holds the query: the only one that reads what is hidden."""
    found = [decision for step in steps for decision in context(book).decide(step.encode())]
    refused = [d for d in found if d.verdict is Verdict.REFUSE]
    return refused[0] if refused else max(found, key=lambda d: (d.masks is not None, len(d.columns)))


def is_as_strict(mutation: Mutation, before: Decision, after: Decision) -> bool:
    if after.verdict is Verdict.REFUSE:
        return True
    if before.verdict is Verdict.REFUSE:
        return False
    if mutation.keeps is Keeps.NOTHING or before.masks is None:
        return True
    if after.masks is None:
        return False
    if mutation.keeps is Keeps.GATHERED:
        return all(after.masks)
    pairs = zip(before.masks, after.masks, strict=True)
    return len(before.masks) == len(after.masks) and all(b is None or a is not None for b, a in pairs)


def loose(mutation: Mutation, book: str, queries: list[str]) -> Iterator[Steps]:
    for query in queries:
        steps = mutation.change(query.split("-- ")[0])
        if not is_as_strict(mutation, decided(book, (query,)), decided(book, steps)):
            yield steps


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_a_mutant_is_decided_as_strictly(mutation: Mutation, book: str) -> None:
    assert not list(loose(mutation, book, QUERIES[MUTATIONS.index(mutation) % STRIDE :: STRIDE]))


@pytest.mark.fuzz
@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_every_mutant_is_decided_as_strictly(mutation: Mutation, book: str) -> None:
    assert not list(loose(mutation, book, QUERIES))


def test_there_is_something_to_mutate() -> None:
    assert len(QUERIES) > 400
    assert len(MUTATIONS) > 50
    assert len(list(mutants(("SELECT email FROM customers",)))) == len(MUTATIONS)
    assert not list(mutants(("UPDATE orders SET note = 'x'",)))


# ---------------------------------------------------------------- against a server


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, two_worlds: dict[str, str]) -> Gate:
    return make_gate({f"{book}_{world}": Upstream(name, book) for book in BOOKS for world, name in two_worlds.items()})


def sample(seed: int) -> Iterator[tuple[str, Attempt]]:
    """Mutants without end, each under a name that tells where it comes from."""
    source = random.Random(seed)
    names = [name for name, a in EVASIONS.items() if is_query(a.steps[-1])]
    while True:
        name, mutation = source.choice(names), source.choice(MUTATIONS)
        attempt = EVASIONS[name]
        steps = (*attempt.steps[:-1], *mutation.change(attempt.steps[-1].split("-- ")[0]))
        yield f"{name}, {mutation.name}", attempt._replace(steps=steps)


def shows(places: dict[str, Place], attempt: Attempt) -> bool:
    """Run directly, it shows hidden values or depends on them."""
    heard = {world: hear(place, attempt) for world, place in places.items()}
    return bool(leaks(heard["a"]["simple"], "a")) or heard["a"] != heard["b"]


def run(gate: Gate, server: Postgres, databases: dict[str, str], most: int) -> tuple[int, int]:
    """How many mutants were tried behind the gate, and how many were left out because they show nothing anyway."""
    direct = {w: Place(server.host, server.port, name, "app", PASSWORD) for w, name in databases.items()}
    tried = skipped = 0
    end = time.monotonic() + SECONDS
    for name, attempt in sample(SEED):
        if tried >= most or time.monotonic() > end:
            break
        if not shows(direct, attempt):
            skipped += 1
            continue
        tried += 1
        for book in BOOKS:
            heard = {w: hear(gate_place(gate, f"{book}_{w}"), attempt) for w in worlds.WORLDS}
            for mode in heard["a"]:
                assert not [found for w in worlds.WORLDS for found in leaks(heard[w][mode], w)], (
                    name,
                    book,
                    attempt.steps,
                )
                assert heard["a"][mode] == heard["b"][mode], (name, book, attempt.steps)
    return tried, skipped


def test_a_sample_shows_nothing(gate: Gate, server: Postgres, two_worlds: dict[str, str]) -> None:
    tried, skipped = run(gate, server, two_worlds, SAMPLE)
    assert tried > skipped / 4
    assert tried >= 5


@pytest.mark.fuzz
def test_a_longer_sample_shows_nothing(gate: Gate, server: Postgres, two_worlds: dict[str, str]) -> None:
    tried, _ = run(gate, server, two_worlds, 1_000_000)
    assert tried > 10
