"""A decided statement -> what to splice into its text, or why it is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from rules.book.model import Rule
from rules.decision import Edit, Refusal, Rewrite
from rules.denying import REFUSED
from rules.facts import Facts, FunctionRisk
from rules.filters import copying
from rules.filters.certain import in_sight
from rules.filters.check_proof import HOLE, Checked, Unchecked
from rules.filters.checks import Check, CheckSplicer, planned
from rules.filters.expansion import (
    definition_fails,
    expanded,
    is_expanded,
    needs_filter,
    path_of,
    place,
    refuse_unseen,
)
from rules.filters.proof import Needs, Proof, UnprovenError, alike
from rules.filters.references import Reference, references
from rules.filters.refusals import NotSpliced, rule_refusal
from rules.filters.schema_names import shortened
from rules.filters.splicing import Splicer, conditions, predicates, qualifier_of
from rules.filters.values import Written, assigned, inserted, merged
from rules.granting import is_harmless
from rules.lineage import facts as lineage_facts
from rules.lineage.reader import Reader
from rules.lineage.values import MissingRelation, Refused
from rules.postgres import read
from rules.postgres.lexemes import OutlineError
from rules.postgres.lists import rows as rows_of
from rules.postgres.lists import select_list
from rules.postgres.predicates import condition_of
from rules.roles import RoleView
from rules.touching import show_table
from rules.tree import Access, Expression, Insert, Merge, Statement, Unparsable, Update

MEND: Final = "write the statement simpler, or leave the filtered table out of it"
#: what may be done with a filtered table without reading or writing its rows
_HARMLESS: Final = frozenset({Access.LOCK, Access.OTHER})
_ROWS: Final = frozenset({Access.SELECT, Access.INSERT, Access.UPDATE, Access.DELETE})
_SHAPING_KINDS: Final = frozenset({"alter", "do"})


def rewrite(text: bytes, statement: Statement, facts: Facts, view: RoleView,
            search_path: tuple[str, ...]) -> Rewrite | Refusal | None:  # fmt: skip
    """None when the statement touches no filtered table. `text`: the whole text, in which the statement is one."""
    if not concerned(facts, view):
        return None
    work = _Work(text, statement, facts, view, search_path)
    try:
        return work.made()
    except NotSpliced as found:
        return found.refusal()
    except (OutlineError, UnprovenError, Unchecked, LookupError) as found:  # LookupError: the tokens break off
        return NotSpliced(None, f"the row filter could not be put in place: {found}", MEND).refusal()
    except Refused as found:
        return NotSpliced(None, found.problem.reason, found.problem.mend or MEND).refusal()
    except MissingRelation as found:
        return NotSpliced(None, f'"{found}" is not known', MEND).refusal()


def concerned(facts: Facts, view: RoleView) -> bool:
    """Whether the statement uses a table whose rows are filtered for this role."""
    return bool(view.filters) and any(
        view.filtering(use.table) or view.filtered_below(use.table) for use in facts.tables
    )


class _Work:
    """One statement on its way."""

    def __init__(self, text: bytes, statement: Statement, facts: Facts, view: RoleView, path: tuple[str, ...]) -> None:
        self.text = text
        self.statement = statement
        self.facts = facts
        self.view = view
        self.path = path
        self.reader = Reader(view.catalog, path)
        opaque = any(f.risk is not FunctionRisk.PURE and not is_harmless(f) for f in facts.functions)
        self.early = facts.fails_early or opaque
        self.splicer = Splicer(text, statement.start, statement.end, view, self.early)
        self.checks = CheckSplicer(self.splicer.outline, self.splicer.edits)
        self.checked: list[Rule] = []

    def made(self) -> Rewrite | None:
        _refuse_path(self.reader)
        _refuse_uses(self.facts, self.statement, self.view)
        if self.statement.body is None:
            return self._copied()
        for reference in references(self.reader, self.statement):
            self._placed(reference)
        refuse_unseen(self.reader, self.statement, self.text, self.view)
        self.splicer.finish()
        shortened(self.splicer, self.statement)
        edits = self.splicer.edits.ordered()
        self._proven(edits)
        return Rewrite(edits, tuple(sorted(self.splicer.rules)), self._check_refusal()) if edits else None

    def _copied(self) -> Rewrite | None:
        """COPY t TO, the only statement without a body that reads rows."""
        if self.facts.kind != "copy_out":
            return None
        edits, rules = copying.spliced(self.text, self.statement, self.splicer, self.reader)
        return Rewrite(edits, rules)

    def _placed(self, reference: Reference) -> None:
        if not needs_filter(reference.stored, self.view):
            return
        if reference.write is None and is_expanded(reference.stored, self.view):
            definition, rules = expanded(reference.stored, self.view, self.early)
            self.splicer.rules |= rules
            self.splicer.expand(reference, definition)
            return
        if reference.write is not None and reference.stored.kind in "vm":
            name = reference.stored.name
            raise NotSpliced(None, f"{name} is a view over filtered tables", "write to the table itself")
        place(self.splicer, reference)
        if reference.write is not None:
            self._check(reference)

    # ------------------------------------------------------------ checks

    def _check(self, reference: Reference) -> None:
        write = reference.write
        core = self.splicer.leaf(reference).core
        if isinstance(write, Update):
            self._check_sets(reference, write.assignments, core.sets)
        elif isinstance(write, Insert):
            self._check_rows(reference, write)
            if write.conflict_assignments:
                self._check_sets(reference, write.conflict_assignments, self.splicer.conflict(reference).sets)
        elif isinstance(write, Merge):
            self._check_actions(reference, write)

    def _plan(self, reference: Reference, written: Written | None) -> Check | None:
        found = predicates(reference, self.view)
        check = planned(found, reference.stored, written, qualifier_of(reference))
        if check is None or in_sight(check, self.text, reference.node.start):
            return None
        self.checked.append(found[0][0])
        return check

    def _check_sets(self, reference: Reference, old: Any, sets: list[Any]) -> None:
        check = self._plan(reference, assigned(old))
        if check is None:
            return
        if [s.name for s in sets] != [a.columns[0] for a in old]:
            raise OutlineError("the assignments are not certain")
        self.checks.cells(check, {s.name: (s.first, s.last) for s in sets})

    def _check_rows(self, reference: Reference, write: Insert) -> None:
        check = self._plan(reference, inserted(write, reference.stored))
        if check is None:
            return
        core = self.splicer.leaf(reference).core
        if check.written.kind == "values":
            rows = rows_of(self.splicer.lexemes, core.values[0]) if len(core.values) == 1 else []
        else:
            selects = [c for c in self.splicer.outline.cores if c.insert is core and c.word == "select"]
            rows = [select_list(self.splicer.lexemes, selects[0].head)] if len(selects) == 1 else []
        self._check_cells(check, rows)

    def _check_cells(self, check: Check, rows: list[list[tuple[int, int]]]) -> None:
        width = len(check.written.positions)
        if not rows or any(len(row) != width for row in rows):
            raise OutlineError("the written values are not certain")
        for row in rows:
            self.checks.cells(check, {name: row[n] for name, n in check.written.positions.items()})

    def _check_actions(self, reference: Reference, write: Merge) -> None:
        core = self.splicer.leaf(reference).core
        sets, lists = list(core.sets), [rows_of(self.splicer.lexemes, at) for at in core.values]
        for action in write.actions:
            if action.kind == "update":
                mine, sets = sets[: len(action.assignments)], sets[len(action.assignments) :]
                self._check_sets(reference, action.assignments, mine)
            elif action.kind == "insert":
                check = self._plan(reference, merged(action, reference.stored))
                rows, lists = (lists[0], lists[1:]) if lists else ([], [])
                if check is not None:
                    self._check_cells(check, rows)

    def _check_refusal(self) -> Refusal | None:
        if not self.checked:
            return None
        rule = min(self.checked, key=lambda r: r.id)
        found = rule_refusal(
            rule, "the row to be written is not one that this role may see", "write rows within the filter"
        )
        return Refusal(rule.id, REFUSED, found.detail, found.hint)

    # ------------------------------------------------------------ the proof

    def _proven(self, edits: tuple[Edit, ...]) -> None:
        """Reads the result and compares. Raises UnprovenError or Unchecked."""
        start, end = self.statement.start, self.statement.end
        whole = Rewrite(edits).apply(self.text)
        made = read(whole[start : len(whole) - (len(self.text) - end)].decode(), alone=True)
        if isinstance(made, Unparsable) or len(made) != 1:
            raise UnprovenError("the result is not one statement")
        renamed = frozenset(name for q in self.splicer.renamed for name in (q,))
        needs = Needs(self._filters, self._view, self._checked, renamed)
        Proof(self.reader, self.reader, needs, self.early).statements(self.statement, made[0])
        self._means_the_same(made[0])

    def _means_the_same(self, made: Statement) -> None:
        """The facts of the result are those of the statement, views and the filter's own columns aside."""
        if made.defines is not None:
            made = replace(made, returns_body=True)
        found = lineage_facts(made, self.view.catalog, self.path)
        if found.problem is not None or found.missing:
            why = "" if found.problem is None else f": {found.problem.reason}"
            raise NotSpliced(None, f"the filtered table must be read through a sub-select here{why}", MEND)
        gone = self._stored_tables(self.facts) - self._stored_tables(found)
        more = self._stored_tables(found) - self._stored_tables(self.facts)
        # what FOR UPDATE locks may stand in a sub-select now
        locked = self.facts.kind == "select" and all(access is Access.UPDATE for _, access in gone)
        if _names(found) != _names(self.facts) or more or (gone and not locked):
            raise UnprovenError("the result does something else")

    def _stored_tables(self, facts: Facts) -> set[tuple[tuple[str, str], Access]]:
        """Filtered tables are read by their filters, if by nothing else."""
        by_name = self.view.catalog.by_name
        return {
            (use.table, use.access)
            for use in facts.tables
            if use.access is not Access.SELECT
            or not (self.view.filtering(use.table) or ((known := by_name.get(use.table)) and known.kind == "v"))
        }

    def _filters(self, reference: Reference, qualifier: str) -> list[Expression]:
        return [condition_of(text) for text in conditions(predicates(reference, self.view), qualifier)]

    def _view(self, stored: Any, early: bool) -> tuple[tuple[str, ...], bool] | None:
        if not is_expanded(stored, self.view):
            return None
        return path_of(stored), early or definition_fails(stored, self.view)

    def _checked(self, reference: Reference) -> Checked:
        found = predicates(reference, self.view)
        templates = [condition_of(p.render(lambda name: f'"{HOLE}"."{name}"')) for _, p in found]
        find: Callable[[Any], Check | None] = partial(self._needed, reference)
        return Checked(reference.node, find, templates, alike)

    def _needed(self, reference: Reference, part: Any) -> Check | None:
        if part is None:
            assert isinstance(reference.write, Insert)
            return self._plan(reference, inserted(reference.write, reference.stored))
        if isinstance(part, tuple):
            return self._plan(reference, assigned(part))
        if part.kind == "update":
            return self._plan(reference, assigned(part.assignments))
        return self._plan(reference, merged(part, reference.stored)) if part.kind == "insert" else None


def _names(facts: Facts) -> tuple[str, ...] | None:
    return None if facts.outputs is None else tuple(output.name for output in facts.outputs)


# ---------------------------------------------------------------- what cannot be filtered


def _refuse_path(reader: Reader) -> None:
    """Operators are found by the search path."""
    own = [schema for schema in reader.path if not schema.startswith("pg_temp")]
    if own and own[0] != "pg_catalog":
        raise NotSpliced(None, "pg_catalog is not the first schema of the search path",
                         "SET search_path without pg_catalog, which is then searched first")  # fmt: skip


def _refuse_uses(facts: Facts, statement: Statement, view: RoleView) -> None:
    for use in sorted(facts.tables, key=lambda u: (u.table, u.access.value)):
        rules = [rule for rule, _ in view.filtering(use.table)]
        below = view.filtered_below(use.table)
        if below is not None:
            rules.append(below[1])
        if rules and use.table in view.catalog.by_name:
            why = _unfit(use.access, facts, statement)
            if why:
                raise NotSpliced(rules[0], f"{why} {show_table(use.table)}, where rows are hidden", MEND)


def _unfit(access: Access, facts: Facts, statement: Statement) -> str:
    """What it does that no filter can stand in for; empty when it is a matter of rows."""
    words = facts.detail or facts.kind.upper()
    if facts.kind in ("copy_in", "file_io"):
        return "COPY writes to" if facts.kind == "copy_in" else "COPY with a file of the server reads"
    if access not in _ROWS | _HARMLESS or facts.kind in _SHAPING_KINDS:
        return f"{words} concerns every row of"
    if statement.detail == "CREATE MATERIALIZED VIEW":
        return "CREATE MATERIALIZED VIEW keeps rows of"
    if access in _ROWS and statement.body is None and facts.kind != "copy_out":
        return f"{words} reads"
    return ""
