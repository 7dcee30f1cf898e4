"""One role's view of a rulebook: its rules sorted by verb, and what they hide in one catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from rules.book.model import Allow, Deny, Limiting, Masking, Predicates, RowFilter, Rule, Rulebook
from rules.catalog import Catalog
from rules.decision import Mask, MaskKind
from rules.facts import ColumnId, TableId
from rules.family import descendants, with_parents
from rules.limits import strictest
from rules.localizing import localized
from rules.matching import NamePattern
from rules.naming import namespace_word, system_test
from rules.sensitive import Sensitive
from rules.taxonomy import KINDS

STRENGTH: dict[MaskKind, int] = {kind: rank for rank, kind in enumerate(MaskKind)}


def nothing_readable(schema: str, name: str) -> bool:
    return False


def everything_readable(schema: str, name: str) -> bool:
    return True


class RoleView:
    """`readable(schema, name)`: whether a system catalog may be read without a rule; all of them by a role that may do
    everything, as far as the server lets it.

    A rule on a table or column holds for its inheritance children and partitions as well: `ancestry` gives the
    names by which deny and mask rules may mean it. A generated column is hidden as any expression of the columns that
    it is computed from would be. `unrestricted`: no enforced deny, mask or filter rule applies.
    `is_system(schema)`: whether a schema is the database system's own. `namespace`: the server's word for one.
    `limits`: what the role may use up, None for no end; `observed_limits`: the same of the rules in mode observe.
    `may_do_everything`: beyond that, every kind of statement is allowed on all tables, so that there is nothing to
    get round."""

    def __init__(self, rulebook: Rulebook, role: str, catalog: Catalog,
                 readable: Callable[[str, str], bool] = nothing_readable) -> None:  # fmt: skip
        rulebook = localized(rulebook, catalog)
        self.role = role
        self.catalog = catalog
        self.is_system = system_test(catalog.dialect)
        self.namespace = namespace_word(catalog.dialect)
        self.rules = tuple(rule for rule in rulebook.rules if rule.applies_to(role))
        self.observed = tuple(rule for rule in self.rules if rule.observe)
        enforced = [rule for rule in self.rules if not rule.observe]
        self.allows = tuple((rule, rule.verb) for rule in enforced if isinstance(rule.verb, Allow))
        self.denies = tuple((rule, rule.verb) for rule in enforced if isinstance(rule.verb, Deny))
        self.masks = tuple((rule, rule.verb) for rule in enforced if isinstance(rule.verb, Masking))
        self.limits = strictest((rule, rule.verb) for rule in enforced if isinstance(rule.verb, Limiting))
        self.observed_limits = strictest((rule, rule.verb) for rule in self.observed if isinstance(rule.verb, Limiting))
        self.sensitive = Sensitive(rulebook, self.shown_by)
        self.filters = tuple((rule, rule.verb) for rule in enforced if isinstance(rule.verb, RowFilter))
        self.unrestricted = not self.denies and not self.masks and not self.filters
        self.may_do_everything = self.unrestricted and _all_on_all_tables(self.allows)
        self.readable = readable if not self.may_do_everything else everything_readable
        self.hides_data = bool(self.masks or self.filters) or any(d.tables or d.columns for _, d in self.denies)
        self._maskings: dict[ColumnId, tuple[tuple[Rule, Masking], ...]] = {}
        self._hidden: dict[TableId, bool] = {}
        self._filtering: dict[TableId, tuple[tuple[Rule, RowFilter], ...]] = {}

    # ------------------------------------------------------------ names

    def table_ancestry(self, table: TableId) -> tuple[TableId, ...]:
        """The table and every table it inherits from or is a partition of."""
        relation = self.catalog.by_name.get(table)
        return (table,) if relation is None else tuple(r.qualified for r in with_parents(self.catalog, relation))

    def ancestry(self, column: ColumnId) -> tuple[ColumnId, ...]:
        """The column and those of the same name in the table's parents."""
        return tuple(ColumnId(schema, table, column.column) for schema, table in self.table_ancestry(column.table_id))

    def generated_from(self, column: ColumnId) -> tuple[ColumnId, ...]:
        """The columns that a generated column is computed from; empty for any other."""
        names = self.catalog.generated.get((column.schema, column.table, column.column), ())
        return tuple(ColumnId(column.schema, column.table, name) for name in names)

    def shown_by(self, column: ColumnId) -> tuple[ColumnId, ...]:
        """The names by which a deny rule may mean what this column shows: its own, and those of what it is computed
        from."""
        return tuple(name for shown in (column, *self.generated_from(column)) for name in self.ancestry(shown))

    # ------------------------------------------------------------ masks

    def maskings(self, column: ColumnId) -> tuple[tuple[Rule, Masking], ...]:
        """The mask rules that cover a column."""
        found = self._maskings.get(column)
        if found is None:
            own = covering(self.masks, self.ancestry(column))
            inherited = (computed(r, m) for source in self.generated_from(column) for r, m in self.maskings(source))
            found = self._maskings[column] = (*own, *inherited)
        return found

    def mask_of(self, column: ColumnId) -> Mask | None:
        return strongest(self.maskings(column))

    # ------------------------------------------------------------ row filters

    def filtering(self, table: TableId) -> tuple[tuple[Rule, RowFilter], ...]:
        """The filter rules whose conditions the table's rows must meet, all of them."""
        if not self.filters:
            return ()
        found = self._filtering.get(table)
        if found is None:
            names = self.table_ancestry(table)
            found = self._filtering[table] = tuple(
                (r, f) for r, f in self.filters if any(_filters(p, n) for p in f.tables for n in names)
            )
        return found

    def filtered_below(self, table: TableId) -> tuple[TableId, Rule] | None:
        """A child or partition whose rows must meet a filter that does not hold for the table itself."""
        relation = self.catalog.by_name.get(table)
        if relation is None or not self.filters:
            return None
        own = {rule.id for rule, _ in self.filtering(table)}
        below = (
            (r.qualified, rule) for r in descendants(self.catalog, relation) for rule, _ in self.filtering(r.qualified)
        )
        return next(((name, rule) for name, rule in below if rule.id not in own), None)

    # ------------------------------------------------------------ what is hidden

    def denied_column(self, column: ColumnId) -> Rule | None:
        """A rule by which reading this column is refused whatever the statement."""
        names = self.shown_by(column)
        tables = [name.table_id for name in names]
        for rule, deny in self.denies:
            if not concerns_reading(deny):
                continue
            if deny.columns is not None and not any(p.matches(n) for p in deny.columns for n in names):
                continue
            if deny.tables is None or any(p.matches_table(t) for p in deny.tables for t in tables):
                return rule
        return None

    def denies_table(self, table: TableId) -> bool:
        """Whether reading the table at all is refused."""
        names = self.table_ancestry(table)
        whole = (d.tables for _, d in self.denies if concerns_reading(d) and d.columns is None)
        return any(p.matches_table(name) for tables in whole for p in tables or () for name in names)

    def hides_in(self, table: TableId) -> bool:
        """Whether the table has a column that this role sees masked or may not see, or rows that it does not see."""
        found = self._hidden.get(table)
        if found is None:
            found = self._hidden[table] = self._has_hidden(table)
        return found

    def _has_hidden(self, table: TableId) -> bool:
        relation = self.catalog.by_name.get(table)
        if relation is None:
            return self.hides_data
        if self.filtering(table) or self.filtered_below(table):
            return True
        columns = (ColumnId(*table, column.name) for column in relation.columns)
        return any(self.maskings(c) or self.denied_column(c) is not None for c in columns)


def _filters(pattern: NamePattern, table: TableId) -> bool:
    """A temporary table holds what its own session has put there: only a pattern with a schema means it."""
    return pattern.matches_table(table) and (pattern.schema is not None or not table[0].startswith("pg_temp"))


def _all_on_all_tables(allows: Iterable[tuple[Rule, Allow]]) -> bool:
    allowed = frozenset().union(*(allow.statements for _, allow in allows if allow.all_tables))
    return allowed >= KINDS.keys() - {"unknown"}


def concerns_reading(deny: Deny) -> bool:
    """A deny rule that hides data: it names tables or columns and does not speak of certain writes only."""
    if deny.functions is not None or deny.without is not None or (deny.tables is None and deny.columns is None):
        return False
    return deny.statements is None or "select" in deny.statements


def covering(masks: Iterable[tuple[Rule, Masking]], names: tuple[ColumnId, ...]) -> tuple[tuple[Rule, Masking], ...]:
    return tuple((r, m) for r, m in masks if any(p.matches(n) for p in m.columns for n in names))


def computed(rule: Rule, masking: Masking) -> tuple[Rule, Masking]:
    """The mask of a value that is computed from a masked column: no part of it shows."""
    kind = MaskKind.NULL if masking.mask.kind is MaskKind.NULL else MaskKind.REDACT
    predicates = masking.predicates if masking.predicates is Predicates.ANY else Predicates.NONE
    return rule, replace(masking, mask=Mask(kind, rule=masking.mask.rule), predicates=predicates)


def strongest(maskings: Iterable[tuple[Rule, Masking]]) -> Mask | None:
    """The strongest mask of several: by kind, then by fewer characters kept or coarser rounding, then by rule id
    (order never matters)."""
    masks = [replace(m.mask, rule=rule.id) for rule, m in maskings]
    return min(masks, key=weakness, default=None)


def weakness(mask: Mask) -> tuple[int, int, str]:
    """Sorts the strongest first."""
    return (-STRENGTH[mask.kind], mask.keep - mask.step, mask.rule)
