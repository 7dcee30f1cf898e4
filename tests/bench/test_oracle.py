"""What the oracle says of statements whose answer is plain to see."""

from __future__ import annotations

import pytest

from bench.oracle import NotSql, Reading, readings


def only(text: str) -> Reading:
    (found,) = readings(text)
    return found


def names(*words: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(word.split(".")) for word in words)


@pytest.mark.parametrize(
    ("text", "kind", "read", "written", "functions"),
    [
        ("select f(a) from s.t, (select count(*) from u) x", "select", "s.t u", "", "f count"),
        ("with t as (select * from u) select * from t, s.t", "select", "u s.t", "", ""),
        ("with t as (select * from t) select * from t", "select", "t", "", ""),
        ("with recursive t as (select * from t) select * from t", "select", "", "", ""),
        ("select (with t as (select 1) select * from t), t.* from t", "select", "t", "", ""),
        ("with t as (select 1) insert into t select * from t returning f(a)", "insert", "", "t", "f"),
        ("with d as (delete from t returning *) select * from d", "select", "", "t", ""),
        ("update t set a = (select max(b) from u) from v", "update", "u v", "t", "max"),
        ("merge into t using s on true when matched then delete", "merge", "s", "t", ""),
        ("select * into x from t", "create", "t", "x", ""),
        ("create table x as select * from t", "create", "t", "x", ""),
        ("select * from t x for update of x", "select", "t", "", ""),
        ("copy t from stdin", "copy_in", "", "t", ""),
        ("copy (select f(a) from t) to stdout", "copy_out", "t", "", "f"),
        ("copy t to program 'x'", "file_io", "t", "", ""),
        ("explain analyze delete from t", "explain", "", "t", ""),
        ("prepare p as update t set a = 1", "update", "", "t", ""),
        ("drop table a, s.b", "drop", "a s.b", "", ""),
        ("drop trigger g on s.t", "drop", "s.t", "", ""),
        ("drop role r", "admin", "", "", ""),
        ("comment on column t.a is ''", "comment", "t", "", ""),
        ("truncate t, u", "truncate", "", "t u", ""),
        ("call p(f(1))", "call", "", "", "p f"),
        ("select current_user, merge_action()", "select", "", "", "pg_catalog.current_user pg_catalog.merge_action"),
        ("create rule r as on insert to t do also insert into u select * from v", "create", "t u v", "", ""),
        ("set role x", "admin", "", "", ""),
        ("prepare transaction 'x'", "two_phase", "", "", ""),
        ("set constraints c deferred", "transaction", "", "", ""),
    ],
)
def test_readings(text: str, kind: str, read: str, written: str, functions: str) -> None:
    found = only(text)
    assert found.kind == kind
    assert (found.read, found.written) == (names(*read.split()), names(*written.split()))
    assert found.functions == names(*functions.split())


def test_what_is_no_sql() -> None:
    for text in ("selec 1", "select \0", "select " + "(" * 20_000):
        with pytest.raises(NotSql):
            readings(text)
    assert readings(" ; -- nothing") == ()
