"""Plans against the server's word: what both witnesses make of column definitions.

The definitions are those that MySQL 9.7 and MariaDB 10.11 send for the statements beside them; the live tests ask the
servers again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbgate.session.mysql.masking import PASS, Mismatch, RowPlan, ShapeError, origin_of, row_plan
from protocols.mysql.charsets import LATIN1
from protocols.mysql.fieldtypes import FieldFlag, FieldType
from protocols.mysql.packets import encode
from protocols.mysql.replies import ColumnDefinition
from protocols.mysql.wire import lenenc_bytes
from rules.catalog import Catalog, Column, Relation
from rules.decision import Decision, Mask, MaskKind, Verdict
from rules.policy import FrontEnd, Policy, PolicyContext
from rules.tree import Statement
from tests.rules.worlds import book

RULES = """
rules:
  - id: reads
    allow: {statements: [select, show, call], tables: [customers, orders, vm, vt, items]}
  - id: no-keys
    deny: {tables: [api_keys]}
  - id: mails
    mask: {columns: [customers.email, vm.mail, items.doc], with: redact}
  - id: names
    mask: {columns: ["customers.Näme"], with: null}
"""
CATALOG = Catalog(
    "1",
    (
        Relation(20001, "shop", "customers", "r", (Column("id", 1, "int"), Column("email", 2, "varchar"),
                                                   Column("näme", 3, "varchar"))),
        Relation(20002, "shop", "orders", "r", (Column("id", 1, "int"), Column("note", 2, "text"))),
        Relation(20003, "shop", "api_keys", "r", (Column("id", 1, "int"),)),
        Relation(20004, "shop", "items", "r", (Column("doc", 1, "json"),)),
        Relation(20005, "shop", "vm", "r", (Column("mail", 1, "varchar"),)),
    ),
    schemas=frozenset({"shop"}),
    dialect="mysql",
    default_schema="shop",
    lower_case_table_names=0,
)  # fmt: skip
MASK = Mask(MaskKind.REDACT, rule="mails")


def _no_statements(text: str) -> tuple[Statement, ...]:
    raise AssertionError("nothing is read here")


def context(catalog: Catalog = CATALOG) -> PolicyContext:
    reader = FrontEnd(_no_statements, None, lambda schema, name: False, None, None)  # type: ignore[arg-type]
    return Policy(book(RULES), catalog, b"key", reader).context("agent", "shop", "u", ("shop",))


CONTEXT = context()


def column(
    schema: str, org_table: str, org_name: str, name: str = "c", kind: int = FieldType.VAR_STRING
) -> ColumnDefinition:
    origin = (schema.encode(), b"alias", org_table.encode())
    return ColumnDefinition(*origin, name.encode(), org_name.encode(), 45, 80, kind, 0, 0)


def decided(*masks: Mask | None, kind: str = "select", width: int | None = -1) -> Decision:
    shown = masks if any(masks) else None
    return Decision(Verdict.ALLOW, kind, masks=shown, width=len(masks) if width == -1 else width)


def plan(columns: list[ColumnDefinition], decision: Decision, context: PolicyContext = CONTEXT) -> RowPlan:
    return row_plan(columns, decision, context, False)


def rewritten(made: RowPlan, *cells: bytes) -> bytes:
    assert made.rewriter is not None
    packet = encode(b"".join(map(lenenc_bytes, cells)), 3)
    return made.rewriter(packet, 0, len(packet), 3, 0).data[4:]


ID, EMAIL = column("shop", "customers", "id"), column("shop", "customers", "Email", "e")


def test_rows_without_masks_are_never_looked_at() -> None:
    assert plan([ID, column("", "", "", "upper(x)")], decided(None, None)) is PASS


def test_planned_columns_are_masked() -> None:
    made = plan([ID, EMAIL], decided(None, MASK))
    assert made.mismatches == ()
    assert rewritten(made, b"1", b"ada@example.org") == b"\x011\x0a[redacted]"


def test_a_masked_origin_that_the_plan_left_open_is_masked_and_reported() -> None:
    made = plan([ID, EMAIL], decided(None, None))
    assert made.mismatches == (Mismatch("e", "shop.customers.Email"),)
    assert b"ada" not in rewritten(made, b"1", b"ada@example.org")


@pytest.mark.parametrize("kind", ["select", "call"])
def test_a_procedures_rows_have_the_server_as_their_only_witness(kind: str) -> None:
    made = plan([ID, EMAIL], decided(kind=kind, width=None))
    assert made.mismatches == (Mismatch("e", "shop.customers.Email"),)
    unknown = plan([column("shop", "new_table", "x")], decided(kind="call", width=None))
    assert unknown.rewriter is not None


def test_columns_that_the_catalog_does_not_know_are_the_plans() -> None:
    """A derived table on MySQL and on MariaDB, a temporary table."""
    for origin in (("shop", "customers", "e"), ("shop", "d", "e"), ("shop", "tmp1", "email")):
        assert plan([column(*origin)], decided(None)) is PASS
        assert plan([column(*origin)], decided(MASK)).mismatches == ()


@pytest.mark.parametrize(
    "silent", [("", "", ""), ("", "vt", "mail"), ("*any*", "customers", "email"), ("shop", "", "x"), ("shop", "t", "")]
)
def test_where_the_server_says_nothing_the_plan_decides_alone(silent: tuple[str, str, str]) -> None:
    assert origin_of(column(*silent)) is None
    assert plan([column(*silent)], decided(None)) is PASS
    assert plan([column(*silent)], decided(MASK)).rewriter is not None


def test_a_forbidden_origin_aborts() -> None:
    with pytest.raises(ShapeError, match=r'column "c" comes from .* rule "no-keys" denies'):
        plan([column("shop", "api_keys", "id")], decided(None))


def test_what_show_reads_inside_is_not_the_clients_reading() -> None:
    variables = column("performance_schema", "session_variables", "Value")
    names = column("information_schema", "tbl", "Tables_in_shop")
    assert plan([variables, names], decided(kind="show", width=None)) is PASS


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_columns_aborts(count: int) -> None:
    with pytest.raises(ShapeError, match=f"returns {count} columns where 2 were decided"):
        plan([ID] * count, decided(None, None))


@pytest.mark.parametrize("kind", ["insert", "update", "create", "unknown", "session"])
def test_rows_that_nobody_decided_abort(kind: str) -> None:
    with pytest.raises(ShapeError, match="returns rows for a statement that has none"):
        plan([ID], decided(kind=kind, width=None))


def test_names_are_read_in_the_sessions_charset() -> None:
    named = replace(ID, org_name="Näme".encode("cp1252"), name="Näme".encode("cp1252"))
    made = row_plan([named], decided(None), CONTEXT, False, LATIN1)
    assert made.mismatches == (Mismatch("Näme", "shop.customers.Näme"),)
    assert rewritten(made, b"x") == b"\xfb"


def test_tables_go_by_the_servers_case() -> None:
    upper = column("SHOP", "CUSTOMERS", "EMAIL")
    assert plan([upper], decided(None)) is PASS
    assert plan([upper], decided(None), context(replace(CATALOG, lower_case_table_names=1))).rewriter is not None


def test_the_definitions_that_masked_values_need() -> None:
    key = replace(EMAIL, flags=FieldFlag.NOT_NULL, length=20)
    made = plan([ID, key], decided(None, Mask(MaskKind.NULL)))
    assert made.definitions == {1: replace(key, flags=0)}
    assert plan([ID, EMAIL], decided(None, Mask(MaskKind.KEEP_LAST, 4))).definitions == {}


def test_json_of_mariadb_stays_json_where_the_catalog_or_the_server_tells() -> None:
    document = column("shop", "items", "doc", kind=FieldType.BLOB)
    assert rewritten(plan([document], decided(MASK)), b"{}") == b'\x0c"[redacted]"'
    computed = column("", "", "", kind=FieldType.BLOB)
    assert rewritten(plan([computed], decided(MASK)), b"{}") == b"\x0a[redacted]"
    told = replace(computed, extended=b"\1\4json")
    assert rewritten(plan([told], decided(MASK)), b"{}") == b'\x0c"[redacted]"'


def test_a_type_that_no_row_has_aborts_masked_binary_rows() -> None:
    with pytest.raises(ShapeError, match="cannot be read"):
        row_plan([EMAIL, column("", "", "", kind=FieldType.INVALID)], decided(MASK, None), CONTEXT, True)
