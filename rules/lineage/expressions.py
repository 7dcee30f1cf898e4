"""Expressions: every value's base columns, and the functions, operators and subqueries inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from rules.facts import FunctionRisk, FunctionUse, Use
from rules.lineage import arithmetic, dimensions, early, functions, hazards, lazily
from rules.lineage.arithmetic import CONDITIONS
from rules.lineage.equality import is_tested
from rules.lineage.numbers import Kind, Number
from rules.lineage.reader import Reader
from rules.lineage.scope import Scope, entry_of
from rules.lineage.values import (
    CONSTANT,
    NO_SOURCES,
    Item,
    Refused,
    computed,
    united,
    whole_row,
)
from rules.postgres import total_functions
from rules.spelling import did_you_mean
from rules.tree import (
    Call,
    Cast,
    Column,
    Expression,
    Field,
    Literal,
    Operation,
    Parameter,
    Star,
    Subquery,
)

COUNT: Final = Item("count", number=Number(Kind.BIG, 0.0, 14.0))


def value(reader: Reader, expression: Expression, scope: Scope) -> Item:
    """The expression's value. Raises Refused or MissingRelation where a name is not certain."""
    return _HANDLERS[type(expression)](reader, expression, scope)


def values(reader: Reader, expressions: Iterable[Expression], scope: Scope) -> list[Item]:
    return [_HANDLERS[type(e)](reader, e, scope) for e in expressions]


def column(reader: Reader, e: Column, scope: Scope) -> Item:
    try:
        item = reader.dialect.column(reader, e, scope)
    except Refused as ambiguous:
        raise ambiguous.placed(e.at) from None
    return item if item is not None else _notation(reader, e, scope)


def _notation(reader: Reader, e: Column, scope: Scope) -> Item:
    """`t.f`, PostgreSQL's other way to write f(t)."""
    entry = reader.dialect.entry(scope, e.path[:-1]) if len(e.path) > 1 else None
    if entry is None or not functions.exists(reader, e.path[-1]):
        raise unknown_column(e, scope)
    functions.used(reader, (e.path[-1],))
    return computed(whole_row(entry).sources, e.path[-1])


def unknown_column(e: Column, scope: Scope | None = None) -> Refused:
    """`scope`: where it was looked for, for the name that may have been meant."""
    name = ".".join(e.path)
    if len(e.path) > 1 and scope is not None and entry_of(scope, e.path[:-1]) is None:
        said = f'missing FROM-clause entry for table "{e.path[-2]}"'
        near = did_you_mean(e.path[-2], (n.name or "" for level in scope.levels() for n in level.entries))
        mend = near or "check the table's name or alias"
        return Refused("from-entry", said, mend, e.at, said=said, missing=e.path, about=name)
    reason = f'column "{name}" is not in any table of this query'
    near = did_you_mean(e.path[-1], _names_in(scope, e.path[:-1])) if scope is not None else ""
    said = f"column {'.'.join(e.path[-2:])} does not exist" if len(e.path) > 1 else f'column "{name}" does not exist'
    mend = near or "check the name and its table"
    return Refused("column", reason, mend, e.at, said=said, missing=e.path, about=name)


def _names_in(scope: Scope, qualifier: tuple[str, ...]) -> Iterator[str]:
    """The columns that could stand there."""
    entry = entry_of(scope, qualifier) if qualifier else None
    entries = [entry] if entry else [e for level in scope.levels() for e in level.entries if not qualifier]
    return (item.name for each in entries for item in each.items)


def constant(reader: Reader, e: Literal | Parameter, scope: Scope) -> Item:
    if type(e) is Parameter:
        reader.parameters.setdefault(e.number, []).append("")
    weight = hazards.constant_weight(e)
    return CONSTANT if weight == 1 else Item("?column?", weight=weight)


def star(reader: Reader, e: Star, scope: Scope) -> Item:
    """`t.*` inside an expression: the whole row."""
    items = starred(reader, e, scope)
    return Item("?column?", united(items), False, None, items)


def starred(reader: Reader, e: Star, scope: Scope) -> tuple[Item, ...]:
    """The columns that `*` or `t.*` stands for. Raises Refused for an unknown qualifier."""
    if not e.qualifier:
        return tuple(i for entry in scope.entries if entry.columns for i in entry.items)
    entry = reader.dialect.entry(scope, e.qualifier)
    if entry is None:
        raise unknown_column(Column((*e.qualifier, "*"), e.at), scope)
    return entry.items


def call(reader: Reader, e: Call, scope: Scope) -> Item:
    functions.used(reader, e.name, e.at)
    arguments = values(reader, e.arguments, scope)
    for each in e.conditions:  # ORDER BY, FILTER and OVER parts decide which rows count, as a WHERE does
        if _is_distinct(each):
            continue  # shows in the result alone, which is masked with the arguments; a count looks at it itself
        if each not in e.arguments or e.name[-1] not in total_functions.ORDERED:
            _conditional(reader, each, scope)
    for each in e.partitions:
        partitioned(reader, value(reader, each, scope), in_order=True)
    if functions.is_built_in(reader, e.name, "count"):
        _counted(reader, e, arguments)
        return COUNT
    made = computed(united(arguments), e.name[-1])
    reader.dialect.of_call(reader, e, arguments, made)
    made.tested = bool(made.sources) and all(item.tested for item in arguments if item.sources)
    return made


def partitioned(reader: Reader, item: Item, in_order: bool = False) -> None:
    """By a column it tells which of its values are equal; by an expression over it (`left(email, 1)`, `email < 'm'`)
    which rows meet a condition; among values of several columns, or known constants, the order of the result tells
    which is greater. As GROUP BY and DISTINCT do. `in_order`: the server sorts by it, whatever ORDER BY says."""
    if in_order:
        ordered(reader, item)
    use = Use.EQUALITY if item.tested else Use.GROUP if item.direct and not item.mixed else Use.FILTER
    reader.use(use, item.sources)


def ordered(reader: Reader, item: Item) -> None:
    reader.use(Use.EQUALITY if item.tested else Use.ORDER, item.sources)


def _conditional(reader: Reader, e: Expression, scope: Scope, item: Item | None = None) -> None:
    """Notes what a condition inside an expression tells. `item`: its value where that is known already."""
    from rules.lineage.conditions import condition, is_simple  # conditions hold expressions and the other way round

    if isinstance(e, Operation) and is_simple(e):
        condition(reader, e, scope)
    else:
        found = item or value(reader, e, scope)
        reader.use(Use.EQUALITY if found.tested else Use.FILTER, found.sources)


def _is_distinct(e: Expression) -> bool:
    return isinstance(e, Operation) and e.operator == "distinct"


def _counted(reader: Reader, e: Call, arguments: list[Item]) -> None:
    """A count tells how many, not what; but counting a computed value is a condition on its columns, and counting
    distinct values compares them as SELECT DISTINCT does."""
    plain_use = Use.GROUP if any(map(_is_distinct, e.conditions)) else Use.PROJECT
    for argument, item in zip(e.arguments, arguments, strict=True):
        plain = isinstance(argument, Column | Star) and (item.direct or item.row is not None)
        if plain_use is Use.GROUP and (item.mixed or not item.direct):
            plain = False
        reader.use(plain_use if plain else Use.EQUALITY if item.tested else Use.FILTER, item.sources)


def cast(reader: Reader, e: Cast, scope: Scope) -> Item:
    item = value(reader, e.operand, scope)
    type_name = _type(reader, e.type_name)
    fails, number = reader.dialect.of_cast(reader, e, item)
    if item.sources:
        made = Item(item.name, item.sources, False, type_name, weight=item.weight, hollow=item.hollow, fails=fails)
        made.number, made.tested, made.array = number, item.tested, e.is_array
        return made
    return Item("?column?", NO_SOURCES, True, type_name, weight=item.weight, fails=fails, number=number)


def _type(reader: Reader, name: tuple[str, ...]) -> str | None:
    """The qualified name of a composite type or of a type with user casts; other types need no name."""
    if reader.catalog.user_casts:
        _user_cast(reader, name)
    if len(name) > 1 and name[-2] == "pg_catalog":
        return None
    relation = reader.lookup(name)
    return f"{relation.schema}.{relation.name}" if relation else None


def _user_cast(reader: Reader, name: tuple[str, ...]) -> None:
    targets = {target for _, target in reader.catalog.user_casts}
    schema = name[-2] if len(name) > 1 else None
    for known in reader.catalog.types:
        if known.name == name[-1] and known.oid in targets and schema in (None, known.schema):
            reader.functions.add(FunctionUse(known.schema, f"cast to {known.name}", FunctionRisk.USER))


def field(reader: Reader, e: Field, scope: Scope) -> Item:
    item = value(reader, e.operand, scope)
    if e.name is None:
        return item
    if item.row is None:
        return item.part(e.name)
    found = [i for i in item.row if i.name == e.name]
    if len(found) == 1:
        return found[0]
    if found or not functions.exists(reader, e.name):
        raise unknown_column(Column((e.name,), e.at))
    functions.used(reader, (e.name,))
    return computed(item.sources, e.name)


def operation(reader: Reader, e: Operation, scope: Scope) -> Item:
    if reader.catalog.user_operators and e.operator in reader.catalog.user_operators:
        reader.functions.add(FunctionUse(".".join(e.qualifier), f"operator {e.operator}", FunctionRisk.USER))
    operands = values(reader, e.operands, scope)
    made = computed(united(operands))
    reader.dialect.of_operation(reader, e, operands, made)
    if e.operator == "case":
        made.number = _case(reader, e, operands, scope)
    lazily.of_operation(reader, e, operands)
    if not made.sources:
        return made if made.weight > 1 or made.fails or made.number else CONSTANT
    made.tested = is_tested(reader, e, operands)
    return made


def _case(reader: Reader, e: Operation, operands: list[Item], scope: Scope) -> Number | None:
    """Notes what the conditions tell. Returns what is known of the results' size."""
    decisive = _decisive(e.operands, operands)
    for position in decisive:
        _conditional(reader, e.operands[position], scope, operands[position])
    return arithmetic.of_case(e, operands, frozenset(decisive))


def _decisive(written: tuple[Expression, ...], operands: list[Item]) -> list[int]:
    """The positions of the operands of a CASE that choose among the others: its test, the WHEN values, the conditions.

    The tree lists them flat; where a test cannot be told from a condition, both readings count."""
    first_is_condition = _is_condition(written[0]) or operands[0].type == "boolean" or len(written) < 3
    odd = not first_is_condition and not isinstance(written[1], Literal | Parameter)
    return [
        position for position, e in enumerate(written) if position == 0 or _is_condition(e) or (odd and position % 2)
    ]


def _is_condition(e: Expression) -> bool:
    if isinstance(e, Operation):
        return e.operator in CONDITIONS or e.operator.endswith((" any", " all"))
    return isinstance(e, Subquery) and e.form in ("exists", "in", "any", "all")


def subquery(reader: Reader, e: Subquery, scope: Scope) -> Item:
    from rules.lineage.queries import query  # queries hold expressions and the other way round

    early.of_subquery(reader, e)
    items = query(reader, e.query, scope)
    test = value(reader, e.test, scope) if e.test is not None else CONSTANT
    if e.form == "scalar":
        found = items[0] if len(items) == 1 else Item("?column?", united(items), False, None, items)
        return found if early.gives_one_row(e.query) else found.failing()
    if e.form == "array" and dimensions.any_array(items):
        hazards.told(reader, united(items))  # arrays of different dimensions make no array
    made = CONSTANT if e.form == "exists" else computed(united((test, *items)))
    made = made.failing()
    made.hollow = bool(made.sources) and reader.dialect.tells_by_null(e)
    made.array = e.form == "array"
    return made


_HANDLERS: Final[dict[type, Callable[[Reader, Any, Scope], Item]]] = {
    Column: column,
    Literal: constant,
    Parameter: constant,
    Star: star,
    Call: call,
    Cast: cast,
    Field: field,
    Operation: operation,
    Subquery: subquery,
}
