from __future__ import annotations

import pytest

from rules.settings_policy import objection
from rules.tree import Setting

#: what drivers, ORMs and tools send after connecting
SENT = [
    ("DateStyle", "ISO"), ("client_encoding", "UTF8"), ("client_encoding", "utf-8"), ("names", "UTF8"),
    ("TimeZone", "UTC"), ("extra_float_digits", "3"), ("application_name", "PostgreSQL JDBC Driver"),
    ("standard_conforming_strings", "on"), ("client_min_messages", "warning"), ("IntervalStyle", "iso_8601"),
    ("bytea_output", "hex"), ("statement_timeout", "0"), ("lock_timeout", "0"), ("jit", "off"),
    ("idle_in_transaction_session_timeout", "0"), ("search_path", "public"),
    ("default_transaction_isolation", "serializable"),
    ("transaction_read_only", "on"), ("row_security", "off"), ("geqo_threshold", "4"),
    ("synchronize_seqscans", "off"), ("xmloption", "content"), ("check_function_bodies", "false"),
    ("default_transaction_deferrable", "on"), ("synchronous_commit", "off"),
    ("restrict_nonsystem_relation_kind", "view, foreign-table"), ("role", "none"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), SENT)
def test_what_drivers_send_passes_for_everyone(name: str, value: str) -> None:
    assert objection(Setting(name, (value,)), unrestricted=False) is None


@pytest.mark.parametrize(
    "name", ["enable_hashagg", "enable_seqscan", "work_mem", "plan_cache_mode", "random_page_cost"]
)
def test_what_steers_plans_is_for_roles_with_nothing_hidden(name: str) -> None:
    assert "chooses plans" in (objection(Setting(name, ("off",)), unrestricted=False) or "")
    assert objection(Setting(name, ("off",)), unrestricted=True) is None
    assert objection(Setting(name, None), unrestricted=False) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_encoding", "latin1"), ("client_encoding", "SQL_ASCII"), ("NAMES", "sjis"),
        ("standard_conforming_strings", "off"), ("standard_conforming_strings", "o"), ("role", "postgres"),
        ("session_authorization", "postgres"), ("session_replication_role", "replica"),
    ],
)  # fmt: skip
def test_grammar_and_identity_are_pinned_for_everyone(name: str, value: str) -> None:
    for unrestricted in (False, True):
        reason = objection(Setting(name, (value,)), unrestricted=unrestricted)
        assert reason is not None
        assert name.lower() in reason


@pytest.mark.parametrize(
    ("name", "value"),
    [("app.tenant", "7"), ("log_statement", "none"), ("local_preload_libraries", "x"),
     ("jit_provider", "x"), ("debug_print_plan", "on"), ("password_encryption", "md5"),
     ("transform_null_equals", "on"), ("extra_float_digits", "-5"), ("extra_float_digits", "1_0")],
)  # fmt: skip
def test_the_rest_is_for_unrestricted_roles(name: str, value: str) -> None:
    assert objection(Setting(name, (value,)), unrestricted=False) is not None
    assert objection(Setting(name, (value,)), unrestricted=True) is None


def test_reset_goes_back_to_what_the_gate_began_with() -> None:
    for name in ("all", "client_encoding", "role", "session_authorization", "search_path", "row_security"):
        assert objection(Setting(name, None), unrestricted=False) is None
    assert objection(Setting("app.tenant", None), unrestricted=False) is not None
    assert objection(Setting("app.tenant", None), unrestricted=True) is None
