"""Rule tests: cases beside a rulebook that say what each statement must come to.

    rules: corp.yaml                # default: this file's name without .test
    schema: |                       # DDL, or the name of a .sql file
      CREATE TABLE customers (id int, email text);
    role: agent                     # for cases that name none
    cases:
      star is masked:    {sql: SELECT * FROM customers, expect: {mask: [email]}}
      one is free:       {sql: SELECT 1, expect: allow}
      nothing is dropped: {sql: DROP TABLE customers, expect: {deny: "dbgate:default"}}

`dialect: mysql` (or mariadb; postgresql is the default) says which server the schema and the cases are written for, and
`server_version: "8.4"` which version of it. `database: shop` is the default database there, in which names without one
are looked up (`rules.ddl` tells what it is otherwise).

`allow` means allowed with no column masked and no row filtered.
`deny` names the rule or leaves it open. `mask` lists the
names of the masked output columns, exactly; left open (`expect: mask`), any will do. `filter` lists the ids of the row
filters that are spliced in, whatever is masked as well. No file is opened here: names are the
caller's to resolve.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rules.book import nodes
from rules.book.model import Place, Problem
from rules.book.nodes import Node, Scalar, Sequence
from rules.book.values import Report, check_keys, read_list, read_mapping, read_word, word_reader
from rules.ddl import DIALECTS, POSTGRES_SERVER, POSTGRESQL, Server, default_path
from rules.decision import Verdict
from rules.explain import Explanation, explain, mask_at
from rules.policy import Policy

TOP_KEYS: Final = (
    "version", "rules", "schema", "dialect", "server_version", "database", "role", "search_path", "cases",
)  # fmt: skip
CASE_KEYS: Final = ("name", "sql", "role", "expect", "columns", "rule", "search_path")
OUTCOMES: Final = ("allow", "deny", "mask", "filter")


@dataclass(frozen=True, slots=True)
class Expected:
    """`names`: the rule's id for deny, output columns for mask, rules' ids for filter; None leaves them open."""

    outcome: str
    names: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return self.outcome if self.names is None else f"{self.outcome} {', '.join(self.names) or 'nothing'}"


@dataclass(frozen=True, slots=True)
class Case:
    """`search_path`: empty for what a session begins with."""

    name: str
    sql: str
    role: str
    expected: Expected
    place: Place
    search_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    """`rules`: file names as written, empty for the default. `schema`: DDL, unless `schema_file` names a file."""

    rules: tuple[str, ...]
    schema: str
    schema_file: str
    cases: tuple[Case, ...]
    server: Server = POSTGRES_SERVER


@dataclass(frozen=True, slots=True)
class Outcome:
    """`why`: the refusal's detail or the masks, for a case that failed."""

    case: Case
    passed: bool
    actual: Expected
    why: str = ""


# ---------------------------------------------------------------- reading


def read_suite(file: str, source: str | bytes) -> tuple[Suite | None, tuple[Problem, ...]]:
    """Any text gives a suite or problems, never an exception."""
    report = Report(file)
    text, faults = nodes.read_text(file, source)
    root, more = (None, ()) if text is None else nodes.read_nodes(file, text)
    report.problems.extend((*faults, *more))
    if root is None:
        if not report.problems:
            report.add(Scalar("", True, 1, 1), "the file is empty", mend="begin with schema: and cases:")
        return None, tuple(report.problems)
    top = read_mapping(root, report, "a test file")
    suite = None if top is None else _read_top(top, report)
    return (None if report.problems else suite), tuple(report.problems)


def _read_top(top: nodes.Mapping, report: Report) -> Suite:
    check_keys(top, TOP_KEYS, report, "a test file")
    role = _word(top, "role", report, "role")
    schema = _word(top, "schema", report, "schema")
    is_file = schema.endswith(".sql") and not any(c.isspace() or c == ";" for c in schema)
    cases = top.get("cases")
    if cases is None:
        report.add(top, 'the key "cases" is missing', mend="add cases:")
    path = _words(top, "search_path", report)
    read = () if cases is None else _read_cases(cases, report, role, path)
    files = _words(top, "rules", report)
    server = _read_server(top, report)
    return Suite(files, "" if is_file else schema, schema if is_file else "", tuple(read), server)


def _read_server(top: nodes.Mapping, report: Report) -> Server:
    """What is wrong is reported, and PostgreSQL taken for it."""
    dialect, node = _word(top, "dialect", report, "dialect"), top.get("dialect")
    if dialect and node is not None and word_reader(report, DIALECTS, "dialect")(dialect, node) is None:
        return POSTGRES_SERVER
    made = Server(dialect or POSTGRESQL, *(_word(top, key, report, key) for key in _MYSQL_KEYS))
    for key in _MYSQL_KEYS:
        if (written := top.get(key)) is not None and not made.is_mysql:
            report.add(written, f"{key} belongs to MySQL and MariaDB", mend="add dialect: mysql, or leave it out")
    if made.is_mysql and (version := top.get("server_version")) is not None:
        _check_version(made, version, report)
    return made


_MYSQL_KEYS: Final = ("server_version", "database")


def _check_version(server: Server, node: Node, report: Report) -> None:
    try:
        _ = server.number
    except ValueError as fault:
        report.add(node, str(fault))


def _word(found: nodes.Mapping, key: str, report: Report, what: str) -> str:
    node = found.get(key)
    return "" if node is None else read_word(node, report, what) or ""


def _words(found: nodes.Mapping, key: str, report: Report) -> tuple[str, ...]:
    """A list of texts, or one text alone."""
    node = found.get(key)
    if node is None:
        return ()
    return read_list(Sequence((node,), node.line, node.column) if isinstance(node, Scalar) else node, report, key,
                     lambda word, _: word)  # fmt: skip


def _read_cases(node: Node, report: Report, role: str, path: tuple[str, ...]) -> list[Case]:
    """A mapping name -> case, or a list of cases with or without names."""
    named: Iterable[tuple[str, Node]]
    if isinstance(node, nodes.Mapping):
        named = [(key.text, value) for key, value in node.entries]
    elif isinstance(node, Sequence):
        named = [("", item) for item in node.items]
    else:
        named = []
    named = list(named)
    if not named:
        report.add(node, "cases must be a mapping from names to cases, or a list of cases")
    read = (_read_case(name, item, report, role, path) for name, item in named)
    return [case for case in read if case is not None]


def _read_case(name: str, node: Node, report: Report, role: str, path: tuple[str, ...]) -> Case | None:
    found = read_mapping(node, report, f'case "{name}"' if name else "a case")
    if found is None:
        return None
    check_keys(found, CASE_KEYS, report, f'case "{name}"')
    sql = _word(found, "sql", report, "sql")
    own_role = _word(found, "role", report, "role") or role
    for key, value in (("sql", sql), ("role", own_role)):
        if not value and found.get(key) is None:
            report.add(found, f"the case has no {key}", mend=f"add {key}:")
    expected = _read_expected(found, report)
    if expected is None:
        return None
    title = name or _word(found, "name", report, "name") or " ".join(sql.split())[:80]
    own_path = _words(found, "search_path", report) or path
    return Case(title, sql, own_role, expected, report.place(found), own_path)


def _read_expected(found: nodes.Mapping, report: Report) -> Expected | None:
    node = found.get("expect")
    if node is None:
        report.add(found, "the case expects nothing", mend="add expect: allow, deny, mask or filter")
        return None
    if isinstance(node, nodes.Mapping):
        return _read_expected_names(node, report)
    word = read_word(node, report, "expect")
    if word is None:
        return None
    outcome, _, names = (part.strip() for part in word.partition(":"))
    listed = tuple(n.strip() for n in names.strip("[]").split(",")) if names else None
    if word_reader(report, OUTCOMES, "outcome")(outcome, node) is None:
        return None
    columns = {"mask": "columns", "deny": "rule"}.get(outcome)
    if listed is None and columns is not None and found.get(columns) is not None:
        listed = _words(found, columns, report)
    return Expected(outcome, listed)


def _read_expected_names(node: nodes.Mapping, report: Report) -> Expected | None:
    check_keys(node, OUTCOMES, report, "expect")
    if len(node.entries) != 1:
        report.add(node, "expect must hold one outcome", mend="expect: {deny: rule-id} or expect: {mask: [column]}")
        return None
    outcome = node.entries[0][0].text
    return Expected(outcome, _words(node, outcome, report))


# ---------------------------------------------------------------- running


def run(suite: Suite, policy: Policy) -> tuple[Outcome, ...]:
    return tuple(run_case(case, policy) for case in suite.cases)


def run_case(case: Case, policy: Policy) -> Outcome:
    context = policy.context(case.role, "test", case.role, case.search_path or default_path(policy.catalog))
    found = explain(context, case.sql)
    actual, why = _actual(found, case.expected.outcome)
    return Outcome(case, _agrees(case.expected, actual), actual, why)


def _actual(found: tuple[Explanation, ...], wanted: str) -> tuple[Expected, str]:
    """What the text came to: refused when any of its statements is. `wanted`: what is told of one that is both masked
    and filtered."""
    for explanation in found:
        refusal = explanation.decision.refusal
        if explanation.decision.verdict is not Verdict.ALLOW and refusal is not None:
            return Expected("deny", (refusal.rule,)), refusal.detail
    masked = [
        (output.name, mask)
        for explanation in found
        for number, output in enumerate(explanation.facts.outputs or ())
        if (mask := mask_at(explanation.decision, number)) is not None
    ]
    filters = {r for e in found if e.decision.rewrite is not None for r in e.decision.rewrite.rules}
    if filters and (wanted == "filter" or not masked):
        return Expected("filter", tuple(sorted(filters))), "; ".join(e.rewritten for e in found if e.rewritten)
    if not masked:
        return Expected("allow"), ""
    why = ", ".join(f"{name} by {mask.rule}" for name, mask in masked)
    return Expected("mask", tuple(name for name, _ in masked)), why


def _agrees(expected: Expected, actual: Expected) -> bool:
    if expected.outcome != actual.outcome:
        return False
    return expected.names is None or sorted(expected.names) == sorted(actual.names or ())
