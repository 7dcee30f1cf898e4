"""What a session has created, altered or dropped itself, committed or not, is to the gate what it is to the server.

The conversations of own_world.yaml run against PostgreSQL itself and through gates of several roles, in each way that
drivers send statements; the replies must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from ruamel.yaml import YAML

from tests.live import raw, worlds
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream
from tests.live.places import Place
from tests.live.raw import Message
from tests.live.servers import Postgres

#: name -> statements; a list in place of one is a text of several
CONVERSATIONS: Final = YAML(typ="safe").load(Path(__file__).with_name("own_world.yaml"))
CANARIES: Final = [form for value in worlds.canaries("a") for form in worlds.forms(value)]
#: what touches no table needs a rule for all tables, which not every role has
EVERYWHERE: Final = frozenset(
    {
        "enums and domains",
        "a schema of its own",
        "a schema of its own in one transaction",
        "a text that moves the search path",
    }
)
#: rulebook of a role that changes the structure everywhere and has masks on some tables
ADMIN: Final = """
version: 1
rules:
  - id: everything
    allow: {statements: ["*"], tables: ["*"]}
  - id: mask
    mask:
      columns: ["*.ssn", customers.email, customers.phone, customers.card_number, customers.profile, employees.email]
      with: redact
"""


#: a role that may read one schema, without any mask or deny
LIMITED: Final = """
version: 1
rules:
  - {id: reads, allow: {statements: [select], tables: ["public.*"]}}
  - {id: own, allow: {statements: ["*"], tables: ["pg_temp.*"]}}
"""


def simple(text: str) -> bytes:
    return raw.query(text)


def extended(text: str) -> bytes:
    return raw.extended(text)


WAYS: Final[dict[str, Callable[[str], bytes]]] = {"simple": simple, "extended": extended}


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, database: str) -> Gate:
    books = {book: Upstream(database, book) for book in ("allow_all", "wide", "admin", "limited")}
    return make_gate(books, rulebooks={"admin": ADMIN, "limited": LIMITED})


@pytest.fixture(params=["allow_all", "wide", "admin"])
def role(request: pytest.FixtureRequest, gate: Gate) -> Place:
    return gate_place(gate, request.param)


def replies(place: Place, sent: list[bytes]) -> list[list[object]]:
    """What each of these is answered with, without what differs from run to run."""
    with place.raw() as client:
        return [[told(message) for message in client.ask(data)] for data in sent]


def told(message: Message) -> object:
    if message.kind in "EN":
        return message.kind, message.fields["C"], message.fields.get("P")
    if message.kind == "T":  # the table's OID is another one each time
        return "T", list(columns(message.payload))
    return message.kind, message.payload


def columns(payload: bytes) -> Iterator[bytes]:
    """The names of a RowDescription's columns."""
    at = 2
    for _ in range(int.from_bytes(payload[:2])):
        end = payload.index(b"\0", at)
        yield payload[at:end]
        at = end + 19


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversation(name: str, way: str, direct: Place, role: Place) -> None:
    steps = CONVERSATIONS[name]
    if name in EVERYWHERE and role.database == "wide":
        pytest.skip("this role may not")
    if way == "extended" and any(isinstance(step, list) for step in steps):
        pytest.skip("a Parse holds one statement")
    sent = [WAYS[way](step if isinstance(step, str) else ";\n".join(step)) for step in steps]
    assert replies(role, sent) == replies(direct, sent)


def batch(*texts: str) -> bytes:
    """One batch of the extended protocol: nothing is awaited before its Sync."""
    return b"".join(raw.parse(text) + raw.bind() + raw.describe() + raw.execute() for text in texts) + raw.SYNC


BATCHES: Final = [
    ["CREATE TEMP TABLE products (only_one text)", "INSERT INTO products VALUES ('a')", "SELECT * FROM products"],
    ["BEGIN", "CREATE TABLE m_x (a int)", "INSERT INTO m_x VALUES (1)", "SELECT a FROM m_x", "ROLLBACK"],
    [
        "CREATE TEMP TABLE t AS SELECT id FROM products",
        "ALTER TABLE t ADD b int",
        "SELECT max(b) FROM t",
        "SELECT 1 / 0",
    ],
    ["SET search_path = hr, public", "SELECT min(sku) FROM products", "RESET search_path", "SELECT 1"],
]


@pytest.mark.parametrize("texts", BATCHES)
def test_in_one_batch(texts: list[str], direct: Place, role: Place) -> None:
    sent = [batch(*texts), batch("SELECT 2")]
    assert replies(role, sent) == replies(direct, sent)


def test_the_search_path_leads_a_limited_role_to_no_other_schema(server: Postgres, database: str, gate: Gate) -> None:
    server.run("SET ROLE app; CREATE TABLE public.reviews (id int, words text)", database)
    place = gate_place(gate, "limited")
    texts = ["CREATE TEMP TABLE t AS SELECT id FROM products", "SELECT count(*) FROM t", "SELECT count(*) FROM reviews"]
    assert replies(place, [raw.query(text) for text in texts])[0][0] == ("C", b"SELECT 12\0")
    for way in WAYS.values():
        last = replies(place, [way("SET search_path = hr"), way("SELECT words FROM reviews")])[-1]
        assert last[0] == ("E", "42501", None)
    with place.raw() as client:
        assert "D" not in raw.kinds(client.ask(raw.query("SET search_path = hr; SELECT words FROM reviews")))
    server.run("DROP TABLE public.reviews", database)


LAUNDRY: Final = [
    "CREATE TEMP TABLE mine AS SELECT email FROM customers",
    "SELECT ssn AS harmless INTO TEMP mine FROM customers",
    "CREATE TEMP TABLE mine (email text); INSERT INTO mine SELECT email FROM customers",
    "BEGIN; CREATE TEMP TABLE mine (x text); INSERT INTO mine SELECT ssn FROM customers; SELECT * FROM mine; COMMIT",
    "CREATE TEMP VIEW mine AS SELECT ssn AS x FROM customers; SELECT x FROM mine",
    "CREATE TEMP VIEW mine AS TABLE customers; SELECT * FROM mine",
    "CREATE TEMP TABLE customers (email text, ssn text); DROP TABLE customers; SELECT email, ssn FROM customers",
    "BEGIN; CREATE TEMP TABLE customers (x text); ROLLBACK; SELECT * FROM customers",
    "BEGIN; CREATE TEMP TABLE customers (x text) ON COMMIT DROP; COMMIT; SELECT * FROM customers",
    "SAVEPOINT a; CREATE TEMP TABLE customers (x text); SELECT * FROM customers",
    "BEGIN; SAVEPOINT a; CREATE TEMP TABLE customers (x text); ROLLBACK TO a; SELECT * FROM customers; COMMIT",
    "CREATE TEMP TABLE customers (x text); DISCARD TEMP; SELECT * FROM customers",
    "CREATE TEMP TABLE customers (x text); ALTER TABLE customers RENAME TO other; SELECT * FROM customers",
    "CREATE TEMP TABLE child () INHERITS (customers); SELECT * FROM customers; ALTER TABLE child NO INHERIT customers",
    "CREATE SCHEMA m_l; SET search_path = m_l, public; CREATE TABLE customers (x text); DROP TABLE m_l.customers; "
    "SELECT * FROM customers; DROP SCHEMA m_l",
    "BEGIN; CREATE TABLE m_c (x text); ALTER TABLE m_c RENAME TO m_d; CREATE VIEW m_c AS SELECT ssn x FROM customers; "
    "SELECT x FROM m_c; ROLLBACK",
    "CREATE TEMP TABLE t (x text); PREPARE p AS SELECT * FROM t; EXECUTE p; DROP TABLE t; "
    "CREATE TEMP VIEW t AS SELECT ssn x FROM customers; EXECUTE p",
]


@pytest.mark.parametrize("way", ["text", "simple", "extended"])
@pytest.mark.parametrize("text", LAUNDRY)
def test_nothing_hidden_comes_by_way_of_what_is_ones_own(text: str, way: str, gate: Gate) -> None:
    sent = [raw.query(text)] if way == "text" else [WAYS[way](piece) for piece in text.split("; ")]
    for role in ("wide", "admin"):
        with gate_place(gate, role).raw() as client:
            for data in [*sent, raw.query("ROLLBACK"), raw.query("SELECT 1")]:
                client.ask(data)
            assert not [canary for canary in CANARIES if canary in client.received]
