"""What `read` makes of texts: shapes, offsets, refusals."""

from __future__ import annotations

import pytest

from rules.postgres import read
from rules.tree import (
    Assignment,
    Call,
    Carrier,
    CarrierKind,
    Cast,
    Column,
    Field,
    FunctionSource,
    Insert,
    Join,
    JoinKind,
    Literal,
    Merge,
    Operation,
    Parameter,
    Relation,
    Select,
    Setting,
    Star,
    Statement,
    Subquery,
    Unparsable,
    Update,
)


def one(sql: str) -> Statement:
    found = read(sql)
    assert isinstance(found, tuple), found
    (statement,) = found
    return statement


def select(sql: str) -> Select:
    body = one(sql).body
    assert isinstance(body, Select)
    return body


def expression(sql: str) -> object:
    return select(f"select {sql} from t").outputs[0].expression


def refusal(sql: str) -> Unparsable:
    found = read(sql)
    assert isinstance(found, Unparsable), found
    return found


# ---------------------------------------------------------------- statements in a text


@pytest.mark.parametrize("sql", ["", " ", ";", ";; ;", "-- only a comment", "/* a /* nested */ one */;"])
def test_a_text_without_statements_is_empty(sql: str) -> None:
    assert read(sql) == ()


def test_offsets_are_bytes_and_leave_comments_and_semicolons_out() -> None:
    sql = "/* é */ select 'é' -- tail\n ; ; /* b */ select 2 /* c */"
    found = read(sql)
    assert isinstance(found, tuple)
    raw = sql.encode()
    assert [raw[s.start : s.end].decode() for s in found] == ["select 'é'", "select 2"]


def test_column_and_relation_offsets_point_into_the_text() -> None:
    sql = 'select "é", b from "S" . /* x */ t as u'
    body = select(sql)
    raw = sql.encode()
    column = body.outputs[1].expression
    assert isinstance(column, Column)
    assert raw[column.at : column.at + 1] == b"b"
    (relation,) = body.sources
    assert isinstance(relation, Relation)
    assert raw[relation.start : relation.end] == b'"S" . /* x */ t'


def test_a_name_in_unicode_escapes_has_no_offsets() -> None:
    (relation,) = select("select 1 from U&\"d!0061t\" uescape '!'").sources
    assert isinstance(relation, Relation)
    assert (relation.name, relation.start, relation.end) == (("dat",), -1, -1)


# ---------------------------------------------------------------- names


def test_names_fold_as_the_server_folds_them() -> None:
    (relation,) = select('select 1 from Hr."People"').sources
    assert isinstance(relation, Relation)
    assert relation.name == ("hr", "People")


def test_long_names_are_cut_at_63_bytes() -> None:
    (relation,) = select("select 1 from " + "a" * 100).sources
    assert isinstance(relation, Relation)
    assert relation.name == ("a" * 63,)


# ---------------------------------------------------------------- expressions


@pytest.mark.parametrize(
    ("sql", "operator", "count"),
    [
        ("a = b", "=", 2),
        ("a in (1, 2, 3)", "in", 4),
        ("a not in (1)", "not_in", 2),
        ("a = any ($1)", "= any", 2),
        ("a <> all ($1)", "<> all", 2),
        ("a like 'x'", "like", 2),
        ("a between 1 and 2", "between", 3),
        ("a is null", "is_null", 1),
        ("a is distinct from b", "is_distinct", 2),
        ("a is not unknown", "is_not_unknown", 1),
        ("a and b and c", "and", 3),
        ("not a", "not", 1),
        ("case a when 1 then 2 else 3 end", "case", 4),
        ("coalesce(a, b)", "coalesce", 2),
        ("least(a, b)", "least", 2),
        ("nullif(a, b)", "nullif", 2),
        ("array[a, b]", "array", 2),
        ("(a, b)", "row", 2),
        ("a[1]", "subscript", 2),
        ("a[1:2]", "slice", 3),
        ('a collate "C"', "collate", 1),
        ("grouping(a)", "grouping", 1),
        ("json_value(a, '$.x' default b on error)", "json_value", 3),
        ("xmlelement(name x, xmlattributes(a), b)", "xmlelement", 2),
    ],
)
def test_operations(sql: str, operator: str, count: int) -> None:
    found = expression(sql)
    assert isinstance(found, Operation)
    assert (found.operator, len(found.operands)) == (operator, count)


def test_an_operator_keeps_its_schema() -> None:
    found = expression("a operator(s.=) b")
    assert isinstance(found, Operation)
    assert (found.operator, found.qualifier) == ("=", ("s",))


@pytest.mark.parametrize(
    ("sql", "value"), [("1", "1"), ("-1", "-1"), ("'it''s'", "it's"), ("null", None), ("true", "true"), ("0", "0")]
)
def test_constants(sql: str, value: str | None) -> None:
    found = expression(sql)
    assert isinstance(found, Literal)
    assert found.value == value


def test_fields_stars_casts_and_parameters() -> None:
    assert expression("(f(a)).b") == Field(Call(("f",), (Column(("a",), 10),), at=8), "b", 8)
    assert expression("t.*") == Star(("t",), 7)
    assert expression("$2::pg_catalog.regclass") == Cast(Parameter(2, 7), ("pg_catalog", "regclass"), 9)


def test_what_a_call_returns_is_in_its_arguments() -> None:
    ordered = expression("percentile_disc(0.5) within group (order by salary)")
    assert isinstance(ordered, Call)
    assert [type(a) for a in ordered.arguments] == [Literal, Column]
    assert [type(a) for a in ordered.conditions] == [Column]
    sorted_ = expression("array_agg(a order by b) filter (where c)")
    assert isinstance(sorted_, Call)
    assert len(sorted_.arguments) == 1
    assert len(sorted_.conditions) == 2


def test_named_arguments_keep_their_names() -> None:
    found = expression("set_config(new_value => 'x', setting_name => 'role')")
    assert isinstance(found, Call)
    first = found.arguments[0]
    assert isinstance(first, Operation)
    assert (first.operator, first.operands[0]) == ("named_argument", Literal("new_value"))


@pytest.mark.parametrize(
    ("sql", "form", "operator"),
    [
        ("(select 1)", "scalar", ""),
        ("exists (select 1)", "exists", ""),
        ("a in (select 1)", "in", ""),
        ("a = any (select 1)", "any", "="),
        ("a > all (select 1)", "all", ">"),
        ("array(select 1)", "array", ""),
    ],
)
def test_sub_selects(sql: str, form: str, operator: str) -> None:
    found = expression(sql)
    assert isinstance(found, Subquery)
    assert (found.form, found.operator) == (form, operator)


# ---------------------------------------------------------------- sources and writes


def test_a_join_without_condition_is_a_cross_join() -> None:
    (join,) = select("select 1 from a cross join b").sources
    assert isinstance(join, Join)
    assert join.kind is JoinKind.CROSS


def test_record_columns_of_functions_and_tables_made_of_json() -> None:
    (source,) = select(
        "select * from json_table(d, '$' columns (a int path '$.a', nested '$.b' columns (c int)))"
    ).sources
    assert isinstance(source, FunctionSource)
    assert source.record_columns == ("a", "c")
    (source,) = select("select * from json_to_record('{}') as x(a int, b text)").sources
    assert isinstance(source, FunctionSource)
    assert source.record_columns == ("a", "b")


def test_assignments_of_rows_are_taken_apart_and_of_queries_kept() -> None:
    body = one("update t set (a, b) = (c, 1), (d, e) = (select 1, 2), f[g] = h").body
    assert isinstance(body, Update)
    assert body.assignments[:2] == (
        Assignment(("a",), Column(("c",), 23)),
        Assignment(("b",), Literal("1", 26)),
    )
    assert body.assignments[2].columns == ("d", "e")
    element = body.assignments[3].value
    assert isinstance(element, Operation)
    assert element.operator == "assign_element"


def test_returning_names_the_row_before_and_after() -> None:
    plain, renamed = one("insert into t values (1) returning old.a").body, None
    assert isinstance(plain, Insert)
    assert plain.row_names == ("old", "new")
    renamed = one("merge into t using s on true when matched then delete returning with (old as o) o.a").body
    assert isinstance(renamed, Merge)
    assert renamed.row_names == ("o", "new")


# ---------------------------------------------------------------- utility statements


@pytest.mark.parametrize(
    ("sql", "executes", "options"),
    [
        ("explain select 1", False, ()),
        ("explain analyze select 1", True, ("analyze",)),
        ("explain (analyze false) select 1", False, ("analyze:false",)),
        ("explain (analyze false, analyze) select 1", True, ("analyze:false", "analyze")),
        ("explain (analyze 1, format json) select 1", True, ("analyze:1", "format:json")),
        ("prepare p as select 1", False, ()),
        ("create table n as select 1", True, ()),
        ("create table n as select 1 with no data", False, ()),
        ("create view v as select 1", False, ()),
    ],
)
def test_what_runs_now(sql: str, executes: bool, options: tuple[str, ...]) -> None:
    found = one(sql)
    assert (found.executes, found.returns_body, found.options) == (executes, False, options)
    assert found.body is not None


@pytest.mark.parametrize(
    ("sql", "settings"),
    [
        ('set search_path = a, "B"', (Setting("search_path", ("a", "B")),)),
        ("set local WORK_MEM to '1MB'", (Setting("work_mem", ("1MB",), True),)),
        ("reset work_mem", (Setting("work_mem", None),)),
        ("reset all", (Setting("all", None),)),
        ("set time zone 'UTC'", (Setting("timezone", ("UTC",)),)),
        ("set names 'utf8'", (Setting("client_encoding", ("utf8",)),)),
        ("set role dba", (Setting("role", ("dba",)),)),
        ("set session authorization default", (Setting("session_authorization", None),)),
        ("begin read only", (Setting("transaction_read_only", ("1",), True),)),
        ("set session characteristics as transaction read write", (Setting("default_transaction_read_only", ("0",)),)),
    ],
)
def test_settings(sql: str, settings: tuple[Setting, ...]) -> None:
    assert one(sql).settings == settings


@pytest.mark.parametrize(
    ("sql", "part", "carrier"),
    [
        ("declare c cursor with hold for select 1", "defines", Carrier(CarrierKind.CURSOR, "c", True)),
        ("fetch 5 from c", "runs", Carrier(CarrierKind.CURSOR, "c")),
        ("close all", "drops", Carrier(CarrierKind.CURSOR, None)),
        ("prepare p as select 1", "defines", Carrier(CarrierKind.STATEMENT, "p")),
        ("execute p", "runs", Carrier(CarrierKind.STATEMENT, "p")),
        ("explain analyze execute p", "runs", Carrier(CarrierKind.STATEMENT, "p")),
        ("create table n as execute p", "runs", Carrier(CarrierKind.STATEMENT, "p")),
        ("deallocate all", "drops", Carrier(CarrierKind.STATEMENT, None)),
        ("discard all", "drops", Carrier(CarrierKind.STATEMENT, None)),
    ],
)
def test_carriers(sql: str, part: str, carrier: Carrier) -> None:
    assert getattr(one(sql), part) == carrier


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("call p(f(1))", {"p", "f"}),
        ("create table t (a int default f(1) check (g(a) > 0))", {"f", "g"}),
        ("create index on t (lower(a)) where h(b)", {"lower", "h"}),
        ("create policy p on t using (f(a))", {"f"}),
        ("alter table t alter a type int using f(a)", {"f"}),
        ("create trigger r after insert on t for each row when (f(new.a)) execute function g()", {"f"}),
        ("copy t from stdin where f(a)", {"f"}),
        ("execute p(f(1))", {"f"}),
    ],
)
def test_calls_in_utility_statements(sql: str, names: set[str]) -> None:
    assert {".".join(call.name) for call in one(sql).calls} == names


def test_passwords_are_not_kept() -> None:
    assert "hunter2" not in repr(one("create role r password 'hunter2'"))


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("sql", "code", "words"),
    [
        ("select * fro t x", "syntax", 'syntax error at or near "fro"'),
        ("select 'abc", "syntax", "unterminated quoted string"),
        ('select "abc', "syntax", "unterminated quoted identifier"),
        ("select (1", "syntax", "syntax error at end of input"),
        ("select é é é", "syntax", 'near "é"'),
        ("\\d customers", "psql-command", "backslash"),
        ("select 1\0", "nul", "NUL"),
        ("select '\ud800'", "encoding", "Unicode"),
        ("select " + "x" * (1 << 20), "too-long", "longer"),
        ("select (select 1 into x)", "unknown-node", "intoClause"),
        ("select * from t tablesample mine (1)", "unknown-node", "TABLESAMPLE"),
        ("insert into t (a[f(1)]) values (1)", "unknown-node", "subscript"),
        ("select a" + "[1]" * 40, "too-complex", "subscripts"),
        ("select " + "mode() within group (order by " * 12 + "a" + ")" * 12, "too-complex", "WITHIN GROUP"),
        ("select " + "array[" * 12 + "1" + "]" * 12, "too-complex", "ARRAY"),
    ],
)
def test_refusals_name_the_problem(sql: str, code: str, words: str) -> None:
    found = refusal(sql)
    assert found.code == code
    assert words in found.reason
    assert found.mend


def test_the_place_of_a_syntax_error_is_a_byte_offset() -> None:
    assert refusal("select é é é").at == len("select é é ".encode())
