"""COPY ... TO STDOUT of masked columns: what is refused, and what the session is told."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.postgres.copy_text import TextOptions, TextRows
from protocols.postgres.rows import Constant
from rules import lineage
from rules.catalog import Type
from rules.copy_format import CopyFormat, CopyOut
from rules.copying import null_hides_values
from rules.decide import decide
from rules.decision import Decision, Mask, MaskKind, Verdict
from rules.facts import Facts
from rules.postgres import read
from rules.roles import RoleView
from rules.tree import Unparsable
from tests.rules.worlds import CATALOG, book, output, readable, relation, table

BUILT_IN = tuple(
    Type(oid, "pg_catalog", name, "b", category)
    for oid, name, category in ((25, "text", "S"), (1043, "varchar", "S"), (23, "int4", "N"), (17, "bytea", "U"))
)
VIEW = relation(20005, "public", "contacts", "id integer, address text", kind="v")
WORLD = replace(
    CATALOG,
    types=(*CATALOG.types, *BUILT_IN),
    relations=tuple(
        replace(r, definition="SELECT id, email FROM public.customers") if r.name == "contacts" else r
        for r in CATALOG.relations
    ),
)
RULES = """
rules:
  - id: reads
    allow: {statements: [select, copy_out, insert], tables: ["*"]}
  - id: mail
    mask: {columns: [customers.email, customers.name, people.mail], with: {keep_last: 4}}
  - id: ssn
    mask: {columns: [customers.ssn, customers.id, people.mood], with: redact}
  - id: gone
    mask: {columns: [customers.profile], with: "null"}
"""
VIEW_OF_ROLE = RoleView(book(RULES), "agent", WORLD, readable)
KEEP, REDACT = Mask(MaskKind.KEEP_LAST, 4, rule="mail"), Mask(MaskKind.REDACT, rule="ssn")


def facts_of(sql: str) -> Facts:
    found = read(sql)
    assert not isinstance(found, Unparsable), found
    return lineage.facts(found[0], WORLD, ("public",))


def decided(sql: str) -> Decision:
    return decide(facts_of(sql), VIEW_OF_ROLE)


def allowed(sql: str) -> CopyOut:
    decision = decided(sql)
    assert decision.verdict is Verdict.ALLOW, decision.refusal
    assert decision.copy is not None
    assert decision.masks is not None
    assert decision.width == len(decision.masks) == len(decision.copy.types)
    return decision.copy


def refused(sql: str) -> tuple[str, str]:
    refusal = decided(sql).refusal
    assert refusal is not None
    assert refusal.rule == "dbgate:copy"
    return refusal.detail, refusal.hint


def test_a_table_is_masked_column_by_column() -> None:
    decision = decided("COPY customers TO STDOUT")
    assert decision.masks == (REDACT, KEEP, KEEP, REDACT, Mask(MaskKind.NULL, rule="gone"))
    assert decision.copy == CopyOut(CopyFormat(relation=("customers",)), (23, 25, 25, 25, 3802))
    assert decision.rules == ("reads", "gone", "mail", "ssn")


def test_listed_columns_come_in_the_order_of_the_list() -> None:
    decision = decided("COPY customers (email, id) TO STDOUT (FORMAT csv, FORCE_QUOTE (id))")
    assert decision.masks == (KEEP, REDACT)
    written = CopyFormat("csv", ",", "", force_quote=("id",), relation=("customers",), columns=("email", "id"))
    assert decision.copy == CopyOut(written, (25, 23), (1,))


def test_generated_columns_are_left_out_of_a_table_but_not_of_a_query() -> None:
    columns = tuple(replace(c, generated=c.name == "ssn") for c in WORLD.relations[0].columns)
    world = replace(WORLD, relations=(replace(WORLD.relations[0], columns=columns), *WORLD.relations[1:]))
    for sql, width in (("COPY customers TO STDOUT", 4), ("COPY (SELECT * FROM customers) TO STDOUT", 5)):
        found = read(sql)
        assert not isinstance(found, Unparsable)
        outputs = lineage.facts(found[0], world, ("public",)).outputs
        assert outputs is not None
        assert len(outputs) == width


@pytest.mark.parametrize(
    ("query", "types"),
    [
        ("SELECT email AS e, 1 FROM customers", (25, 0)),
        ("SELECT address FROM contacts", (25,)),
        ("SELECT upper(email), email FROM customers", (0, 25)),
        ("SELECT email FROM customers UNION SELECT ssn FROM customers", (25,)),
        ("SELECT id FROM customers UNION ALL SELECT email FROM customers", (0,)),
        ("SELECT mail, mood FROM hr.people", (25, 90001)),
        ("SELECT customers FROM customers", (0,)),
        ("INSERT INTO customers (id) VALUES (1) RETURNING email, id", (25, 23)),
    ],
)
def test_types_of_what_is_masked_are_known_or_zero(query: str, types: tuple[int, ...]) -> None:
    found = facts_of(f"COPY ({query}) TO STDOUT")
    decision = decide(found, VIEW_OF_ROLE)
    if "UNION" in query and "ALL" not in query:
        assert decision.refusal is not None  # comparing masked values
        decision = decide(replace(found, uses=frozenset()), VIEW_OF_ROLE)
    assert decision.copy is not None
    assert decision.copy.types == types


def test_where_nothing_is_masked_the_server_can_still_be_asked() -> None:
    decision = decided("COPY orders TO STDOUT (ENCODING 'LATIN1')")
    assert decision.verdict is Verdict.ALLOW
    assert (decision.masks, decision.width) == (None, 4)
    assert decision.copy is not None
    assert decision.copy.types == (0, 0, 0, 0)
    free = RoleView(book("rules: [{id: all, allow: {statements: ['*']}}]"), "agent", WORLD, readable)
    assert decide(facts_of("COPY customers TO STDOUT"), free).copy is None


def test_force_quote_takes_the_first_of_two_columns_of_a_name() -> None:
    sql = "COPY (SELECT email AS x, name AS x, ssn FROM customers) TO STDOUT (FORMAT csv, FORCE_QUOTE {})"
    assert allowed(sql.format("(x)")).force_quote == (0,)
    assert allowed(sql.format("*")).force_quote == (0, 1, 2)


# ---------------------------------------------------------------- refusals


def test_options_that_the_gate_does_not_know() -> None:
    detail, hint = refused("COPY customers (email) TO STDOUT (ENCODING 'LATIN1')")
    assert detail == ('rule "mail" masks public.customers.email, and the gate cannot mask COPY with ENCODING LATIN1')
    assert hint.startswith("use FORMAT text, csv or binary in UTF8")
    assert hint.endswith("or COPY without public.customers.email")


def test_each_rule_is_named_with_the_columns_that_it_masks() -> None:
    detail, _ = refused("COPY customers (email, name, ssn) TO STDOUT (ENCODING 'LATIN1')")
    assert detail.startswith(
        'rule "mail" masks public.customers.email and public.customers.name, '
        'rule "ssn" masks public.customers.ssn, and the gate cannot'
    )


@pytest.mark.parametrize("column", ["email", "ssn", "id"])
@pytest.mark.parametrize("null", ["n/a", "900-11-1234", "\\\\", "\\n"])
def test_a_null_string_that_a_value_can_look_like(column: str, null: str) -> None:
    detail, hint = refused(f"COPY customers ({column}) TO STDOUT (NULL '{null}')")
    assert "which a value can be written as too" in detail
    assert "use FORMAT csv" in hint


def test_an_empty_null_string_where_no_empty_value_shows() -> None:
    allowed("COPY customers (email, id, profile) TO STDOUT (NULL '')")  # keep_last leaves '' as it is; no integer is ''
    refused("COPY customers (ssn) TO STDOUT (NULL '')")
    allowed("COPY customers (profile) TO STDOUT (NULL 'none')")  # all NULL
    refused("COPY (SELECT upper(ssn) FROM customers) TO STDOUT (NULL 'none')")
    allowed("COPY customers TO STDOUT (FORMAT csv, NULL 'none')")  # a value like it is quoted


def test_columns_that_are_not_certain() -> None:
    unknown = Facts("copy_out", "COPY TO", frozenset({table("customers")}), copy=CopyFormat())
    refusal = decide(unknown, VIEW_OF_ROLE).refusal
    assert refusal is not None
    assert refusal.rule == "dbgate:copy"
    missing = replace(unknown, missing=(("nowhere",),))
    decision = decide(missing, VIEW_OF_ROLE)
    assert decision.missing == (("nowhere",),)


def test_a_statement_without_a_format_is_refused() -> None:
    bare = Facts("copy_out", "COPY TO", frozenset({table("customers")}), outputs=(output("e", "customers.email"),))
    refusal = decide(bare, VIEW_OF_ROLE).refusal
    assert refusal is not None
    assert refusal.rule == "dbgate:copy"


@given(st.text(alphabet="\\Nnx|;a\t\b\x01 ", max_size=4), st.sampled_from("|;\t"))
def test_the_null_strings_that_hide_values_are_those_that_some_value_is_written_as(null: str, delimiter: str) -> None:
    """Reading the null string as a value and writing that value gives it again, or no value does."""
    seen: list[bytes] = []

    def note(cell: bytes) -> bytes:
        seen.append(cell)
        return cell

    rows = TextRows(1, {0: note}, TextOptions(delimiter.encode(), b"\xff"))
    if "\t" in null or delimiter in re.sub(r"\\.", "", null):
        return
    made = rows.rows(null.encode() + b"\n")[0]
    again = TextRows(1, {0: Constant(seen[0])}, TextOptions(delimiter.encode(), b"\xff")).rows(b"x\n")[0]
    assert made == again
    assert null_hides_values(CopyFormat(delimiter=delimiter, null=null)) == (again == null.encode() + b"\n")
