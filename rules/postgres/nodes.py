"""The allow-list that PostgreSQL's parse tree is read through.

libpg_query gives each node as `{"SelectStmt": {field: value, ...}}`; fields that are zero, false or empty
are absent. Every node type is registered here once, with the fields that its reader understands. A node or
a field that is not registered is `Refused`: nothing is passed over because it was not known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar

from rules.tree import Call, Expression, Name, Query, Source, Statement, Unparsable, Write

Node: TypeAlias = dict[str, Any]
"""One JSON object of the parse tree: either `{type: fields}` or, where the grammar fixes the type, the bare fields."""

T = TypeVar("T")


def words(text: str) -> frozenset[str]:
    """The words of a text: how lists of fields and nodes are written here."""
    return frozenset(text.split())


Maker: TypeAlias = "Callable[[Reader, Node], T]"


class Refused(Exception):  # noqa: N818 - it carries a refusal, it is no programming error
    """The text is not vouched for. Carries the `Unparsable` that `read` returns."""

    def __init__(self, code: str, reason: str, mend: str = "", at: int = -1, said: str = "") -> None:
        super().__init__(reason)
        self.unparsable = Unparsable(code, reason, mend, at, said)


def unknown(construct: str, at: int = -1) -> Refused:
    """The refusal of a construct that the allow-list does not hold."""
    return Refused(
        "unknown-node",
        f"it uses a construct that dbgate does not know: {construct}",
        "write it without this construct, or ask for it to be supported",
        at,
    )


class Registry(Generic[T]):
    """Node type -> (known fields, reader) for one grammatical place (expression, query, source, statement)."""

    __slots__ = ("makers", "place")

    def __init__(self, place: str) -> None:
        self.place = place
        self.makers: dict[str, tuple[frozenset[str], Maker[T]]] = {}

    def node(self, kind: str, fields: str) -> Callable[[Maker[T]], Maker[T]]:
        """Decorator: register a reader for node type `kind`; `fields` names what it understands."""

        def register(maker: Maker[T]) -> Maker[T]:
            self.makers[kind] = (frozenset(fields.split()), maker)
            return maker

        return register

    def read(self, reader: Reader, node: Node) -> T:
        """Read one `{type: fields}` object. Raises Refused."""
        ((kind, body),) = node.items() or self._missing()
        return self.read_body(reader, kind, body)

    def read_body(self, reader: Reader, kind: str, body: Node) -> T:
        """Read the bare fields of a node whose type the grammar fixes. Raises Refused."""
        entry = self.makers.get(kind)
        if entry is None:
            raise unknown(f"{kind} as {self.place}", body.get("location", -1))
        fields, maker = entry
        if not body.keys() <= fields:
            raise unknown(f"{kind} with {', '.join(sorted(body.keys() - fields))}", body.get("location", -1))
        return maker(reader, body)

    def _missing(self) -> tuple[tuple[str, Node], ...]:
        raise unknown(f"an empty {self.place}")


EXPRESSIONS: Final[Registry[Expression]] = Registry("an expression")
SOURCES: Final[Registry[Source]] = Registry("a FROM item")
QUERIES: Final[Registry[Query]] = Registry("a query")
WRITES: Final[Registry[Write]] = Registry("a data change")
STATEMENTS: Final[Registry[Statement]] = Registry("a statement")


class Reader:
    """Reads one parse tree. Keeps the statement's text, and notes every relation and call on the way."""

    __slots__ = ("calls", "nesting", "relations", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.relations: list[Name] = []
        self.calls: list[Call] = []
        self.nesting: dict[str, int] = {}

    def expression(self, node: Node) -> Expression:
        for kind, body in node.items():  # the hottest loop of the reading: inlined Registry.read
            entry = EXPRESSIONS.makers.get(kind)
            if entry is None or not body.keys() <= entry[0]:
                return EXPRESSIONS.read_body(self, kind, body)
            return entry[1](self, body)
        raise unknown("an empty expression")

    def enter(self, construct: str, limit: int) -> None:
        """Count one more open `construct`. Raises Refused (`too-complex`) above `limit`."""
        depth = self.nesting[construct] = self.nesting.get(construct, 0) + 1
        if depth > limit:
            raise Refused("too-complex", f"it nests more than {limit} {construct}", "write it flatter")

    def leave(self, construct: str) -> None:
        self.nesting[construct] -= 1

    def optional(self, node: Node | None) -> Expression | None:
        return self.expression(node) if node else None

    def expressions(self, nodes: list[Node]) -> tuple[Expression, ...]:
        return tuple([self.expression(node) for node in nodes])

    def source(self, node: Node) -> Source:
        return SOURCES.read(self, node)

    def sources(self, nodes: list[Node]) -> tuple[Source, ...]:
        return tuple([SOURCES.read(self, node) for node in nodes])

    def query(self, node: Node) -> Query:
        return QUERIES.read(self, node)

    def body(self, node: Node) -> Query | Write:
        """A query or a data change (WITH, PREPARE, EXPLAIN, COPY take either)."""
        if node.keys() <= WRITES.makers.keys():
            return WRITES.read(self, node)
        return QUERIES.read(self, node)


def strings(nodes: list[Node]) -> Name:
    """The texts of a list of String nodes: a qualified name. Raises Refused for anything else."""
    try:
        return tuple([node["String"].get("sval", "") for node in nodes])
    except KeyError as missing:
        raise unknown("a name that is not made of identifiers") from missing


def items(node: Node) -> list[Node]:
    """The members of a List node."""
    found: list[Node] = node["List"].get("items", [])
    return found
