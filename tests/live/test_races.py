"""What happens at the same time: new rules in a pipeline, cancels at any moment, clients that leave while rows come."""

from __future__ import annotations

import contextlib

import pytest

from tests.live import raw, worlds
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream, await_true
from tests.live.places import Place
from tests.live.raw import FLUSH, SYNC, Raw, bind, execute, parse, query
from tests.live.servers import Postgres

OPEN = """
version: 1
rules:
  - id: reads
    roles: [agent]
    allow: {statements: [select, transaction, cursor], tables: ["public.*"]}
  - id: no-keys
    deny: {tables: [api_keys]}
  - id: mask
    roles: [agent]
    mask: {columns: [customers.ssn], with: redact}
"""
CLOSED = OPEN.replace("tables: [api_keys]", "tables: [api_keys, customers]")
NAME = "SELECT name FROM customers WHERE id = 1"
#: masked rows, more than any buffer on the way holds
MANY = "SELECT ssn, repeat('x', 1000) FROM customers, generate_series(1, 200000)"
PLAIN = "SELECT repeat('x', 1000) FROM generate_series(1, 400000)"
SSN = worlds.customer("a", 5)[4].encode()


@pytest.fixture
def own_gate(make_gate: GateMaker, database: str) -> Gate:
    return make_gate({"races": Upstream(database, "races")}, rulebooks={"races": OPEN})


@pytest.fixture
def here(own_gate: Gate) -> Place:
    return gate_place(own_gate, "races")


def refused(client: Raw, statement: str) -> bool:
    return raw.kinds(client.ask(query(statement))) == "EZ"


@pytest.mark.parametrize("transaction", [False, True])
def test_new_rules_within_a_pipeline(own_gate: Gate, here: Place, transaction: bool) -> None:
    with here.raw() as client, here.raw() as other:
        if transaction:
            client.ask(query("BEGIN"))
        client.send(parse(NAME, "n") + bind("n") + execute() + FLUSH)
        assert raw.kinds(list(client.until("C"))) == "12DC"
        own_gate.reload("races", CLOSED)
        await_true(lambda: refused(other, NAME), 15, "the new rules")
        answers = client.ask(bind("n") + execute() + parse("SELECT 1", "o") + bind("o") + execute() + SYNC)
        assert raw.kinds(answers) == "EZ"
        assert answers[0].fields["C"] == "42501"
        assert answers[-1].payload == (b"E" if transaction else b"I")
        client.ask(query("ROLLBACK"))
        assert raw.kinds(client.ask(query("SELECT 1"))) == "TDCZ"


def test_a_cancel_while_nothing_runs_is_without_effect(here: Place) -> None:
    with here.raw() as client:
        for _ in range(5):
            raw.cancel(here.host, here.port, client.key)
        assert raw.kinds(client.ask(query(NAME))) in ("TDCZ", "EZ", "TEZ")  # as it would be directly: it may come late
        assert raw.kinds(client.ask(query(NAME))) == "TDCZ"


@pytest.mark.parametrize("batch", [False, True])
def test_cancels_while_a_refusal_is_answered(here: Place, batch: bool) -> None:
    """Each statement has one answer: the refusal, or that of the cancel."""
    statement = "SELECT * FROM api_keys"
    sent = parse(statement) + bind() + execute() + SYNC if batch else query(statement)
    with here.raw() as client:
        for _ in range(20):
            client.send(sent)
            raw.cancel(here.host, here.port, client.key)
            answers = list(client.until("Z"))
            assert raw.kinds(answers) == "EZ"
            assert answers[0].fields["C"] in ("42501", "57014")
        assert client.ask(query("SELECT 1"))[-1].payload == b"I"
        assert raw.kinds(client.ask(query(NAME))) == "TDCZ"


@pytest.mark.parametrize("statement", [MANY, PLAIN], ids=["masked", "plain"])
def test_a_cancel_while_rows_stream(here: Place, statement: str) -> None:
    with here.raw() as client:
        client.send(query(statement))
        for _ in zip(range(100), client.until("Z"), strict=False):
            pass
        raw.cancel(here.host, here.port, client.key)
        last = list(client.until("Z"))[-2:]
        assert raw.kinds(last) == "EZ"
        assert last[0].fields["C"] == "57014"
        assert SSN not in client.received
        assert raw.kinds(client.ask(query(NAME))) == "TDCZ"


@pytest.mark.parametrize("statement", [MANY, PLAIN], ids=["masked", "plain"])
def test_a_client_that_leaves_while_rows_stream(
    server: Postgres, own_gate: Gate, database: str, statement: str
) -> None:
    """The server's side ends too, and the audit has the statement's end as unknown."""
    with gate_place(own_gate, "races").raw() as client:
        client.send(query(statement))
        client.message()
    await_true(lambda: running(server, database) == 0, 15, "the end of the statement at the server")
    await_true(lambda: "session_ended" in [event["type"] for event in own_gate.audit()], 10, "the session's end")
    ended = [event for event in own_gate.audit() if event["type"] == "statement_finished"]
    assert [event["sqlstate"] for event in ended] == ["unknown"]


def running(server: Postgres, database: str) -> int:
    """Statements that run in the database, seen from another one."""
    with contextlib.closing(server.connect()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND query LIKE '%%generate_series%%'"
            " AND state <> 'idle'",
            (database,),
        ).fetchone()
        return int(row[0]) if row else 0
