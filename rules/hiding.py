"""Masked columns in a statement: which outputs are masked, and which uses would get round a mask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rules.book.model import Masking, Predicates, Rule
from rules.decision import Mask, MaskKind, Refusal
from rules.denying import REFUSED
from rules.facts import ColumnId, Facts, FunctionRisk, OutputColumn, TableId, TableUse, Use
from rules.granting import is_harmless, table_grant
from rules.naming import POSTGRES
from rules.roles import RoleView, strongest
from rules.taxonomy import BASELINE
from rules.touching import direct_tables, show_table
from rules.tree import Access

#: what a mask's `predicates` permits; a use that is no key may always be
PERMITTED: Final[dict[Use, frozenset[Predicates]]] = {
    Use.FILTER: frozenset({Predicates.ANY}),
    Use.ORDER: frozenset({Predicates.ANY}),
    Use.COMPUTE: frozenset({Predicates.ANY}),
    Use.SCALE: frozenset({Predicates.ANY}),
    Use.EQUALITY: frozenset({Predicates.ANY, Predicates.EQUALITY}),
    Use.JOIN: frozenset({Predicates.ANY, Predicates.EQUALITY}),
    Use.GROUP: frozenset({Predicates.ANY, Predicates.EQUALITY}),
    Use.COPY: frozenset(),
}

_USE_WORDS: Final[dict[Use, str]] = {
    Use.FILTER: "is masked and may not be used in a condition",
    Use.ORDER: "is masked and may not be sorted by",
    Use.COMPUTE: "is masked, and its value would show in whether this computation fails or how many rows it gives",
    Use.SCALE: "is masked, and what this role could write beside it would make this computation fail by its value",
    Use.EQUALITY: "is masked and may not be compared",
    Use.JOIN: "is masked and may not be joined on",
    Use.GROUP: "is masked and may not be grouped by or compared (GROUP BY, DISTINCT, UNION)",
    Use.COPY: "is masked and its value may not be written elsewhere, where the mask would not hold",
}

_WRITING: Final = ("insert", "update", "merge", "copy_in")
#: statements that are programs: what they do is not in their text's lineage
OPAQUE_OBJECTS: Final = (
    "FUNCTION", "PROCEDURE", "ROUTINE", "TRIGGER", "RULE", "AGGREGATE", "OPERATOR", "CAST", "LANGUAGE",
    "EXTENSION", "TRANSFORM", "CONVERSION", "SUBSCRIPTION", "PUBLICATION", "SERVER", "FOREIGN", "USER MAPPING",
    "ACCESS METHOD", "POLICY", "EVENT", "LIBRARY",
)  # fmt: skip
STRUCTURE: Final = "dbgate:structure"
CARRIED: Final = "dbgate:prepared"
#: what shapes a relation, or puts expressions over its columns (indexes, constraints, statistics)
_SHAPING: Final = frozenset({Access.ALTER, Access.CREATE})
#: puts a table's rows in the order of an index, in which they are read from then on
SORTING: Final = "CLUSTER"
#: what leaves a relation of that name as it is, where there is one
_NEW_ONLY: Final = frozenset({"CREATE TABLE", "CREATE TABLE AS", "SELECT INTO", "CREATE SEQUENCE"})


# ---------------------------------------------------------------- outputs


def output_masks(facts: Facts, view: RoleView) -> tuple[Mask | None, ...] | None:
    """One entry for each output column; None when none is masked."""
    if facts.outputs is None or not view.masks:
        return None
    masks = tuple(output_mask(output, view) for output in facts.outputs)
    return masks if any(masks) else None


def output_mask(output: OutputColumn, view: RoleView) -> Mask | None:
    """A column returned as it is gets the strongest of its masks; whatever is computed from one is redacted, and where
    even its being NULL would tell a value, it is NULL."""
    mask = strongest(m for column in output.sources for m in view.maskings(column))
    if mask is None or output.direct or mask.kind is MaskKind.NULL:
        return mask
    return Mask(MaskKind.NULL if output.hollow else MaskKind.REDACT, rule=mask.rule)


def masked_sources(facts: Facts, view: RoleView) -> tuple[ColumnId, ...]:
    """The masked columns whose values would show in the rows."""
    found = {source for output in facts.outputs or () for source in output.sources}
    return tuple(sorted(column for column in found if view.maskings(column)))


# ---------------------------------------------------------------- uses


def misused_mask(facts: Facts, view: RoleView) -> Refusal | None:
    """A masked column in a place from which its value could be guessed or carried off."""
    if not view.masks:
        return None
    for column, use in sorted(_uses(facts, view), key=lambda pair: (pair[0], pair[1].value)):
        permitted = PERMITTED.get(use)
        if permitted is None:
            continue
        broken = [(r, m) for r, m in view.maskings(column) if m.predicates not in permitted]
        if broken:
            return _misuse_refusal(column, use, broken)
    return None


def _uses(facts: Facts, view: RoleView) -> set[tuple[ColumnId, Use]]:
    found = {(use.column, use.use) for use in facts.uses}
    scalers = {column for column, use in found if use is Use.SCALER}
    if scalers and not any(_may_write(column.table_id, view) for column in scalers):
        found = {(column, use) for column, use in found if use is not Use.SCALE}  # nobody put a value there for it
    found.update((source, Use.COPY) for _, sources in facts.copies for source in sources)
    return found


def _may_write(table: TableId, view: RoleView) -> bool:
    return any(table_grant(TableUse(table, Access.INSERT), word, view) for word in _WRITING)


def _misuse_refusal(column: ColumnId, use: Use, broken: Iterable[tuple[Rule, Masking]]) -> Refusal:
    rule, masking = min(broken, key=lambda pair: pair[0].id)
    detail = f'rule "{rule.id}" ({rule.place.for_clients}): column {column} {_USE_WORDS[use]}'
    hint = rule.instead or _misuse_mend(column, use, masking)
    return Refusal(rule.id, REFUSED, f"{detail}; {rule.message}" if rule.message else detail, hint)


def _misuse_mend(column: ColumnId, use: Use, masking: Masking) -> str:
    if use is Use.COPY:
        return f"leave {column} out of what is written"
    if use is Use.COMPUTE:
        known = "lower, length, concat, coalesce"
        return f"return {column} as it is, or compute with functions that take any value ({known})"
    if masking.predicates is Predicates.EQUALITY:
        return f"compare {column} for equality only, or leave it out of conditions and ORDER BY"
    return f"use {column} in the select list only; filter, join, group and sort by other columns, such as a key"


# ---------------------------------------------------------------- ways round


def unseen_run(facts: Facts, view: RoleView) -> Refusal | None:
    """EXPLAIN EXECUTE and CREATE TABLE AS EXECUTE: what the prepared statement reads does not stand in the text."""
    if facts.runs is None or facts.kind in BASELINE or not view.hides_data:
        return None
    detail = f'{facts.detail or facts.kind.upper()} runs "{facts.runs.name}", which may read what is masked'
    return Refusal(CARRIED, REFUSED, detail, "write the statement itself in place of its EXECUTE")


def reshaping(facts: Facts, view: RoleView) -> Refusal | None:
    """Programs, and structure changes by which a column would shed the rule that hides it."""
    if not view.unrestricted and (facts.kind == "do" or _makes_program(facts)):
        words = facts.detail or facts.kind.upper()
        detail = f'{words} runs or defines code that the rules for role "{view.role}" cannot see into'
        return Refusal(STRUCTURE, REFUSED, detail, "run its statements one by one")
    if not view.hides_data:
        return None
    if facts.detail.upper().startswith("ALTER SCHEMA"):
        detail = f'rules for role "{view.role}" go by the names of schemas'
        return Refusal(STRUCTURE, REFUSED, detail, "ask a database administrator to change the schema")
    shaping = _SHAPING - {Access.CREATE} if facts.detail in _NEW_ONLY else _SHAPING
    if facts.detail == SORTING:
        shaping = frozenset(Access)
        if not facts.tables:
            detail = "it sorts every table that was clustered before, those with hidden columns too"
            return Refusal(STRUCTURE, REFUSED, detail, "name one table without hidden columns")
    shaped = [u.table for u in direct_tables(facts) if u.access in shaping and u.table in view.catalog.by_name]
    tables = [table for table in shaped if view.hides_in(table)]
    if not tables:
        return None
    detail = f'{show_table(tables[0])} has columns that are hidden from role "{view.role}": changed, they could show'
    return Refusal(STRUCTURE, REFUSED, detail, "ask a database administrator to change the table")


def _makes_program(facts: Facts) -> bool:
    if facts.kind not in ("create", "alter"):
        return False
    words = facts.detail.upper().replace("OR REPLACE ", "").replace("CONSTRAINT ", "").split(" ", 1)
    return len(words) == 2 and words[1].startswith(OPAQUE_OBJECTS)


def _adds(use: TableUse, view: RoleView) -> bool:
    """Does it add rows of the statement's own to a MySQL table, where no trigger runs and nothing cascades? The
    server's words are then about those rows, and name the columns of foreign keys without their values."""
    relation = view.catalog.by_name.get(use.table)
    if use.access is not Access.INSERT or use.through is not None or relation is None:
        return False
    return view.catalog.dialect != POSTGRES and relation.kind == "r" and not relation.triggers


def hides(facts: Facts, view: RoleView) -> bool:
    """Whether the server's own texts about the statement could carry data that the role may not see whole."""
    if not view.hides_data or facts.kind in BASELINE:
        return False
    if any(view.hides_in(use.table) or not (use.access is Access.SELECT or _adds(use, view)) for use in facts.tables):
        return True
    return any(f.risk is not FunctionRisk.PURE and not is_harmless(f) for f in facts.functions)
