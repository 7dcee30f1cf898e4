"""A decided statement -> what to splice into its text, or why it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from rules.book.model import Rule
from rules.catalog import Relation as Stored
from rules.decision import Refusal, Rewrite
from rules.facts import Facts
from rules.filters.proof import UnprovenError
from rules.filters.references import named
from rules.filters.refusals import NotSpliced
from rules.lineage import facts as lineage_facts
from rules.lineage.reader import Reader
from rules.lineage.values import MissingRelation
from rules.lineage.values import Refused as Unresolved
from rules.mysql.filters.calm import Calm, kind_of_type
from rules.mysql.filters.proof import Needs, Proof
from rules.mysql.filters.references import Place, Reference, references, shows_filtered
from rules.mysql.filters.splicing import Splicer
from rules.mysql.filters.written import check_written
from rules.mysql.grammar import grammar_of
from rules.mysql.lexemes import Lexemes
from rules.mysql.parse import read_places
from rules.mysql.places import Places
from rules.mysql.predicates import condition_of, predicate_of, quoted
from rules.mysql.refusal import Refused
from rules.predicate import BadPredicateError
from rules.roles import RoleView
from rules.touching import show_table
from rules.tree import Access, Column, Expression, Statement

MEND: Final = "write the statement simpler, or leave the filtered table out of it"
_HARMLESS: Final = frozenset({Access.LOCK, Access.OTHER})
_ROWS: Final = frozenset({Access.SELECT, Access.INSERT, Access.UPDATE, Access.DELETE})
#: statements whose text filters are spliced into
_SPLICED: Final = frozenset({
    "SELECT", "SELECT INTO", "INSERT", "REPLACE", "UPDATE", "DELETE", "CREATE TABLE AS",
})  # fmt: skip


def rewrite(text: bytes, statement: Statement, facts: Facts, view: RoleView,
            search_path: tuple[str, ...]) -> Rewrite | Refusal | None:  # fmt: skip
    """None when the statement touches no filtered table. `text`: the whole text, in which the statement is one."""
    if not any(view.filtering(use.table) for use in facts.tables):
        return None
    try:
        return _Work(text, statement, facts, view, search_path).made()
    except NotSpliced as found:
        return found.refusal()
    except BadPredicateError as found:
        why = f"a filter's condition is not one that this server reads alike: {found}; {found.why}"
        return NotSpliced(None, why, "ask the gate's administrator to mend the rule").refusal()
    except (UnprovenError, LookupError) as found:
        return NotSpliced(None, f"the row filter could not be put in place: {found}", MEND).refusal()
    except Refused as found:
        return NotSpliced(None, f"the row filter could not be put in place: {found.unparsable.reason}", MEND).refusal()
    except Unresolved as found:
        return NotSpliced(None, found.problem.reason, found.problem.mend or MEND).refusal()
    except MissingRelation as found:
        return NotSpliced(None, f'"{found}" is not known', MEND).refusal()


class _Work:
    """One statement on its way."""

    def __init__(self, text: bytes, statement: Statement, facts: Facts, view: RoleView, path: tuple[str, ...]) -> None:
        self.text = text
        self.statement = statement
        self.facts = facts
        self.view = view
        self.path = path
        self.catalog = view.catalog
        self.reader = Reader(self.catalog, path)
        self.rules: set[str] = set()

    def made(self) -> Rewrite | None:
        self._refuse_uses()
        if self.statement.body is None:
            return None
        old, places = self._read(self.text, self.statement.start)
        found = list(references(self.reader, old.body))
        self._refuse_unseen(old, places)
        early = not self._calm(old, found)
        splicer = Splicer(places, early)
        for reference in found:
            self._placed(splicer, reference)
        raw = Lexemes(_decoded(self.text), self._grammar(), every_row=True)
        splicer.finish(old.body, raw)
        edits = splicer.edits.ordered()
        whole = Rewrite(edits).apply(self.text)
        new, _ = self._read(whole, old.start)
        if len(whole) - new.end != len(self.text) - old.end:
            raise UnprovenError("the result ends elsewhere")
        needs = Needs(self._filters, frozenset(splicer.renamed))
        Proof(self.reader, needs, early).statements(old, new)
        self._means_the_same(new)
        return Rewrite(edits, tuple(sorted(self.rules))) if edits else None

    def _grammar(self) -> Any:
        folds = self.catalog.lower_case_table_names != 0
        return grammar_of(self.catalog.dialect, self.catalog.server_version, folds)

    def _read(self, text: bytes, start: int) -> tuple[Statement, Places]:
        """The statement that begins there, every row of it."""
        folds = self.catalog.lower_case_table_names != 0
        found, places = read_places(_decoded(text), self.catalog.dialect, self.catalog.server_version, folds=folds)
        one = next((s for s in found if s.start == start), None)
        if one is None:
            raise UnprovenError("the statement begins elsewhere")
        return one, places

    # ------------------------------------------------------------ what cannot be filtered

    def _refuse_uses(self) -> None:
        for use in sorted(self.facts.tables, key=lambda u: (u.table, u.access.value)):
            filtering = self.view.filtering(use.table)
            why = self._unfit(use.access) if filtering else ""
            if why:
                raise NotSpliced(filtering[0][0], f"{why} {show_table(use.table)}, where rows are hidden", MEND)

    def _unfit(self, access: Access) -> str:
        """What it does that no filter can stand in for; empty when it is a matter of rows."""
        words = self.statement.detail or self.facts.kind.upper()
        if access in _HARMLESS:
            return ""
        if access not in _ROWS:
            return f"{words} concerns every row of"
        spliced = words in _SPLICED and self.statement.body is not None and self.statement.defines is None
        return "" if spliced else f"{words} reaches hidden rows of"

    def _refuse_unseen(self, old: Statement, places: Places) -> None:
        """Tables that the parser met and the tree does not have."""
        seen = set(named(old.body))
        for at, name in places.named:
            if at in seen or not old.start <= at < old.end:
                continue
            stored = self.reader.lookup(name)
            if stored is not None and (self.view.filtering(stored.qualified) or shows_filtered(stored, self.view)):
                raise NotSpliced(None, f"{stored.name} is named where no filter can follow", MEND)

    # ------------------------------------------------------------ splicing

    def _placed(self, splicer: Splicer, reference: Reference) -> None:
        stored = reference.stored
        if shows_filtered(stored, self.view):
            why = f"{stored.name} is a view over filtered tables"
            raise NotSpliced(None, why, "read and write the tables themselves")
        found = self.view.filtering(stored.qualified)
        if not found:
            return
        self.rules |= {rule.id for rule, _ in found}
        if reference.write is not None:
            self._writable(found[0][0], reference)
            both = zip((rule for rule, _ in found), self._filters(stored, reference.called), strict=True)
            check_written(reference.write, stored, list(both))
        conditions = self._conditions(stored, reference.called)
        if reference.place is Place.READ:
            splicer.read(reference, conditions)
        elif reference.place is Place.HELD:
            splicer.hold(reference, conditions)

    def _writable(self, rule: Rule, reference: Reference) -> None:
        if reference.stored.kind == "v":
            raise NotSpliced(rule, f"{reference.stored.name} is a view", "write to the table itself")

    def _conditions(self, stored: Stored, called: str) -> list[str]:
        found = (predicate_of(f.where, self.catalog) for _, f in self.view.filtering(stored.qualified))
        name: Any = partial(_column_of, called)
        return [predicate.render(name) for predicate in found]

    def _filters(self, stored: Stored, called: str) -> list[Expression]:
        folds = self.catalog.lower_case_table_names != 0
        brand, version = self.catalog.dialect, self.catalog.server_version
        return [condition_of(text, brand, version, folds) for text in self._conditions(stored, called)]

    # ------------------------------------------------------------ expressions

    def _calm(self, old: Statement, found: list[Reference]) -> bool:
        relations = [reference.stored for reference in found]
        made = frozenset(_names_made(old.body))

        def kind_of(column: Column) -> str:
            name = column.path[-1]
            kinds = {kind_of_type(c.type) for r in relations if (c := r.column(name)) is not None}
            return kinds.pop() if len(kinds) == 1 and name not in made else "unknown"

        return Calm(old.kind != "select", kind_of).statement(old)

    # ------------------------------------------------------------ the result

    def _means_the_same(self, new: Statement) -> None:
        """The facts of the result are those of the statement, the filters' own columns aside."""
        found = lineage_facts(new, self.catalog, self.path)
        if found.problem is not None or found.missing:
            why = "" if found.problem is None else f": {found.problem.reason}"
            raise NotSpliced(None, f"the filtered table must be read through a sub-select here{why}", MEND)
        if _names(found) != _names(self.facts) or self._tables(found) != self._tables(self.facts):
            raise UnprovenError("the result does something else")

    def _tables(self, facts: Facts) -> set[tuple[tuple[str, str], Access]]:
        """Filtered tables are read by their filters, if by nothing else."""
        uses = ((use.table, use.access) for use in facts.tables)
        return {use for use in uses if use[1] is not Access.SELECT or not self.view.filtering(use[0])}


def _decoded(text: bytes) -> str:
    """Strings may hold bytes that are not UTF-8."""
    return text.decode("utf-8", "surrogateescape")


def _column_of(called: str, name: str) -> str:
    return f"{quoted(called)}.{quoted(name)}"


def _names(facts: Facts) -> tuple[str, ...] | None:
    return None if facts.outputs is None else tuple(output.name for output in facts.outputs)


def _names_made(node: Any) -> Iterator[str]:
    """Names that columns are given in the statement itself."""
    if isinstance(node, tuple):
        for each in node:
            yield from _names_made(each)
    elif hasattr(node, "__dataclass_fields__"):
        for name in node.__slots__:
            value = getattr(node, name)
            if name in ("column_aliases", "extra_columns", "record_columns"):
                yield from (each.lower() for each in value)
            yield from _names_made(value)
        if type(node).__name__ == "Output" and node.name is not None:
            yield node.name
