"""The state of one reading: the catalog, the search path, and everything found so far."""

from __future__ import annotations

from rules.catalog import Catalog, Relation
from rules.facts import ColumnId, FunctionUse, TableUse, Use
from rules.lineage.dialect import dialect_of
from rules.lineage.values import MissingRelation, Sources
from rules.tree import Access


class Reader:
    """Collects what the statement touches.

    `settled`: what is read now is computed from rows that every condition has let pass, and nothing is chosen by it.
    `fails_early`: an expression that may fail stands elsewhere, so that it may meet rows which a condition rejects."""

    __slots__ = (
        "at", "catalog", "copies", "dialect", "fails_early", "functions", "has_where", "parameters", "path", "settled",
        "tables", "top", "uses",
    )  # fmt: skip

    def __init__(self, catalog: Catalog, search_path: tuple[str, ...]) -> None:
        self.catalog = catalog
        self.dialect = dialect_of(catalog)
        self.path = self.dialect.path(search_path)
        self.tables: set[TableUse] = set()
        self.functions: set[FunctionUse] = set()
        self.uses: dict[Use, set[ColumnId]] = {}
        self.copies: list[tuple[ColumnId | None, Sources]] = []
        self.has_where = True
        self.at = -1  # of the first function that is not known
        self.top: object = None
        self.parameters: dict[int, list[str]] = {}  # number -> the types it is cast to, "" where it is not
        self.settled = self.fails_early = False

    def use(self, use: Use, sources: Sources) -> None:
        if sources:
            found = self.uses.get(use)
            if found is None:
                self.uses[use] = set(sources)
            else:
                found.update(sources)

    def touch(self, relation: Relation, access: Access) -> None:
        self.tables.add(TableUse(relation.qualified, access))

    def find(self, name: tuple[str, ...], at: int = -1) -> Relation:
        """The relation a name means. Raises MissingRelation, or Refused for a name with too many parts."""
        relation = self.lookup(name)
        if relation is None:
            raise MissingRelation(name, at)
        return relation

    def lookup(self, name: tuple[str, ...]) -> Relation | None:
        return self.dialect.lookup(self, name)

    def schema(self, name: str) -> str:
        """`pg_temp` stands for this session's own temporary schema, whose real name means the same."""
        if name != "pg_temp":
            return "pg_temp" if name == self.catalog.temp_schema else name
        return next((s for s in self.path if s.startswith("pg_temp_")), name)
