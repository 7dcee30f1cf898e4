"""What a comparison for equality tells: `email = 'a@b.c'` whether they are equal, `email = 0` much more, since MySQL
turns the text into a number first. `phone = 555` is true for '555-1234' as well, so that a number could be found digit
by digit; a text column is therefore compared for equality with texts only (MySQL manual, "Type Conversion in Expression
Evaluation"). The other conversions make one value of one value, or of none."""

from __future__ import annotations

from rules.catalog import Catalog
from rules.lineage.values import Item
from rules.mysql.column_types import Group, group_of
from rules.tree import Cast, Column, Expression, Literal, Operation, Parameter


def alike(
    catalog: Catalog, left: Expression | None, a: Item, right: Expression | None, b: Item | None
) -> bool:  # fmt: skip
    """See `rules.lineage.dialect.Dialect.alike`."""
    if _is_stored(left, a):
        return _with(catalog, group_of(a.type), right, b)
    return b is None or not _is_stored(right, b) or _with(catalog, group_of(b.type), left, a)


def _is_stored(e: Expression | None, item: Item) -> bool:
    return (e is None or isinstance(e, Column)) and bool(item.sources)


def _with(catalog: Catalog, group: Group, other: Expression | None, item: Item | None) -> bool:
    if (other is None or isinstance(other, Column)) and item is not None and item.sources:
        found = group_of(item.type)
        return group is found and group is not Group.OTHER
    if other is None:
        return group is not Group.TEXT
    return group is not Group.TEXT or _is_text(catalog, other)


def _is_text(catalog: Catalog, e: Expression) -> bool:
    """A string or bytes in quotes, NULL, or what is made of them."""
    if isinstance(e, Literal):
        return e.value is None or e.text
    if isinstance(e, Parameter):
        return False
    if isinstance(e, Cast):
        return e.type_name[-1] in _TEXTS
    return isinstance(e, Operation) and e.operator in _MADE and all(_is_text(catalog, o) for o in e.operands)


_TEXTS = frozenset({"char", "varchar", "nchar", "binary", "character"})
_MADE = frozenset({"row", "list", "binary", "collate", "convert_using"})
