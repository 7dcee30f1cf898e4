"""Expressions: names, constants, operators, conditionals, calls and sub-selects.

Operators keep the symbol that was written (`=`, `<`, `||`, `->>`); `OPERATOR(s.=)` is `=` with qualifier `("s",)`.
The other names of `Operation.operator`, operands in the order of the text:

- `and` `or` `not`; `is_null` `is_not_null`; `is_true` `is_not_true` `is_false` `is_not_false` `is_unknown`
  `is_not_unknown`; `is_distinct` `is_not_distinct`; `nullif`
- `in` `not_in` (left, *items); `= any`, `<> all` and so on (left, array) for `x = ANY (array)`
- `like` `not_like` `ilike` `not_ilike` `similar` `not_similar` (left, pattern); an ESCAPE makes the pattern a Call of
  `pg_catalog.like_escape` or `similar_to_escape`, as the server does
- `between` `not_between` `between_symmetric` `not_between_symmetric` (value, low, high)
- `case` (argument if any, then condition, result, ..., ELSE result if any); `coalesce` `greatest` `least`
- `array` `row`; `subscript` (value, bounds...); `slice` (value, bounds...); `collate`; `default` (); `grouping`
- `current_of` (cursor's name as a Literal); `named_argument` (name as a Literal, value); `variadic` (value)
- `order_using OP`: ORDER BY x USING OP
- XML and functions without parentheses: see `rules.postgres.special_syntax`; JSON: see `rules.postgres.json_nodes`
- `assign_element` (value, bounds...): the value of `SET a[i] = value`, see `rules.postgres.writes`
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rules.postgres.nodes import EXPRESSIONS, Node, Reader, Refused, items, strings, unknown, words
from rules.tree import (
    Call,
    Cast,
    Column,
    Expression,
    Field,
    Literal,
    Name,
    Operation,
    Parameter,
    Star,
    Subquery,
)

_node = EXPRESSIONS.node

# ---------------------------------------------------------------- names and constants


@_node("ColumnRef", "fields location")
def column(_read: Reader, body: Node) -> Expression:
    fields = body["fields"]
    at = body.get("location", 0)
    if "A_Star" in fields[-1]:
        return Star(strings(fields[:-1]), at)
    return Column(strings(fields), at)


def _constant_text(body: Node) -> str | None:
    for key, value in body.items():
        if key in _CONSTANTS:
            return _CONSTANTS[key](value)
    raise unknown("a constant of an unknown kind", body.get("location", -1))


_CONSTANTS: Final[dict[str, Callable[[Node], str | None]]] = {
    "isnull": lambda value: None,
    "ival": lambda value: str(value.get("ival", 0)),
    "fval": lambda value: str(value.get("fval", "")),
    "sval": lambda value: str(value.get("sval", "")),
    "bsval": lambda value: str(value.get("bsval", "")),
    "boolval": lambda value: "true" if value.get("boolval") else "false",
}


_PLAIN: Final = {
    "A_Const": frozenset(_CONSTANTS) | {"location"},
    "ParamRef": words("number location"),
}


def is_constant_row(cells: list[Node]) -> bool:
    """Is every cell a constant or parameter that the readers below would take?"""
    for cell in cells:
        for kind, body in cell.items():
            fields = _PLAIN.get(kind)
            if fields is None or not body.keys() <= fields or body.keys() == _NO_VALUE:
                return False
    return True


_NO_VALUE: Final = {"location"}


@_node("A_Const", "ival fval boolval sval bsval isnull location")
def constant(_read: Reader, body: Node) -> Expression:
    return Literal(_constant_text(body), body.get("location", 0))


@_node("ParamRef", "number location")
def parameter(_read: Reader, body: Node) -> Expression:
    return Parameter(body.get("number", 0), body.get("location", 0))


@_node("SetToDefault", "location")
def default(_read: Reader, body: Node) -> Expression:
    return Operation("default", (), (), body.get("location", 0))


@_node("CurrentOfExpr", "cursor_name cursor_param cvarno")
def current_of(_read: Reader, body: Node) -> Expression:
    return Operation("current_of", (Literal(body["cursor_name"]),))


# ---------------------------------------------------------------- types

_MODIFIERS: Final = frozenset({"A_Const", "ColumnRef", "TypeCast"})
_TYPE_FIELDS: Final = words("names typmods typemod arrayBounds setof pct_type location")


def type_name(body: Node) -> Name:
    """The name of a TypeName without modifiers and array brackets. Raises Refused."""
    if not body.keys() <= _TYPE_FIELDS:
        raise unknown("a type name with " + ", ".join(sorted(body.keys() - _TYPE_FIELDS)), body.get("location", -1))
    for modifier in body.get("typmods", ()):
        if not modifier.keys() <= _MODIFIERS:
            raise unknown("a type modifier that is not a constant", body.get("location", -1))
    return strings(body["names"])


@_node("TypeCast", "arg typeName location")
def cast(read: Reader, body: Node) -> Expression:
    return as_type(read.expression(body["arg"]), body["typeName"], body.get("location", 0))


def as_type(operand: Expression, type_node: Node, at: int) -> Cast:
    """The operand cast to the type of a TypeName. Raises Refused."""
    return Cast(operand, type_name(type_node), at, "arrayBounds" in type_node, modifiers(type_node))


def modifiers(body: Node) -> tuple[int, ...] | None:
    """The numbers in parentheses after a type's name; None when they are no plain numbers."""
    found = [node.get("A_Const", {}).get("ival") for node in body.get("typmods", ())]
    return None if None in found else tuple([value.get("ival", 0) for value in found])


@_node("CollateClause", "arg collname location")
def collate(read: Reader, body: Node) -> Expression:
    return Operation("collate", (read.expression(body["arg"]),), (), body.get("location", 0))


# ---------------------------------------------------------------- operators

#: A_Expr kind -> names by the operator that the grammar attaches (None: one name whatever it is)
_NAMED_KINDS: Final[dict[str, dict[str, str]]] = {
    "AEXPR_DISTINCT": {"=": "is_distinct"},
    "AEXPR_NOT_DISTINCT": {"=": "is_not_distinct"},
    "AEXPR_NULLIF": {"=": "nullif"},
    "AEXPR_IN": {"=": "in", "<>": "not_in"},
    "AEXPR_LIKE": {"~~": "like", "!~~": "not_like"},
    "AEXPR_ILIKE": {"~~*": "ilike", "!~~*": "not_ilike"},
    "AEXPR_SIMILAR": {"~": "similar", "!~": "not_similar"},
    "AEXPR_BETWEEN": {"BETWEEN": "between"},
    "AEXPR_NOT_BETWEEN": {"NOT BETWEEN": "not_between"},
    "AEXPR_BETWEEN_SYM": {"BETWEEN SYMMETRIC": "between_symmetric"},
    "AEXPR_NOT_BETWEEN_SYM": {"NOT BETWEEN SYMMETRIC": "not_between_symmetric"},
}
_ARRAY_KINDS: Final = {"AEXPR_OP_ANY": " any", "AEXPR_OP_ALL": " all"}


def _operands(read: Reader, body: Node) -> tuple[Expression, ...]:
    found: list[Expression] = []
    for side in ("lexpr", "rexpr"):
        node = body.get(side)
        if node:
            found.extend(read.expressions(items(node)) if "List" in node else (read.expression(node),))
    return tuple(found)


@_node("A_Expr", "kind name lexpr rexpr rexpr_list_start rexpr_list_end location")
def operation(read: Reader, body: Node) -> Expression:
    name = strings(body["name"])
    kind = body["kind"]
    operands = _operands(read, body)
    at = body.get("location", 0)
    if kind == "AEXPR_OP":
        return Operation(name[-1], operands, name[:-1], at)
    if kind in _ARRAY_KINDS:
        return Operation(name[-1] + _ARRAY_KINDS[kind], operands, name[:-1], at)
    written = _NAMED_KINDS.get(kind, {}).get(name[-1])
    if written is None:
        raise unknown(f"operator {'.'.join(name)} ({kind})", at)
    return Operation(written, operands, name[:-1], at)


_BOOLEANS: Final = {"AND_EXPR": "and", "OR_EXPR": "or", "NOT_EXPR": "not"}


@_node("BoolExpr", "boolop args location")
def boolean(read: Reader, body: Node) -> Expression:
    return Operation(_BOOLEANS[body["boolop"]], read.expressions(body["args"]), (), body.get("location", 0))


_NULL_TESTS: Final = {"IS_NULL": "is_null", "IS_NOT_NULL": "is_not_null"}


@_node("NullTest", "arg nulltesttype argisrow location")
def null_test(read: Reader, body: Node) -> Expression:
    return Operation(_NULL_TESTS[body["nulltesttype"]], (read.expression(body["arg"]),), (), body.get("location", 0))


@_node("BooleanTest", "arg booltesttype location")
def boolean_test(read: Reader, body: Node) -> Expression:
    return Operation(body["booltesttype"].lower(), (read.expression(body["arg"]),), (), body.get("location", 0))


# ---------------------------------------------------------------- conditionals and constructors


@_node("CaseExpr", "arg args defresult location")
def case(read: Reader, body: Node) -> Expression:
    operands = [read.expression(body["arg"])] if body.get("arg") else []
    for when in body.get("args", ()):
        operands.append(read.expression(when["CaseWhen"]["expr"]))
        operands.append(read.expression(when["CaseWhen"]["result"]))
    if body.get("defresult"):
        operands.append(read.expression(body["defresult"]))
    return Operation("case", tuple(operands), (), body.get("location", 0))


@_node("CoalesceExpr", "args location")
def coalesce(read: Reader, body: Node) -> Expression:
    return Operation("coalesce", read.expressions(body["args"]), (), body.get("location", 0))


_MIN_MAX: Final = {"IS_GREATEST": "greatest", "IS_LEAST": "least"}


@_node("MinMaxExpr", "op args location")
def min_max(read: Reader, body: Node) -> Expression:
    return Operation(_MIN_MAX[body["op"]], read.expressions(body["args"]), (), body.get("location", 0))


#: The second parser's time doubles with each level of these. An array has at most 6 dimensions, aggregates do not nest.
MAX_NESTED: Final = 8


@_node("A_ArrayExpr", "elements location list_start list_end")
def array(read: Reader, body: Node) -> Expression:
    read.enter("ARRAY[...]", MAX_NESTED)
    made = Operation("array", read.expressions(body.get("elements", [])), (), body.get("location", 0))
    read.leave("ARRAY[...]")
    return made


@_node("RowExpr", "args row_format location")
def row(read: Reader, body: Node) -> Expression:
    return Operation("row", read.expressions(body.get("args", [])), (), body.get("location", 0))


@_node("GroupingFunc", "args location")
def grouping(read: Reader, body: Node) -> Expression:
    return Operation("grouping", read.expressions(body["args"]), (), body.get("location", 0))


#: An array has at most 6 dimensions; the second parser's time grows with the cube of this number.
MAX_STEPS: Final = 32


def bounds(read: Reader, body: Node) -> tuple[Expression, ...]:
    """The expressions inside `[i]` or `[low:high]`."""
    return tuple(read.expression(body[side]) for side in ("lidx", "uidx") if body.get(side))


def _step(read: Reader, operand: Expression, node: Node, at: int) -> Expression:
    if "String" in node:
        return Field(operand, node["String"]["sval"], at)
    if "A_Star" in node:
        return Field(operand, None, at)
    if "A_Indices" not in node:
        raise unknown(", ".join(node), at)
    name = "slice" if node["A_Indices"].get("is_slice") else "subscript"
    return Operation(name, (operand, *bounds(read, node["A_Indices"])), (), at)


@_node("A_Indirection", "arg indirection")
def indirection(read: Reader, body: Node) -> Expression:
    if len(body["indirection"]) > MAX_STEPS:
        raise Refused("too-complex", f"it takes more than {MAX_STEPS} subscripts in a row", "use a jsonb path instead")
    found = read.expression(body["arg"])
    at = found.at
    for node in body["indirection"]:
        found = _step(read, found, node, at)
    return found


# ---------------------------------------------------------------- calls


def sort_keys(read: Reader, nodes: list[Node]) -> tuple[Expression, ...]:
    """The expressions of an ORDER BY list. `USING op` wraps its key in an Operation of that name."""
    return tuple([_sort_key(read, node["SortBy"]) for node in nodes])


def _sort_key(read: Reader, body: Node) -> Expression:
    key = read.expression(body["node"])
    if "useOp" not in body:
        return key
    name = strings(body["useOp"])
    return Operation("order_using " + name[-1], (key,), name[:-1], body.get("location", -1))


_WINDOW_FIELDS: Final = words("name refname partitionClause orderClause frameOptions startOffset endOffset location")


def window(read: Reader, body: Node) -> tuple[tuple[Expression, ...], tuple[Expression, ...]]:
    """Every expression of a window definition: PARTITION BY; ORDER BY and the frame's bounds."""
    if not body.keys() <= _WINDOW_FIELDS:
        raise unknown("a window with " + ", ".join(sorted(body.keys() - _WINDOW_FIELDS)), body.get("location", -1))
    parts = read.expressions(body.get("partitionClause", []))
    order = sort_keys(read, body.get("orderClause", []))
    frame = tuple(read.expression(body[end]) for end in ("startOffset", "endOffset") if body.get(end))
    return parts, order + frame


def _conditions(read: Reader, body: Node, arguments: tuple[Expression, ...]) -> tuple[Expression, ...]:
    found = sort_keys(read, body.get("agg_order", []))
    if "agg_distinct" in body:
        found += (Operation("distinct", arguments),)
    if "agg_filter" in body:
        found += (read.expression(body["agg_filter"]),)
    return found


def _arguments(read: Reader, body: Node) -> tuple[Expression, ...]:
    found = read.expressions(body.get("args", []))
    if body.get("func_variadic"):
        found = (*found[:-1], Operation("variadic", found[-1:]))
    if body.get("agg_within_group"):  # an ordered-set aggregate returns values of its ORDER BY
        read.enter("WITHIN GROUP", MAX_NESTED)
        found += sort_keys(read, body.get("agg_order", []))
        read.leave("WITHIN GROUP")
    return found


_CONDITIONS: Final = words("agg_order agg_filter agg_distinct")


@_node(
    "FuncCall",
    "funcname args agg_order agg_filter over agg_within_group agg_star agg_distinct func_variadic funcformat location",
)
def call(read: Reader, body: Node) -> Expression:
    arguments = _arguments(read, body)
    conditions = _conditions(read, body, arguments) if body.keys() & _CONDITIONS else ()
    partitions, rest = window(read, body["over"]) if "over" in body else ((), ())
    name, at = strings(body["funcname"]), body.get("location", 0)
    made = Call(name, arguments, conditions + rest, "agg_star" in body, at, partitions)
    read.calls.append(made)
    return made


@_node("NamedArgExpr", "arg name argnumber location")
def named_argument(read: Reader, body: Node) -> Expression:
    return Operation(
        "named_argument", (Literal(body["name"]), read.expression(body["arg"])), (), body.get("location", 0)
    )


# ---------------------------------------------------------------- sub-selects

_SUBLINKS: Final = {
    "EXISTS_SUBLINK": "exists",
    "ALL_SUBLINK": "all",
    "ANY_SUBLINK": "any",
    "EXPR_SUBLINK": "scalar",
    "ARRAY_SUBLINK": "array",
}


@_node("SubLink", "subLinkType testexpr operName subselect location")
def sublink(read: Reader, body: Node) -> Expression:
    """`x IN (SELECT ...)` is the server's ANY without an operator: form `in`."""
    form = _SUBLINKS.get(body["subLinkType"])
    if form is None:
        raise unknown(body["subLinkType"], body.get("location", -1))
    operator = ".".join(strings(body.get("operName", [])))
    if form == "any" and not operator:
        form = "in"
    test = read.optional(body.get("testexpr"))
    return Subquery(read.query(body["subselect"]), form, test, operator, body.get("location", 0))
