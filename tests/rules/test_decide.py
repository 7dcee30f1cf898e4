from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.book import Rulebook, load
from rules.decide import calls_user, decide
from rules.decision import Decision, Mask, MaskKind, Verdict
from rules.facts import ColumnId, Facts, FunctionRisk, OutputColumn, TableUse, Use, problem_facts
from rules.roles import STRENGTH, RoleView
from rules.tree import Access, Carrier, CarrierKind, Setting, Unparsable
from tests.rules.worlds import CATALOG, book, column, function, output, readable, role, select, table, use

READS = """
rules:
  - {id: reads, roles: [agent], allow: {statements: [select], tables: ["public.*"], functions: [order_total]}}
"""
ALL = 'rules: [{id: all, allow: {statements: ["*"], tables: ["*"], functions: ["*"]}}]'
MASKED = (
    READS
    + """
  - {id: mail, mask: {columns: [customers.email], with: {keep_last: 4}, predicates: equality}}
  - {id: ssn, mask: {columns: ["*.ssn"], with: redact}, message: secret, instead: use the id}
  - {id: name, mask: {columns: [customers.name], with: email, predicates: any}}
"""
)


def allowed(decision: Decision) -> bool:
    assert (decision.refusal is None) == (decision.verdict is Verdict.ALLOW)
    return decision.verdict is Verdict.ALLOW


def refusing(decision: Decision) -> str:
    assert decision.refusal is not None
    return decision.refusal.rule


def facts(kind: str, *tables: object, detail: str = "", **more: object) -> Facts:
    made = Facts(kind, detail or kind.upper(), frozenset(tables))  # type: ignore[arg-type]
    return replace(made, **more)  # type: ignore[arg-type]


class TestAllow:
    def test_what_a_rule_allows(self) -> None:
        decision = decide(select("customers"), role(READS))
        assert allowed(decision)
        assert decision.rules == ("reads",)
        assert decision.tables == ("public.customers",)
        assert decision.masks is None
        assert decision.width == 0
        assert not decision.hides

    def test_nothing_matches_is_refused_and_says_what_is_allowed(self) -> None:
        refusal = decide(select("hr.people"), role(READS)).refusal
        assert refusal is not None
        assert refusal.rule == "dbgate:default"
        assert 'SELECT on hr.people for role "agent"' in refusal.detail
        assert "public.*" in refusal.hint
        assert refusal.sqlstate == "42501"

    @pytest.mark.parametrize(
        ("kind", "risk", "calls"),
        [
            ("select", FunctionRisk.USER, True),
            ("select", FunctionRisk.PURE, False),
            ("select", FunctionRisk.QUERY, True),
            ("call", FunctionRisk.PURE, True),
            ("do", FunctionRisk.PURE, True),
        ],
    )
    def test_whether_code_runs_that_nobody_has_read(self, kind: str, risk: FunctionRisk, calls: bool) -> None:
        used = frozenset({function("public.f", risk)})
        assert calls_user(facts(kind, table("customers"), functions=used), role(READS)) is calls

    def test_a_trigger_of_a_written_table_is_such_code(self) -> None:
        relations = tuple(replace(r, triggers=r.name == "orders") for r in CATALOG.relations)
        loaded = load({"rules.yaml": "version: 1\n" + ALL}).rulebook
        assert loaded is not None
        view = RoleView(loaded, "agent", replace(CATALOG, relations=relations), readable)
        assert calls_user(facts("insert", table("orders", Access.INSERT)), view)
        assert not calls_user(facts("insert", table("customers", Access.INSERT)), view)
        assert not calls_user(facts("select", table("orders")), view)

    def test_another_role_has_nothing(self) -> None:
        assert refusing(decide(select("customers"), role(READS, "other"))) == "dbgate:default"

    def test_each_table_use_is_a_statement_of_its_own(self) -> None:
        view = role(READS + "\n  - {id: w, allow: {statements: [insert], tables: [orders]}}")
        assert allowed(decide(facts("insert", table("orders", Access.INSERT), table("customers")), view))
        assert not allowed(decide(facts("insert", table("customers", Access.INSERT)), view))
        assert not allowed(decide(facts("insert", table("orders", Access.INSERT), table("hr.people")), view))
        assert not allowed(decide(facts("select", table("orders", Access.DELETE), table("orders")), view))

    def test_the_kind_must_be_allowed_as_well_as_the_tables(self) -> None:
        view = role("rules: [{id: a, allow: {statements: [select, insert]}}]")
        merge = facts("merge", table("orders", Access.INSERT), table("customers"))
        assert refusing(decide(merge, view)) == "dbgate:default"

    def test_tables_behind_a_view_need_no_rule(self) -> None:
        view = role("rules: [{id: a, allow: {statements: [select], tables: [contacts]}}]")
        read = facts("select", table("contacts"), table("customers", through="contacts"))
        assert allowed(decide(read, view))

    def test_the_baseline_needs_no_rule_but_can_be_denied(self) -> None:
        for kind in ("transaction", "session", "show", "cursor", "prepared"):
            decision = decide(facts(kind), role(READS, "other"))
            assert decision.rules == ("dbgate:baseline",)
        denied = role(READS + "\n  - {id: d, deny: {statements: [transaction]}}")
        assert refusing(decide(facts("transaction"), denied)) == "d"

    def test_pools_may_unlisten(self) -> None:
        assert allowed(decide(facts("listen", detail="UNLISTEN"), role(READS)))
        assert not allowed(decide(facts("listen", detail="LISTEN"), role(READS)))

    @pytest.mark.parametrize("kind", ["create", "drop", "grant", "maintenance", "admin", "do"])
    def test_structure_without_a_table_needs_a_rule_for_all_tables(self, kind: str) -> None:
        narrow = role('rules: [{id: a, allow: {statements: ["*"], tables: ["public.*"]}}]')
        assert refusing(decide(facts(kind), narrow)) == "dbgate:default"
        assert allowed(decide(facts(kind), role(ALL)))

    def test_unknown_is_never_allowed(self) -> None:
        assert refusing(decide(facts("unknown"), role(ALL))) == "dbgate:default"

    def test_copy_in_goes_by_its_own_word(self) -> None:
        view = role("rules: [{id: c, allow: {statements: [copy_in], tables: [orders]}}]")
        assert allowed(decide(facts("copy_in", table("orders", Access.INSERT)), view))
        assert not allowed(decide(facts("copy_in", table("customers", Access.INSERT)), view))
        inserts = role("rules: [{id: c, allow: {statements: [insert]}}]")
        assert not allowed(decide(facts("copy_in", table("orders", Access.INSERT)), inserts))

    def test_copy_out_needs_reading_too(self) -> None:
        copy = facts("copy_out", table("orders"))
        assert not allowed(decide(copy, role(READS)))
        assert not allowed(decide(copy, role("rules: [{id: c, allow: {statements: [copy_out]}}]")))
        assert allowed(decide(copy, role(READS + "\n  - {id: c, allow: {statements: [copy_out]}}")))

    def test_explain_of_what_may_be_read(self) -> None:
        assert allowed(decide(facts("explain", table("orders")), role(READS)))
        assert not allowed(decide(facts("explain", table("hr.people")), role(READS)))
        assert not allowed(decide(facts("explain", table("orders", Access.DELETE)), role(READS)))


class TestSystemCatalogs:
    def test_readable_ones_need_no_rule(self) -> None:
        decision = decide(select("pg_catalog.pg_class"), role(READS))
        assert "dbgate:system-catalog" in decision.rules

    @pytest.mark.parametrize(
        "rule", ["tables: ['*']", "tables: ['pg_catalog.*']", "tables: ['*.*']", "functions: ['*']"]
    )
    def test_others_are_not_reached_by_a_glob(self, rule: str) -> None:
        view = role(f"rules: [{{id: a, allow: {{statements: [select], {rule}}}}}]")
        assert refusing(decide(select("pg_catalog.pg_authid"), view)) == "dbgate:system-catalog"

    def test_others_are_reached_by_name(self) -> None:
        view = role("rules: [{id: a, allow: {statements: [select], tables: [pg_catalog.pg_authid]}}]")
        assert allowed(decide(select("pg_catalog.pg_authid"), view))

    def test_readable_does_not_mean_writable(self) -> None:
        writes = 'rules: [{id: a, allow: {statements: ["*"], tables: ["*"]}}, {id: d, deny: {tables: [x]}}]'
        assert not allowed(decide(facts("update", table("pg_catalog.pg_class", Access.UPDATE)), role(writes)))

    def test_all_of_them_are_open_to_a_role_that_may_do_everything(self) -> None:
        for access in (Access.SELECT, Access.UPDATE):
            assert allowed(decide(facts(access.value, table("pg_catalog.pg_authid", access)), role(ALL)))

    def test_a_view_does_not_open_one_to_a_restricted_role(self) -> None:
        through = TableUse(("pg_catalog", "pg_authid"), Access.SELECT, ("public", "contacts"))
        asked = facts("select", table("contacts"), through)
        reads = "{id: a, allow: {statements: [select]}}"
        assert allowed(decide(asked, role(f"rules: [{reads}]")))
        closed = f"rules: [{reads}, {{id: d, deny: {{tables: [x]}}}}]"
        assert refusing(decide(asked, role(closed))) == "dbgate:system-catalog"
        named = closed[:-1] + ", {id: n, allow: {statements: [select], tables: [pg_catalog.pg_authid]}}]"
        assert allowed(decide(asked, role(named)))


class TestFunctions:
    def call(self, name: str, risk: FunctionRisk, rules: str) -> bool:
        return allowed(decide(select(functions=(function(name, risk),)), role(rules)))

    def test_pure_ones_are_free(self) -> None:
        assert self.call("pg_catalog.lower", FunctionRisk.PURE, READS)

    def test_user_defined_ones_by_pattern(self) -> None:
        assert self.call("public.order_total", FunctionRisk.USER, READS)
        assert not self.call("billing.order_total", FunctionRisk.USER, READS)
        assert not self.call("public.other", FunctionRisk.USER, READS)
        assert self.call("billing.other", FunctionRisk.USER, ALL)

    @pytest.mark.parametrize("risk", [r for r in FunctionRisk if r not in (FunctionRisk.PURE, FunctionRisk.USER)])
    def test_risky_ones_by_exact_name_or_for_who_may_do_everything(self, risk: FunctionRisk) -> None:
        named = "rules: [{id: a, allow: {statements: [select], functions: [FUNCTION]}}]"
        unknown = risk is FunctionRisk.UNKNOWN
        assert self.call("pg_catalog.f", risk, ALL)
        assert self.call("pg_catalog.f", risk, named.replace("FUNCTION", "f")) is not unknown
        assert self.call("pg_catalog.f", risk, named.replace("FUNCTION", "pg_catalog.f")) is not unknown
        assert not self.call("pg_catalog.f", risk, named.replace("FUNCTION", '"pg_catalog.*"'))
        assert not self.call("pg_catalog.f", risk, named.replace("FUNCTION", '"*"'))
        assert not self.call("pg_catalog.f", risk, ALL[:-1] + ", {id: d, deny: {tables: [api_keys]}}]")

    def test_a_star_for_a_reader_lends_no_risky_function(self) -> None:
        reader = 'rules: [{id: a, allow: {statements: [select], tables: ["*"], functions: ["*"]}}]'
        assert not self.call("pg_catalog.query_to_xml", FunctionRisk.QUERY, reader)

    def test_the_reset_of_connection_pools_is_harmless(self) -> None:
        assert self.call("pg_catalog.pg_advisory_unlock_all", FunctionRisk.SESSION, MASKED)
        assert not self.call("pg_catalog.pg_advisory_lock", FunctionRisk.SESSION, MASKED)


class TestDeny:
    DENIES = (
        READS
        + """
  - {id: keys, deny: {tables: [api_keys, "hr.*"]}, message: credentials, instead: ask the platform team}
  - {id: where, deny: {statements: [update, delete], without: where}}
  - {id: salary, deny: {columns: [people.salary]}}
  - {id: no-orders-write, deny: {statements: [insert, update], tables: [orders]}}
  - {id: fn, deny: {functions: [order_total]}}
  - {id: writes, allow: {statements: [insert, update, delete, truncate, create]}}
"""
    )

    def test_a_refusal_teaches(self) -> None:
        refusal = decide(select("customers", "api_keys"), role(self.DENIES)).refusal
        assert refusal is not None
        assert refusal.message == "dbgate refused this statement"
        assert refusal.detail == 'rule "keys" (rules.yaml:6): table public.api_keys; credentials'
        assert refusal.hint == "ask the platform team"

    def test_a_refusal_does_not_tell_the_folders(self) -> None:
        loaded = load({"/etc/gate/a.yaml": "version: 1\nrules: [{id: d, deny: {tables: [api_keys]}}]"})
        assert loaded.rulebook is not None
        refusal = decide(select("api_keys"), RoleView(loaded.rulebook, "agent", CATALOG)).refusal
        assert refusal is not None
        assert refusal.detail == 'rule "d" (a.yaml:2): table public.api_keys'

    def test_tables_reached_through_a_view_count(self) -> None:
        read = facts("select", table("contacts"), table("api_keys", through="contacts"))
        assert refusing(decide(read, role(self.DENIES))) == "keys"

    def test_children_are_denied_with_their_parent(self) -> None:
        view = role(READS + "\n  - {id: d, deny: {tables: [orders]}}")
        assert refusing(decide(select("orders_2024"), view)) == "d"

    def test_an_unqualified_name_denies_in_every_schema(self) -> None:
        assert refusing(decide(select("billing.api_keys"), role(self.DENIES))) == "keys"

    def test_without_where(self) -> None:
        view = role(self.DENIES)
        blind = facts("delete", table("customers", Access.DELETE), has_where=False)
        decision = decide(blind, view)
        assert refusing(decision) == "where"
        assert decision.refusal is not None
        assert decision.refusal.hint == "add a WHERE clause"
        assert allowed(decide(replace(blind, has_where=True), view))

    def test_a_write_inside_a_with_is_a_write(self) -> None:
        hidden = facts("select", table("customers", Access.DELETE), has_where=False)
        assert refusing(decide(hidden, role(self.DENIES))) == "where"

    def test_columns_by_output_use_and_copy(self) -> None:
        view = role(self.DENIES + '  - {id: hr, allow: {statements: [select], tables: ["shop.*"]}}')
        salary = ColumnId("shop", "people", "salary")
        for touching in (
            replace(select("shop.people"), outputs=(OutputColumn("x", frozenset({salary})),)),
            select("shop.people", uses=(use("shop.people.salary", Use.ORDER),)),
            replace(select("shop.people"), copies=((None, frozenset({salary})),)),
        ):
            assert refusing(decide(touching, view)) == "salary"
        assert allowed(decide(select("shop.people"), view))

    def test_statements_and_tables_must_meet_in_one_use(self) -> None:
        view = role(self.DENIES)
        assert refusing(decide(facts("insert", table("orders", Access.INSERT)), view)) == "no-orders-write"
        assert allowed(decide(facts("insert", table("customers", Access.INSERT), table("orders")), view))

    def test_of_a_utility_every_use_counts(self) -> None:
        view = role(
            READS
            + "\n  - {id: c, allow: {statements: [create]}}"
            + "\n  - {id: d, deny: {statements: [create], tables: [customers]}}"
        )
        made = facts("create", table("copy", Access.CREATE), table("customers"), detail="CREATE TABLE AS")
        assert refusing(decide(made, view)) == "d"

    def test_functions(self) -> None:
        assert refusing(decide(select(functions=(function("public.order_total"),)), role(self.DENIES))) == "fn"


class TestMasks:
    def test_direct_columns_get_the_rules_mask_and_derived_ones_are_redacted(self) -> None:
        read = select(
            "customers",
            outputs=(
                output("id", "customers.id"),
                output("email", "customers.email"),
                output("x", "customers.email", direct=False),
                output("n"),
                output("y", "customers.id", "customers.ssn", direct=False),
            ),
        )
        decision = decide(read, role(MASKED))
        assert decision.masks == (
            None,
            Mask(MaskKind.KEEP_LAST, 4, "mail"),
            Mask(MaskKind.REDACT, 0, "mail"),
            None,
            Mask(MaskKind.REDACT, 0, "ssn"),
        )
        assert decision.masked_columns == ("public.customers.email", "public.customers.ssn")
        assert decision.rules == ("reads", "mail", "ssn")
        assert decision.hides
        assert decision.width == 5

    def test_the_strongest_mask_wins(self) -> None:
        view = role(MASKED + "  - {id: weak, mask: {columns: [customers.ssn], with: email}}\n"
                             "  - {id: k2, mask: {columns: [customers.email], with: {keep_last: 2}}}")  # fmt: skip
        read = select("customers", outputs=(output("a", "customers.ssn"), output("b", "customers.email")))
        assert decide(read, view).masks == (Mask(MaskKind.REDACT, 0, "ssn"), Mask(MaskKind.KEEP_LAST, 2, "k2"))

    def test_a_union_of_two_columns_gets_the_stronger_mask(self) -> None:
        read = select("customers", outputs=(output("a", "customers.name", "customers.ssn"),))
        assert decide(read, role(MASKED)).masks == (Mask(MaskKind.REDACT, 0, "ssn"),)

    def test_a_childs_column_is_masked_with_its_parents(self) -> None:
        view = role(READS + "\n  - {id: m, mask: {columns: [orders.total], with: 'null'}}")
        decision = decide(select("orders_2024", outputs=(output("t", "orders_2024.total"),)), view)
        assert decision.masks == (Mask(MaskKind.NULL, 0, "m"),)

    @pytest.mark.parametrize(
        ("name", "permitted"),
        [
            ("ssn", set()),
            ("email", {Use.EQUALITY, Use.JOIN, Use.GROUP}),
            ("name", {Use.EQUALITY, Use.JOIN, Use.GROUP, Use.FILTER, Use.ORDER, Use.COMPUTE}),
        ],
    )
    def test_uses_by_predicates(self, name: str, permitted: set[Use]) -> None:
        for how in (Use.FILTER, Use.EQUALITY, Use.JOIN, Use.GROUP, Use.ORDER, Use.COMPUTE, Use.COPY):
            decision = decide(select("customers", uses=(use(f"customers.{name}", how),)), role(MASKED))
            assert allowed(decision) is (how in permitted), how
        for how in (Use.PROJECT, Use.WRITE):
            assert allowed(decide(select("customers", uses=(use(f"customers.{name}", how),)), role(MASKED)))

    def test_of_several_masks_the_strictest_predicates_hold(self) -> None:
        view = role(MASKED + "  - {id: m2, mask: {columns: [customers.name], with: redact}}")
        decision = decide(select("customers", uses=(use("customers.name", Use.EQUALITY),)), view)
        assert refusing(decision) == "m2"

    def test_a_refused_use_says_what_to_do(self) -> None:
        refusal = decide(select("customers", uses=(use("customers.ssn", Use.ORDER),)), role(MASKED)).refusal
        assert refusal is not None
        assert refusal.detail == (
            'rule "ssn" (rules.yaml:7): column public.customers.ssn is masked and may not be sorted by; secret'
        )
        assert refusal.hint == "use the id"

    def test_copies_are_refused_even_into_the_column_itself(self) -> None:
        view = role(MASKED + "  - {id: w, allow: {statements: [update]}}")
        written = column("customers.email")
        copy = facts("update", table("customers", Access.UPDATE), copies=((written, frozenset({written})),))
        assert refusing(decide(copy, view)) == "mail"

    def test_explain_where_columns_are_hidden(self) -> None:
        explained = facts("explain", table("customers"))
        assert refusing(decide(explained, role(MASKED))) == "dbgate:explain"
        assert allowed(decide(facts("explain", table("orders")), role(MASKED)))
        denied = role(READS + "\n  - {id: d, deny: {columns: [customers.ssn]}}")
        assert refusing(decide(explained, denied)) == "dbgate:explain"

    @pytest.mark.parametrize(
        ("columns", "of", "executes", "refused"),
        [
            (("customers.id",), table("customers"), False, False),
            (("customers.id",), table("customers"), True, False),
            (("customers.id", "customers.email"), table("customers"), False, True),
            (("orders.total",), table("customers"), False, True),
            (("customers.id",), table("customers", through="contacts"), False, True),
            (("customers.id",), table("customers", Access.UPDATE), False, True),
            (("orders.total",), table("orders", Access.UPDATE), False, False),
            (("orders.total",), table("orders", Access.UPDATE), True, True),
        ],
    )
    def test_plans_of_open_columns_alone(
        self, columns: tuple[str, ...], of: TableUse, executes: bool, refused: bool
    ) -> None:
        view = role(MASKED + "  - {id: w, allow: {statements: [explain, update]}}")
        uses = frozenset(use(name, Use.PROJECT) for name in columns)
        decided = decide(facts("explain", of, uses=uses, executes=executes), view)
        assert allowed(decided) is not refused

    def test_explain_of_a_prepared_statement_that_may_read_what_is_hidden(self) -> None:
        prepared = facts("explain", runs=Carrier(CarrierKind.STATEMENT, "p"))
        assert refusing(decide(prepared, role(MASKED))) == "dbgate:prepared"
        assert allowed(decide(prepared, role(READS)))

    def test_copies_of_what_a_prepared_statement_returns(self) -> None:
        made = facts("create", table("new", Access.CREATE), runs=Carrier(CarrierKind.STATEMENT, "p"))
        wide = MASKED + '  - {id: w, allow: {statements: ["*"]}}'
        assert refusing(decide(made, role(wide))) == "dbgate:prepared"
        assert allowed(decide(facts("prepared", runs=Carrier(CarrierKind.STATEMENT, "p")), role(wide)))

    def test_hides(self) -> None:
        view = role(MASKED + "  - {id: w, allow: {statements: [insert]}}")
        assert decide(select("customers"), view).hides
        assert not decide(select("orders"), view).hides
        assert decide(select(functions=(function("public.order_total"),)), view).hides
        assert decide(facts("insert", table("orders", Access.INSERT)), view).hides
        assert not decide(facts("transaction"), view).hides
        assert not decide(select("customers", functions=(function("public.order_total"),)), role(READS)).hides

    def test_structure_that_hides_may_not_be_changed(self) -> None:
        view = role(MASKED + '  - {id: w, allow: {statements: ["*"]}}')
        assert refusing(decide(facts("alter", table("customers", Access.ALTER)), view)) == "dbgate:structure"
        assert allowed(decide(facts("alter", table("orders", Access.ALTER)), view))
        assert refusing(decide(facts("create", table("customers", Access.CREATE)), view)) == "dbgate:structure"
        again = facts("create", table("customers", Access.CREATE), detail="CREATE TABLE")
        assert (
            decide(again, view).refusal is None
        )  # the server refuses it, or leaves the table as it is (IF NOT EXISTS)
        assert allowed(decide(facts("create", table("orders", Access.CREATE)), view))
        assert allowed(decide(facts("create", table("brand_new", Access.CREATE)), view))
        assert refusing(decide(facts("alter", detail="ALTER SCHEMA RENAME"), view)) == "dbgate:structure"

    @pytest.mark.parametrize(
        "detail",
        ["CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", "CREATE TRIGGER", "CREATE CONSTRAINT TRIGGER", "ALTER RULE"],
    )
    def test_programs_are_for_unrestricted_roles(self, detail: str) -> None:
        restricted = role(MASKED + '  - {id: w, allow: {statements: ["*"]}}')
        made = facts(detail.split()[0].lower(), detail=detail)
        assert refusing(decide(made, restricted)) == "dbgate:structure"
        assert allowed(decide(made, role(ALL)))
        assert refusing(decide(facts("do"), restricted)) == "dbgate:structure"


class TestSettings:
    def set_(self, name: str, *value: str, rules: str = READS) -> Decision:
        return decide(facts("session", settings=(Setting(name, value or None),)), role(rules))

    def test_harmless_ones_are_for_everyone_and_tracked(self) -> None:
        decision = self.set_("DateStyle", "ISO", rules=MASKED)
        assert allowed(decision)
        assert decision.settings == (Setting("DateStyle", ("ISO",)),)

    def test_pinned_ones_for_nobody(self) -> None:
        assert refusing(self.set_("client_encoding", "latin1", rules=ALL)) == "dbgate:setting"
        assert allowed(self.set_("client_encoding", "utf-8", rules=MASKED))

    def test_showing_changes_nothing(self) -> None:
        decision = decide(facts("show", settings=(Setting("app.tenant", None),)), role(MASKED))
        assert allowed(decision)
        assert decision.settings == ()

    def test_others_for_unrestricted_roles(self) -> None:
        assert allowed(self.set_("app.tenant", "7", rules=ALL))
        assert refusing(self.set_("app.tenant", "7", rules=MASKED)) == "dbgate:setting"


class TestUnknown:
    def test_a_problem_is_refused_for_everyone(self) -> None:
        problem = Unparsable("syntax", "a word is missing", "write it")
        for rules in (ALL, READS):
            decision = decide(problem_facts(problem), role(rules))
            assert refusing(decision) == "dbgate:syntax"
            assert decision.refusal is not None
            assert decision.refusal.sqlstate == "42601"
            assert decision.refusal.hint == "write it"

    def test_missing_relations_ask_for_a_refresh_unless_all_is_allowed(self) -> None:
        unseen = facts("select", missing=(("foo",), ("hr", "bar")))
        decision = decide(unseen, role(READS))
        assert refusing(decision) == "dbgate:unknown-relation"
        assert decision.missing == unseen.missing
        assert decision.refusal is not None
        assert '"hr.bar"' in decision.refusal.detail
        assert decision.refusal.message == 'relation "foo" does not exist'
        assert allowed(decide(unseen, role(ALL)))
        restricted = ALL[:-1] + ", {id: d, deny: {tables: [x]}}]"
        assert refusing(decide(unseen, role(restricted))) == "dbgate:unknown-relation"


def test_observed_rules_are_recorded_and_do_nothing() -> None:
    view = role(
        READS
        + """
  - {id: d, mode: observe, deny: {tables: [customers]}}
  - {id: m, mode: observe, mask: {columns: [customers.email], with: redact}}
  - {id: a, mode: observe, allow: {statements: [select], tables: ["*"]}}
  - {id: not, mode: observe, deny: {tables: [orders]}}
"""
    )
    decision = decide(select("customers", outputs=(output("e", "customers.email"),)), view)
    assert allowed(decision)
    assert decision.observed == ("a", "d", "m")
    assert decision.masks is None
    assert view.unrestricted
    assert not allowed(decide(select("hr.people"), view))


# ---------------------------------------------------------------- properties

_TABLES = st.sampled_from(["customers", "orders", "orders_2024", "hr.people", "api_keys", "contacts"])
_COLUMNS = st.sampled_from(["customers.email", "customers.ssn", "customers.name", "orders.total", "orders_2024.total",
                            "hr.people.salary"])  # fmt: skip
_KINDS = st.sampled_from(
    ["select", "insert", "update", "delete", "explain", "copy_out", "create", "alter", "transaction"]
)
_FACTS = st.builds(
    lambda kind, tables, uses, outputs, functions, where: Facts(
        kind, kind.upper(), frozenset(tables), frozenset(uses), tuple(outputs), frozenset(functions), has_where=where
    ),
    _KINDS,
    st.lists(st.builds(table, _TABLES, st.sampled_from(Access)), max_size=3),
    st.lists(st.builds(use, _COLUMNS, st.sampled_from(Use)), max_size=2),
    st.lists(st.builds(lambda c, direct: output("o", *c, direct=direct), st.lists(_COLUMNS, max_size=2), st.booleans()),
             max_size=3),
    st.lists(st.builds(function, st.sampled_from(["public.order_total", "pg_catalog.pg_sleep"]),
                       st.sampled_from(FunctionRisk)), max_size=1),
    st.booleans(),
)  # fmt: skip
_ALLOWS = st.sampled_from(
    ['allow: {statements: ["*"], tables: ["*"], functions: ["*"]}', "allow: {statements: [select]}",
     'allow: {statements: [select, insert, copy_out], tables: ["public.*"]}', "allow: {functions: [order_total]}"]
)  # fmt: skip
_DENIES = st.sampled_from(
    ["deny: {tables: [api_keys]}", 'deny: {tables: ["hr.*"]}', "deny: {statements: [delete], without: where}",
     "deny: {columns: [customers.ssn]}", "deny: {statements: [select], tables: [orders]}",
     "deny: {functions: [pg_sleep]}"]
)  # fmt: skip
_MASKS = st.builds(
    "mask: {{columns: [{}], with: {}, predicates: {}}}".format,
    _COLUMNS,
    st.sampled_from(["redact", "'null'", "hash", "email", "{keep_last: 4}", "{keep_first: 2}", "{keep_last: 1}"]),
    st.sampled_from(["none", "equality", "any"]),
)


def rulebook(verbs: list[str]) -> Rulebook:
    return book("rules:\n" + "".join(f"  - {{id: r{n}, {verb}}}\n" for n, verb in enumerate(verbs)))


def ask(facts: Facts, made: Rulebook) -> Decision:
    return decide(facts, RoleView(made, "agent", CATALOG, readable))


_VERBS = st.lists(_ALLOWS | _DENIES | _MASKS, min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(_FACTS, _VERBS, _DENIES | _MASKS)
def test_one_more_deny_or_mask_never_allows_more(facts: Facts, verbs: list[str], more: str) -> None:
    if allowed(ask(facts, rulebook([*verbs, more]))):
        assert allowed(ask(facts, rulebook(verbs)))


@settings(max_examples=150, deadline=None)
@given(_FACTS, _VERBS, st.randoms(use_true_random=False))
def test_the_order_of_rules_never_matters(facts: Facts, verbs: list[str], random: st.DataObject) -> None:
    made = rulebook(verbs)
    shuffled = list(made.rules)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert ask(facts, made) == ask(facts, replace(made, rules=tuple(shuffled)))


@settings(max_examples=150, deadline=None)
@given(_FACTS, _VERBS, _MASKS)
def test_masks_never_weaken_when_a_mask_rule_is_added(facts: Facts, verbs: list[str], more: str) -> None:
    before, after = ask(facts, rulebook(verbs)), ask(facts, rulebook([*verbs, more]))
    if before.masks is None or not allowed(after):
        return
    assert after.masks is not None
    for old, new in zip(before.masks, after.masks, strict=True):
        assert old is None or (new is not None and STRENGTH[new.kind] >= STRENGTH[old.kind])
        if old is not None and new is not None and old.kind is new.kind:
            assert new.keep <= old.keep


@settings(max_examples=150, deadline=None)
@given(_FACTS, _VERBS)
def test_an_allowed_result_has_a_mask_for_every_masked_column(facts: Facts, verbs: list[str]) -> None:
    view = RoleView(rulebook(verbs), "agent", CATALOG, readable)
    decision = decide(facts, view)
    if not allowed(decision):
        return
    for number, each in enumerate(facts.outputs or ()):
        if any(view.mask_of(source) for source in each.sources):
            assert decision.masks is not None
            assert decision.masks[number] is not None


def test_a_value_whose_being_null_tells_something_is_null() -> None:
    hollow = replace(output("x", "customers.ssn", direct=False), hollow=True)
    decision = decide(select("customers", outputs=(hollow,)), role(MASKED))
    assert decision.masks == (Mask(MaskKind.NULL, 0, "ssn"),)


def test_what_a_role_can_write_must_not_scale_what_is_hidden() -> None:
    uses = frozenset({use("hr.people.salary", Use.SCALE), use("orders.total", Use.SCALER)})
    scaled = select("hr.people", "orders", uses=uses)
    reads = '{id: r, allow: {statements: [select], tables: ["*"]}}'
    masks = f"rules: [{reads}, {{id: m, mask: {{columns: [hr.people.salary], with: redact}}}}"
    assert decide(scaled, role(masks + "]")).verdict is Verdict.ALLOW
    writer = role(masks + ", {id: w, allow: {statements: [insert], tables: [orders]}}]")
    assert decide(scaled, writer).rules == ("m",)
