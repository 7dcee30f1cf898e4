from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.cache import LONGEST_ADMITTED, Cache
from rules.catalog import Catalog
from rules.decision import Decision, Mask, MaskKind, Verdict
from rules.policy import FrontEnd, Policy, PolicyContext, postgres_front_end
from rules.postgres.ddl import catalog_from_ddl
from rules.tree import Statement, Unparsable
from tests.rules.worlds import book

DDL = """
CREATE SCHEMA hr;
CREATE TABLE customers (id serial PRIMARY KEY, name text, email text, ssn text, profile jsonb);
CREATE TABLE orders (id int, customer_id int, total numeric) PARTITION BY RANGE (id);
CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (10);
CREATE TABLE hr.people (id int, salary numeric);
CREATE TABLE api_keys (id int, secret text);
CREATE VIEW contacts AS SELECT id, email AS address, upper(ssn) AS number, name FROM customers;
CREATE FUNCTION order_total(int) RETURNS numeric LANGUAGE sql AS 'SELECT 1.0';
"""
RULES = """
rules:
  - {id: reads, roles: [agent], allow: {statements: [select], tables: ["*"], functions: [order_total]}}
  - {id: keys, roles: [agent], deny: {tables: [api_keys]}}
  - {id: salary, roles: [agent], deny: {columns: [people.salary]}}
  - {id: mail, roles: [agent], mask: {columns: [customers.email], with: {keep_last: 4}}}
  - {id: ssn, roles: [agent], mask: {columns: ["*.ssn"], with: redact}}
  - {id: totals, roles: [agent], mask: {columns: [orders_1.total], with: "null"}}
  - {id: all, roles: [dba], allow: {statements: ["*"], tables: ["*"], functions: ["*"]}}
"""
CATALOG = catalog_from_ddl(DDL)


def context(rules: str = RULES, role: str = "agent", front_end: FrontEnd | None = None) -> PolicyContext:
    return Policy(book(rules), CATALOG, b"key", front_end).context(role, "shop", "bot", ("public",))


def oid(name: str, schema: str = "public") -> int:
    return CATALOG.by_name[schema, name].oid


def rule_of(decision: Decision) -> str:
    assert decision.refusal is not None
    return decision.refusal.rule


class TestDecide:
    def test_one_decision_for_each_statement(self) -> None:
        one, two, three = context().decide(b"SELECT 1; SELECT email FROM customers; SELECT * FROM api_keys")
        assert one.verdict is two.verdict is Verdict.ALLOW
        assert two.masks == (Mask(MaskKind.KEEP_LAST, 4, "mail"),)
        assert rule_of(three) == "keys"
        text = b"SELECT 1; SELECT email FROM customers; SELECT * FROM api_keys"
        assert text[two.start : two.end] == b"SELECT email FROM customers"

    @pytest.mark.parametrize("text", [b"", b"  ", b";", b"-- nothing"])
    def test_an_empty_text_has_none(self, text: bytes) -> None:
        assert context().decide(text) == ()

    @pytest.mark.parametrize("text", [b"DECLARE c CURSOR FOR ", b"PREPARE p AS "])
    def test_what_is_carried_has_its_masks(self, text: bytes) -> None:
        (decision,) = context().decide(text + b"SELECT upper(ssn), id, email FROM customers")
        assert decision.masks == (Mask(MaskKind.REDACT, 0, "ssn"), None, Mask(MaskKind.KEEP_LAST, 4, "mail"))
        assert decision.width == 3
        assert decision.defines is not None

    @pytest.mark.parametrize(
        ("text", "rule", "sqlstate"),
        [
            (b"SELECT FROM FROM", "dbgate:syntax", "42601"),
            (b"SELECT '\xff'", "dbgate:encoding", "22021"),
            (b"SELECT 1 -- " + b"x" * (1 << 20), "dbgate:length", "54000"),
            (b"SELECT 1;" * 1001, "dbgate:length", "54000"),
            (b"SELECT * FROM nowhere", "dbgate:unknown-relation", "42P01"),
            (b"DROP TABLE customers", "dbgate:default", "42501"),
        ],
    )
    def test_texts_that_are_refused(self, text: bytes, rule: str, sqlstate: str) -> None:
        (decision,) = context().decide(text)
        assert rule_of(decision) == rule
        assert decision.refusal is not None
        assert decision.refusal.sqlstate == sqlstate

    def test_deep_nesting_is_refused_or_understood_but_never_raises(self) -> None:
        (decision,) = context().decide(b"SELECT " + b"(" * 20000 + b"1" + b")" * 20000)
        assert decision.verdict is Verdict.REFUSE

    @pytest.mark.parametrize("fault", [RecursionError, MemoryError, ValueError, KeyError, AssertionError])
    def test_whatever_a_parser_raises_is_a_refusal(self, fault: type[Exception]) -> None:
        def read(text: str) -> tuple[Statement, ...] | Unparsable:
            raise fault("boom")

        broken = context(front_end=replace(postgres_front_end(), read=read))
        for count in (1, 2):
            (decision,) = broken.decide(b"SELECT 1")
            assert rule_of(decision) == "dbgate:internal"
            assert broken.failures == count
            assert isinstance(broken.last_failure, fault)
            assert "boom" not in decision.refusal.detail  # type: ignore[union-attr]

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=60) | st.text(max_size=60).map(lambda s: s.encode("utf-8", "surrogatepass")))
    def test_any_bytes_give_decisions(self, text: bytes) -> None:
        asked = context()
        assert all(d.verdict in Verdict for d in asked.decide(text))
        assert asked.failures == 0


class TestCache:
    def counting(self) -> tuple[PolicyContext, Callable[[], int]]:
        asked: list[str] = []
        real = postgres_front_end()

        def read(text: str) -> tuple[Statement, ...] | Unparsable:
            asked.append(text)
            return real.read(text)

        return context(front_end=replace(real, read=read)), lambda: len(asked)

    def test_a_text_is_read_once(self) -> None:
        asked, count = self.counting()
        first = asked.decide(b"SELECT 1")
        assert asked.decide(b"SELECT 1") is first
        assert count() == 1
        asked.decide(b"SELECT  1")
        assert count() == 2

    def test_refusals_are_kept_too(self) -> None:
        asked, count = self.counting()
        assert asked.decide(b"SELEC") is asked.decide(b"SELEC")
        assert count() == 1

    def test_long_texts_are_not_admitted(self) -> None:
        asked, count = self.counting()
        for _ in range(2):
            asked.decide(b"SELECT 1 -- " + b"x" * LONGEST_ADMITTED)
        assert count() == 2

    def test_what_is_asked_for_survives(self) -> None:
        policy = Policy(book(RULES), CATALOG, b"key")
        asked = PolicyContext(policy, policy.view("agent"), "d", "u", ("public",), Cache(most_entries=2))
        kept = asked.decide(b"SELECT 1")
        for number in range(2, 20):
            asked.decide(b"SELECT %d" % number)
            assert asked.decide(b"SELECT 1") is kept

    def test_contexts_are_shared(self) -> None:
        policy = Policy(book(RULES), CATALOG, b"key")
        one = policy.context("agent", "d", "u", ("public",))
        assert policy.context("agent", "d", "u", ("public",)) is one
        assert policy.context("agent", "d", "u", ("hr", "public")) is not one


class TestWitness:
    def test_a_masked_column(self) -> None:
        assert context().origin_mask(oid("customers"), 3) == Mask(MaskKind.KEEP_LAST, 4, "mail")
        assert context().origin_mask(oid("customers"), 1) is None

    def test_a_view_column_by_what_is_behind_it(self) -> None:
        assert context().origin_mask(oid("contacts"), 2) == Mask(MaskKind.KEEP_LAST, 4, "mail")
        assert context().origin_mask(oid("contacts"), 3) == Mask(MaskKind.REDACT, 0, "ssn")
        assert context().origin_mask(oid("contacts"), 4) is None

    def test_a_parents_rows_include_its_partitions(self) -> None:
        assert context().origin_mask(oid("orders"), 3) == Mask(MaskKind.NULL, 0, "totals")

    def test_no_origin_and_unknown_origins(self) -> None:
        asked = context()
        assert asked.origin_mask(0, 0) is None
        assert asked.origin_mask(1259, 2) is None  # pg_class
        assert asked.origin_mask(999_999, 1) == Mask(MaskKind.REDACT, rule="dbgate:unknown-origin")
        assert asked.origin_mask(oid("customers"), 99) == Mask(MaskKind.REDACT, rule="dbgate:unknown-origin")
        assert asked.origin_mask(oid("customers"), -1) is None
        assert context(role="dba").origin_mask(999_999, 1) is None

    def test_denied_origins(self) -> None:
        asked = context()
        assert asked.origin_denied(oid("api_keys"), 2) == "keys"
        assert asked.origin_denied(oid("people", "hr"), 2) == "salary"
        assert asked.origin_denied(oid("people", "hr"), 1) is None
        assert asked.origin_denied(oid("customers"), 1) is None
        assert asked.origin_denied(0, 0) is None
        assert context(role="dba").origin_denied(oid("api_keys"), 2) is None

    def test_origins_that_no_rule_allows(self) -> None:
        asked = context("rules: [{id: a, allow: {statements: [insert], tables: [customers]}}]")
        assert asked.origin_denied(oid("customers"), 1) is None
        assert asked.origin_denied(oid("people", "hr"), 1) == "dbgate:default"
        assert asked.origin_denied(999_999, 1) is None


def test_roles_at_a_glance() -> None:
    agent, dba = context(), context(role="dba")
    assert agent.names_matter
    assert agent.has_masks
    assert not dba.names_matter
    assert not dba.has_masks
    assert agent.digest == agent.policy.digest
    assert agent.role == "agent"
    assert isinstance(agent.catalog, Catalog)


def test_a_hash_mask_needs_a_key() -> None:
    rules = book("rules: [{id: h, mask: {columns: [customers.email], with: hash}}]")
    with pytest.raises(ValueError, match="rule h needs a mask key"):
        Policy(rules, CATALOG, None)
    assert Policy(rules, CATALOG, b"k").mask_key == b"k"
