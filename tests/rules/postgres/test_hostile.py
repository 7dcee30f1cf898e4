"""Texts made to exhaust the parser: refused or read, in bounded time, never a crash or an exception."""

from __future__ import annotations

import pytest

from rules.postgres import read
from rules.postgres.grammar import MAX_CHAIN, chain_depth
from rules.tree import Unparsable

ADD = "+1"
READ = {
    "40 columns from one row": "update t set (" + ",".join("a" * 40) + ") = row(" + ",".join("b" * 40) + ")",
    "2,000 composite keys": "select 1 from t where " + " or ".join(["(a, b) = (1, 2)"] * 2000),
    "5,000 ORs": "select 1 from t where " + " or ".join(f"a={n}" for n in range(5000)),
    "5,000 members of IN": "select 1 from t where a in (" + ",".join(map(str, range(5000))) + ")",
    "100,000 letters": "select " + "a" * 100_000,
    "1,000 statements": "select 1;" * 1000,
    "2,000 rows": "insert into t values " + ",".join(["(1, 'a', -1)"] * 2000),
    "50 levels of sub-selects": "select " + "(select " * 50 + "1" + ")" * 50,
    "200 set operations": " union all ".join(["select a from t"] * 200),
    "100 joins": "select 1 from a" + " join b on true" * 100,
    "200 sums": "select 1" + ADD * 200,
}
TOO_COMPLEX = {
    "1,000 columns from one query": "update t set ("
    + ",".join("a" * 1000)
    + ") = (select "
    + ",".join("b" * 1000)
    + ")",
    "the same in ON CONFLICT": "insert into t values (1) on conflict (a) do update set x = 1, /* */ ("
    + ",".join("a" * 1000)
    + ") /* */ = (select "
    + ",".join("b" * 1000)
    + ")",
    "10,000 parentheses": "select " + "(" * 10_000 + "1" + ")" * 10_000,
    "openings of comments": "select 1 " + "/*" * 400_000,
    "openings among other signs": "select 1 " + "/*+" * 200_000,
    "10,000 CASEs": "select " + "case when a then " * 10_000 + "1" + " end" * 10_000,
    "3,000 sub-selects": "select " + "(select " * 3000 + "1" + ")" * 3000,
    "100,000 sums": "select 1" + ADD * 100_000,
    "60,000 joins": "select 1 from a" + " cross join b" * 60_000,
    "joins with conditions": "select 1 from a" + " join b on x and y" * 40_000,
    "casts": "select 1" + "::int" * 50_000,
    "collations": "select 1" + " collate x" * 80_000,
    "after a nested comment": "select 1 /* /* */ ' */ " + ADD * 100_000 + " -- '",
    "after a comment that ends at CR": "select 1 -- ' \r" + ADD * 100_000 + " -- '",
    "after an escaped quote": "select E'\\'' " + ADD * 100_000 + " , ''",
    "after a continued E string": "select E'a'\n'\\'' " + ADD * 100_000 + " , ''",
    "after an identifier that ends in E": "select fooE'\\' " + ADD * 100_000 + " , ''",
    "after an identifier with dollars": "select 1 as a$b$ " + ADD * 100_000 + " , $b$$b$",
    "chains over brackets": "select " + "(" * 30 + "1" + "".join(ADD * 3900 + ")" for _ in range(30)),
    "chains over CASEs": "select " + "case when " * 30 + "1" + "".join(ADD * 3900 + " then 1 end" for _ in range(30)),
    "chains and a column named end": "select " + "case when " * 30 + "1" + (ADD * 3900 + " + x.end then 1 end") * 30,
}


@pytest.mark.parametrize("name", READ)
def test_large_but_flat_texts_are_read(name: str) -> None:
    assert isinstance(read(READ[name]), tuple)


@pytest.mark.parametrize("name", TOO_COMPLEX)
def test_deep_texts_are_refused_before_they_can_exhaust_the_stack(name: str) -> None:
    found = read(TOO_COMPLEX[name])
    assert isinstance(found, Unparsable)
    assert found.code == "too-complex"


def test_the_bound_counts_chains_not_lists() -> None:
    assert chain_depth(b"a, " * 10_000) < 10
    assert chain_depth(b"a = 1 and " * 10_000) < 10
    assert chain_depth(b"a + " * 10_000) > MAX_CHAIN
    assert chain_depth(b"(" * 10 + b"1" + b" + 1)" * 10) >= 10


@pytest.mark.parametrize("depth", [100, 1000, 4900])
@pytest.mark.parametrize("form", ["select {o}1{c}", "{o}select 1{c}", "select * from {o}a join b on true{c}"])
def test_parentheses_that_leave_no_node_do_not_overrun_the_second_parser(form: str, depth: int) -> None:
    assert isinstance(read(form.format(o="(" * depth, c=")" * depth)), tuple)
