"""The workload is what it says, and the cache's bound holds in the interpreter's own count."""

from __future__ import annotations

import tracemalloc

from bench.decisions import agent, cached, cold, filled, new_policy, put_cost, workload
from rules.decision import Verdict

STATEMENTS = workload()


def test_the_workload_is_ordinary_work() -> None:
    context = agent(new_policy())
    decisions = [context.decide(text) for text in STATEMENTS]
    assert len(set(STATEMENTS)) == 200
    assert all(len(found) == 1 for found in decisions)
    assert sum(found[0].verdict is not Verdict.ALLOW for found in decisions) <= 5
    assert sum(found[0].masks is not None for found in decisions) >= 10
    assert context.failures == 0


def test_the_measures() -> None:
    context = agent(new_policy())
    some = STATEMENTS[:5]
    assert all(0 < seconds < 1 for seconds in cached(context, some, 2))
    assert set(cold(context, some, 1)) == set(some)
    assert 0 < put_cost(1) < 0.01


def test_a_full_cache_stays_within_its_bytes() -> None:
    tracemalloc.start()
    try:
        found = filled(4000, 1 << 20, lambda: tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert found["held"] <= found["counted"] <= found["bound"] == 1
    assert found["walked"] <= found["counted"]
    assert found["at the most"] <= found["bound"]
    assert found["texts kept"] > 200
