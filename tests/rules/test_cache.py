"""The cache of decisions stays within its bytes, and counts them honestly."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.decisions import reached
from rules.cache import LONGEST_ADMITTED, Cache, Memory, weight
from rules.decision import Decision, Refusal, Verdict
from rules.policy import Policy
from tests.rules.test_policy import CATALOG, RULES, context
from tests.rules.worlds import book

PLAIN = (Decision(Verdict.ALLOW, "select"),)
TEXTS = [
    "SELECT 1",
    "SELECT email, ssn, upper(name) FROM customers WHERE id = $1",
    "SELECT * FROM customers c JOIN orders o ON o.customer_id = c.id ORDER BY o.total DESC LIMIT 10",
    "SELECT * FROM api_keys",
    "SELECT * FROM nowhere",
    "SELECT FROM FROM",
    "SET search_path TO hr, public",
    "BEGIN; SELECT id FROM orders; COMMIT",
    "DECLARE c CURSOR FOR SELECT email FROM contacts",
    "-- nothing",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_weight_is_not_below_what_is_kept(text: str) -> None:
    asked = context()
    raw = text.encode()
    found, _ = asked.decide_anew(raw)
    kept = reached((raw, found))
    assert kept <= weight(raw, found) + 48  # the pair that holds both here
    assert weight(raw, found) <= 4 * kept + 1024


def test_a_long_refusal_weighs_more() -> None:
    long = Refusal("r", "m" * 5000, "d" * 5000, "h")
    assert weight(b"x", (Decision(Verdict.REFUSE, "select", refusal=long),)) > weight(b"x", PLAIN) + 10_000


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), max_size=300), st.integers(1, 40))
def test_all_caches_together_stay_within_their_memory(steps: list[tuple[int, int]], entries: int) -> None:
    memory = Memory(20_000)
    caches = [Cache(entries, memory) for _ in range(3)]
    for which, number in steps:
        cache = caches[which]
        cache.put(b"%d" % number, PLAIN * (number % 7))
        held = sum(weight(t, d) for c in caches for kept in (c.young, c.old) for t, d in kept.items())
        assert held <= memory.young + memory.old <= memory.most_bytes
        assert memory.young == sum(c.young_bytes for c in caches)
        assert memory.old == sum(c.old_bytes for c in caches)
        assert all(len(c.young) <= entries and len(c.old) <= entries for c in caches)


def test_what_was_just_put_is_there() -> None:
    cache = Cache(memory=Memory(20_000))
    for number in range(1000):
        text = b"SELECT %d" % number
        cache.put(text, PLAIN)
        assert cache.young[text] is PLAIN
    assert cache.old


def test_what_does_not_fit_is_not_kept() -> None:
    cache = Cache(memory=Memory(20_000))
    cache.put(b"x" * 15_000, PLAIN)
    cache.put(b"x" * (LONGEST_ADMITTED + 1), PLAIN)
    assert not cache.young


def test_a_cache_that_is_gone_gives_its_bytes_back() -> None:
    memory = Memory(20_000)
    gone = Cache(memory=memory)
    for number in range(15):
        gone.put(b"%d" % number, PLAIN)
    held = memory.young
    del gone
    gc.collect()
    stays = Cache(memory=memory)
    for number in range(100):
        stays.put(b"%d" % number, PLAIN)
    assert held
    assert memory.young + memory.old == stays.young_bytes + stays.old_bytes


def test_the_contexts_of_a_policy_share_its_memory() -> None:
    policy = Policy(book(RULES), CATALOG, b"key", memory=Memory(100_000))
    for role in ("agent", "dba", "nobody"):
        asked = policy.context(role, "d", "u", ("public",))
        for number in range(200):
            asked.decide(b"SELECT %d" % number)
    assert 0 < policy.memory.young + policy.memory.old <= 100_000


def test_no_bytes_keep_nothing() -> None:
    policy = Policy(book(RULES), CATALOG, b"key", memory=Memory(0))
    asked = policy.context("agent", "d", "u", ("public",))
    first = asked.decide(b"SELECT 1")
    assert asked.decide(b"SELECT 1") is not first
    assert policy.memory.young == policy.memory.old == 0
