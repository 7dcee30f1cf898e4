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

from rules.facts import Use
from rules.lineage import arithmetic, dimensions, early, numbers
from rules.lineage.numbers import Number
from rules.lineage.reader import Reader
from rules.lineage.unknown import tells_by_null
from rules.lineage.values import Item, Sources, united
from rules.postgres import total_functions as total
from rules.postgres.extensions import HOLLOW
from rules.tree import Call, Cast, Column, Expression, Literal, Operation, Parameter

HEAVIEST = 10_000
"""A text may grow by this factor: far from the 1 GB at which the server gives up, and where a length would show."""
UNBOUND = HEAVIEST * 10
PARAMETER = 500
LARGEST_COUNT = 6.0  # a million


def told(reader: Reader, sources: Sources) -> None:
    """The values of these columns decide whether the statement fails, or how many rows it returns."""
    reader.use(Use.COMPUTE, sources)
    if sources and not reader.settled:
        reader.fails_early = True


def of_call(reader: Reader, e: Call, arguments: list[Item], made: Item) -> None:
    """Notes the call's hazards, and in `made`, its value, what follows from them."""
    weight = min(_call_weight(e, arguments), UNBOUND)
    number = arithmetic.of_call(e, arguments) if _is_built_in(reader, e, arguments) else None
    if weight <= HEAVIEST and e.name[-1] in total.KEYED and _is_built_in(reader, e, arguments):
        told(reader, united(arguments[::2]))  # a key may not be NULL; any value will do
        is_total = all(isinstance(key, Literal) for key in e.arguments[::2])
    else:
        is_total = weight <= HEAVIEST and (_total_call(reader, e, arguments) or is_list(reader, e))
        is_total = arithmetic.is_bounded(e, arguments, number) and (is_total or _is_remainder(e, number))
        if not is_total:
            told(reader, made.sources)
        is_total = is_total and _good_format(reader, e, arguments)
        early.of_call(reader, e, is_total)
    made.weight, made.number, made.array = weight, number, dimensions.of_call(e, arguments)
    made.hollow = hollow_call(e, arguments) or (e.name[-1] in HOLLOW and e.name[-1] in reader.catalog.functions_by_name)
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


def _magnitude(e: Expression) -> float | None:
    """A count or length that stands in the text, within bounds."""
    found = numbers.of_constant(e.value) if isinstance(e, Literal) and e.value is not None else None
    return 10**found.most if found is not None and found.most <= LARGEST_COUNT else None


def constant_weight(e: Literal | Parameter) -> int:
    """Short constants weigh as much as a stored value; a parameter may be longer."""
    if isinstance(e, Parameter):
        return PARAMETER
    return max(1, len(e.value or "") // 16)


def hollow_call(e: Call, arguments: list[Item]) -> bool:
    moved = e.name[-1] in total.OFFSET and bool(united(arguments[1:2]))  # past the first or last row there is none
    bound = e.name[-1] in total.BOUNDS and any((item.type or "").endswith("range") for item in arguments)
    return moved or bound or e.name[-1] in total.MAYBE_NULL or any(item.hollow for item in arguments)


def hollow_operation(e: Operation, operands: list[Item]) -> bool:
    if e.operator == "coalesce" and any(isinstance(o, Literal) and o.value is not None for o in e.operands):
        return False
    return e.operator in total.MAYBE_NULL or tells_by_null(e, operands) or any(item.hollow for item in operands)


def _total_call(reader: Reader, e: Call, arguments: list[Item]) -> bool:
    name = e.name[-1]
    if not _is_built_in(reader, e, arguments) or dimensions.call_fails(e, arguments):
        return False
    if name in total.TOTAL:
        return len(arguments) <= total.MOST_ARGUMENTS.get(name, len(arguments))
    if name in total.WITH_CONSTANTS:
        worked_on = 1 if name in total.CONSTANT_FIRST else 0
        rest = [item for position, item in enumerate(arguments) if position != worked_on]
        if united(rest):
            return name in total.COUNTED and len(rest) == 1 and _is_count(rest[0])
        # a bad constant fails for any value but NULL
        if not any(item.hollow for item in arguments):
            return True
        return early.safe_call(e, True) and _good_format(reader, e, arguments)
    if name in total.PATHS:
        return len(e.arguments) == 2 and _plain_path(e.arguments[1])
    if name in total.ENCODING:
        return isinstance(e.arguments[-1], Literal) and (e.arguments[-1].value or "").upper() in total.UTF8
    if name in total.AFTER_CONSTANT:
        return not arguments[0].sources and (name != "format" or _plain_format(e.arguments[0]))
    return name in total.ON_COLUMNS and all(isinstance(a, Column | Literal) for a in e.arguments)


def _is_remainder(e: Call, number: Number | None) -> bool:
    return e.name[-1] == "mod" and number is not None


def is_list(reader: Reader, e: Call) -> bool:
    """`unnest(ARRAY[a, b])` gives as many rows as stand in the text."""
    if e.name[-1] != "unnest" or not _is_built_in(reader, e, []):
        return False
    return all(isinstance(a, Operation) and a.operator == "array" and _of_scalars(a) for a in e.arguments)


def _of_scalars(e: Operation) -> bool:
    return all(isinstance(o, Literal | Column) for o in e.operands)


def _plain_path(e: Expression) -> bool:
    """A jsonpath of names and places alone: others compare and compute, which can fail."""
    return isinstance(e, Literal) and _PATH.fullmatch(e.value or "") is not None


_PATH: Final = re.compile(r"(lax )?\$(\.\w+|\.\*|\[\*\]|\[\d{1,6}\])*")


def _is_count(item: Item) -> bool:
    return item.number is not None and item.number.kind <= numbers.Kind.INTEGER


def _good_format(reader: Reader, e: Call, arguments: list[Item]) -> bool:
    """to_char takes any format for times; for numbers a bad one fails."""
    if e.name[-1] != "to_char":
        return True
    number = arguments[0].number
    if number is not None and number.kind not in numbers.NUMBERS:
        return True
    given = e.arguments[-1]
    return isinstance(given, Literal) and _NUMBER_FORMAT.fullmatch(given.value or "") is not None


_NUMBER_FORMAT: Final = re.compile(r"(?:FM)?[90,G]*(?:[.D][90]*)?")


def of_cast(reader: Reader, e: Cast, item: Item) -> tuple[bool, Number | None]:
    """Notes the cast's hazards. Returns whether it may fail, and what is known of the number's size. A constant becomes
    a value of the type when the statement is parsed."""
    early.of_cast(reader, e, bool(item.sources))
    is_total, number = arithmetic.of_cast(reader, e, item)
    if not is_total:
        told(reader, item.sources)
    return item.fails or not (is_total or isinstance(e.operand, Literal | Parameter)), number


def _is_built_in(reader: Reader, e: Call, arguments: list[Item]) -> bool:
    """A number means the built-in function, whatever an extension has of the same name for types of its own."""
    if e.name[-2:-1] == ("pg_catalog",):
        return e.name[-1] not in reader.catalog.added
    if len(e.name) > 1 or e.name[0] in reader.catalog.overloaded:
        return False
    return e.name[0] not in reader.catalog.extended or all(item.number is not None for item in arguments)


def _fails_in_extension(reader: Reader, e: Operation, operands: list[Item]) -> bool:
    """`->` by a name is not cube's, and `@>` of other values than arrays not intarray's."""
    if e.operator not in reader.catalog.failing_operators:
        return False
    if e.operator in dimensions.OF_ARRAYS:
        return dimensions.any_array(operands)
    key = e.operands[-1]
    return not (e.operator == "->" and isinstance(key, Literal) and not (key.value or "").lstrip("-").isdecimal())


def _plain_format(e: Expression) -> bool:
    """A constant format without widths from arguments, which can be too large, and without %I, which takes no NULL."""
    return isinstance(e, Literal) and "*" not in (e.value or "") and not _IDENTIFIER.search(e.value or "")


_IDENTIFIER: Final = re.compile(r"%(\d+\$)?-?\d*I")


def of_operation(reader: Reader, e: Operation, operands: list[Item], made: Item) -> None:
    """Notes the operation's hazards, and in `made`, its value, what follows from them."""
    made.weight = _operation_weight(e, operands)
    made.hollow, made.array = hollow_operation(e, operands), dimensions.of_operation(e, operands)
    if e.operator in arithmetic.OPERATORS:
        is_total = _arithmetic(reader, e, operands, made)
    else:
        made.number = arithmetic.chosen(e, operands)
        is_total = made.weight <= HEAVIEST and _total_operation(reader, e, operands)
        early.of_operation(reader, e, is_total, bool(made.sources))
        if not is_total:
            told(reader, made.sources)
    made.fails = not is_total or any(item.fails for item in operands)


def _arithmetic(reader: Reader, e: Operation, operands: list[Item], made: Item) -> bool:
    """Whether it never fails. A division by zero is the divisor's fault: what is divided does not show in it."""
    made.number = arithmetic.of_operator(reader, e, operands)
    divisor = arithmetic.divisor(e, operands)
    is_total = made.number is not None and divisor is None
    early.of_operation(reader, e, is_total, bool(made.sources))
    if not is_total:
        told(reader, made.sources if divisor is None or made.number is None else divisor)
    return is_total


def _operation_weight(e: Operation, operands: list[Item]) -> int:
    """What joins its operands is as long as all of them; what chooses among them, as the longest."""
    weights = [item.weight for item in operands]
    return min(sum(weights) if e.operator in total.JOINING else max(weights, default=1), UNBOUND)


def _total_operation(reader: Reader, e: Operation, operands: list[Item]) -> bool:
    if e.operator in reader.catalog.user_operators or _fails_in_extension(reader, e, operands):
        return False
    if dimensions.operation_fails(e, operands):
        return False
    word = e.operator.removesuffix(" any").removesuffix(" all")
    if word in total.PATTERNS:
        return not united(operands[1:]) and _matches(word, e, operands[0])
    if word == "json_object" and united(operands[::2]):
        return False  # a key may not be NULL
    return word in total.OPERATORS or (word in total.PLACES and not united(operands[1:]))


def _matches(word: str, e: Operation, text: Item) -> bool:
    """LIKE fails where the text goes on and its pattern ends in an escape; a bad regular expression, unless the text is
    NULL."""
    if word not in early.LIKES and not text.hollow:
        return True
    return all(early.safe_pattern(word, pattern) for pattern in e.operands[1:])
