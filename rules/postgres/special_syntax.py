"""Functions with a syntax of their own: CURRENT_USER and its kin, MERGE_ACTION, XML.

Operators: `xmlconcat` `xmlelement` `xmlforest` `xmlparse` `xmlpi` `xmlroot` `xmlserialize` `is_document`.
"""

from __future__ import annotations

from typing import Final

from rules.postgres.expressions import as_type
from rules.postgres.nodes import EXPRESSIONS, Node, Reader, words
from rules.tree import Call, Expression, Name, Operation

_node = EXPRESSIONS.node

# ---------------------------------------------------------------- keywords that are functions

#: functions that the grammar knows as keywords without parentheses
VALUE_FUNCTIONS: Final = words(
    "current_date current_time current_timestamp localtime localtimestamp current_role current_user user session_user "
    "current_catalog current_schema"
)
_VALUE_NODES: Final = {
    "SVFOP_" + name.upper() + suffix: ("pg_catalog", name) for name in sorted(VALUE_FUNCTIONS) for suffix in ("", "_N")
}


@_node("SQLValueFunction", "op typmod location")
def value_function(read: Reader, body: Node) -> Expression:
    """CURRENT_USER and its kin: a Call of that name in pg_catalog."""
    return _simple_call(read, _VALUE_NODES[body["op"]], body)


@_node("MergeSupportFunc", "msftype location")
def merge_action(read: Reader, body: Node) -> Expression:
    return _simple_call(read, ("pg_catalog", "merge_action"), body)


def _simple_call(read: Reader, name: Name, body: Node) -> Call:
    made = Call(name, at=body.get("location", 0))
    read.calls.append(made)
    return made


# ---------------------------------------------------------------- XML


def named_values(read: Reader, nodes: list[Node]) -> tuple[Expression, ...]:
    """The values of a list of `value AS name`."""
    return tuple([read.expression(node["ResTarget"]["val"]) for node in nodes])


@_node("XmlExpr", "op name named_args arg_names args xmloption indent location")
def xml(read: Reader, body: Node) -> Expression:
    name = body["op"].removeprefix("IS_").lower()
    operands = named_values(read, body.get("named_args", [])) + tuple(
        [read.expression(node) for node in body.get("args", []) if node]
    )
    return Operation("is_document" if name == "document" else name, operands, (), body.get("location", 0))


@_node("XmlSerialize", "xmloption expr typeName indent location")
def xml_serialize(read: Reader, body: Node) -> Expression:
    made = Operation("xmlserialize", (read.expression(body["expr"]),), (), body.get("location", 0))
    return as_type(made, body["typeName"], body.get("location", 0))
