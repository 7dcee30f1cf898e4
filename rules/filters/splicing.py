"""Where each filter goes in the statement's own text.

Two forms. INLINE adds the condition to the query's WHERE, or to the ON of the join on whose nullable side the table
stands: system columns, whole rows, GROUP BY of a primary key, row locks and plans stay what they are. FENCED puts
`(SELECT * FROM t WHERE filter)` in the table's place: where no condition can take the filter (FULL JOIN, USING on the
nullable side, names hidden by a join's alias, column aliases), and with OFFSET 0, which the planner does not look
through, where an expression of the statement may fail (`rules.lineage.early`): it would otherwise be evaluated on rows
that are hidden, and its error would tell of them. Views are replaced by their definitions with filters spliced in.
"""

from __future__ import annotations

from typing import Final

from rules.book.model import Rule
from rules.filters.edits import Edits
from rules.filters.references import Reference
from rules.filters.refusals import NotSpliced
from rules.naming import POSTGRES
from rules.postgres.outline import Condition, Core, Leaf, Outline
from rules.postgres.predicates import quoted
from rules.predicate import Predicate
from rules.roles import RoleView
from rules.tree import Delete, Insert, JoinKind, Merge, Operation, Update

FENCE: Final = " OFFSET 0"
_BEFORE: Final = -1
_AFTER_FENCE: Final = 1
_AFTER_ON: Final = 2
_AFTER_WHERE: Final = 3
_WRITE_KINDS: Final = frozenset("rpf")


def predicates(reference: Reference, view: RoleView) -> list[tuple[Rule, Predicate]]:
    found = [(rule, row_filter.where) for rule, row_filter in view.filtering(reference.stored.qualified)]
    foreign = next((rule for rule, where in found if where.dialect != POSTGRES), None)
    if foreign is not None:
        raise NotSpliced(foreign, "its condition is none for PostgreSQL", "ask the gate's administrator to mend it")
    return found


def conditions(found: list[tuple[Rule, Predicate]], qualifier: str) -> list[str]:
    """Each filter, its columns under the name that the table goes by."""
    return [predicate.render(lambda name: f"{qualifier}.{quoted(name)}") for _, predicate in found]


def together(found: list[str]) -> str:
    return " AND ".join(f"({condition})" for condition in found)


def qualifier_of(reference: Reference) -> str:
    """The alias, or the qualified name, which nothing in a query can shadow."""
    if reference.node.alias is not None:
        return quoted(reference.node.alias)
    return qualified(reference)


class Splicer:
    """Collects the edits of one statement. `fails_early`: keep its expressions away from hidden rows."""

    def __init__(self, text: bytes, start: int, end: int, view: RoleView, fails_early: bool) -> None:
        self.outline = Outline(text, start, end)
        self.lexemes = self.outline.lexemes
        self.view = view
        self.fails_early = fails_early
        self.edits = Edits()
        self.rules: set[str] = set()
        self.renamed: list[tuple[str, str]] = []
        self._wheres: dict[Core, list[str]] = {}
        self._guarded: set[Core] = set()
        self._ons: dict[int, tuple[Condition, list[str]]] = {}

    def place(self, reference: Reference) -> None:
        """Puts the filters of one reference in their place. Raises NotSpliced or OutlineError."""
        found = predicates(reference, self.view)
        self.rules.update(rule.id for rule, _ in found)
        if reference.write is not None:
            self._target(reference, found)
        else:
            self._source(reference, found)

    def finish(self) -> None:
        """Writes the conditions that were gathered for each WHERE and ON."""
        for core, found in self._wheres.items():
            self._write_where(core, together(found), core in self._guarded)
        for condition, found in self._ons.values():
            self._wrap(condition, f"{together(found)} AND (", ")", _AFTER_ON)

    # ------------------------------------------------------------ where it is read

    def leaf(self, reference: Reference) -> Leaf:
        if reference.node.start < 0:
            raise NotSpliced(None, "a table's name is written with U& escapes", "write the name plainly")
        leaf = self.outline.leaves.get(self.lexemes.at(reference.node.start))
        if leaf is None:
            raise NotSpliced(None, "it is not certain where its query's parts begin", "write the statement simpler")
        return leaf

    def _source(self, reference: Reference, found: list[tuple[Rule, Predicate]]) -> None:
        index = self.lexemes.at(reference.node.start)
        before = index - 1 - (self.lexemes.words[index - 1] == b"only")
        if before >= 0 and self.lexemes.words[before] == b"table" and index not in self.outline.leaves:
            return self._table_word(before, index, reference, found)
        leaf = self.leaf(reference)
        spot = None if self.fails_early or reference.node.column_aliases else self._spot(leaf)
        if spot is None:
            return self._fence(reference, leaf, together(conditions(found, qualified(reference))))
        texts = conditions(found, qualifier_of(reference))
        if isinstance(spot, Core):
            self._wheres.setdefault(spot, []).extend(texts)
        else:
            self._ons.setdefault(spot.first, (spot, []))[1].extend(texts)
        return None

    def _table_word(self, word: int, index: int, reference: Reference, found: list[tuple[Rule, Predicate]]) -> None:
        """TABLE t -> SELECT * FROM t WHERE ..."""
        last = index
        while last + 2 < len(self.lexemes) and self.lexemes.words[last + 1] == b".":
            last += 2
        if last + 1 < len(self.lexemes) and self.lexemes.words[last + 1] == b"*":
            last += 1
        self.edits.cut(self.lexemes.starts[word], self.lexemes.ends[word])
        self.edits.insert(self.lexemes.starts[word], "SELECT * FROM")
        where = together(conditions(found, qualifier_of(reference)))
        self.edits.insert(self.lexemes.ends[last], f" WHERE {where}", _AFTER_WHERE)

    def _spot(self, leaf: Leaf) -> Core | Condition | None:
        """The WHERE or ON that may take the filter; None when only a fence will do."""
        inner: Condition | None = None
        for joined, right in leaf.joins:
            nullable = joined.kind is (JoinKind.LEFT if right else JoinKind.RIGHT)
            if nullable:
                return joined.on or inner
            if joined.kind is JoinKind.FULL:
                return inner
            if joined.kind is JoinKind.INNER and joined.on is not None:
                inner = joined.on
            if joined.hidden:
                return inner
        return inner if leaf.core.word == "merge" else leaf.core

    def _fence(self, reference: Reference, leaf: Leaf, where: str) -> None:
        """`(SELECT * FROM t WHERE ...) AS t`."""
        if reference.node.sample:
            raise NotSpliced(None, "a computed TABLESAMPLE cannot stand in a sub-select here", "sample by a constant")
        sample = "" if leaf.sample is None else " " + self.lexemes.slice(*leaf.sample)
        limit = FENCE if self.fails_early else ""
        self.edits.insert(self.lexemes.starts[leaf.first], "(SELECT * FROM ")
        after = f"{sample} WHERE {where}{limit}){_alias(reference, leaf)}"
        self.edits.insert(self.lexemes.ends[leaf.last], after, _AFTER_FENCE)
        if leaf.sample is not None:
            self.edits.cut(self.lexemes.starts[leaf.sample[0]], self.lexemes.ends[leaf.sample[1]])
        self._fenced(reference)

    def expand(self, reference: Reference, definition: str) -> None:
        """A view's reference becomes `(SELECT * FROM (its definition) AS v(columns)) AS v`, with the filters of its
        own. Raises NotSpliced or OutlineError."""
        found, leaf = predicates(reference, self.view), self.leaf(reference)
        self.rules.update(rule.id for rule, _ in found)
        name = quoted(reference.stored.name)
        where = f" WHERE {together(conditions(found, name))}" if found else ""
        limit = FENCE if found and self.fails_early else ""
        columns = ", ".join(quoted(column.name) for column in reference.stored.columns)
        start = self.lexemes.starts[leaf.first]
        self.edits.cut(start, self.lexemes.ends[leaf.last])
        inside = f"(SELECT * FROM ({definition}) AS {name}({columns}){where}{limit})"  # noqa: S608 - what it is spliced from is quoted, and the result is read again
        self.edits.insert(start, inside + _alias(reference, leaf))
        self._fenced(reference)

    def _fenced(self, reference: Reference) -> None:
        """What called the table by schema and name must call it by its name alone."""
        if reference.node.alias is None:
            self.renamed.append(reference.stored.qualified)

    # ------------------------------------------------------------ where it is written

    def _target(self, reference: Reference, found: list[tuple[Rule, Predicate]]) -> None:
        write, rule = reference.write, found[0][0]
        if reference.stored.kind not in _WRITE_KINDS:
            raise NotSpliced(rule, f"{reference.stored.name} is not a table", "write to the table itself")
        texts = conditions(found, qualifier_of(reference))
        if isinstance(write, Update | Delete):
            if isinstance(write.where, Operation) and write.where.operator == "current_of":
                raise NotSpliced(rule, "WHERE CURRENT OF cannot be joined with a filter", "name the row by its key")
            self._add_guarded(self.leaf(reference).core, texts)
        elif isinstance(write, Merge):
            self._merge_target(self.leaf(reference).core, texts)
        elif isinstance(write, Insert) and write.conflict_assignments:
            self._add_guarded(self.conflict(reference), texts)

    def conflict(self, reference: Reference) -> Core:
        """The ON CONFLICT of the INSERT into this target."""
        insert = self.leaf(reference).core
        found = [core for core in self.outline.cores if core.word == "conflict" and core.insert is insert]
        if len(found) != 1:
            raise NotSpliced(None, "it is not certain where ON CONFLICT begins", "write the statement simpler")
        return found[0]

    def _add_guarded(self, core: Core, texts: list[str]) -> None:
        self._wheres.setdefault(core, []).extend(texts)
        if self.fails_early:
            self._guarded.add(core)

    def _merge_target(self, core: Core, texts: list[str]) -> None:
        words = self.lexemes.words
        if any(words[i : i + 3] == [b"matched", b"by", b"source"] for i in range(len(words))):
            why = "WHEN NOT MATCHED BY SOURCE would reach rows that are hidden"
            raise NotSpliced(None, why, "write to them in a statement of its own")
        if core.on is None:
            raise NotSpliced(None, "it is not certain where MERGE's condition begins", "write the statement simpler")
        if self.fails_early:
            self._wrap(core.on, f"CASE WHEN {together(texts)} THEN (", ") END", _AFTER_ON)
        else:
            self._ons.setdefault(core.on.first, (core.on, []))[1].extend(texts)

    # ------------------------------------------------------------ conditions

    def _write_where(self, core: Core, condition: str, guarded: bool) -> None:
        if core.where is None:
            self.edits.insert(self.lexemes.ends[core.sources_end], f" WHERE {condition}", _AFTER_WHERE)
        elif guarded:
            self._wrap(core.where, f"CASE WHEN {condition} THEN (", ") END", _AFTER_WHERE)
        else:
            self._wrap(core.where, f"{condition} AND (", ")", _AFTER_WHERE)

    def _wrap(self, condition: Condition, before: str, after: str, rank: int) -> None:
        """Around a condition: right before its first token and right behind its last one, so that no comment takes
        them in."""
        start = self.lexemes.starts[condition.first]
        apart = "" if self.lexemes.text[start - 1 : start].isspace() else " "
        self.edits.insert(start, apart + before, _BEFORE)
        self.edits.insert(self.lexemes.ends[condition.last], after, rank)


def qualified(reference: Reference) -> str:
    """Inside a fence the table stands by its own name, whatever alias it has outside."""
    return ".".join(map(quoted, reference.stored.qualified))


def _alias(reference: Reference, leaf: Leaf) -> str:
    return "" if leaf.alias is not None else f" AS {quoted(reference.stored.name)}"
