"""When the server is asked for the session's own world, and what is decided by the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dbgate.session.outcome import RefreshCatalog
from dbgate.session.postgres.asking import QUESTIONS
from dbgate.session.postgres.session import PostgresSession
from dbgate.session.postgres.world import read_world
from protocols.postgres import frontend
from rules.catalog import Catalog, Column, Relation
from rules.own_world import OwnWorld, own_catalog
from tests.dbgate.session.fakes import FakePolicy, new_session
from tests.dbgate.session.model_server import NO_WORLD, ModelServer
from tests.dbgate.session.test_session import SYNC, exchange, only_error, query

RUN = frontend.Bind("", "").encode() + frontend.Execute("").encode()
COLUMN = ["a", 1, "23", "integer", "pg_catalog", "int4", False, [], False, -1]
WITH_TABLE = {
    **NO_WORLD,
    "path": ["pg_temp_3", "pg_catalog", "public"],
    "temp": "pg_temp_3",
    "relations": [["16500", "pg_temp_3", "t", "r", None, [COLUMN], [], False]],
}
TABLE = Relation(16500, "pg_temp", "t", "r", (Column("a", 1, "integer", 23),))


def whole_questions(server: ModelServer) -> int:
    return sum("json_build_object" in sql for sql in server.ran)


def seen(session: PostgresSession) -> Catalog:
    return session._state.context.catalog


def with_table() -> tuple[PostgresSession, ModelServer]:
    session, server = new_session(), ModelServer()
    exchange(session, server, query("BEGIN"))
    server.world = dict(WITH_TABLE)
    exchange(session, server, query("CREATE t"))
    return session, server


def test_what_was_created_is_known_at_once_and_called_pg_temp() -> None:
    session, _ = with_table()
    assert seen(session).by_name[("pg_temp", "t")] == TABLE
    assert seen(session).by_oid[16500] == TABLE
    assert session._state.context.search_path == ("pg_temp", "pg_catalog", "public")
    assert session._state.policy.catalog.relations == ()


def test_the_end_of_the_transaction_is_asked_about() -> None:
    session, server = with_table()
    server.world = dict(NO_WORLD)
    exchange(session, server, query("ROLLBACK"))
    assert seen(session) is session._state.policy.catalog
    asked = whole_questions(server)
    session.client_sent(query("BEGIN"), 0)
    assert whole_questions(server) == asked == 2


def test_a_transaction_that_changes_nothing_is_not_asked_about() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, query("BEGIN") + query("SELECT 1") + query("COMMIT") + query("SET search_path"))
    assert whole_questions(server) == 0


def test_a_refresh_of_the_catalog_keeps_what_is_the_sessions_own() -> None:
    session, _ = with_table()
    other = Relation(17000, "public", "new", "r")
    session.policy_changed(FakePolicy(catalog=Catalog("2", (other,))), 0)  # type: ignore[arg-type]
    assert set(seen(session).by_name) == {("pg_temp", "t"), ("public", "new")}


def test_the_first_temporary_table_of_a_function_is_asked_for() -> None:
    session, server = new_session(), ModelServer()
    server.world = dict(WITH_TABLE)
    exchange(session, server, query("SELECT f()"))
    assert seen(session).by_name[("pg_temp", "t")] == TABLE
    before = whole_questions(server)
    exchange(session, server, query("SELECT f()"))
    assert whole_questions(server) == before + 1  # it may have changed them


def test_within_a_batch_the_world_is_asked_for_before_the_next_names() -> None:
    session, server = new_session(), ModelServer()
    server.world = dict(WITH_TABLE)
    sent = frontend.Parse("", "CREATE t").encode() + RUN + frontend.Parse("", "SELECT 1").encode() + RUN + SYNC
    outcome = session.client_sent(sent, 0)
    assert outcome.to_upstream.endswith(QUESTIONS[True].in_batch)
    answered = session.upstream_sent(server.receive(outcome.to_upstream), 0)
    assert ("pg_temp", "t") in seen(session).by_name
    after = session.upstream_sent(server.receive(answered.to_upstream), 0)
    assert after.to_upstream == QUESTIONS[True].alone  # the batch may have failed at its very end


def test_an_answer_that_cannot_be_read_lets_nothing_be_decided() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, query("BEGIN"))
    server.world = {"path": ["public"]}
    exchange(session, server, query("CREATE t"))
    assert "search-path" in (only_error(exchange(session, server, query("SELECT 1"))).get("D") or "")
    assert "SELECT 1" not in server.ran


def test_a_reading_that_began_within_the_transaction_does_not_know_what_it_commits() -> None:
    session, server = with_table()
    assert session.client_sent(query("SELECT unknown_t"), 0).wishes == [RefreshCatalog((("unknown_t",),))]
    fresh = FakePolicy(generation=1)
    session.policy_changed(fresh, 0)  # type: ignore[arg-type]
    outcome = session.policy_changed(fresh, 0)  # type: ignore[arg-type]
    session.upstream_sent(server.receive(outcome.to_upstream), 0)
    exchange(session, server, query("COMMIT"))
    assert session.client_sent(query("SELECT 1"), 0).wishes == [RefreshCatalog(())]


def test_a_prepared_statement_keeps_the_columns_that_the_server_keeps() -> None:
    session, server = with_table()
    exchange(session, server, frontend.Parse("s", "SELECT masked").encode() + SYNC)
    kept = session._state.names.statements["s"].decision
    server.world = dict(NO_WORLD)
    exchange(session, server, query("CREATE u"))
    exchange(session, server, frontend.Bind("", "s").encode() + frontend.Execute("").encode() + SYNC)
    assert session._state.names.statements["s"].decision.masks == kept.masks


# ---------------------------------------------------------------- the answer


def answer(**parts: Any) -> str:
    return json.dumps({**NO_WORLD, **parts})


def test_what_is_not_seen_any_more_is_gone() -> None:
    shared = Catalog("1", (Relation(1, "pg_catalog", "pg_class", "r"), Relation(20, "public", "a", "r"),
                           Relation(21, "public", "b", "r")))  # fmt: skip
    told = read_world(answer(seen=["21", "22"]), shared)
    assert told.world == OwnWorld((), frozenset({20}), (), frozenset({"public"}), "")
    assert set(own_catalog(shared, told.world).by_oid) == {1, 21}


def test_what_was_renamed_is_known_by_its_new_name_only() -> None:
    shared = Catalog("1", (Relation(20, "public", "a", "r"),))
    told = read_world(answer(seen=["20"], relations=[["20", "public", "z", "r", None, [], [], False]]), shared)
    assert told.world is not None
    assert set(own_catalog(shared, told.world).by_name) == {("public", "z")}


@pytest.mark.parametrize(
    ("column", "printed"),
    [
        (["a", 1, "9", None, "pg_temp_3", "t", False, [], False, -1], "pg_temp.t"),
        (["a", 1, "9", None, "My Schema", "Mood", True, [], False, -1], '"My Schema"."Mood"[]'),
        (["a", 1, "9", 'pg_catalog."char"', "pg_catalog", "char", False, [], False, -1], '"char"'),
    ],
)
def test_types_are_printed_as_format_type_does(column: list[object], printed: str) -> None:
    told = read_world(
        answer(temp="pg_temp_3", relations=[["20", "public", "z", "r", None, [column], [], False]]), Catalog("1")
    )
    assert told.world is not None
    assert told.world.relations[0].columns[0].type == printed
