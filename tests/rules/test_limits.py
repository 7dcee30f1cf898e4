"""Limits: what a rule file may say, which figure holds, and what a refusal says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import load
from rules.catalog import Catalog
from rules.decision import Verdict
from rules.explain import as_data, explain, lines
from rules.limits import (
    Figure,
    Limits,
    milliseconds,
    show_window,
    time_objection,
    too_big,
    too_often,
    uncounted,
    used_up,
)
from rules.policy import Policy
from rules.postgres.ddl import catalog_from_ddl
from rules.roles import RoleView
from rules.tree import Setting

ALLOW = "version: 1\nrules:\n  - {id: all, allow: {statements: ['*']}}\n"
DDL = "CREATE TABLE people (id int, name text, ssn text); CREATE VIEW seen AS SELECT ssn AS x, id FROM people"


def view_of(*limits: str, role: str = "agent", labels: str = "") -> RoleView:
    book = ALLOW + "".join(f"  - {{id: l{n}, {limit}}}\n" for n, limit in enumerate(limits)) + labels
    loaded = load({"dir/corp.yaml": book})
    assert loaded.rulebook is not None, loaded.problems
    return RoleView(loaded.rulebook, role, Catalog("1"))


def limits_of(*limits: str) -> Limits:
    found = view_of(*limits).limits
    assert found is not None
    return found


def problems(body: str) -> list[str]:
    loaded = load({"corp.yaml": f"version: 1\nrules:\n  - id: cap\n    limit: {body}\n"})
    assert (loaded.rulebook is None) == bool(loaded.problems)
    return [str(problem) for problem in loaded.problems]


# ---------------------------------------------------------------- reading


def test_every_figure() -> None:
    found = limits_of(
        "limit: {rows_per_statement: 10000, bytes_per_statement: 50MB, statement_time: 30s, statements_per_minute: 600,"
        " rows_per_job: 100000, bytes_per_job: 1GB, sensitive_cells_per_job: 5000, per: day}"
    )
    assert [(b.figure.value, b.amount, b.window) for b in found.bounds] == [
        ("rows_per_statement", 10_000, 0),
        ("bytes_per_statement", 50_000_000, 0),
        ("statement_time", 30_000, 0),
        ("statements_per_minute", 600, 0),
        ("rows_per_job", 100_000, 86400),
        ("bytes_per_job", 1_000_000_000, 86400),
        ("sensitive_cells_per_job", 5000, 86400),
    ]


@pytest.mark.parametrize(
    ("text", "seconds"), [("hour", 3600), ("day", 86400), ("90m", 5400), ("15 min", 900), ("2h", 7200), ("7d", 604800)]
)
def test_windows(text: str, seconds: int) -> None:
    assert limits_of(f"limit: {{rows_per_job: 5, per: {text}}}").budgets[0].window == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("64KiB", 65536), ("4096", 4096), ("1 GB", 10**9), ("'2MiB'", 2 << 20), ("5B", 5), ("1kB", 1000)]
)
def test_sizes(text: str, size: int) -> None:
    found = limits_of(f"limit: {{bytes_per_statement: {text}}}").size
    assert found is not None
    assert found.amount == size


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{}", "corp.yaml:4:12  limit of rule \"cap\" names no figure"),
        ("5", "corp.yaml:4:12  limit of rule \"cap\" must be a mapping"),
        ("{per: day}", "corp.yaml:4:12  limit of rule \"cap\" names no figure"),
        ("{rows_per_statement: 5, per: day}", 'corp.yaml:4:12  "per" of rule "cap" has nothing to speak of'),
        ("{rows_per_statment: 5}", 'unknown key "rows_per_statment" in limit of rule "cap"  did you mean'),
        ("{rows_per_statement: 0}", "corp.yaml:4:33  rows_per_statement of rule \"cap\" is no whole number"),
        ("{rows_per_statement: -1}", "is no whole number"),
        ("{rows_per_statement: 1.5}", "is no whole number"),
        ("{rows_per_statement: many}", "write a whole number from 1 on"),
        ("{rows_per_statement: '5'}", "without quotes"),
        ("{rows_per_statement: [5]}", "is no whole number"),
        ("{rows_per_statement: 99999999999999999999}", "is no whole number"),
        ("{rows_per_statement: }", "is no whole number"),
        ("{bytes_per_statement: 50 M}", "bytes_per_statement of rule \"cap\" is no size"),
        ("{bytes_per_statement: 0}", "write a number and a unit: 64KiB"),
        ("{statement_time: 30}", "corp.yaml:4:29  statement_time of rule \"cap\" is no time"),
        ("{statement_time: 0s}", "is no time"),
        ("{statement_time: 30 fortnights}", "500ms, 30s, 5m, 1h"),
        ("{statement_time: 100d}", "is no time"),
        ("{statements_per_minute: 2000000}", "statements_per_minute of rule \"cap\" is no whole number from 1 to"),
        ("{rows_per_job: 5, per: week}", 'corp.yaml:4:35  per of rule "cap" is no window of time'),
        ("{rows_per_job: 5, per: 1s}", "from 60s to 366d"),
        ("{rows_per_job: 5, per: 90.5s}", "hour, day, or a duration"),
        ("{rows_per_job: 5, rows_per_job: 6}", "stands here twice"),
    ],
)  # fmt: skip
def test_bad_values(body: str, told: str) -> None:
    assert any(told in problem for problem in problems(body)), problems(body)


def test_all_problems_at_once() -> None:
    assert len(problems("{rows_per_job: x, bytes_per_job: y, per: z}")) == 3


@given(st.text(max_size=12))
def test_any_text_gives_a_figure_or_a_problem(text: str) -> None:
    quoted = text.replace("'", "''")
    for key in Figure:
        load({"c.yaml": f"version: 1\nrules:\n  - id: c\n    limit: {{{key.value}: '{quoted}', per: '{quoted}'}}\n"})


# ---------------------------------------------------------------- which holds


def test_without_a_rule_there_are_no_limits() -> None:
    assert view_of().limits is None
    assert view_of("roles: [other], limit: {rows_per_statement: 5}").limits is None
    assert view_of("mode: observe, limit: {rows_per_statement: 5}").limits is None


def test_observed_limits_are_kept_apart() -> None:
    view = view_of("mode: observe, limit: {rows_per_statement: 5}", "limit: {rows_per_statement: 9}")
    assert view.limits is not None
    assert view.observed_limits is not None
    assert view.limits.rows is not None
    assert view.observed_limits.rows is not None
    assert (view.limits.rows.amount, view.observed_limits.rows.amount) == (9, 5)


def test_the_strictest_of_each_figure() -> None:
    found = limits_of(
        "limit: {rows_per_statement: 10, statement_time: 5s}",
        "limit: {rows_per_statement: 20, statement_time: 1s, bytes_per_statement: 9}",
    )
    told = [(b.figure.value, b.amount, b.rule.id) for b in found.bounds]
    assert told == [("rows_per_statement", 10, "l0"), ("bytes_per_statement", 9, "l1"), ("statement_time", 1000, "l1")]


def test_budgets_of_several_windows_all_hold() -> None:
    found = limits_of(
        "limit: {rows_per_job: 100, per: hour}", "limit: {rows_per_job: 500}", "limit: {rows_per_job: 400}"
    )
    assert [(b.amount, b.window) for b in found.budgets] == [(100, 3600), (400, 86400)]


def test_limits_hide_nothing() -> None:
    view = view_of("limit: {rows_per_statement: 5}")
    assert view.unrestricted
    assert view.may_do_everything


@given(st.integers(1, 366 * 86400))
def test_windows_are_shown(seconds: int) -> None:
    assert show_window(seconds)


# ---------------------------------------------------------------- sensitive cells


LABELS = "labels: {pii: [people.ssn]}\n"
MASK = "  - {id: m, roles: [other], mask: {columns: [people.name], with: redact}}\n"


@pytest.mark.parametrize(
    ("sql", "sensitive"),
    [
        ("SELECT id FROM people", 0),
        ("SELECT ssn FROM people", 1),
        ("SELECT * FROM people", 2),
        ("SELECT left(ssn, 2) || name AS a, ssn, 5 FROM people", 2),
        ("SELECT count(ssn) FROM people", 0),
        ("SELECT x, id FROM seen", 1),
        ("UPDATE people SET id = 1 RETURNING ssn", 1),
        ("UPDATE people SET id = 1", 0),
        ("COPY people TO STDOUT", 2),
        ("COPY (SELECT ssn FROM people) TO STDOUT", 1),
        ("DECLARE c CURSOR FOR SELECT ssn FROM people", 1),
        ("PREPARE p AS SELECT ssn FROM people", 1),
        ("DROP TABLE people", 0),
    ],
)
def test_sensitive_columns(sql: str, sensitive: int) -> None:
    """Columns under any label, and under any role's mask."""
    loaded = load({"corp.yaml": ALLOW + MASK + LABELS})
    assert loaded.rulebook is not None
    policy = Policy(loaded.rulebook, catalog_from_ddl(DDL))
    context = policy.context("agent", "shop", "", ("public",))
    assert [decision.sensitive for decision in context.decide(sql.encode())] == [sensitive]


# ---------------------------------------------------------------- statement_timeout


@pytest.mark.parametrize(
    ("text", "value"),
    [("250", 250), ("'30s'".strip("'"), 30_000), ("1.5 min", 90_000), ("2h", 7_200_000), ("1d", 86_400_000),
     ("500us", 0.5), ("", None), ("-1", None), ("1e3", None), ("0x10", None), ("many", None), ("1 week", None)],
)  # fmt: skip
def test_time_values(text: str, value: float | None) -> None:
    assert milliseconds(text) == value


@pytest.mark.parametrize(
    ("setting", "refused"),
    [
        (Setting("statement_timeout", ("10s",)), False),
        (Setting("statement_timeout", ("30000",)), False),
        (Setting("STATEMENT_TIMEOUT", ("30001",)), True),
        (Setting("statement_timeout", ("0",)), True),
        (Setting("statement_timeout", ("500us",)), True),
        (Setting("statement_timeout", ("1h",)), True),
        (Setting("statement_timeout", ("soon",)), True),
        (Setting("statement_timeout", None), False),
        (Setting("lock_timeout", ("1h",)), False),
    ],
)
def test_settings(setting: Setting, refused: bool) -> None:
    bound = limits_of("limit: {statement_time: 30s}").time
    assert bound is not None
    found = time_objection(setting, bound)
    assert (found is not None) == refused
    if found is not None:
        assert "statement_time: 30s" in found.detail
        assert "SET statement_timeout = 30000" in found.hint


@pytest.mark.parametrize(
    ("sql", "allowed"),
    [
        ("SET statement_timeout = '10s'", True),
        ("SET statement_timeout = 0", False),
        ("SET LOCAL statement_timeout TO '1h'", False),
        ("SELECT set_config('statement_timeout', '0', false)", False),
        ("SELECT set_config('statement_timeout', '100', true)", True),
        ("RESET statement_timeout", True),
        ("RESET ALL", True),
        ("SHOW statement_timeout", True),
        ("SELECT set_config('work_mem', '4MB', false)", True),
        ("SELECT set_config('jit', $1, false)", True),
        ("SELECT set_config('statement_timeout', $1, false)", False),
        ("SELECT set_config('statement_' || 'timeout', '0', false)", False),
        ("SELECT set_config($1, $2, false)", False),
        ("PREPARE p(text) AS SELECT set_config('statement_timeout', $1, false)", False),
        ("SELECT set_config('statement_timeout', '0', false), missing_column FROM missing_table", False),
        ("SELECT name, setting FROM pg_settings", True),
        ("UPDATE pg_settings SET setting = '0' WHERE name = 'statement_timeout'", False),
        ("UPDATE pg_catalog.pg_settings SET setting = setting", False),
        ("WITH u AS (UPDATE pg_settings SET setting = '0' RETURNING 1) SELECT * FROM u", False),
        ("EXPLAIN ANALYZE UPDATE pg_settings SET setting = '0'", False),
    ],
)
def test_raising_the_time_limit_is_refused(sql: str, allowed: bool) -> None:
    """For a role that may do everything as well."""
    loaded = load({"corp.yaml": ALLOW + "  - {id: slow, limit: {statement_time: 30s}}\n"})
    assert loaded.rulebook is not None
    context = Policy(loaded.rulebook, catalog_from_ddl(DDL)).context("agent", "shop", "", ("public",))
    (decision,) = context.decide(sql.encode())
    assert (decision.verdict is Verdict.ALLOW) == allowed
    assert decision.rules == (("slow",) if not allowed else decision.rules)


# ---------------------------------------------------------------- words


def test_a_refusal_teaches() -> None:
    found = limits_of("limit: {rows_per_statement: 10, rows_per_job: 100, statements_per_minute: 3}")
    assert found.rows is not None
    assert found.rate is not None
    big = too_big(found.rows, 10)
    assert big.rule == "l0"
    assert big.sqlstate == "54000"
    assert 'rule "l0" (corp.yaml:4): rows_per_statement: 10; ' in big.detail
    assert "LIMIT 10" in big.hint.replace("LIMIT 10 or less", "LIMIT 10")
    used = used_up(found.budgets[0], 90, "2026-01-02 00:00:00 UTC", began=False)
    assert used.sqlstate == "53400"
    assert "90 of 100 rows are used and 10 left" in used.detail
    assert "2026-01-02 00:00:00 UTC" in used.detail
    assert "at most 10 rows" in used.hint
    often = too_often(found.rate, 12.4)
    assert (often.sqlstate, "0 statements are left" in often.detail, "12 s" in often.hint) == ("53400", True, True)
    assert uncounted(found.budgets[0]).sqlstate == "58030"


def test_the_administrators_own_words() -> None:
    found = limits_of("limit: {rows_per_statement: 10}, message: big results cost, instead: use the export job")
    assert found.rows is not None
    refusal = too_big(found.rows, 10)
    assert refusal.detail.endswith("; big results cost")
    assert refusal.hint == "use the export job"


def test_explain_shows_the_roles_limits() -> None:
    book = ALLOW + "  - {id: cap, limit: {rows_per_statement: 10, rows_per_job: 9, per: 2h}}\n" + LABELS
    loaded = load({"corp.yaml": book})
    assert loaded.rulebook is not None
    context = Policy(loaded.rulebook, catalog_from_ddl(DDL)).context("agent", "shop", "", ("public",))
    (found,) = explain(context, "SELECT ssn FROM people")
    text = "\n".join(lines(found))
    assert "limits     rows_per_statement: 10  by cap" in text
    assert "rows_per_job: 9 per 2h  by cap" in text
    assert "sensitive cells in each row: 1" in text
    assert "+ cap (limit, corp.yaml:4): rows_per_statement: 10, rows_per_job: 9 per 2h" in text
    data = as_data(found)
    assert data["limits"][1] == {"figure": "rows_per_job", "amount": 9, "window": 7200, "rule": "cap"}
    assert data["sensitive"] == 1
