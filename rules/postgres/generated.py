"""Generated columns in DDL: the columns that their expressions name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from rules.catalog import Column, Relation

Node: TypeAlias = dict[str, Any]
#: generated column -> the columns that it is computed from
Computed: TypeAlias = dict[str, tuple[str, ...]]

#: CREATE_TABLE_LIKE_GENERATED: the bit of LIKE ... INCLUDING GENERATED (or ALL)
_LIKE_GENERATED: Final = 1 << 4


def computed_by(elements: list[Node]) -> Computed:
    """Of the elements of a CREATE TABLE, those that are generated columns."""
    found = {e["ColumnDef"]["colname"]: sources_of(e["ColumnDef"]) for e in elements if "ColumnDef" in e}
    return {name: sources for name, sources in found.items() if sources is not None}


def sources_of(definition: Node) -> tuple[str, ...] | None:
    """The columns that a ColumnDef is generated from; None for one that is not generated."""
    constraints = (node["Constraint"] for node in definition.get("constraints", ()))
    generating = [c["raw_expr"] for c in constraints if c["contype"] == "CONSTR_GENERATED"]
    if not generating:
        return None
    return tuple(dict.fromkeys(name for expression in generating for name in _named(expression)))


def copies_generated(like: Node) -> bool:
    """Does a TableLikeClause copy generated columns as such?"""
    return bool(like.get("options", 0) & _LIKE_GENERATED)


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _named(each)
    elif isinstance(node, dict):
        if "ColumnRef" in node:
            yield from [field["String"]["sval"] for field in node["ColumnRef"]["fields"] if "String" in field][-1:]
        for each in node.values():
            yield from _named(each)


def with_sources(relation: Relation, computed: Mapping[str, tuple[str, ...]]) -> Relation:
    """The relation with its generated columns marked as such."""
    if not computed:
        return relation
    numbers = {column.name: column.number for column in relation.columns}

    def column(each: Column) -> Column:
        sources = computed.get(each.name)
        if sources is None:
            return each
        found = tuple(sorted(numbers[name] for name in sources if name in numbers))
        return replace(each, generated_from=found, generated=True)

    return replace(relation, columns=tuple(column(each) for each in relation.columns))
