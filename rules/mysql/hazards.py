"""Expressions that tell a value without returning it, on MySQL and MariaDB; see `rules.lineage.hazards`.

An expression over columns is noted as Use.COMPUTE unless it is total (`rules.mysql.total_functions`) and its result is
far from the servers' limits: a text longer than max_allowed_packet is NULL, a number beyond BIGINT, DOUBLE or DECIMAL
an error. Two ways out are MySQL's own: a user variable, and LAST_INSERT_ID(expression), which the server keeps and
sends with its next answer. Both count as copies to where no mask holds."""

from __future__ import annotations

from rules.catalog import Catalog
from rules.facts import FunctionRisk, FunctionUse, Use
from rules.lineage import arithmetic, numbers
from rules.lineage.hazards import told
from rules.lineage.numbers import Kind, Number
from rules.lineage.reader import Reader
from rules.lineage.values import Item, Sources, united
from rules.mysql import total_functions as total
from rules.mysql.functions import BUILT_IN
from rules.mysql.system_variables import is_open
from rules.tree import Call, Cast, Column, Expression, Literal, Operation, Parameter

#: A text may grow by this factor: of 64 KB it is then some 13 MB, and max_allowed_packet 16 MB at the least.
HEAVIEST = 200
UNBOUND = HEAVIEST * 10
_MOST_REPEATED = 100.0


# ---------------------------------------------------------------- calls


def of_call(reader: Reader, e: Call, arguments: list[Item], made: Item) -> None:
    made.weight = min(_call_weight(e, arguments), UNBOUND)
    made.number = _call_number(e, arguments)
    is_total = len(e.name) == 1 and made.weight <= HEAVIEST and _total_call(reader.catalog, e, arguments, made)
    if not is_total:
        told(reader, made.sources)
    made.hollow = any(i.hollow for i in arguments) or not _is_firm(e, arguments)
    made.fails = (bool(arguments) and not is_total) or any(i.fails for i in arguments)
    if e.name == ("last_insert_id",) and arguments:
        copied(reader, made.sources)
        made.fails = True


def copied(reader: Reader, sources: Sources) -> None:
    """The value goes where it can be read again without a mask."""
    if sources:
        reader.use(Use.COPY, sources)
        reader.copies.append((None, sources))


def _call_weight(e: Call, arguments: list[Item]) -> int:
    name, weight = e.name[-1], max(1, sum(i.weight for i in arguments))
    lengths = sum(len(a.value or "") for a in e.arguments if isinstance(a, Literal))
    if name in total.REPEATING | total.PADDING:
        count = _count(e.arguments[1]) if len(e.arguments) > 1 else None
        if count is None:
            return UNBOUND
        return int(weight * max(1.0, count)) if name in total.REPEATING else weight + int(count) // 16
    if name in total.REPLACING:
        return weight * (1 + lengths)
    if name in total.GATHERING:
        return max(weight, HEAVIEST // 4)
    return 2 * weight + lengths // 16


def _count(e: Expression) -> float | None:
    found = numbers.of_constant(e.value) if isinstance(e, Literal) and e.value is not None else None
    size = 10**found.most if found is not None and found.most < 4 else None
    return size if size is not None and size <= _MOST_REPEATED * 16 else None


def _call_number(e: Call, arguments: list[Item]) -> Number | None:
    if len(e.name) > 1 or e.name[0] == "mod":
        return None
    return arithmetic.of_call(e, arguments)


def _total_call(catalog: Catalog, e: Call, arguments: list[Item], made: Item) -> bool:
    name = e.name[0]
    rest = united(arguments[1:])
    if name in total.FIRM or name in total.HOLLOW:
        return True
    if name in total.WITH_CONSTANTS:
        return not rest
    if name in total.OF_UNITS:
        return isinstance(e.arguments[0], Literal)
    if name in total.OF_NUMBERS:
        return not rest and (made.number is not None or not made.sources)
    if name in total.OF_JSON:
        return not rest and (catalog.dialect == "mariadb" or (arguments[0].type or "") == "json")
    return False


def _is_firm(e: Call, arguments: list[Item]) -> bool:
    """It is NULL for a NULL and for nothing else."""
    name = e.name[-1]
    if name in ("lag", "lead"):
        return not united(arguments[1:2])
    return name in total.FIRM or name in total.WITH_CONSTANTS or name in total.OF_NUMBERS


# ---------------------------------------------------------------- operators


def of_operation(reader: Reader, e: Operation, operands: list[Item], made: Item) -> None:
    made.weight = min(sum(i.weight for i in operands) if e.operator == "row" else _heaviest(operands), UNBOUND)
    made.hollow = _hollow(e, operands)
    special = _SPECIAL.get(e.operator)
    if special is not None:
        special(reader, e, operands, made)
    elif e.operator in arithmetic.OPERATORS or e.operator == "div":
        _arithmetic(reader, e, operands, made)
    else:
        _other(reader, e, operands, made)


def _heaviest(operands: list[Item]) -> int:
    return max((i.weight for i in operands), default=1)


def _hollow(e: Operation, operands: list[Item]) -> bool:
    if e.operator == "coalesce" and any(isinstance(o, Literal) and o.value is not None for o in e.operands):
        return False
    rows = any(isinstance(o, Operation) and o.operator == "row" for o in e.operands)  # (x, NULL) = (1, NULL)
    return rows or e.operator in total.MAYBE_NULL or any(i.hollow for i in operands)


def _other(reader: Reader, e: Operation, operands: list[Item], made: Item) -> None:
    made.number = arithmetic.chosen(e, operands)
    is_total = _total_operation(reader.catalog, e, operands)
    if not is_total:
        told(reader, made.sources)
    made.fails = not is_total or any(i.fails for i in operands)
    if e.operator == "case" and made.fails:  # which of the branches runs
        told(reader, made.sources)


def _total_operation(catalog: Catalog, e: Operation, operands: list[Item]) -> bool:
    if e.operator in total.PATTERNS:
        return not united(operands[1:])
    if e.operator in total.JSON_PATHS:
        return operands[0].type == "json"
    return e.operator in total.OPERATORS


def _arithmetic(reader: Reader, e: Operation, operands: list[Item], made: Item) -> None:
    """Of numbers with bounds. A division by zero is NULL."""
    made.number = arithmetic.of_operator(reader, e, operands) if e.operator != "div" else None
    if made.number is not None and made.number.kind not in numbers.NUMBERS:
        made.number = None  # a date in arithmetic is a number of MySQL's own making
    if e.operator == "/" and made.number is not None and made.number.kind is Kind.BIG:
        made.number = Number(Kind.NUMERIC, -4.0, made.number.most)  # whole numbers divide into DECIMAL
    if made.number is None:
        told(reader, made.sources)
    made.fails = made.number is None or any(i.fails for i in operands)


def _assigned(reader: Reader, e: Operation, operands: list[Item], made: Item) -> None:
    copied(reader, made.sources)
    made.fails = True


def _variable(reader: Reader, e: Operation, operands: list[Item], made: Item) -> None:
    """`@@name`: what may be read without a rule, and what a rule must lend."""
    name = e.operands[0].value if isinstance(e.operands[0], Literal) else None
    if not is_open(name or ""):
        reader.functions.add(FunctionUse(BUILT_IN, f"@@{name}", FunctionRisk.ADMIN))


_SPECIAL = {"assign_variable": _assigned, "system_variable": _variable}


# ---------------------------------------------------------------- casts


def of_cast(reader: Reader, e: Cast, item: Item) -> tuple[bool, Number | None]:
    is_total, number = _cast(e, item)
    if not is_total:
        told(reader, item.sources)
    return item.fails or not (is_total or isinstance(e.operand, Literal | Parameter | Column)), number


def _cast(e: Cast, item: Item) -> tuple[bool, Number | None]:
    target = e.type_name[-1]
    if e.is_array:
        return False, None
    if target in total.CASTS or target in total.MOMENT_CASTS:
        return True, None
    if target in total.NUMBER_CASTS:
        return True, item.number if target in ("signed", "integer", "int") and item.number is not None else None
    return False, None
