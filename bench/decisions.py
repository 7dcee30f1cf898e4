"""Decisions alone, no server: from the cache, fresh, and what a cache full of a million texts takes.

`python -m bench.decisions`. The statements, their schema and rules are in bench/workload/. Times are the processor's: a
decision waits for nothing, and what neighbours do on the machine is no part of it.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from bench.harness import arguments, median, percentile, save, share_one_processor, show
from bench.harness import memory as memory_of
from dbgate.psql_scripts import texts
from rules.book import load
from rules.cache import MOST_BYTES, Cache, Memory, weight
from rules.decision import Decision, Mask, Refusal, Verdict
from rules.policy import Policy, PolicyContext
from rules.postgres.ddl import catalog_from_ddl

WORKLOAD = Path(__file__).parent / "workload"
MIB = 1 << 20
#: texts between two looks at the memory that is held
LOOK = 1000


def workload() -> list[bytes]:
    script = (WORKLOAD / "statements.sql").read_text("utf-8")
    return [versions[0].strip().encode() for versions in texts(script)]


def new_policy() -> Policy:
    loaded = load({"rules.yaml": (WORKLOAD / "rules.yaml").read_bytes()})
    assert loaded.rulebook is not None, loaded.problems
    return Policy(loaded.rulebook, catalog_from_ddl((WORKLOAD / "schema.sql").read_text("utf-8")))


def agent(policy: Policy) -> PolicyContext:
    return policy.context("agent", "shop", "agent", ("public",))


# ---------------------------------------------------------------- time


def cached(context: PolicyContext, statements: Sequence[bytes], rounds: int) -> list[float]:
    """Seconds of one cached decision, for each round over all statements. The texts are new objects each time, as what
    comes from the network is: a bytes object remembers its hash."""
    _decide_all(context.decide, statements)
    found = []
    for _ in range(rounds):
        arrived = [bytes(bytearray(text)) for text in statements]
        found.append(_timed(lambda arrived=arrived: _decide_all(context.decide, arrived)) / len(statements))  # type: ignore[misc]
    return found


def _decide_all(decide: Callable[[bytes], object], statements: Sequence[bytes]) -> None:
    for text in statements:
        decide(text)


def cold(context: PolicyContext, statements: Sequence[bytes], rounds: int) -> dict[bytes, float]:
    """Each statement's median seconds without the cache; the parsers and what is derived from the catalog are warm."""
    found: dict[bytes, list[float]] = {text: [] for text in statements}
    _decide_all(context.decide_anew, statements)
    gc.collect()
    gc.freeze()  # as the gate's workers do
    for _ in range(rounds):
        for text in statements:
            found[text].append(_timed(lambda text=text: context.decide_anew(text)))  # type: ignore[misc]
    return {text: median(samples) for text, samples in found.items()}


def _timed(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


# ---------------------------------------------------------------- memory


def reached(value: Any) -> int:
    """Bytes of all that hangs on a value, each object once; what lives anyway (types, enums) left out."""
    seen: set[int] = set()
    waiting, total = [value], 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | Enum):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        waiting += gc.get_referents(each)
    return total


def filled(texts_count: int, most_bytes: int, held: Callable[[], int]) -> dict[str, float]:
    """A cache after `texts_count` distinct texts: MiB by its own count, by walking it, by `held` (the process's bytes)
    now and at the most.

    The decisions are of the workload's shapes but made anew for each text, as deciding does."""
    context = agent(new_policy())
    shapes = [(text, context.decide_anew(text)[0]) for text in workload()]
    gc.collect()
    memory, before, most = Memory(most_bytes), held(), 0
    cache = Cache(memory=memory)
    for number in range(texts_count):
        text, decisions = shapes[number % len(shapes)]
        cache.put(b"%b -- %d" % (text, number), _copied(decisions))
        if number % LOOK == 0:
            most = max(most, held())
    gc.collect()
    now = held()
    return {
        "texts kept": len(cache.young) + len(cache.old),
        "bound": most_bytes / MIB,
        "counted": (memory.young + memory.old) / MIB,
        "walked": reached([cache.young, cache.old]) / MIB,
        "held": (now - before) / MIB,
        "at the most": (max(most, now) - before) / MIB,
    }


def in_memory() -> int:
    """Bytes of this process that are in memory."""
    return memory_of([os.getpid()])


def _copied(value: Any) -> Any:
    """The value without anything shared but what is shared in the gate as well."""
    if isinstance(value, tuple):
        return tuple([_copied(each) for each in value])
    if isinstance(value, str) and len(value) > 1:
        return (value + " ")[:-1]
    if isinstance(value, Decision | Refusal | Mask):
        return type(value)(**{name: _copied(getattr(value, name)) for name in type(value).__slots__})
    return value


def put_cost(rounds: int) -> float:
    """Seconds of weighing one text's decisions."""
    context = agent(new_policy())
    shapes = [(text, context.decide_anew(text)[0]) for text in workload()]
    return median([_timed(lambda: [weight(*pair) for pair in shapes]) / len(shapes) for _ in range(rounds)])


# ---------------------------------------------------------------- telling


def main() -> None:
    parser = arguments(__doc__, seconds=0, rounds=20)
    parser.add_argument("--texts", type=int, default=1_000_000, help="distinct texts that fill the cache")
    parser.add_argument("--megabytes", type=int, default=MOST_BYTES // MIB, help="the cache's bound")
    options = parser.parse_args()
    processor = None if options.unpinned else share_one_processor()
    statements, context = workload(), agent(new_policy())
    refused = sum(d.verdict is not Verdict.ALLOW for text in statements for d in context.decide(text))
    hits, fresh = cached(context, statements, options.rounds * 10), cold(context, statements, options.rounds)
    micro = [seconds * 1e6 for seconds in fresh.values()]
    rows: list[list[object]] = [
        ["cached decision, us", median(hits) * 1e6, "10"],
        ["cold decision, p50 us", median(micro), "2,000"],
        ["cold decision, p99 us", percentile(micro, 0.99), "10,000"],
        ["cold decision, worst us", max(micro), ""],
        ["weighing for the cache, us", put_cost(options.rounds) * 1e6, ""],
    ]
    note = "all processors" if processor is None else f"on processor {processor}"
    show(f"{len(statements)} statements, {refused} of them refused", ["", "measured", "goal"], rows, note)
    slow = sorted(fresh, key=lambda text: -fresh[text])[:5]
    show("The slowest", ["statement", "us"], [[text.decode()[-80:], fresh[text] * 1e6] for text in slow])
    memory = filled(options.texts, options.megabytes * MIB, in_memory)
    show(f"The cache after {options.texts:,} distinct texts, MiB", list(memory), [list(memory.values())])
    results = {"cached": hits, "cold": {text.decode(): s for text, s in fresh.items()}, "memory": memory}
    save(options.output, "decisions", options, results)


if __name__ == "__main__":
    main()
