"""Statements read into the tree."""

from __future__ import annotations

import pytest

from rules.mysql import read
from rules.tree import (
    Call,
    Cast,
    Column,
    Delete,
    Derived,
    FunctionSource,
    Insert,
    Join,
    JoinedDelete,
    JoinedUpdate,
    JoinKind,
    Literal,
    Operation,
    Relation,
    Select,
    SetOperation,
    Star,
    Subquery,
    Unparsable,
    Update,
    Values,
)
from tests.rules.mysql.reading import BRANDS, VERSIONS, body, bracketed, everyday, one, refused, select, value


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("text", everyday())
def test_everyday_statements_are_read(text: str, brand: str) -> None:
    assert one(text, brand).body is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 or 2 and 3 xor 4", "(1 or ((2 and 3) xor 4))"),
        ("not a = b and c", "((not (a = b)) and c)"),
        ("a || b && c", "(a or (b and c))"),
        ("a = b = c", "((a = b) = c)"),
        ("a + b * c - 1", "((a + (b * c)) - 1)"),
        ("a | b & c << 1 + 2", "(a | (b & (c << (1 + 2))))"),
        ("-a ^ b * 2", "(((- a) ^ b) * 2)"),
        ("!a + 1", "((not a) + 1)"),
        ("a between 1 and 2 and b", "((a between 1 and 2) and b)"),
        ("a between b | 1 and c in (1)", "(a between (b | 1) and (c in (1)))"),
        ("a is null = b", "((a is null) = b)"),
        ("not a is not true", "(not (a is not true))"),
        ("a not in (1, 2) or a not like 'x'", "((a not in (1, 2)) or (a not like 'x'))"),
        ("a <=> b != c", "((a <=> b) <> c)"),
        ("a div 2 mod 3 % 4", "(((a div 2) % 3) % 4)"),
        ("+a", "a"),
        ("((a))", "a"),
        ("{fn a + 1}", "(a + 1)"),
    ],
)
def test_precedence(text: str, expected: str) -> None:
    assert bracketed(value(text)) == expected


def test_names() -> None:
    assert value("`D`.`T`.`C`") == Column(("D", "T", "c"), 7)
    assert value("x.SELECT") == Column(("x", "select"), 7)
    folded = read("SELECT T.A FROM D.T", "mysql", VERSIONS["mysql"], folds=True)
    assert isinstance(folded, tuple)
    found = folded[0].body
    assert isinstance(found, Select)
    assert found.sources == (Relation(("d", "t"), start=16, end=19),)
    assert found.outputs[0].expression == Column(("t", "a"), 7)


def test_an_output_without_an_alias_is_named_by_its_text() -> None:
    names = [o.name for o in select("SELECT a, MAX( b ), (a), +1, 'Lit', a AS X, b 'y', *, t.* FROM t").outputs]
    assert names == [None, "max( b )", None, "1", "lit", "x", "y", None, None]


def test_variables_show_what_they_take() -> None:
    assert value("@X := a") == Operation("assign_variable", (Literal("@x", 7), Column(("a",), 13)), (), 7)
    assert value("@'a b'") == Operation("user_variable", (Literal("@a b", 7),), (), 7)
    assert value("@@GLOBAL.`x`") == Operation("system_variable", (Literal("global.x", 7),), (), 7)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a, b INTO @x, @y FROM t", "SELECT a, b FROM t INTO @x, @y", "SELECT a, b FROM t LIMIT 1 INTO @x, @y",
        "SELECT a, b FROM t INTO @x, @y FOR UPDATE", "SELECT a, b FROM t FOR UPDATE INTO @x, @y",
    ],
)  # fmt: skip
def test_into_variables(text: str) -> None:
    statement = one(text)
    assert (statement.kind, statement.detail, statement.returns_body) == ("select", "SELECT INTO", False)
    assert isinstance(statement.body, Select)
    first, second = (o.expression for o in statement.body.outputs)
    assert isinstance(first, Operation)
    assert isinstance(second, Operation)
    assert (first.operator, first.operands[0]) == ("assign_variable", Literal("@x"))
    assert (second.operator, second.operands[0]) == ("assign_variable", Literal("@y"))


def test_into_variables_of_a_union_counts_for_both_sides() -> None:
    found = body("SELECT a FROM t UNION SELECT b FROM u INTO @x")
    assert isinstance(found, SetOperation)
    for side in (found.left, found.right):
        assert isinstance(side, Select)
        assert isinstance(side.outputs[0].expression, Operation)


@pytest.mark.parametrize("word", ["OUTFILE", "DUMPFILE"])
@pytest.mark.parametrize("form", ["SELECT a INTO {} '/tmp/x' FROM t", "SELECT a FROM t INTO {} '/tmp/x'"])
def test_into_a_file_is_file_io(word: str, form: str) -> None:
    assert one(form.format(word)).kind == "file_io"


@pytest.mark.parametrize(
    "text",
    ["SELECT * FROM (SELECT a INTO @x FROM t) d", "INSERT INTO t SELECT a INTO @x FROM t", "SELECT (SELECT 1 INTO @x)"],
)
def test_into_inside_a_query_is_refused(text: str) -> None:
    refused(text)


def test_joins() -> None:
    (found,) = select("SELECT 1 FROM a JOIN b JOIN c ON c.x = a.x").sources
    assert isinstance(found, Join)
    assert isinstance(found.left, Join)
    assert found.left.kind is JoinKind.CROSS
    (found,) = select("SELECT 1 FROM a JOIN b JOIN c ON c.x = b.x ON a.y = b.y").sources
    assert isinstance(found, Join)
    assert isinstance(found.right, Join)
    (found,) = select("SELECT 1 FROM a LEFT JOIN b LEFT JOIN c ON c.x = b.x ON a.y = b.y").sources
    assert isinstance(found, Join)
    assert isinstance(found.right, Join)
    assert len(select("SELECT 1 FROM a, b JOIN c USING (x)").sources) == 2
    assert select("SELECT 1 FROM DUAL").sources == ()


def test_brackets_hold_queries_or_expressions() -> None:
    assert isinstance(value("((SELECT 1) UNION (SELECT 2))"), Subquery)
    assert isinstance(value("((SELECT 1) + 1)"), Operation)
    assert isinstance(value("(((SELECT 1)))"), Subquery)
    assert isinstance(value("((SELECT 1), 2) = (1, 2)"), Operation)
    assert isinstance(select("SELECT * FROM ((SELECT 1 a) x JOIN t ON t.a = x.a)").sources[0], Join)
    assert isinstance(select("SELECT * FROM ((SELECT 1) UNION (SELECT 2)) x").sources[0], Derived)


def test_sources() -> None:
    text = "SELECT * FROM JSON_TABLE(j, '$' COLUMNS (n FOR ORDINALITY, NESTED PATH '$' COLUMNS (x INT PATH '$'))) k"
    (found,) = select(text).sources
    assert isinstance(found, FunctionSource)
    assert (found.alias, found.column_aliases) == ("k", ("n", "x"))
    (table,) = select("SELECT * FROM d.t PARTITION (p0, p1) AS x USE INDEX (PRIMARY) WHERE 1").sources
    assert table == Relation(("d", "t"), "x", start=14, end=17)
    (past,) = select("SELECT * FROM t FOR SYSTEM_TIME AS OF a", "mariadb").sources
    assert isinstance(past, Relation)
    assert past.sample == (Column(("a",), 38),)


def test_calls() -> None:
    assert value("COUNT(*)") == Call(("count",), star=True, at=7)
    assert value("d.f(1)") == Call(("d", "f"), (Literal("1", 11),), at=7)
    assert value("IF(a, 1, 2)") == Operation("case", (Column(("a",), 10), Literal("1", 13), Literal("2", 16)), (), 7)
    assert value("CAST(a AS DECIMAL(10,2))") == Cast(Column(("a",), 12), ("decimal",), 7, modifiers=(10, 2))
    found = value("GROUP_CONCAT(DISTINCT a ORDER BY b SEPARATOR ',')")
    assert isinstance(found, Call)
    assert found.conditions == (Operation("distinct", (Column(("a",), 29),)), Column(("b",), 40))
    found = value("SUM(a) OVER (PARTITION BY b ORDER BY c)")
    assert isinstance(found, Call)
    assert (found.partitions, found.conditions) == ((Column(("b",), 33),), (Column(("c",), 44),))
    assert value("CURRENT_USER") == Call(("current_user",), at=7)


@pytest.mark.parametrize("text", ["count (a)", "now ()", "`count`(a)", "max /* x */ (a)"])
def test_a_space_may_make_a_built_in_a_stored_function(text: str) -> None:
    assert refused(f"SELECT {text} FROM t").code == "function-name"


def test_inserts() -> None:
    found = body("INSERT INTO d.t (a, t.b) VALUES (1, 2), (3, DEFAULT) ON DUPLICATE KEY UPDATE b = VALUES(b)")
    assert isinstance(found, Insert)
    assert (found.columns, found.replaces) == (("a", "b"), False)
    assert found.target == Relation(("d", "t"), start=12, end=15)
    assert found.conflict_assignments[0].value == Column((found.proposed[0], "b"), 81)
    found = body("INSERT INTO t SET a = 1 AS n ON DUPLICATE KEY UPDATE b = n.a")
    assert isinstance(found, Insert)
    assert found.proposed[1:] == ("n",)
    found = body("REPLACE INTO t SELECT * FROM u")
    assert isinstance(found, Insert)
    assert found.replaces
    assert one("REPLACE INTO t VALUES (1)").detail == "REPLACE"


def test_rows_of_constants_collapse() -> None:
    found = body("INSERT INTO t VALUES " + ",".join(["(1, 'a', NULL)"] * 50_000) + ", (a, 2, 3), (1)")
    assert isinstance(found, Insert)
    assert isinstance(found.source, Values)
    assert [len(row) for row in found.source.rows] == [3, 3, 1]


def test_updates_and_deletes() -> None:
    found = body("UPDATE t AS x SET x.a = 1, b = DEFAULT WHERE c = 2 ORDER BY d LIMIT 3")
    assert isinstance(found, Update)
    assert [a.columns for a in found.assignments] == [("a",), ("b",)]
    assert (found.order_by, found.limit) == ((Column(("d",), 60),), Literal("3", 68))
    joined = body("WITH w AS (SELECT 1 z) UPDATE t JOIN w ON t.a = w.z SET t.b = 1")
    assert isinstance(joined, JoinedUpdate)
    assert joined.assignments[0].column.path == ("t", "b")
    deleted = body("DELETE FROM t WHERE a = 1 ORDER BY b LIMIT 1")
    assert isinstance(deleted, Delete)
    for text in ("DELETE x, d.u.* FROM t x, d.u", "DELETE FROM x, d.u.* USING t x, d.u"):
        several = body(text)
        assert isinstance(several, JoinedDelete)
        assert [t.name for t in several.targets] == [("x",), ("d", "u")]


def test_returning_is_mariadbs() -> None:
    found = body("DELETE FROM t WHERE a = 1 RETURNING b, *", "mariadb")
    assert isinstance(found, Delete)
    assert [type(o.expression) for o in found.returning] == [Column, Star]
    refused("DELETE FROM t WHERE a = 1 RETURNING b")


def test_set_operations() -> None:
    found = body("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3 ORDER BY 1 LIMIT 2, 5")
    assert isinstance(found, SetOperation)
    assert (found.operator, found.limit, found.offset) == ("union", Literal("5", 63), Literal("2", 60))
    assert isinstance(found.right, SetOperation)
    outer = body("(SELECT a FROM t ORDER BY b LIMIT 5) ORDER BY a LIMIT 1")
    assert isinstance(outer, Select)
    assert isinstance(outer.sources[0], Derived)
    assert isinstance(body("TABLE t"), Select)
    assert isinstance(body("VALUES ROW(1, 2), ROW(3, 4)"), Values)
    assert isinstance(body("VALUES (1, 2), (3, 4)", "mariadb"), Values)


def test_several_statements_and_their_borders() -> None:
    text = " SELECT 'é;' ; ;\nDELETE FROM t -- x;\n;"
    found = read(text, "mysql", VERSIONS["mysql"])
    assert isinstance(found, tuple)
    raw = text.encode()
    assert [raw[s.start : s.end].decode() for s in found] == ["SELECT 'é;'", "DELETE FROM t"]
    assert read(" -- nothing\n;", "mysql", VERSIONS["mysql"]) == ()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM t PROCEDURE analyse()", "SELECT FROM t", "SELECT a FROM", "SELECT a b c FROM t", "SELECT 1 +",
        "SELECT f(*, 1)", "SELECT a FROM t WHERE", "SELECT a FROM t LIMIT a", "UPDATE t SET u.a = 1", "DELETE t",
        "INSERT INTO t", "SELECT VALUES(a) FROM t", "SELECT a -> b FROM t", "SELECT _foo 'x'",
        "DELIMITER //", "SELEC 1", "SELECT 1 /* x */ */ 2", "SELECT (1", "SELECT 1)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("brand", BRANDS)
def test_what_is_not_known_is_refused_with_a_place(text: str, brand: str) -> None:
    assert refused(text, brand).at >= 0


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 5000 + "1" + ")" * 5000, "SELECT " + "-" * 5000 + "1", "SELECT " + "NOT " * 5000 + "1",
        "SELECT " + "(SELECT " * 500 + "1" + ")" * 500, "SELECT " + "f(" * 5000 + "1" + ")" * 5000,
        "SELECT * FROM " + "(" * 5000 + "t" + ")" * 5000, "SELECT " + "CASE WHEN " * 5000,
        "SELECT 1 FROM a" + " LEFT JOIN a" * 5000,
    ],
)  # fmt: skip
def test_deep_nesting_is_refused(text: str) -> None:
    assert isinstance(read(text, "mysql", VERSIONS["mysql"]), Unparsable)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "+".join(["a"] * 20_000) + " FROM t",
        "SELECT a FROM t WHERE a IN (" + ",".join(["1"] * 50_000) + ")",
        "SELECT 1" + " UNION SELECT 1" * 5_000, "SELECT a FROM t WHERE " + " OR ".join(["a = 1"] * 20_000),
        "SELECT 1 FROM t" + " JOIN t USING (a)" * 5_000,
    ],
)  # fmt: skip
def test_long_lists_are_read(text: str) -> None:
    assert one(text).kind == "select"


def test_a_second_parser_that_sees_another_table_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    from rules.mysql import second_opinion

    monkeypatch.setattr(second_opinion, "_tables", lambda tree: {("secrets",)})
    assert refused("SELECT a FROM t").code == "parser-disagreement"
