"""Statements that agents and drivers use all day: queries, data changes, transactions, settings, prepared
statements, cursors, EXPLAIN, COPY."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from rules.postgres import queries, writes  # both register their nodes
from rules.postgres.copy_options import copy_format
from rules.postgres.expressions import type_name
from rules.postgres.nodes import QUERIES, STATEMENTS, WRITES, Node, Reader, strings, unknown, words
from rules.postgres.sources import relation_name
from rules.postgres.survey import survey, touched
from rules.tree import (
    Access,
    Carrier,
    CarrierKind,
    Delete,
    Insert,
    Merge,
    Query,
    Setting,
    Statement,
    Update,
    Write,
)

_REGISTERED: Final = (queries, writes)
_node = STATEMENTS.node

# ---------------------------------------------------------------- options


def option_text(value: Node | None) -> str:
    """A DefElem's value as text; empty when there is none."""
    for kind, body in (value or {}).items():
        if kind in _SCALARS:
            return _SCALARS[kind](body)
        if kind == "A_Const":
            return _constant(body)
        if kind == "TypeName":
            return ".".join(strings(body["names"]))
        if kind == "List":
            return ",".join(option_text(member) for member in body.get("items", []))
    return "*" if value and "A_Star" in value else ""


_SCALARS: Final[dict[str, Callable[[Node], str]]] = {
    "String": lambda body: str(body.get("sval", "")),
    "Integer": lambda body: str(body.get("ival", 0)),
    "Float": lambda body: str(body.get("fval", "")),
    "Boolean": lambda body: "true" if body.get("boolval") else "false",
}


def _constant(body: Node) -> str:
    for key, wrap in (("ival", "Integer"), ("fval", "Float"), ("sval", "String"), ("boolval", "Boolean")):
        if key in body:
            return _SCALARS[wrap](body[key])
    return ""


def options(body: Node, field: str = "options") -> tuple[str, ...]:
    """A list of DefElems as `name` or `name:value`, names in lower case."""
    return tuple(_options(body.get(field, [])))


def _options(nodes: list[Node]) -> Iterator[str]:
    for node in nodes:
        element = node["DefElem"]
        text = option_text(element.get("arg"))
        yield f"{element['defname'].lower()}:{text}" if "arg" in element else element["defname"].lower()


# ---------------------------------------------------------------- queries and data changes

KIND_OF_WRITE: Final[dict[type[object], str]] = {Insert: "insert", Update: "update", Delete: "delete", Merge: "merge"}


def kind_of(body: Query | Write) -> str:
    """The taxonomy's word for a query or a data change."""
    return KIND_OF_WRITE.get(type(body), "select")


@_node("SelectStmt", " ".join([*QUERIES.makers["SelectStmt"][0], "intoClause"]))
def select(read: Reader, body: Node) -> Statement:
    """SELECT, VALUES, TABLE; SELECT INTO makes a table (its INTO stands in the leftmost SELECT)."""
    leftmost = body
    while "larg" in leftmost:
        leftmost = leftmost["larg"]
    if "intoClause" in leftmost:
        into = leftmost.pop("intoClause")
        return creating(read, QUERIES.read_body(read, "SelectStmt", body), into, "SELECT INTO")
    return Statement("select", QUERIES.read_body(read, "SelectStmt", body), detail="SELECT")


def _write(kind: str) -> None:
    word = kind.removesuffix("Stmt").lower()

    def read_write(read: Reader, body: Node) -> Statement:
        return Statement(word, WRITES.read_body(read, kind, body), detail=word.upper())

    STATEMENTS.makers[kind] = (WRITES.makers[kind][0], read_write)


for _kind in ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"):
    _write(_kind)

_TEMPORARY: Final = {"t": ("temporary",), "u": ("unlogged",)}
_INTO_FIELDS: Final = words("rel colNames accessMethod options onCommit tableSpaceName skipData")


def creating(read: Reader, body: Query | Write | None, into: Node, detail: str, kind: str = "create") -> Statement:
    """A statement that fills a new table from `body`."""
    if not into.keys() <= _INTO_FIELDS:
        raise unknown("INTO with " + ", ".join(sorted(into.keys() - _INTO_FIELDS)))
    name = relation_name(into["rel"])
    read.relations.append(name)
    notes = _TEMPORARY.get(into["rel"].get("relpersistence", "p"), ())
    return Statement(
        kind,
        body,
        touched=((touched(read, (name, Access.CREATE)))[:1]),
        columns=tuple((name, column) for column in strings(into.get("colNames", []))),
        executes="skipData" not in into,
        returns_body=False,
        creates=name,
        detail=detail,
        options=notes,
    )


@_node("CreateTableAsStmt", "query into objtype if_not_exists is_select_into")
def create_table_as(read: Reader, body: Node) -> Statement:
    """CREATE TABLE AS and CREATE MATERIALIZED VIEW; AS EXECUTE p runs a prepared statement instead of a body."""
    detail = "CREATE MATERIALIZED VIEW" if body["objtype"] == "OBJECT_MATVIEW" else "CREATE TABLE AS"
    prepared = body["query"].get("ExecuteStmt")
    if prepared is None:
        return creating(read, read.body(body["query"]), body["into"], detail)
    survey(read, prepared.get("params", []))
    made = creating(read, None, body["into"], detail + " EXECUTE")
    return _with(made, runs=Carrier(CarrierKind.STATEMENT, prepared["name"]), calls=tuple(read.calls))


def _with(made: Statement, **changes: Any) -> Statement:
    fields = {name: getattr(made, name) for name in Statement.__slots__}
    return Statement(**{**fields, **changes})


# ---------------------------------------------------------------- transactions

_TRANSACTIONS: Final = {
    "TRANS_STMT_BEGIN": ("transaction", "BEGIN"),
    "TRANS_STMT_START": ("transaction", "START TRANSACTION"),
    "TRANS_STMT_COMMIT": ("transaction", "COMMIT"),
    "TRANS_STMT_ROLLBACK": ("transaction", "ROLLBACK"),
    "TRANS_STMT_SAVEPOINT": ("transaction", "SAVEPOINT"),
    "TRANS_STMT_RELEASE": ("transaction", "RELEASE SAVEPOINT"),
    "TRANS_STMT_ROLLBACK_TO": ("transaction", "ROLLBACK TO SAVEPOINT"),
    "TRANS_STMT_PREPARE": ("two_phase", "PREPARE TRANSACTION"),
    "TRANS_STMT_COMMIT_PREPARED": ("two_phase", "COMMIT PREPARED"),
    "TRANS_STMT_ROLLBACK_PREPARED": ("two_phase", "ROLLBACK PREPARED"),
}


@_node("TransactionStmt", "kind options savepoint_name gid chain location")
def transaction(_read: Reader, body: Node) -> Statement:
    kind, detail = _TRANSACTIONS[body["kind"]]
    return Statement(
        kind,
        settings=_modes(body.get("options", []), local=True),
        detail=detail,
        options=("chain",) if "chain" in body else (),
    )


def _modes(nodes: list[Node], local: bool, prefix: str = "") -> tuple[Setting, ...]:
    """Transaction modes (DefElems transaction_isolation, transaction_read_only ...) as settings."""
    return tuple(
        [
            Setting(prefix + node["DefElem"]["defname"], (option_text(node["DefElem"].get("arg")),), local)
            for node in nodes
        ]
    )


@_node("ConstraintsSetStmt", "constraints deferred")
def set_constraints(_read: Reader, _body: Node) -> Statement:
    return Statement("transaction", detail="SET CONSTRAINTS")


# ---------------------------------------------------------------- settings

_IDENTITY_SETTINGS: Final = frozenset({"role", "session_authorization"})
_SET_WORDS: Final = {"VAR_RESET": "RESET", "VAR_RESET_ALL": "RESET ALL"}


def _setting_value(node: Node) -> str:
    if "TypeCast" in node:  # SET TIME ZONE INTERVAL '1' HOUR
        type_name(node["TypeCast"]["typeName"])
        return _setting_value(node["TypeCast"]["arg"])
    if node.keys() != {"A_Const"}:
        raise unknown("SET with a value that is not a constant")
    return _constant(node["A_Const"])


def settings_of(body: Node) -> tuple[Setting, ...]:
    """What a VariableSetStmt changes; RESET ALL is the setting named `all`."""
    local = "is_local" in body
    if body["kind"] == "VAR_RESET_ALL":
        return (Setting("all", None),)
    name = body["name"].lower()
    if body["kind"] == "VAR_SET_VALUE":
        return (Setting(name, tuple([_setting_value(node) for node in body.get("args", [])]), local),)
    return (Setting(name, None, local),)


_SET_FIELDS: Final = "kind name args is_local jumble_args location"


@_node("VariableSetStmt", _SET_FIELDS)
def set_variable(_read: Reader, body: Node) -> Statement:
    """SET, RESET, SET LOCAL; SET ROLE and SET SESSION AUTHORIZATION change who one is: kind admin."""
    if body["kind"] == "VAR_SET_MULTI":
        return _set_modes(body)
    changed = settings_of(body)
    kind = "admin" if changed[0].name in _IDENTITY_SETTINGS else "session"
    word = _SET_WORDS.get(body["kind"], "SET LOCAL" if changed[0].local else "SET")
    notes = ("reset_all",) if body["kind"] == "VAR_RESET_ALL" else ()
    return Statement(kind, settings=changed, detail=word, options=notes)


def _set_modes(body: Node) -> Statement:
    """SET TRANSACTION ..., SET SESSION CHARACTERISTICS AS TRANSACTION ..., SET TRANSACTION SNAPSHOT."""
    if body["name"] == "TRANSACTION":
        return Statement("transaction", settings=_modes(body["args"], local=True), detail="SET TRANSACTION")
    if body["name"] == "SESSION CHARACTERISTICS":
        changed = _modes(body["args"], local=False, prefix="default_")
        return Statement("session", settings=changed, detail="SET SESSION CHARACTERISTICS")
    if body["name"] == "TRANSACTION SNAPSHOT":
        changed = (Setting("transaction_snapshot", tuple([_setting_value(n) for n in body["args"]]), True),)
        return Statement("transaction", settings=changed, detail="SET TRANSACTION SNAPSHOT")
    raise unknown("SET " + body["name"])


@_node("VariableShowStmt", "name")
def show(_read: Reader, body: Node) -> Statement:
    return Statement("show", settings=(Setting(body["name"].lower(), None),), detail="SHOW")


_DISCARDED: Final = {
    "DISCARD_ALL": Carrier(CarrierKind.STATEMENT, None),
}


@_node("DiscardStmt", "target")
def discard(_read: Reader, body: Node) -> Statement:
    """DISCARD ALL also closes all cursors and resets all settings: option `discard_all`."""
    target = body["target"].lower()
    detail = target.replace("_", " ").upper()
    return Statement("session", drops=_DISCARDED.get(body["target"]), detail=detail, options=(target,))


# ---------------------------------------------------------------- prepared statements and cursors


@_node("PrepareStmt", "name argtypes query")
def prepare(read: Reader, body: Node) -> Statement:
    for node in body.get("argtypes", []):
        type_name(node["TypeName"])
    prepared = read.body(body["query"])
    carrier = Carrier(CarrierKind.STATEMENT, body["name"])
    return Statement(kind_of(prepared), prepared, defines=carrier, executes=False, returns_body=False, detail="PREPARE")


@_node("ExecuteStmt", "name params")
def execute(read: Reader, body: Node) -> Statement:
    survey(read, body.get("params", []))
    return Statement(
        "prepared",
        touched=touched(read, others=Access.SELECT),
        calls=tuple(read.calls),
        runs=Carrier(CarrierKind.STATEMENT, body["name"]),
        detail="EXECUTE",
    )


@_node("DeallocateStmt", "name isall location")
def deallocate(_read: Reader, body: Node) -> Statement:
    return Statement("prepared", drops=Carrier(CarrierKind.STATEMENT, body.get("name")), detail="DEALLOCATE")


_CURSOR_HOLD: Final = 0x20
_CURSOR_BINARY: Final = 0x01


@_node("DeclareCursorStmt", "portalname options query")
def declare(read: Reader, body: Node) -> Statement:
    """The body's rows come with FETCH."""
    flags = body.get("options", 0)
    carrier = Carrier(CarrierKind.CURSOR, body["portalname"], bool(flags & _CURSOR_HOLD))
    query = read.query(body["query"])
    notes = ("binary",) if flags & _CURSOR_BINARY else ()
    return Statement("select", query, defines=carrier, returns_body=False, detail="DECLARE CURSOR", options=notes)


@_node("FetchStmt", "direction howMany portalname ismove")
def fetch(_read: Reader, body: Node) -> Statement:
    moves = "ismove" in body
    carrier = Carrier(CarrierKind.CURSOR, body["portalname"])
    return Statement("cursor", runs=carrier, returns_body=not moves, detail="MOVE" if moves else "FETCH")


@_node("ClosePortalStmt", "portalname")
def close(_read: Reader, body: Node) -> Statement:
    return Statement("cursor", drops=Carrier(CarrierKind.CURSOR, body.get("portalname")), detail="CLOSE")


# ---------------------------------------------------------------- EXPLAIN


@_node("ExplainStmt", "query options")
def explain(read: Reader, body: Node) -> Statement:
    """The statement inside keeps its body, carrier and touched relations; only ANALYZE executes it."""
    kind, inner = next(iter(body["query"].items()))
    if kind not in _EXPLAINABLE:
        raise unknown(f"EXPLAIN of {kind}")
    inside = STATEMENTS.read_body(read, kind, inner)
    notes = options(body)
    analyzed = any(note.split(":")[0] == "analyze" and note not in _ANALYZE_OFF for note in notes)
    return _with(
        inside,
        kind="explain",
        defines=None,
        executes=analyzed,
        returns_body=False,
        detail=f"EXPLAIN{' ANALYZE' if analyzed else ''} {inside.detail}".rstrip(),
        options=notes + inside.options,
    )


_EXPLAINABLE: Final = words(
    "SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt CreateTableAsStmt ExecuteStmt DeclareCursorStmt "
    "RefreshMatViewStmt"
)
_ANALYZE_OFF: Final = frozenset({"analyze:false", "analyze:off", "analyze:0"})


# ---------------------------------------------------------------- COPY

_DIRECTIONS: Final = {True: ("copy_in", Access.INSERT), False: ("copy_out", Access.SELECT)}


@_node("CopyStmt", "relation query attlist is_from is_program filename options whereClause")
def copy(read: Reader, body: Node) -> Statement:
    """COPY to or from the client; a server file or program is `file_io`. Options as `format:csv`, `delimiter:;` ..."""
    kind, access = _DIRECTIONS["is_from" in body]
    outside = "filename" in body or "is_program" in body
    main = ((relation_name(body["relation"]), access),) if "relation" in body else ()
    inside = read.body(body["query"]) if "query" in body else None
    survey(read, body.get("whereClause"))
    return Statement(
        "file_io" if outside else kind,
        inside,
        touched=touched(Reader(b""), *main) + (() if inside else touched(read, others=Access.SELECT)),
        calls=() if inside else tuple(read.calls),
        columns=tuple((main[0][0], column) for column in strings(body.get("attlist", [])) if main),
        returns_body=not outside,
        detail="COPY " + ("FROM" if "is_from" in body else "TO") + (" PROGRAM" if "is_program" in body else ""),
        copy=None if "is_from" in body else copy_format(body, option_text),
        options=options(body),
    )
