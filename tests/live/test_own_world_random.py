"""Random conversations about temporary tables, views and uncommitted structure, in any order and any transaction.

Through a gate with masks and directly: what is open is answered alike, hidden values never come, and the gate ends no
session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.live import raw, worlds
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream
from tests.live.places import Place
from tests.live.raw import Message
from tests.live.servers import Postgres
from tests.live.test_own_world import ADMIN, WAYS, told

TRANSACTIONS: Final = ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO SAVEPOINT a", "RELEASE SAVEPOINT a"]
CHANGES: Final = [
    "CREATE TEMP TABLE products (only_one text)",
    "CREATE TEMP TABLE customers (id int, name text, email text)",
    "CREATE TEMP TABLE customers (email text, id int) ON COMMIT DROP",
    "CREATE TEMP TABLE picked AS SELECT id, name FROM customers",
    "CREATE TEMP VIEW seen AS SELECT id, name FROM customers",
    "CREATE TEMP VIEW customer_view AS SELECT title AS email, id FROM products",
    "CREATE VIEW m_view AS SELECT c.id, c.city AS harmless FROM public.customers c",
    "CREATE OR REPLACE VIEW m_view AS SELECT c.id, c.name AS harmless FROM public.customers c",
    "CREATE TABLE m_new (id int, name text)",
    "CREATE TABLE m_child () INHERITS (m_new)",
    "ALTER TABLE m_new ADD COLUMN ssn text DEFAULT 'mine'",
    "ALTER TABLE m_new RENAME TO m_old",
    "ALTER TABLE pg_temp.picked RENAME COLUMN name TO id2",
    "ALTER TABLE pg_temp.picked RENAME TO m_old",
    "DROP TABLE pg_temp.customers",
    "DROP TABLE IF EXISTS pg_temp.products",
    "DROP VIEW IF EXISTS pg_temp.customer_view",
    "DROP VIEW m_view",
    "DROP TABLE IF EXISTS m_new, m_old CASCADE",
    "DISCARD TEMP",
    "SET search_path = pg_catalog, public",
    "SET LOCAL search_path = public, pg_temp",
    "RESET search_path",
]
READS: Final = [
    "SELECT min(sku) FROM products",
    "SELECT * FROM products ORDER BY 1 LIMIT 2",
    "SELECT name FROM customers WHERE id = 1",
    "SELECT count(*) FROM customers",
    "SELECT id FROM m_new ORDER BY id",
    "SELECT name FROM m_old ORDER BY id",
    "SELECT count(*) FROM picked",
    "SELECT id FROM seen ORDER BY id",
    "INSERT INTO customers (id, email) VALUES (1, 'me@here')",
    "INSERT INTO m_new (id, name) VALUES (1, 'me')",
    "SELECT 1 / 0",
]
#: what shows hidden values where there is no gate
HIDDEN: Final = [
    "SELECT * FROM customers ORDER BY id",
    "SELECT email FROM customers ORDER BY id",
    "SELECT c FROM customers c ORDER BY id",
    "SELECT * FROM seen ORDER BY id",
    "SELECT email FROM customer_view ORDER BY id",
    "SELECT harmless FROM m_view ORDER BY id",
    "SELECT upper(harmless) FROM m_view ORDER BY id",
    "SELECT * FROM m_new ORDER BY id",
    "SELECT (SELECT max(email) FROM customers)",
]
STEPS: Final = st.lists(
    st.one_of(st.sampled_from(TRANSACTIONS), st.sampled_from(CHANGES), st.sampled_from(READS), st.sampled_from(HIDDEN)),
    min_size=2,
    max_size=14,
)
CANARIES: Final = [form for value in worlds.canaries("a") for form in worlds.forms(value)]
CLEANING: Final = "DROP VIEW IF EXISTS m_view; DROP TABLE IF EXISTS m_new, m_old, m_child CASCADE"


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, database: str) -> Gate:
    books = {book: Upstream(database, book) for book in ("wide", "admin")}
    return make_gate(books, rulebooks={"admin": ADMIN})


def conversation(place: Place, steps: Sequence[str], way: str) -> tuple[list[list[Message]], bytes]:
    """The replies to each step and to a last `SELECT 1`, and all bytes that came."""
    if way == "one text":
        return in_texts(place, steps)
    sent = [WAYS["extended" if way != "simple" else way](step) for step in [*steps, "ROLLBACK", "SELECT 1"]]
    with place.raw() as client:
        if way == "pipelined":
            client.send(b"".join(sent))
            return [list(client.until("Z")) for _ in sent], bytes(client.received)
        return [client.ask(data) for data in sent], bytes(client.received)


def in_texts(place: Place, steps: Sequence[str]) -> tuple[list[list[Message]], bytes]:
    """All steps in one text of several statements."""
    with place.raw() as client:
        sent = [";\n".join(steps), "ROLLBACK", "SELECT 1"]
        return [client.ask(WAYS["simple"](text)) for text in sent], bytes(client.received)


def comparable(steps: Sequence[str], replies: list[list[Message]]) -> list[list[object]]:
    """What must be alike: of what is hidden, and in a failed transaction, only what kinds of messages came."""
    found: list[list[object]] = []
    status = b"I"
    for step, messages in zip([*steps, "ROLLBACK", "SELECT 1"], replies, strict=True):
        plain = status != b"E" and step not in HIDDEN
        failed = any(m.kind == "E" for m in messages)  # the gate looks at names in Parse, the server at some in Execute
        found.append([told(m) if plain else m.kind for m in messages if m.kind not in ("N12n" if failed else "N")])
        status = messages[-1].payload
    return found


@pytest.mark.parametrize("role", ["wide", "admin"])
@pytest.mark.parametrize("way", ["simple", "extended", "pipelined", "one text"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=[CHANGES[2], "SELECT * FROM customers ORDER BY id"])
@example(steps=["BEGIN", CHANGES[0], "SAVEPOINT a", "DROP TABLE IF EXISTS pg_temp.products", READS[0]])
@example(
    steps=["CREATE TEMP VIEW seen AS SELECT id, name FROM customers", CHANGES[1], "SELECT * FROM seen ORDER BY id"]
)
def test_conversations(
    server: Postgres, database: str, gate: Gate, direct: Place, role: str, way: str, steps: list[str]
) -> None:
    natively, _ = conversation(direct, steps, way)
    server.run(CLEANING, database)
    answered, received = conversation(gate_place(gate, role), steps, way)
    server.run(CLEANING, database)
    assert not [canary for canary in CANARIES if canary in received]
    if way == "one text":
        assert_alike(answered, natively)
    else:
        assert comparable(steps, answered) == comparable(steps, natively)


def assert_alike(answered: list[list[Message]], natively: list[list[Message]]) -> None:
    """The kinds of the messages; a text that the gate refuses for a name may be refused before its first statement."""
    through, direct = ([m.kind for m in replies if m.kind != "N"] for replies in (answered[0], natively[0]))
    if "E" in direct:
        assert through[-2:] == ["E", "Z"]
    else:
        assert through == direct
    assert [raw.kinds(replies)[-1] for replies in answered] == ["Z", "Z", "Z"]
    assert answered[-1][1].values == [b"1"]
