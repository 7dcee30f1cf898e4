"""Whether a statement's expressions may meet hidden rows without telling of them.

The servers merge derived tables and put conditions in an order of their own, so what stands in a condition may be
evaluated on a row before the filter has rejected it. Where that can fail, the rows must be fenced off. In a statement
that writes, what elsewhere is a warning (a text compared with a number) is an error in strict mode, so only comparisons
of one kind are calm there. A list of what is known: all else is not calm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from rules.mysql.keywords import words
from rules.mysql.total_functions import FIRM, HOLLOW, WITH_CONSTANTS
from rules.tree import (
    Call,
    Column,
    Expression,
    Literal,
    Operation,
    Parameter,
    Query,
    Select,
    SetOperation,
    Star,
    Statement,
    Subquery,
)

KindOf = Callable[[Column], str]
_LOGIC: Final = words("and or not xor")
_COMPARISONS: Final = words("= <> < > <= >= in not_in between not_between is_not_distinct")
_TESTS: Final = words("""
    is_null is_not_null is_true is_not_true is_false is_not_false is_unknown is_not_unknown
""")
_LIKES: Final = words("like not_like")
_CHOICES: Final = words("case coalesce nullif list row greatest least / %")
_AGGREGATES: Final = words("count sum avg min max")
_PLAIN: Final = words("lower upper lcase ucase length char_length character_length octet_length")
_CLOCKS: Final = words("now current_timestamp localtime localtimestamp curdate current_date utc_date utc_timestamp")
_NUMBERS: Final = words("tinyint smallint mediumint int integer bigint decimal numeric float double year bit")
_TEXTS: Final = words("char varchar tinytext text mediumtext longtext enum set")
_MOMENTS: Final = words("date datetime timestamp")
_DATE: Final = re.compile(
    r"[1-9][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])(?: (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])?"
)


def kind_of_type(name: str) -> str:
    """number, text, moment, or empty for all others."""
    base = name.split("(")[0].split()[0] if name else ""
    for kind, names in (("number", _NUMBERS), ("text", _TEXTS), ("moment", _MOMENTS)):
        if base in names:
            return kind
    return ""


class Calm:
    """`strict`: the statement writes. `kind_of`: what a column holds, as `kind_of_type` says."""

    def __init__(self, strict: bool, kind_of: KindOf) -> None:
        self.strict = strict
        self.kind_of = kind_of

    def statement(self, statement: Statement) -> bool:
        """What the rows that are returned or written are computed from runs when every condition has been met."""
        return self._settled(statement.body)

    def _settled(self, node: Any) -> bool:
        """A query or write of its own, not one within another."""
        if isinstance(node, SetOperation):
            tail = (node.order_by, node.limit, node.offset)
            return (
                self._settled(node.left) and self._settled(node.right) and self.everything((node.common_tables, tail))
            )
        late = _LATE.get(type(node).__name__, ())
        if isinstance(node, Select) and node.having is not None:
            late = ()  # it may be moved before the grouping
        if node is None:
            return True
        for name in node.__slots__:
            value = getattr(node, name)
            if name == "source" and not self._settled(value):
                return False
            if name in late:
                if not all(map(self.everything, subqueries(value))):
                    return False
            elif name != "source" and not self.everything(value):
                return False
        return True

    def everything(self, node: Any) -> bool:
        """All expressions in any part of a tree."""
        if isinstance(node, _EXPRESSIONS):
            return self.condition(node)
        if isinstance(node, tuple):
            return all(map(self.everything, node))
        if hasattr(node, "__dataclass_fields__"):
            return all(self.everything(getattr(node, name)) for name in node.__slots__)
        return True

    # ------------------------------------------------------------ expressions

    def condition(self, e: Expression) -> bool:
        if isinstance(e, Column) and self.strict:
            return self.kind_of(e) in ("number", "")
        return self.value(e)

    def value(self, e: Expression) -> bool:
        if isinstance(e, Column | Literal | Parameter | Star):
            return True
        if isinstance(e, Operation):
            return self._operation(e)
        if isinstance(e, Call):
            return self._call(e)
        return isinstance(e, Subquery) and self._subquery(e)

    def _operation(self, e: Operation) -> bool:
        if e.operator in ("+", "-"):
            return _is_steady(e)
        if e.operator in _LOGIC:
            return all(map(self.condition, e.operands))
        known = e.operator in _TESTS or e.operator == "list"
        known = known or (e.operator in _COMPARISONS and (not self.strict or self._alike(e.operands)))
        known = known or (e.operator in _LIKES and self._pattern(e))
        known = known or (e.operator == "match" and isinstance(e.operands[-1], Literal | Parameter))
        known = known or (e.operator in _CHOICES and not self.strict)
        return known and all(map(self.value, e.operands))

    def _pattern(self, e: Operation) -> bool:
        if not all(isinstance(o, Literal) for o in e.operands[1:]):
            return False
        return not self.strict or self._kind(e.operands[0]) == "text"

    def _call(self, e: Call) -> bool:
        if len(e.name) > 1 or e.conditions or e.partitions:
            return False
        name = e.name[0]
        if name in _CLOCKS and not e.arguments:
            return True
        if name in WITH_CONSTANTS and not self.strict:
            return all(isinstance(a, Literal) for a in e.arguments[1:]) and self.value(e.arguments[0])
        known = name in _PLAIN or name in _AGGREGATES or (not self.strict and name in FIRM | HOLLOW)
        return known and all(map(self.value, e.arguments))

    def _subquery(self, e: Subquery) -> bool:
        if e.form == "scalar" and not _gives_one_row(e.query):
            return False
        if self.strict and e.form not in ("scalar", "exists"):
            return False
        return (e.test is None or self.value(e.test)) and self.everything(e.query)

    # ------------------------------------------------------------ comparisons in writes

    def _alike(self, operands: Sequence[Expression]) -> bool:
        kinds = {self._kind(o) for o in _spread(operands)}
        kinds.discard("any")
        return len(kinds) == 1 and kinds <= {"number", "text", "moment"} and self._fit(_spread(operands), kinds.pop())

    def _fit(self, operands: Iterator[Expression], kind: str) -> bool:
        """A constant beside numbers becomes a number once; beside texts a number would turn each text into one."""
        for each in operands:
            if isinstance(each, Parameter) and kind != "number":
                return False
            if isinstance(each, Literal) and each.value is not None:
                if kind == "text" and not each.text:
                    return False
                if kind == "moment" and not (each.text and _DATE.fullmatch(each.value)):
                    return False
        return True

    def _kind(self, e: Expression) -> str:
        if isinstance(e, Column):
            return self.kind_of(e)
        if isinstance(e, Literal | Parameter):
            return "any"
        if isinstance(e, Call) and e.name[-1] in ("lower", "upper", "lcase", "ucase") and e.arguments:
            return self._kind(e.arguments[0])
        return "moment" if _is_steady(e) else ""


def _spread(operands: Sequence[Expression]) -> Iterator[Expression]:
    for each in operands:
        if isinstance(each, Operation) and each.operator == "list":
            yield from _spread(each.operands)
        else:
            yield each


def _is_steady(e: Expression) -> bool:
    """`now() - interval 7 day`: the clock and a modest constant."""
    if isinstance(e, Call):
        return len(e.name) == 1 and e.name[0] in _CLOCKS and not e.arguments
    if not (isinstance(e, Operation) and e.operator in ("+", "-") and len(e.operands) == 2):
        return False
    left, right = e.operands
    modest = isinstance(right, Operation) and right.operator == "interval" and len(right.operands) == 1
    amount = right.operands[0] if modest and isinstance(right, Operation) else None
    return (
        _is_steady(left) and isinstance(amount, Literal) and re.fullmatch("[0-9]{1,4}", amount.value or "") is not None
    )


def _gives_one_row(q: Query) -> bool:
    if isinstance(q.limit, Literal) and q.limit.value == "1":
        return True
    if not isinstance(q, Select) or q.group_by:
        return False
    return not q.sources or all(
        isinstance(o.expression, Call) and o.expression.name[-1] in _AGGREGATES for o in q.outputs
    )


def subqueries(node: Any) -> Iterator[Subquery]:
    """The outermost ones in a part of a tree."""
    if isinstance(node, Subquery):
        yield node
    elif isinstance(node, tuple):
        for each in node:
            yield from subqueries(each)
    elif hasattr(node, "__dataclass_fields__"):
        for name in node.__slots__:
            yield from subqueries(getattr(node, name))


_EXPRESSIONS: Final = (Column, Star, Literal, Parameter, Call, Operation, Subquery)
#: what is computed from the rows that have met every condition
_LATE: Final[dict[str, tuple[str, ...]]] = {
    "Select": ("outputs", "group_by", "order_by", "windows", "partitions"),
    "Values": ("rows",),
    "Insert": ("conflict_assignments", "returning"),
    "Update": ("assignments", "returning", "order_by"),
    "Delete": ("returning", "order_by"),
    "JoinedUpdate": ("assignments",),
}
