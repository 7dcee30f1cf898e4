"""DDL -> Catalog."""

from __future__ import annotations

import pytest

from rules.catalog import Catalog, Relation
from rules.postgres.ddl import catalog_from_ddl
from rules.postgres.ddl_builder import FIRST_OID, DdlError


def own(catalog: Catalog) -> list[Relation]:
    """Without the system catalogs, which stand in every catalog."""
    return [r for r in catalog.relations if r.oid >= FIRST_OID]


def one(sql: str) -> Relation:
    """The relation made last."""
    return catalog_from_ddl(sql).relations[-1]


def columns(relation: Relation) -> str:
    return ", ".join(f"{c.name} {c.type}" for c in relation.columns)


@pytest.mark.parametrize(
    ("sql", "kind", "expected"),
    [
        ("CREATE TABLE t (a int, b varchar(9), c numeric(3,1)[])", "r", "a integer, b character varying, c numeric[]"),
        ("CREATE TABLE t (a bigserial PRIMARY KEY, b timestamptz DEFAULT now(), CHECK (a > 0))", "r",
         "a bigint, b timestamp with time zone"),
        ("CREATE TABLE t (a text) PARTITION BY LIST (a)", "p", "a text"),
        ("CREATE TABLE p (a text) PARTITION BY LIST (a); CREATE TABLE t PARTITION OF p DEFAULT", "r", "a text"),
        ("CREATE TABLE p (a text); CREATE TABLE t (b int) INHERITS (p)", "r", "a text, b integer"),
        ("CREATE TABLE p (a text); CREATE TABLE t (a text, b int) INHERITS (p)", "r", "a text, b integer"),
        ("CREATE TABLE p (a text); CREATE TABLE t (LIKE p, b int)", "r", "a text, b integer"),
        ("CREATE TYPE m AS ENUM ('a'); CREATE TABLE t (a m, b m[])", "r", "a public.m, b public.m[]"),
        ("CREATE DOMAIN m AS text; CREATE TABLE t (a m)", "r", "a public.m"),
        ("CREATE TYPE m AS (x int); CREATE TABLE t (a m)", "r", "a public.m"),
        ("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a AS b, a::text FROM t", "v", "b integer, a text"),
        ("CREATE TABLE t (a int); CREATE VIEW v (x) AS SELECT a, upper('x') FROM t", "v", "x integer, upper text"),
        ("CREATE TABLE t (a int); CREATE MATERIALIZED VIEW v AS TABLE t", "m", "a integer"),
        ("CREATE TABLE t (a int); CREATE TABLE u AS SELECT a FROM t", "r", "a integer"),
        ("CREATE SEQUENCE s", "S", "last_value bigint, log_cnt bigint, is_called boolean"),
        ("CREATE FOREIGN TABLE t (a int) SERVER s", "f", "a integer"),
    ],
)  # fmt: skip
def test_relations(sql: str, kind: str, expected: str) -> None:
    relation = one(sql)
    assert (relation.kind, columns(relation)) == (kind, expected)


def test_alter_table() -> None:
    catalog = catalog_from_ddl(
        "CREATE TABLE p (a int, z int); CREATE TABLE c () INHERITS (p); ALTER TABLE p ADD COLUMN b text;"
        "ALTER TABLE p DROP COLUMN z; ALTER TABLE p OWNER TO bob; CREATE TABLE d (a int); ALTER TABLE d INHERIT p"
    )
    parent, child, late = own(catalog)
    assert columns(parent) == "a integer, b text"
    assert columns(child) == "a integer, z integer, b text"
    assert child.parents == late.parents == (parent.oid,)
    assert catalog.children[parent.oid] == (child, late)


def test_schemas_and_oids() -> None:
    catalog = catalog_from_ddl("CREATE SCHEMA hr; CREATE TABLE hr.t (a int); CREATE TABLE u (a int)")
    assert [r.qualified for r in own(catalog)] == [("hr", "t"), ("public", "u")]
    assert [r.oid for r in own(catalog)] == [FIRST_OID, FIRST_OID + 1]
    assert "hr" in catalog.schemas
    assert own(catalog)[0].columns[0].type_oid == 23


def test_functions() -> None:
    catalog = catalog_from_ddl(
        "CREATE TABLE t (a int, b text);"
        "CREATE FUNCTION f(x int, y text DEFAULT '') RETURNS SETOF t LANGUAGE sql AS '';"
        "CREATE FUNCTION g(x int) RETURNS TABLE (p int, q text) LANGUAGE sql AS '';"
        "CREATE PROCEDURE h(INOUT x int) LANGUAGE sql AS '';"
        "CREATE FUNCTION k() RETURNS trigger LANGUAGE plpgsql AS '';"
        "CREATE TRIGGER k BEFORE INSERT ON t EXECUTE FUNCTION k()"
    )
    (f,), (g,), (h,) = (catalog.functions_by_name[name] for name in "fgh")
    assert (f.argument_types, f.result, f.result_columns, f.returns_set) == (
        ("integer", "text"),
        "public.t",
        ("a", "b"),
        True,
    )
    assert (g.result_columns, h.kind, h.argument_types) == (("p", "q"), "p", ("integer",))
    assert own(catalog)[0].triggers


def test_the_same_text_gives_the_same_version() -> None:
    a, b, c = (catalog_from_ddl(f"CREATE TABLE t ({name} int)").version for name in "aab")
    assert a == b != c


@pytest.mark.parametrize(
    ("sql", "line", "word"),
    [
        ("CREATE TABLE t (a int);\n\nDROP TABLE t", 3, "Drop"),
        ("CREATE TABLE t (a int);\nCREATE TABLE u (b nothing)", 2, "nothing"),
        ("CREATE TABLE t (a int);\nCREATE TABLE t (a int)", 2, "twice"),
        ("\nCREATE TABLE hr.t (a int)", 2, "hr"),
        ("CREATE VIEW v AS SELECT a FROM t", 1, '"public.t"|"t"'),
        ("CREATE TABLE t (a int);\nCREATE VIEW v AS SELECT b FROM t", 2, "b"),
        ("CREATE TABLE t (a int);\nALTER TABLE t RENAME TO u", 2, "Rename"),
        ("CREATE TABLE u (a int) INHERITS (t)", 1, "public.t"),
        ("CREATE TABLE t (a int);\nCREATE TABLE t t", 2, "syntax"),
    ],
)
def test_errors_name_the_line(sql: str, line: int, word: str) -> None:
    with pytest.raises(DdlError, match=word) as caught:
        catalog_from_ddl(sql)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"line {line}: ")


@pytest.mark.parametrize(
    ("ddl", "expected"),
    [
        ("CREATE TABLE t (a text, b text, g text GENERATED ALWAYS AS (a || t.b) STORED)", {"g": ("a", "b")}),
        ("CREATE TABLE t (a int, g int GENERATED ALWAYS AS (abs(a) + a) STORED, d int DEFAULT 3)", {"g": ("a",)}),
        ("CREATE TABLE t (a int, i int GENERATED ALWAYS AS IDENTITY)", {}),
        ("CREATE TABLE t (a int); ALTER TABLE t ADD g int GENERATED ALWAYS AS (a * 2) STORED", {"g": ("a",)}),
        ("CREATE TABLE p (x int, a int, g int GENERATED ALWAYS AS (a) STORED); CREATE TABLE t () INHERITS (p)",
         {"g": ("a",)}),
        ("CREATE TABLE p (a int, g int GENERATED ALWAYS AS (a) STORED); CREATE TABLE t (z int, LIKE p INCLUDING ALL)",
         {"g": ("a",)}),
        ("CREATE TABLE p (a int, g int GENERATED ALWAYS AS (a) STORED); CREATE TABLE t (LIKE p)", {}),
    ],
)  # fmt: skip
def test_generated_columns_know_what_they_are_computed_from(ddl: str, expected: dict[str, tuple[str, ...]]) -> None:
    found = catalog_from_ddl(ddl).generated
    assert {column: sources for (_, table, column), sources in found.items() if table == "t"} == expected
