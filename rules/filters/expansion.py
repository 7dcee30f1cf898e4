"""Views over filtered tables: a reference becomes the view's definition with the filters spliced in, at any depth."""

from __future__ import annotations

import re
from typing import Final

from rules.catalog import Relation as Stored
from rules.decision import Rewrite
from rules.facts import FunctionRisk
from rules.filters.references import Reference, all_named, named, references
from rules.filters.refusals import NotSpliced
from rules.filters.splicing import Splicer
from rules.granting import is_harmless, may_reach
from rules.lineage.early import torn_parameters
from rules.lineage.postgres import SYSTEM_SCHEMAS
from rules.lineage.queries import query
from rules.lineage.reader import Reader
from rules.lineage.relations import shape
from rules.lineage.scope import Scope
from rules.lineage.values import Refused
from rules.lineage.views import DEFINITION_PATH, query_of
from rules.postgres import read
from rules.postgres.grammar import parse_tree
from rules.postgres.predicates import quoted
from rules.roles import RoleView
from rules.tree import Statement, Unparsable

_CREATED: Final = re.compile(rb"\s*create\b", re.I)
DEEPEST: Final = 16
_BEFORE_NAME: Final = 9  # behind whatever else begins there


def path_of(stored: Stored) -> tuple[str, ...]:
    """The search path by which the view's definition is read."""
    return stored.path or DEFINITION_PATH


def needs_filter(stored: Stored, view: RoleView) -> bool:
    """Whether reading the relation reads filtered rows, of its own or of tables behind it."""
    if view.filtering(stored.qualified) or view.filtered_below(stored.qualified):
        return True
    if stored.kind not in "vm" or stored.schema in SYSTEM_SCHEMAS:
        return False
    below = (use.table for use in shape(view.catalog, stored).tables)
    return any(view.filtering(table) or view.filtered_below(table) for table in below)


def is_expanded(stored: Stored, view: RoleView) -> bool:
    """Whether the view's definition must take its place: a view over filtered tables."""
    if stored.kind != "v" or stored.schema in SYSTEM_SCHEMAS:
        return False
    below = (use.table for use in shape(view.catalog, stored).tables if use.table != stored.qualified)
    return any(view.filtering(table) or view.filtered_below(table) for table in below)


def shown_by_views(stored: Stored, view: RoleView) -> bool:
    """Whether some view that the role may read is replaced by a definition over this relation: the server then names
    the relation as the origin of what the view shows."""
    views = (r for r in view.catalog.relations if r.kind == "v" and r.schema not in SYSTEM_SCHEMAS)
    return any(may_reach(r.qualified, view) and _reads(r, stored, view) for r in views)


def _reads(over: Stored, stored: Stored, view: RoleView) -> bool:
    try:
        tables = {use.table for use in shape(view.catalog, over).tables}
        return stored.qualified in tables and is_expanded(over, view)
    except Refused:
        return False  # a view that is not understood cannot be read


def definition_fails(stored: Stored, view: RoleView) -> bool:
    """Whether the view's own expressions may fail on hidden rows: conditions on its columns reach into it."""
    reader = Reader(view.catalog, path_of(stored))
    query(reader, query_of(stored.definition or ""), Scope((), None, {}))
    opaque = any(f.risk is not FunctionRisk.PURE and not is_harmless(f) for f in reader.functions)
    return opaque or reader.fails_early or torn_parameters(reader)


def expanded(stored: Stored, view: RoleView, fails_early: bool, depth: int = 0) -> tuple[str, set[str]]:
    """The definition as a query with filters in it, and the rules' ids. Raises NotSpliced, OutlineError or Refused."""
    if depth > DEEPEST:
        raise NotSpliced(None, f"views over views nest too deeply under {stored.name}", "read the tables themselves")
    text = _query_text(stored)
    found = read(text.decode())
    if isinstance(found, Unparsable) or len(found) != 1:
        raise NotSpliced(None, f"the definition of {stored.name} is not understood", "read the tables themselves")
    early = fails_early or definition_fails(stored, view)
    splicer = Splicer(text, found[0].start, found[0].end, view, early)
    refuse_unseen(Reader(view.catalog, path_of(stored)), found[0], text, view)
    _spliced(splicer, found[0], stored, depth)
    splicer.finish()
    made = Rewrite(splicer.edits.ordered()).apply(text)
    return made[: len(made) - (len(text) - found[0].end)].decode(), splicer.rules


def refuse_unseen(reader: Reader, statement: Statement, text: bytes, view: RoleView) -> None:
    """Our tree leaves things out that the parser's has. Raises NotSpliced for a filtered table among them."""
    seen = set(named(statement.body))
    for at, name in all_named(parse_tree(text)):
        if at not in seen and statement.start <= at < statement.end:
            stored = reader.lookup(name)
            if stored is not None and needs_filter(stored, view):
                mend = "leave the filtered table out of it"
                raise NotSpliced(None, f"{stored.name} is named where no filter can follow", mend)


def _spliced(splicer: Splicer, statement: Statement, stored: Stored, depth: int) -> None:
    view = splicer.view
    for reference in references(Reader(view.catalog, path_of(stored)), statement):
        if is_expanded(reference.stored, view):
            inner, rules = expanded(reference.stored, view, splicer.fails_early, depth + 1)
            splicer.rules |= rules
            splicer.expand(reference, inner)
            continue
        _qualify(splicer, reference)
        if needs_filter(reference.stored, view):
            place(splicer, reference)


def _qualify(splicer: Splicer, reference: Reference) -> None:
    """A name without a schema means what it meant to the view, whatever the client calls its CTEs."""
    if len(reference.node.name) == 1:
        splicer.edits.insert(reference.node.start, f"{quoted(reference.stored.schema)}.", _BEFORE_NAME)


def place(splicer: Splicer, reference: Reference) -> None:
    """Puts the filters of a table in place. Raises NotSpliced where its rows cannot be told apart."""
    stored, view = reference.stored, splicer.view
    below = None if reference.node.only else view.filtered_below(stored.qualified)
    if below is not None:
        (_, child), rule = below
        why = f"{stored.name} shows the rows of {child}, which this filter is for, and has no such filter itself"
        raise NotSpliced(rule, why, f"read {child} by its own name, or ask for a filter on {stored.name}")
    filtering = view.filtering(stored.qualified)
    if stored.kind == "m" and not filtering:
        raise NotSpliced(None, f"the materialized view {stored.name} holds rows of filtered tables",
                         "read the tables themselves, or ask for a filter on the materialized view")  # fmt: skip
    if filtering:
        splicer.place(reference)


def _query_text(stored: Stored) -> bytes:
    """The query alone, of a definition that may be a CREATE VIEW."""
    text = (stored.definition or "").encode()
    if not _CREATED.match(text):
        return text
    from rules.postgres.lexemes import Lexemes

    lexemes = Lexemes(text, 0, len(text))
    i = 0
    while lexemes.words[i] != b"as":
        i = lexemes.partner[i] + 1 if lexemes.words[i] == b"(" else i + 1
    return text[lexemes.ends[i] :]
