from __future__ import annotations

import pytest

from rules.policy import PolicyContext
from rules.set_config import split_names
from rules.tree import Setting
from tests.rules.test_policy import context

RULES = """
rules:
  - {id: reads, allow: {statements: [select]}}
  - {id: all, roles: [dba], allow: {statements: ["*"], tables: ["*"], functions: ["*"]}}
  - {id: keys, roles: [agent], deny: {tables: [api_keys]}}
"""


@pytest.fixture(scope="module", params=["agent", "dba"])
def asked(request: pytest.FixtureRequest) -> PolicyContext:
    return context(RULES, request.param)


@pytest.mark.parametrize(
    ("sql", "settings"),
    [
        ("SELECT current_setting('jit') AS cur, set_config('jit', 'off', false) AS new", (Setting("jit", ("off",)),)),
        ("SELECT pg_catalog.set_config('search_path', '', false)", (Setting("search_path", ("",)),)),
        (
            "SELECT set_config('search_path', '\"$user\", Public', true)",
            (Setting("search_path", ("$user", "public"), True),),
        ),
        ("SELECT set_config('lock_timeout'::text, '1s', 'f') FROM customers", (Setting("lock_timeout", ("1s",)),)),
        (
            "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'lock_timeout'",
            (Setting("lock_timeout", ("view, foreign-table",)),),
        ),
        ("SELECT set_config('jit', $1, false)", (Setting("jit", ("$1",)),)),
        ("SELECT set_config('TimeZone', $2::text, true)", (Setting("timezone", ("$2",), True),)),
    ],
)  # fmt: skip
def test_constants_are_settings(asked: PolicyContext, sql: str, settings: tuple[Setting, ...]) -> None:
    (decision,) = asked.decide(sql.encode())
    assert decision.refusal is None
    assert decision.settings == settings


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config('client_encoding', 'latin1', false)",
        "SELECT set_config('role', 'postgres', false)",
        "SELECT set_config('client_encoding', $1, false)",
        "SELECT set_config('standard_conforming_strings', $1, false)",
        "SELECT set_config('role', $1, false)",
        "SELECT set_config(name, 'latin1', false) FROM pg_settings WHERE name = 'client_encoding'",
        "SELECT set_config('client_encoding', 'latin1', false), set_config('j' || 'it', 'off', false)",
    ],
)
def test_what_nobody_may_set(asked: PolicyContext, sql: str) -> None:
    (decision,) = asked.decide(sql.encode())
    assert decision.refusal is not None
    assert decision.refusal.rule == "dbgate:setting"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name <> 'jit'",
        "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'jit' OR name = 'role'",
        "SELECT set_config(setting, 'off', false) FROM pg_settings WHERE name = 'jit'",
        "SELECT set_config(name, 'hr', false) FROM pg_settings WHERE name = 'search_path'",
        "SELECT set_config(name, 'off', false) FROM customers WHERE name = 'jit'",
        "SELECT set_config(name, 'off', false) FROM pg_settings AS s (a, name) WHERE name = 'jit'",
        "SELECT set_config('ro' || 'le', 'postgres', false)",
        "SELECT set_config(name, 'x', false) FROM customers",
        "SELECT set_config('search_path', 'hr', false) WHERE false",
        "SELECT CASE WHEN false THEN set_config('search_path', 'hr', false) END",
        "SELECT set_config('search_path', 'hr', false) LIMIT 0",
        "SELECT set_config('search_path', E'a\"b', false)",
        "PREPARE p AS SELECT set_config('search_path', 'hr', false)",
        "WITH x AS (SELECT set_config('search_path', 'hr', false)) SELECT 1",
        "SELECT set_config('search_path', $1, false)",
        "SELECT set_config('jit', $1 || 'f', false)",
        "SELECT set_config($1, 'off', false)",
        "SELECT set_config('jit', 'off', $1)",
        "SELECT set_config(setting_name => 'jit', new_value => 'off', is_local => false)",
    ],
)
def test_what_the_gate_cannot_follow_is_for_roles_from_which_nothing_is_hidden(asked: PolicyContext, sql: str) -> None:
    (decision,) = asked.decide(sql.encode())
    assert (decision.refusal is None) == (asked.role == "dba")
    assert decision.refusal is None or decision.refusal.rule == "dbgate:setting"


@pytest.mark.parametrize(
    ("text", "names"),
    [("", ("",)), ("a", ("a",)), ('"A b", c', ("A b", "c")), ("a,", None), ('"a', None), ("a b", None), ("1a", None)],
)
def test_search_paths(text: str, names: tuple[str, ...] | None) -> None:
    assert split_names(text) == names
