"""SQL/JSON (PostgreSQL 16-18): constructors, queries, predicates and JSON_TABLE.

Operators: `json_object` (key, value, ...), `json_array`, `json_object_agg`, `json_array_agg`, `json_parse`,
`json_scalar`, `json_serialize`, `is_json`, `json_exists`, `json_query`, `json_value` (context, path, passed values, ON
EMPTY / ON ERROR defaults), `json_table`. A RETURNING type makes the whole a Cast to that type.
"""

from __future__ import annotations

from typing import Final

from rules.postgres.expressions import as_type, sort_keys, window
from rules.postgres.nodes import EXPRESSIONS, SOURCES, Node, Reader, unknown, words
from rules.postgres.sources import alias_names
from rules.tree import Expression, FunctionSource, Operation, Source, Subquery

_node = EXPRESSIONS.node


def _known(what: str, body: Node, fields: frozenset[str]) -> None:
    if not body.keys() <= fields:
        raise unknown(f"{what} with {', '.join(sorted(body.keys() - fields))}", body.get("location", -1))


def _typed(name: str, operands: tuple[Expression, ...], body: Node) -> Expression:
    """The Operation, cast to the type that RETURNING names."""
    at = body.get("location", 0)
    made = Operation(name, operands, (), at)
    output = body.get("output", {})
    return as_type(made, output["typeName"], at) if "typeName" in output else made


_VALUE_FIELDS: Final = frozenset({"raw_expr", "format"})
_NO_FORMAT: Final = "JS_FORMAT_DEFAULT"


def _value(read: Reader, body: Node) -> Expression:
    """`expression [FORMAT JSON]`, without its node type. With FORMAT the text is read as JSON, which may fail."""
    _known("a JSON value", body, _VALUE_FIELDS)
    value = read.expression(body["raw_expr"])
    is_read = body.get("format", {}).get("format_type", _NO_FORMAT) != _NO_FORMAT
    return Operation("format_json", (value,), (), getattr(value, "at", -1)) if is_read else value


@_node("JsonValueExpr", "raw_expr format")
def json_value_expression(read: Reader, body: Node) -> Expression:
    return _value(read, body)


def _pair(read: Reader, body: Node) -> tuple[Expression, ...]:
    return (read.expression(body["key"]), _value(read, body["value"]))


# ---------------------------------------------------------------- constructors


@_node("JsonObjectConstructor", "exprs output absent_on_null unique location")
def json_object(read: Reader, body: Node) -> Expression:
    pairs = [part for node in body.get("exprs", []) for part in _pair(read, node["JsonKeyValue"])]
    operands = (Operation("unique_keys", tuple(pairs)),) if body.get("unique") else tuple(pairs)
    return _typed("json_object", operands, body)


@_node("JsonArrayConstructor", "exprs output absent_on_null location")
def json_array(read: Reader, body: Node) -> Expression:
    return _typed("json_array", read.expressions(body.get("exprs", [])), body)


@_node("JsonArrayQueryConstructor", "query output format absent_on_null location")
def json_array_query(read: Reader, body: Node) -> Expression:
    return _typed("json_array", (Subquery(read.query(body["query"]), "array"),), body)


@_node("JsonParseExpr", "expr output unique_keys location")
def json_parse(read: Reader, body: Node) -> Expression:
    return _typed("json_parse", (_value(read, body["expr"]),), body)


@_node("JsonScalarExpr", "expr output location")
def json_scalar(read: Reader, body: Node) -> Expression:
    return _typed("json_scalar", (read.expression(body["expr"]),), body)


@_node("JsonSerializeExpr", "expr output location")
def json_serialize(read: Reader, body: Node) -> Expression:
    return _typed("json_serialize", (_value(read, body["expr"]),), body)


@_node("JsonIsPredicate", "expr format item_type unique_keys location")
def is_json(read: Reader, body: Node) -> Expression:
    return Operation("is_json", (read.expression(body["expr"]),), (), body.get("location", 0))


_AGGREGATE_FIELDS: Final = words("output agg_filter agg_order over location")


def _aggregate(read: Reader, name: str, values: tuple[Expression, ...], body: Node) -> Expression:
    _known("a JSON aggregate", body, _AGGREGATE_FIELDS)
    operands = values + sort_keys(read, body.get("agg_order", []))
    operands += tuple(read.expressions([body["agg_filter"]] if "agg_filter" in body else []))
    return _typed(name, operands + (sum(window(read, body["over"]), ()) if "over" in body else ()), body)


@_node("JsonObjectAgg", "constructor arg absent_on_null unique")
def json_object_agg(read: Reader, body: Node) -> Expression:
    return _aggregate(read, "json_object_agg", _pair(read, body["arg"]), body["constructor"])


@_node("JsonArrayAgg", "constructor arg absent_on_null")
def json_array_agg(read: Reader, body: Node) -> Expression:
    return _aggregate(read, "json_array_agg", (_value(read, body["arg"]),), body["constructor"])


# ---------------------------------------------------------------- queries

_QUERIES: Final = {"JSON_EXISTS_OP": "json_exists", "JSON_QUERY_OP": "json_query", "JSON_VALUE_OP": "json_value"}


def _behaviours(read: Reader, body: Node) -> tuple[Expression, ...]:
    """The DEFAULT expressions of ON EMPTY and ON ERROR."""
    found = [body[part]["expr"] for part in ("on_empty", "on_error") if "expr" in body.get(part, {})]
    return read.expressions(found)


def _passing(read: Reader, body: Node) -> tuple[Expression, ...]:
    return tuple([_value(read, node["JsonArgument"]["val"]) for node in body.get("passing", [])])


@_node("JsonFuncExpr", "op context_item pathspec passing output on_empty on_error wrapper quotes location")
def json_query(read: Reader, body: Node) -> Expression:
    passed = _passing(read, body) + _behaviours(read, body)
    operands = (_value(read, body["context_item"]), read.expression(body["pathspec"]), *passed)
    return _typed(_QUERIES[body["op"]], operands, body)


_COLUMN_FIELDS: Final = words("coltype name typeName pathspec format wrapper quotes columns on_empty on_error location")


def _columns(read: Reader, nodes: list[Node]) -> tuple[tuple[str, ...], tuple[Expression, ...]]:
    """The names and default expressions of JSON_TABLE's COLUMNS, nested ones in the place of their NESTED clause."""
    names: tuple[str, ...] = ()
    defaults: tuple[Expression, ...] = ()
    for node in nodes:
        body = node["JsonTableColumn"]
        _known("a JSON_TABLE column", body, _COLUMN_FIELDS)
        inner_names, inner = _columns(read, body.get("columns", []))
        names += (body["name"],) if "name" in body else inner_names
        defaults += _behaviours(read, body) + inner
    return names, defaults


@SOURCES.node("JsonTable", "context_item pathspec passing columns on_error alias lateral location")
def json_table(read: Reader, body: Node) -> Source:
    names, defaults = _columns(read, body["columns"])
    path = read.expression(body["pathspec"]["string"])
    passed = _passing(read, body) + _behaviours(read, body) + defaults
    operands = (_value(read, body["context_item"]), path, *passed)
    made = Operation("json_table", operands, (), body.get("location", 0))
    alias, column_aliases = alias_names(body)
    return FunctionSource((made,), alias, column_aliases, names, lateral="lateral" in body)
