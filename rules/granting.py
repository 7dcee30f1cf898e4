"""Whether allow rules cover a statement: each use of a table is a small statement of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rules.book.model import Allow
from rules.decision import Refusal
from rules.denying import REFUSED
from rules.facts import Facts, FunctionRisk, FunctionUse, TableId, TableUse
from rules.matching import NamePattern
from rules.roles import RoleView
from rules.spelling import did_you_mean
from rules.taxonomy import BASELINE, KINDS
from rules.touching import direct_tables, show_table
from rules.tree import Access

DEFAULT: Final = "dbgate:default"
BASELINE_RULE: Final = "dbgate:baseline"
SYSTEM_CATALOG: Final = "dbgate:system-catalog"
FUNCTION: Final = "dbgate:function"

#: (kind, access) whose words differ from the access's own
_WORDS: Final[dict[tuple[str, Access], tuple[str, ...]]] = {
    ("copy_in", Access.INSERT): ("copy_in",),
    ("copy_out", Access.SELECT): ("copy_out", "select"),
}
#: from this risk tier on, a statement that names no table needs a rule for all tables (CREATE ROLE, DROP SCHEMA)
_STRUCTURE_TIER: Final = 3
_MOST_NAMED: Final = 8

#: the schemas of built-in functions; MySQL's have none
BUILT_IN: Final = frozenset({"pg_catalog", ""})

#: what connection pools send when they take a connection back (asyncpg, pgbouncer); it takes no argument
HARMLESS: Final = frozenset({("pg_catalog", "pg_advisory_unlock_all")})


def needed_words(use: TableUse, kind: str) -> tuple[str, ...]:
    """The `statements` that allow rules must give on this table, every one of them."""
    own = kind if use.access is Access.OTHER else use.access.value
    return _WORDS.get((kind, use.access), (own,))


def covers_table(allow: Allow, table: TableId, view: RoleView) -> bool:
    """System catalogs are reached only by a pattern without any glob."""
    if view.is_system(table[0]):
        return any(p.exact and p.matches_table(table) for p in allow.tables or ())
    return allow.tables is None or any(p.matches_table(table) for p in allow.tables)


def table_grant(use: TableUse, word: str, view: RoleView) -> str | None:
    """The id of a rule that allows `word` on the table, or None."""
    system = view.is_system(use.table[0])
    if system and (view.may_do_everything or (word == "select" and view.readable(*use.table))):
        return SYSTEM_CATALOG
    if word == "show" and may_reach(use.table, view):
        return BASELINE_RULE  # how a table is made is shown to whoever may do anything with it (MySQL's SHOW)
    found = (r.id for r, a in view.allows if word in a.statements and covers_table(a, use.table, view))
    return min(found, default=None)


def may_reach(table: TableId, view: RoleView) -> bool:
    """Whether some rule allows anything at all on the table."""
    if view.is_system(table[0]) and view.readable(*table):
        return True
    return any(allow.statements and covers_table(allow, table, view) for _, allow in view.allows)


def kind_grant(facts: Facts, view: RoleView) -> str | None:
    """The id of a rule that allows statements of this kind at all, or None."""
    if facts.kind in BASELINE or facts.detail == "UNLISTEN":
        return BASELINE_RULE  # pools send UNLISTEN * when they take a connection back
    uses = direct_tables(facts)
    if facts.kind == "explain" and not explicit_kind(facts.kind, view) and _only_reads(uses):
        return min((r.id for r, a in view.allows if "select" in a.statements), default=None)
    everywhere = not uses and KINDS.get(facts.kind, 5) >= _STRUCTURE_TIER and facts.kind != "call"
    found = (r.id for r, a in view.allows if facts.kind in a.statements and (a.all_tables or not everywhere))
    return min(found, default=None)


def explicit_kind(kind: str, view: RoleView) -> bool:
    return any(kind in allow.statements for _, allow in view.allows)


def _only_reads(uses: Iterable[TableUse]) -> bool:
    return all(use.access is Access.SELECT for use in uses)


# ---------------------------------------------------------------- functions


def function_grant(function: FunctionUse, view: RoleView) -> str | None:
    """The id of a rule that lends the function, or None. Built-in pure ones need none.

    User-defined: any matching pattern. Risky built-ins: an exact name, or `*` for a role that may do everything."""
    if function.risk is FunctionRisk.PURE or is_harmless(function):
        return BASELINE_RULE
    found = (r.id for r, a in view.allows if any(_lends(p, function, view) for p in a.functions))
    return min(found, default=None)


def is_harmless(function: FunctionUse) -> bool:
    return (function.schema, function.name) in HARMLESS


def _lends(pattern: NamePattern, function: FunctionUse, view: RoleView) -> bool:
    if pattern.text == "*" and view.may_do_everything:
        return True
    if function.risk is FunctionRisk.USER:
        return pattern.matches_function(function)
    if function.risk is FunctionRisk.UNKNOWN or not pattern.exact:
        return False
    return pattern.matches_function(function) or _names_built_in(pattern, function)


def _names_built_in(pattern: NamePattern, function: FunctionUse) -> bool:
    """`pg_sleep` without a schema means the built-in as well as public.pg_sleep."""
    unqualified = "." not in pattern.text
    return unqualified and function.schema in BUILT_IN and pattern.name.matches(function.name.rpartition(".")[2])


# ---------------------------------------------------------------- the law


def ungranted(facts: Facts, view: RoleView) -> Refusal | None:
    """The refusal of the first part that no rule allows."""
    return _ungranted_function(facts, view) or _ungranted_table(facts, view) or _ungranted_kind(facts, view)


def grants(facts: Facts, view: RoleView) -> tuple[str, ...]:
    """The ids of the allow rules that a granted statement rests on."""
    found = {kind_grant(facts, view)}
    found.update(table_grant(u, w, view) for u in direct_tables(facts) for w in needed_words(u, facts.kind))
    found.update(function_grant(f, view) for f in facts.functions if f.risk is not FunctionRisk.PURE)
    return tuple(sorted(rule for rule in found if rule is not None))


def _ungranted_kind(facts: Facts, view: RoleView) -> Refusal | None:
    if kind_grant(facts, view) is not None:
        return None
    words = facts.detail or facts.kind.upper().replace("_", " ")
    kinds = sorted({kind for _, allow in view.allows for kind in allow.statements if kind != "unknown"})
    told = f'no rule allows {words} ("{facts.kind}") for role "{view.role}"'
    hint = f"this role may use: {_few(kinds)}" if kinds else "no rule allows this role anything"
    if facts.kind in kinds:
        told += ", whose rules list tables: it concerns none of them"
        hint = f"ask a database administrator for a rule that allows {facts.kind} without listing tables"
    return Refusal(DEFAULT, REFUSED, told, hint)


def _ungranted_table(facts: Facts, view: RoleView) -> Refusal | None:
    for use in (*direct_tables(facts), *_behind_views(facts, view)):
        for word in needed_words(use, facts.kind):
            if table_grant(use, word, view) is None:
                return _table_refusal(use, word, view)
    return None


def _behind_views(facts: Facts, view: RoleView) -> list[TableUse]:
    """Uses of system catalogs by views: who made a view over pg_stats or pg_authid is not who wrote the rules."""
    if view.unrestricted:
        return []
    found = (u for u in facts.tables if u.through is not None and view.is_system(u.table[0]))
    return sorted(found, key=lambda u: u.table)


def readable_tables(view: RoleView) -> Iterator[str]:
    """The names of the tables that the role may read."""
    found = (r for r in view.catalog.relations if not view.is_system(r.schema))
    open_ = (r for r in found if not view.denies_table(r.qualified))
    return (r.name for r in open_ if table_grant(TableUse(r.qualified, Access.SELECT), "select", view))


def _table_refusal(use: TableUse, word: str, view: RoleView) -> Refusal:
    what = f"{word.upper().replace('_', ' ')} on {show_table(use.table)}"
    if view.is_system(use.table[0]):
        hint = "it shows data, secrets or other sessions; use information_schema or another catalog view"
        return Refusal(SYSTEM_CATALOG, REFUSED, f'no rule allows {what} for role "{view.role}"', hint)
    tables = _allowed_tables(word, view)
    hint = f"this role may {word} on: {tables}" if tables else f"this role may {word} on no table"
    return Refusal(DEFAULT, REFUSED, f'no rule allows {what} for role "{view.role}"', hint)


def _allowed_tables(word: str, view: RoleView) -> str:
    patterns: set[str] = set()
    for _, allow in view.allows:
        if word in allow.statements:
            patterns.update(["*"] if allow.tables is None else [_spelled(p, view) for p in allow.tables])
    return _few(sorted(patterns))


def _spelled(pattern: NamePattern, view: RoleView) -> str:
    schema = "" if pattern.schema is None else view.catalog.default_schema
    return pattern.text if "." in pattern.text or not schema else f"{schema}.{pattern.text}"


def _ungranted_function(facts: Facts, view: RoleView) -> Refusal | None:
    for function in sorted(facts.functions, key=lambda f: (f.schema, f.name)):
        if function_grant(function, view) is None:
            return _function_refusal(function, view, facts)
    return None


_RISKS: Final[dict[FunctionRisk, str]] = {
    FunctionRisk.USER: "it is user-defined, so what it does is not known",
    FunctionRisk.QUERY: "it runs SQL given as text",
    FunctionRisk.FILE: "it reads or writes files of the server",
    FunctionRisk.NETWORK: "it opens connections from the server",
    FunctionRisk.SLEEP: "it makes the server wait",
    FunctionRisk.SESSION: "it changes the session's settings, locks or notifications",
    FunctionRisk.ADMIN: "it administers the server",
    FunctionRisk.LARGE_OBJECT: "it reads or writes large objects",
    FunctionRisk.UNKNOWN: "it is neither built in nor in the catalog",
}


def _function_refusal(function: FunctionUse, view: RoleView, facts: Facts) -> Refusal:
    name = function.name if "." in function.name or not function.schema else f"{function.schema}.{function.name}"
    detail = f'no rule allows the function {name} for role "{view.role}": {_RISKS[function.risk]}'
    if function.risk is FunctionRisk.UNKNOWN:
        near = did_you_mean(name, view.catalog.functions_by_name)
        hint = near or f"check the name, or qualify it with its {view.namespace}"
        noun = "procedure" if facts.kind == "call" else "function"
        said, about = f"{noun} {name}(...) does not exist", f"{noun.upper()} {name}"
        return Refusal(FUNCTION, said, detail, hint, "42883", facts.at + 1, about)
    return Refusal(FUNCTION, REFUSED, detail, _function_mend(function, name, view))


def _function_mend(function: FunctionUse, name: str, view: RoleView) -> str:
    """A risky built-in function must be named by the rule that lends it, so that `*` is no help here."""
    if function.risk is not FunctionRisk.USER:
        return f"do without it, or ask a database administrator for a rule that names it: functions: [{name}]"
    lent = _few(sorted({p.text for _, a in view.allows for p in a.functions}))
    return f"this role may call: {lent}" if lent else "do without it"


def _few(words: list[str]) -> str:
    more = len(words) - _MOST_NAMED
    return ", ".join(words[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def names_matter(view: RoleView) -> bool:
    """Does it make a difference to the role which table a name means? Not if nothing is hidden from it and each of its
    rules holds for all tables."""
    return not (view.unrestricted and all(allow.all_tables for _, allow in view.allows))


def grants_everywhere(kind: str, view: RoleView) -> bool:
    """Whether some rule allows this kind on whatever table."""
    return any(kind in allow.statements and allow.all_tables for _, allow in view.allows)
