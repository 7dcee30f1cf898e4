"""Whatever bytes come, a decision comes back: soon, without an exception, and a refusal says what, why and the mend."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from rules.book import load
from rules.decision import Verdict
from rules.policy import Policy, PolicyContext
from rules.postgres.ddl import catalog_from_ddl
from tests.live.mutating import tokens
from tests.live.test_leaks import EVASIONS, attempts

LIVE = Path(__file__).parents[1] / "live"
HONEST = attempts("legitimate.yaml")
STATEMENTS = [step for each in (*EVASIONS.values(), *HONEST.values()) for step in each.steps]
TOKENS = [token for statement in STATEMENTS for token in tokens(statement) if not token.isspace()]
ODD = "\u00a0\ufeff\u2028\0é\U0001f600ﬀİ\u202e\x7f\x1b\ud7ff"
OPENINGS = [
    "(",
    "ARRAY[",
    "NOT ",
    "- ",
    "(SELECT ",
    "CASE WHEN ",
    "ROW(",
    "f(",
    "x.",
    "x[",
    "'a'||",
    "{",
    "EXISTS(SELECT ",
]
LONGEST = 1.0  # second of processor time
LONGEST_LARGE = 8.0  # of texts near the bound of a megabyte, which are decided apart from the sessions
EACH = 150

Garble = Callable[[random.Random, str], bytes]


@cache
def context() -> PolicyContext:
    loaded = load({"rules.yaml": (LIVE / "rulebooks" / "shop.yaml").read_text()})
    assert loaded.rulebook is not None
    catalog = catalog_from_ddl((LIVE / "shop.sql").read_text())
    return Policy(loaded.rulebook, catalog, b"k" * 32).context("agent", "shop", "app", ("pg_catalog", "public"))


def random_bytes(source: random.Random, _: str) -> bytes:
    return source.randbytes(source.randrange(200))


def truncated(source: random.Random, statement: str) -> bytes:
    return statement[: source.randrange(len(statement) + 1)].encode()


def shuffled(source: random.Random, statement: str) -> bytes:
    return " ".join(source.sample(found := tokens(statement), len(found))).encode()


def replaced(source: random.Random, statement: str) -> bytes:
    found = tokens(statement)
    found[source.randrange(len(found))] = source.choice(TOKENS)
    return "".join(found).encode()


def shortened(source: random.Random, statement: str) -> bytes:
    found = tokens(statement)
    at = source.randrange(len(found))
    return "".join(found[:at] + found[at + source.randrange(1, 3) :]).encode()


def with_odd_letters(source: random.Random, statement: str) -> bytes:
    at = source.randrange(len(statement) + 1)
    return (statement[:at] + source.choice(ODD) + statement[at:]).encode()


def with_a_bad_byte(source: random.Random, statement: str) -> bytes:
    data = bytearray(statement.encode())
    data[source.randrange(len(data))] = source.randrange(256)
    return bytes(data)


def random_tokens(source: random.Random, _: str) -> bytes:
    return " ".join(source.choices(TOKENS, k=source.randrange(1, 25))).encode()


def nested(source: random.Random, statement: str) -> bytes:
    return ("SELECT " + source.choice(OPENINGS) * source.randrange(1, 400) + statement).encode()


GARBLES: list[Garble] = [
    random_bytes, truncated, shuffled, replaced, shortened, with_odd_letters, with_a_bad_byte, random_tokens, nested,
]  # fmt: skip


def check(text: bytes, longest: float = LONGEST) -> None:
    known = context()
    before, started = known.failures, time.process_time()
    decisions = known.decide(text)
    assert time.process_time() - started < longest, text[:300]
    assert known.failures == before, (known.last_failure, text[:300])
    for refusal in (d.refusal for d in decisions if d.verdict is Verdict.REFUSE):
        assert refusal is not None
        assert refusal.message, text[:300]
        assert refusal.detail, text[:300]
        assert refusal.hint, text[:300]
        assert refusal.sqlstate != "42601" or refusal.position > 0, text[:300]


@pytest.mark.parametrize("garble", GARBLES, ids=lambda g: g.__name__)
def test_garbage_is_decided(garble: Garble) -> None:
    source = random.Random(garble.__name__)
    for _ in range(EACH):
        check(garble(source, source.choice(STATEMENTS)))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "1," * 100_000 + "1",
        "SELECT id FROM customers WHERE id IN (" + "1," * 50_000 + "1)",
        "SELECT id FROM customers WHERE ssn IN (" + "'é'," * 50_000 + "'x')",
        "SELECT " + ", ".join(f"email AS c{n}" for n in range(1600)) + " FROM customers",
        "INSERT INTO orders (customer_id, placed) VALUES " + "(1, '2024-01-01')," * 20_000 + "(1, now())",
        "SELECT " + '"' + "a" * 500_000 + '"',
        "SELECT '" + "''" * 250_000 + "'",
        "SELECT $q$" + "é" * 250_000,
        "/*" * 100_000,
        ";" * 500_000,
        "SELECT 1;" * 5_000,
        "(" * 500_000,
        "\0" * 1000,
    ],
    ids=range(13),
)
def test_large_garbage_is_decided(text: str) -> None:
    check(text.encode(), LONGEST_LARGE)
