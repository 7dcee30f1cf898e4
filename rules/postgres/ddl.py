"""DDL text -> Catalog, for rule tests: the schema that the cases are decided against.

What does not change which relations, columns, types or functions there are (indexes, grants, comments, constraints)
is passed over; a statement that this module does not know is an error, never a catalog with a hole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from rules.catalog import Catalog, Column, Function, Relation, Type
from rules.lineage.output import output_names
from rules.postgres.ddl_builder import Builder, DdlError, Node
from rules.postgres.generated import Computed, computed_by, copies_generated, sources_of
from rules.postgres.grammar import parse_tree
from rules.postgres.nodes import Refused

_PASSED_OVER_WORDS: Final = (
    "Index Comment Grant GrantRole CreateRole CreatePolicy AlterOwner AlterSeq CreateStats Insert Transaction"
)
_PASSED_OVER: Final = frozenset(word + "Stmt" for word in _PASSED_OVER_WORDS.split())


def catalog_from_ddl(text: str) -> Catalog:
    """The catalog that a database would have after running `text`. Raises DdlError naming the line."""
    raw = text.encode()
    try:
        statements = parse_tree(raw)
    except Refused as refused:
        raise DdlError(_line(raw, refused.unparsable.at), refused.unparsable.reason) from refused
    builder = Builder()
    for statement in statements:
        start = statement.get("stmt_location", 0)
        end = start + statement["stmt_len"] if "stmt_len" in statement else len(raw)
        line = _line(raw, start + len(raw[start:end]) - len(raw[start:end].lstrip()))
        _run(builder, statement["stmt"], raw[start:end].decode(), line)
    return builder.catalog("ddl:" + hashlib.sha256(raw).hexdigest()[:16])


def _line(raw: bytes, at: int) -> int:
    return raw.count(b"\n", 0, max(at, 0)) + 1


def _run(builder: Builder, node: Node, text: str, line: int) -> None:
    ((kind, body),) = node.items()
    builder.line = line
    if kind in _PASSED_OVER:
        return
    handler = _STATEMENTS.get(kind)
    if handler is None:
        raise builder.error(f"{kind.removesuffix('Stmt')} is not understood in a test's schema; leave it out")
    handler(builder, body, text)


# ---------------------------------------------------------------- statements


def _schema(builder: Builder, body: Node, text: str) -> None:
    if body.get("schemaElts"):
        raise builder.error("CREATE SCHEMA with elements is not understood; write them as statements of their own")
    builder.schemas.add(body.get("schemaname") or body["authrole"]["rolename"])


def _table(builder: Builder, body: Node, text: str) -> None:
    name = builder.new_name(body["relation"])
    if body.get("if_not_exists") and name in builder.relations:
        return
    parents = [builder.relation(n["RangeVar"]) for n in body.get("inhRelations", ())]
    columns = [c for parent in parents for c in parent.columns]
    computed: Computed = {}
    for parent in parents:
        computed |= builder.computed.get(parent.qualified, {})
    for element in body.get("tableElts", ()):
        columns += _element(builder, element)
        computed |= _copied(builder, element)
    kind = "p" if "partspec" in body else "r"
    builder.add(name, kind, columns, parents=tuple(p.oid for p in parents))
    builder.computed[name] = computed | computed_by(body.get("tableElts", []))


def _element(builder: Builder, element: Node) -> list[Column]:
    if "ColumnDef" in element:
        own = element["ColumnDef"]
        return [builder.column(own)] if "typeName" in own else []
    if "TableLikeClause" in element:
        return list(builder.relation(element["TableLikeClause"]["relation"]).columns)
    if "Constraint" in element:
        return []
    raise builder.error(f"{next(iter(element))} is not understood in CREATE TABLE")


def _copied(builder: Builder, element: Node) -> Computed:
    like = element.get("TableLikeClause")
    if like is None or not copies_generated(like):
        return {}
    return builder.computed.get(builder.relation(like["relation"]).qualified, {})


def _foreign_table(builder: Builder, body: Node, text: str) -> None:
    base = body.get("base", body)
    columns = [c for element in base.get("tableElts", ()) for c in _element(builder, element)]
    builder.add(builder.new_name(base["relation"]), "f", columns)


def _view(builder: Builder, body: Node, text: str) -> None:
    name = builder.new_name(body["view"])
    if body.get("replace"):
        builder.relations.pop(name, None)
    aliases = [a["String"]["sval"] for a in body.get("aliases", ())]
    builder.add(name, "v", _selected(builder, text, aliases), definition=text)


def _table_as(builder: Builder, body: Node, text: str) -> None:
    into = body["into"]
    aliases = [a["String"]["sval"] for a in into.get("colNames", ())]
    columns = _selected(builder, text, aliases)
    if body["objtype"] == "OBJECT_MATVIEW":
        builder.add(builder.new_name(into["rel"]), "m", columns, definition=text)
    else:
        builder.add(builder.new_name(into["rel"]), "r", columns)


def _selected(builder: Builder, text: str, aliases: list[str]) -> list[Column]:
    """The columns of the query in `text`, by the resolver's own rules."""
    found = output_names(text, builder.catalog("growing"))
    if isinstance(found, str):
        raise builder.error(found)
    names = [*aliases, *[name for name, _ in found][len(aliases) :]]
    return [Column(name, 0, type_name or "text") for name, (_, type_name) in zip(names, found, strict=True)]


def _sequence(builder: Builder, body: Node, text: str) -> None:
    columns = [Column("last_value", 0, "bigint", 20), Column("log_cnt", 0, "bigint", 20)]
    builder.add(builder.new_name(body["sequence"]), "S", [*columns, Column("is_called", 0, "boolean", 16)])


def _composite(builder: Builder, body: Node, text: str) -> None:
    name = builder.new_name(body["typevar"])
    builder.add(name, "c", [builder.column(n["ColumnDef"]) for n in body.get("coldeflist", ())])
    builder.types[name] = Type(builder.oid(), *name, "c", "C")


def _add_type(builder: Builder, parts: list[Node], kind: str, category: str, **more: Any) -> None:
    names = [p["String"]["sval"] for p in parts]
    name = (names[-2] if len(names) > 1 else "public", names[-1])
    builder.types[name] = Type(builder.oid(), *name, kind, category, **more)


def _enum(builder: Builder, body: Node, text: str) -> None:
    labels = tuple(v["String"]["sval"] for v in body.get("vals", ()))
    _add_type(builder, body["typeName"], "e", "E", labels=labels)


def _domain(builder: Builder, body: Node, text: str) -> None:
    _, base = builder.type(body["typeName"])
    _add_type(builder, body["domainname"], "d", "S", element=base)


def _range(builder: Builder, body: Node, text: str) -> None:
    _add_type(builder, body["typeName"], "r", "R")


_RESULT_MODES: Final = frozenset({"FUNC_PARAM_OUT", "FUNC_PARAM_INOUT", "FUNC_PARAM_TABLE"})
_ARGUMENT_MODES: Final = frozenset({"FUNC_PARAM_IN", "FUNC_PARAM_INOUT", "FUNC_PARAM_VARIADIC", "FUNC_PARAM_DEFAULT"})


def _function(builder: Builder, body: Node, text: str) -> None:
    names = [p["String"]["sval"] for p in body["funcname"]]
    parameters = [p["FunctionParameter"] for p in body.get("parameters", ())]
    returns = body.get("returnType")
    builder.functions.append(
        Function(
            builder.oid(),
            names[-2] if len(names) > 1 else "public",
            names[-1],
            "p" if body.get("is_procedure") else "f",
            tuple(_argument(builder, p) for p in parameters if p["mode"] in _ARGUMENT_MODES),
            _returned(builder, returns),
            _result_columns(builder, parameters, returns),
            bool(returns and returns.get("setof")),
        )
    )


def _argument(builder: Builder, parameter: Node) -> str:
    return _printed(builder, parameter["argType"])


_PSEUDO: Final = frozenset(
    {"trigger", "void", "record", "anyelement", "anyarray", "event_trigger", "cstring", "internal"}
)


def _printed(builder: Builder, body: Node) -> str:
    name: str = body["names"][-1]["String"]["sval"]
    return name if name in _PSEUDO else builder.type(body)[0]


def _returned(builder: Builder, returns: Node | None) -> str:
    return _printed(builder, returns) if returns else ""


def _result_columns(builder: Builder, parameters: list[Node], returns: Node | None) -> tuple[str, ...]:
    named = tuple(p.get("name", "") for p in parameters if p["mode"] in _RESULT_MODES)
    if named or returns is None:
        return named
    names = [p["String"]["sval"] for p in returns["names"]]
    relation = builder.relations.get((names[-2] if len(names) > 1 else "public", names[-1]))
    return tuple(c.name for c in relation.columns) if relation else ()


def _trigger(builder: Builder, body: Node, text: str) -> None:
    relation = builder.relation(body["relation"])
    builder.relations[relation.qualified] = replace(relation, triggers=True)


def _operator(builder: Builder, body: Node, text: str) -> None:
    if body["kind"] == "OBJECT_OPERATOR":
        builder.operators.add(body["defnames"][-1]["String"]["sval"])
    elif body["kind"] == "OBJECT_AGGREGATE":
        names = [p["String"]["sval"] for p in body["defnames"]]
        builder.functions.append(Function(builder.oid(), names[-2] if len(names) > 1 else "public", names[-1], "a"))
    else:
        raise builder.error("CREATE of this kind is not understood in a test's schema; leave it out")


# ---------------------------------------------------------------- ALTER TABLE

_HARMLESS_WORDS: Final = (
    "AddConstraint ColumnDefault SetNotNull DropNotNull ChangeOwner EnableRowSecurity DisableRowSecurity "
    "ForceRowSecurity NoForceRowSecurity AddIndex DropConstraint ValidateConstraint ReplicaIdentity AddIdentity "
    "SetStatistics SetStorage ClusterOn"
)
_HARMLESS: Final = frozenset(_HARMLESS_WORDS.split())


def _alter_table(builder: Builder, body: Node, text: str) -> None:
    for command in body["cmds"]:
        relation = builder.relation(body["relation"])
        alter = command["AlterTableCmd"]
        word = alter["subtype"].removeprefix("AT_")
        if word in _HARMLESS:
            continue
        handler = _ALTERATIONS.get(word)
        if handler is None:
            raise builder.error(f"ALTER TABLE ... {word} is not understood in a test's schema; leave it out")
        handler(builder, relation, alter)


def _add_column(builder: Builder, relation: Relation, alter: Node) -> None:
    column = builder.column(alter["def"]["ColumnDef"])
    if relation.column(column.name) is None:
        number = max((c.number for c in relation.columns), default=0) + 1
        columns = (*relation.columns, replace(column, number=number))
        builder.relations[relation.qualified] = replace(relation, columns=columns)
        if (sources := sources_of(alter["def"]["ColumnDef"])) is not None:
            builder.computed.setdefault(relation.qualified, {})[column.name] = sources
    for child in [r for r in builder.relations.values() if relation.oid in r.parents]:
        _add_column(builder, child, alter)


def _drop_column(builder: Builder, relation: Relation, alter: Node) -> None:
    kept = tuple(c for c in relation.columns if c.name != alter["name"])
    builder.relations[relation.qualified] = replace(relation, columns=kept)


def _attach(builder: Builder, relation: Relation, alter: Node) -> None:
    _add_parent(builder, builder.relation(alter["def"]["PartitionCmd"]["name"]), relation)


def _inherit(builder: Builder, relation: Relation, alter: Node) -> None:
    _add_parent(builder, relation, builder.relation(alter["def"]["RangeVar"]))


def _add_parent(builder: Builder, child: Relation, parent: Relation) -> None:
    builder.relations[child.qualified] = replace(child, parents=(*child.parents, parent.oid))


_ALTERATIONS: Final[dict[str, Callable[[Builder, Relation, Node], None]]] = {
    "AddColumn": _add_column,
    "DropColumn": _drop_column,
    "AttachPartition": _attach,
    "AddInherit": _inherit,
}

_STATEMENTS: Final[dict[str, Callable[[Builder, Node, str], None]]] = {
    "CreateSchemaStmt": _schema,
    "CreateStmt": _table,
    "CreateForeignTableStmt": _foreign_table,
    "ViewStmt": _view,
    "CreateTableAsStmt": _table_as,
    "CreateSeqStmt": _sequence,
    "CompositeTypeStmt": _composite,
    "CreateEnumStmt": _enum,
    "CreateDomainStmt": _domain,
    "CreateRangeStmt": _range,
    "CreateFunctionStmt": _function,
    "CreateTrigStmt": _trigger,
    "DefineStmt": _operator,
    "AlterTableStmt": _alter_table,
}
