"""Expressions that tell a value without returning it.

What is computed from a masked column is redacted where it is returned. But a value can also show in whether the
statement fails (`1 / (salary - 43000)`, `ssn::int`, `sqrt(salary - x)`: a binary search reads it in thirty tries)
and in how many rows come (`generate_series(1, salary)`). So an expression over columns is noted as Use.COMPUTE unless
it is total: one value for every value, never an error (`rules.postgres.total_functions`), and no length or number that
could reach the server's limits. For columns without a mask the note has no effect.

A third way: whether a computed value is NULL (`nullif(ssn, '123')`), since masks leave NULL as it is. Such a value is
`hollow`, and its mask is NULL.
"""

from __future__ import annotations

import re
from typing import Final

from rules.catalog import Catalog
from rules.facts import ColumnId, Use
from rules.lineage import early
from rules.lineage.reader import Reader
from rules.lineage.values import Item, Sources, united
from rules.postgres import total_functions as total
from rules.tree import Call, Cast, Column, Expression, Literal, Operation, Parameter

LARGEST_CONSTANT = 1_000_000
SMALLEST_DIVISOR = 0.001
HEAVIEST = 10_000
"""A text may grow by this factor: far from the 1 GB at which the server gives up, and where a length would show."""
UNBOUND = HEAVIEST * 10
PARAMETER = 500
HEAVIEST_NUMBER = 8
DIVISIONS = frozenset({"/", "%"})
SUMS = frozenset({"+", "-"})
_JSON_OPERATORS = frozenset({"->", "#>", "||", "subscript", "slice", "json_object", "json_array", "json_query"})
FRACTIONS = ("numeric", "double precision", "real")


def told(reader: Reader, sources: Sources) -> None:
    """The values of these columns decide whether the statement fails, or how many rows it returns."""
    reader.use(Use.COMPUTE, sources)
    if sources and not reader.settled:
        reader.fails_early = True


def of_call(reader: Reader, e: Call, arguments: list[Item], made: Item) -> None:
    """Notes the call's hazards, and in `made`, its value, what follows from them."""
    weight = min(_call_weight(e, arguments), UNBOUND)
    if weight <= HEAVIEST and e.name[-1] in total.KEYED and _is_built_in(reader, e):
        told(reader, united(arguments[::2]))  # a key may not be NULL; any value will do
        is_total = all(isinstance(key, Literal) for key in e.arguments[::2])
    else:
        is_total = weight <= HEAVIEST and _total_call(reader, e, arguments)
        if not is_total:
            told(reader, made.sources)
        is_total = is_total and _good_format(reader, e, arguments)
        early.of_call(reader, e, is_total)
    made.weight = weight
    made.hollow = hollow_call(e, arguments)
    clock = not e.arguments and e.name[-1] in total.CLOCKS
    made.fails = not (clock or (is_total and early.safe_call(e, True))) or any(item.fails for item in arguments)


def _call_weight(e: Call, arguments: list[Item]) -> int:
    """An upper bound of how a call's value can be longer than its arguments. Escapes may double them."""
    name, weight = e.name[-1], max(1, sum(item.weight for item in arguments))
    lengths = sum(len(a.value or "") for a in e.arguments if isinstance(a, Literal))
    if name in total.REPEATING or name in total.PADDING:
        count = _magnitude(e.arguments[1]) if len(e.arguments) > 1 else None
        if count is None:
            return UNBOUND
        return int(weight * (1 + lengths) * count) if name in total.REPEATING else int(weight + lengths + count)
    if name in total.REPLACING:
        return weight * (1 + lengths)
    if name in total.GATHERING:
        return max(weight, HEAVIEST // 4) if united(arguments) else UNBOUND
    return 2 * weight + lengths // 16


def constant_weight(e: Literal | Parameter) -> int:
    """Short constants weigh as much as a stored value; a parameter may be longer."""
    if isinstance(e, Parameter):
        return PARAMETER
    return max(1, len(e.value or "") // 16)


def hollow_call(e: Call, arguments: list[Item]) -> bool:
    moved = e.name[-1] in total.OFFSET and bool(united(arguments[1:2]))  # past the first or last row there is none
    return moved or e.name[-1] in total.MAYBE_NULL or any(item.hollow for item in arguments)


def hollow_operation(e: Operation, operands: list[Item]) -> bool:
    if e.operator == "coalesce" and any(isinstance(o, Literal) and o.value is not None for o in e.operands):
        return False
    return e.operator in total.MAYBE_NULL or any(item.hollow for item in operands)


def _total_call(reader: Reader, e: Call, arguments: list[Item]) -> bool:
    name = e.name[-1]
    if not _is_built_in(reader, e):
        return False
    if name in total.TOTAL:
        return len(arguments) <= total.MOST_ARGUMENTS.get(name, len(arguments))
    if name in total.WITH_CONSTANTS:
        worked_on = 1 if name in total.CONSTANT_FIRST else 0
        if united(item for position, item in enumerate(arguments) if position != worked_on):
            return False
        # a bad constant fails for any value but NULL
        if not any(item.hollow for item in arguments):
            return True
        return early.safe_call(e, True) and _good_format(reader, e, arguments)
    if name in total.AFTER_CONSTANT:
        return not arguments[0].sources and (name != "format" or _plain_format(e.arguments[0]))
    return name in total.ON_COLUMNS and all(isinstance(a, Column | Literal) for a in e.arguments)


def _good_format(reader: Reader, e: Call, arguments: list[Item]) -> bool:
    """to_char takes any format for times; for numbers a bad one fails."""
    if e.name[-1] != "to_char":
        return True
    if arguments[0].sources and _types(reader, arguments[0], ("date", "time", "interval")):
        return True
    given = e.arguments[-1]
    return isinstance(given, Literal) and _NUMBER_FORMAT.fullmatch(given.value or "") is not None


_NUMBER_FORMAT: Final = re.compile(r"(?:FM)?[90,G]*(?:[.D][90]*)?")


def of_cast(reader: Reader, e: Cast, item: Item) -> None:
    early.of_cast(reader, e, bool(item.sources))
    if item.sources and not _total_cast(reader, e, item):
        told(reader, item.sources)


def failing_cast(reader: Reader, e: Cast, item: Item) -> bool:
    """A constant becomes a value of the type when the statement is parsed."""
    return item.fails or not (isinstance(e.operand, Literal | Parameter) or _total_cast(reader, e, item))


def _total_cast(reader: Reader, e: Cast, item: Item) -> bool:
    if e.is_array or not _is_built_in_type(reader, e):
        return False
    name = e.type_name[-1]
    return name in total.TEXTS or (name == "date" and _types(reader, item, ("timestamp", "date")))


_SYSTEM: Final = frozenset({"pg_catalog", "information_schema"})


def _is_built_in_type(reader: Reader, e: Cast) -> bool:
    """A domain called like a built-in type may check its values."""
    return e.type_name[-2:-1] == ("pg_catalog",) or (
        len(e.type_name) == 1 and e.type_name[0] not in _own_types(reader.catalog)
    )


def _own_types(catalog: Catalog) -> frozenset[str]:
    """The bare names of types that are not built in."""
    found = catalog.derived.get("own types")
    if not isinstance(found, frozenset):
        found = catalog.derived["own types"] = frozenset(t.name for t in catalog.types if t.schema not in _SYSTEM)
    return found


def _is_built_in(reader: Reader, e: Call) -> bool:
    return e.name[-2:-1] == ("pg_catalog",) or (len(e.name) == 1 and e.name[0] not in reader.catalog.overloaded)


def _plain_format(e: Expression) -> bool:
    """A constant format without widths from arguments, which can be too large, and without %I, which takes no NULL."""
    return isinstance(e, Literal) and "*" not in (e.value or "") and not _IDENTIFIER.search(e.value or "")


_IDENTIFIER: Final = re.compile(r"%(\d+\$)?-?\d*I")


def of_operation(reader: Reader, e: Operation, operands: list[Item], made: Item) -> None:
    """Notes the operation's hazards, and in `made`, its value, what follows from them."""
    weight = _operation_weight(e, operands)
    is_total = weight <= HEAVIEST and _total_operation(reader, e, operands, weight)
    early.of_operation(reader, e, is_total, bool(made.sources))
    if not is_total:
        told(reader, made.sources)
    made.weight = weight
    made.hollow = hollow_operation(e, operands)
    made.fails = not is_total or any(item.fails for item in operands)


def _operation_weight(e: Operation, operands: list[Item]) -> int:
    """What joins its operands is as long as all of them; what chooses among them, as the longest."""
    weights = [item.weight for item in operands]
    return min(sum(weights) if e.operator in total.JOINING else max(weights, default=1), UNBOUND)


def _total_operation(reader: Reader, e: Operation, operands: list[Item], weight: int) -> bool:
    if e.operator in reader.catalog.user_operators:
        return False
    word = e.operator.removesuffix(" any").removesuffix(" all")
    if word in total.PATTERNS:
        return not united(operands[1:]) and _matches(word, e, operands[0])
    if word == "json_object" and united(operands[::2]):
        return False  # a key may not be NULL
    if word in total.OPERATORS:
        return True
    if word in SUMS or word == "*":
        return _total_arithmetic(reader, e, operands, weight, word == "*")
    if word not in DIVISIONS or len(operands) != 2 or operands[1].sources:
        return False
    return weight <= HEAVIEST_NUMBER and (_magnitude(e.operands[1]) or 0) >= SMALLEST_DIVISOR


def _matches(word: str, e: Operation, text: Item) -> bool:
    """LIKE fails where the text goes on and its pattern ends in an escape; a bad regular expression, unless the text is
    NULL."""
    if word not in early.LIKES and not text.hollow:
        return True
    return all(early.safe_pattern(word, pattern) for pattern in e.operands[1:])


def _total_arithmetic(reader: Reader, e: Operation, operands: list[Item], weight: int, product: bool) -> bool:
    """No sum or product of what is stored and small constants reaches the end of its type. Integers do, when they are
    added to themselves again and again, and so do products of `real`."""
    stored = [item for item in operands if item.sources]
    if not all(_is_number(o) for o, item in zip(e.operands, operands, strict=True) if item.sources):
        return False
    if not all(item.sources or _magnitude(o) is not None for o, item in zip(e.operands, operands, strict=True)):
        return False
    if weight > (2 if any(_any_type(reader, item, ("real",)) for item in stored) else HEAVIEST_NUMBER):
        return False
    if any(_types(reader, item, FRACTIONS) for item in stored):
        return True
    return not product and (len(stored) == 1 or all(_types(reader, item, total.UNBOUNDED) for item in stored))


def _is_number(e: Expression) -> bool:
    """Not JSON, of which - takes members away, and fails where there are none."""
    if isinstance(e, Call):
        return "json" not in e.name[-1]
    if isinstance(e, Operation):
        return e.operator not in _JSON_OPERATORS and all(map(_is_number, e.operands))
    return isinstance(e, Column | Literal | Cast | Parameter)


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


def _any_type(reader: Reader, item: Item, wanted: tuple[str, ...]) -> bool:
    return any(_type_of(reader, source).startswith(wanted) for source in item.sources)


def _type_of(reader: Reader, source: ColumnId) -> str:
    relation = reader.catalog.by_name.get(source.table_id)
    column = relation.column(source.column) if relation else None
    return column.type if column else ""
