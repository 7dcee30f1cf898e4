"""Expressions that tell a value without returning it.

What is computed from a masked column is redacted where it is returned. But a value can also show in whether the
statement fails (`1 / (salary - 43000)`, `ssn::int`, `sqrt(salary - x)`: a binary search reads it in thirty tries)
and in how many rows come (`generate_series(1, salary)`). So an expression over columns is noted as Use.COMPUTE unless
it is total: one value for every value, never an error (`rules.postgres.total_functions`). For columns without a mask
the note has no effect.
"""

from __future__ import annotations

from rules.facts import ColumnId, Use
from rules.lineage.reader import Reader
from rules.lineage.values import Item, Sources, united
from rules.postgres import total_functions as total
from rules.tree import Call, Cast, Column, Expression, Literal, Operation

LARGEST_CONSTANT = 1_000_000
DIVISIONS = frozenset({"/", "%"})
SUMS = frozenset({"+", "-"})


def told(reader: Reader, sources: Sources) -> None:
    """The values of these columns decide whether the statement fails, or how many rows it returns."""
    reader.use(Use.COMPUTE, sources)


def of_call(reader: Reader, e: Call, arguments: list[Item]) -> None:
    sources = united(arguments)
    if sources and not _total_call(reader, e, arguments):
        told(reader, sources)


def _total_call(reader: Reader, e: Call, arguments: list[Item]) -> bool:
    name = e.name[-1]
    if e.name[-2:-1] != ("pg_catalog",) and (len(e.name) > 1 or name in reader.catalog.functions_by_name):
        return False
    if name in total.TOTAL:
        return True
    if name in total.WITH_CONSTANTS:
        worked_on = 1 if name in total.CONSTANT_FIRST else 0
        return not united(item for position, item in enumerate(arguments) if position != worked_on)
    if name in total.AFTER_CONSTANT:
        return not arguments[0].sources
    return name in total.ON_COLUMNS and all(isinstance(a, Column | Literal) for a in e.arguments)


def of_cast(reader: Reader, e: Cast, item: Item) -> None:
    if not item.sources or e.type_name[-1] in total.TEXTS:
        return
    if not (e.type_name[-1] == "date" and _types(reader, item, ("timestamp", "date"))):
        told(reader, item.sources)


def of_operation(reader: Reader, e: Operation, operands: list[Item]) -> None:
    sources = united(operands)
    if sources and not _total_operation(reader, e, operands):
        told(reader, sources)


def _total_operation(reader: Reader, e: Operation, operands: list[Item]) -> bool:
    if e.operator in reader.catalog.user_operators:
        return False
    word = e.operator.removesuffix(" any").removesuffix(" all")
    if word in total.OPERATORS or (word in total.PATTERNS and not united(operands[1:])):
        return True
    if word in SUMS:
        return all(_plain_or_small(o, i) for o, i in zip(e.operands, operands, strict=True))
    if word == "*":
        both = all(_plain_or_small(o, i) for o, i in zip(e.operands, operands, strict=True))
        return both and all(_types(reader, item, total.UNBOUNDED) for item in operands if item.sources)
    return word in DIVISIONS and len(operands) == 2 and not operands[1].sources and _divisor(e.operands[1])


def _plain_or_small(e: Expression, item: Item) -> bool:
    """A stored column or an aggregate of one, or a constant too small to bring a sum to its type's end."""
    if item.sources:
        return isinstance(e, Column) or (isinstance(e, Call) and all(isinstance(a, Column) for a in e.arguments))
    return _magnitude(e) is not None


def _divisor(e: Expression) -> bool:
    """A constant that is not zero."""
    return bool(_magnitude(e))


def _magnitude(e: Expression) -> float | None:
    """The size of a numeric constant within bounds; other constants and parameters have none."""
    if isinstance(e, Operation) and e.operator == "-" and len(e.operands) == 1:
        return _magnitude(e.operands[0])
    if not isinstance(e, Literal) or e.value is None:
        return None
    try:
        size = abs(float(e.value))
    except ValueError:
        return None
    return size if size <= LARGEST_CONSTANT else None


def _types(reader: Reader, item: Item, wanted: tuple[str, ...]) -> bool:
    """Every column behind the value has a type whose name starts with one of these."""
    return all(_type_of(reader, source).startswith(wanted) for source in item.sources)


def _type_of(reader: Reader, source: ColumnId) -> str:
    relation = reader.catalog.by_name.get(source.table_id)
    column = relation.column(source.column) if relation else None
    return column.type if column else ""
