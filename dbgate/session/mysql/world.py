"""The session's temporary tables, as the server tells of them on the session's own connection.

They are in no information_schema, and stand in front of tables of the same name. Statements that make, change or drop
them are known by their decisions; so the names that may be meant are asked for (SHOW CREATE TABLE tells whether a name
is a temporary table's, SHOW COLUMNS its columns) before the next statement that names a table is decided. What code
that the gate has not read may have made is asked for when a name is used.

What they are is laid over the catalog that all share. A temporary table is one of its database's to the rules, so that
it must not have the name of a table that is there: a rule would mean either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from dbgate.session.long_texts import Waits
from dbgate.session.mysql.refusals import CATALOG_UNREAD, law
from dbgate.session.mysql.state import AskedWorld, Exchange, Phase, State
from dbgate.session.splice import Splice
from protocols.errors import PeerError
from protocols.mysql.commands import Query
from protocols.mysql.packets import encode, split
from protocols.mysql.relay import Columns, Expect, Kind, Piece, ReplyReader
from protocols.mysql.replies import Err
from protocols.mysql.wire import Reader
from rules.catalog import Catalog, Column, Relation
from rules.decision import Decision, Refusal
from rules.naming import MYSQL_DATABASES

#: The server's errors for a name that is no temporary table: not there, a view that is broken or that one may not see.
#: Rights are not asked for temporary tables.
NOT_OWN: Final = frozenset({1049, 1051, 1142, 1143, 1146, 1345, 1347, 1356, 4161})
#: OIDs of the session's own, beyond any of the catalog's
FIRST_OWN_OID: Final = 1 << 30
MOST_OWN: Final = 1000
_TEMPORARY: Final = "CREATE TEMPORARY TABLE "
_SEQUENCE: Final = "SEQUENCE=1"
_TYPE: Final = re.compile(r"(\w+)(?:\((\d+)(?:,(\d+))?\))?")
_DECIMALS: Final = frozenset({"decimal", "numeric"})

SHADOWS: Final = law(
    "temporary",
    "a table of that name is there, and the temporary one would stand in front of it",
    "give the temporary table another name",
)
SHADOWED: Final = law(
    "temporary",
    "one of the session's temporary tables stands in front of a table of the same name",
    "DROP TEMPORARY TABLE first, and give it another name",
)
ODD_TABLE: Final = law("temporary", "its database or its table has a dot in its name", "use a name without dots")
TOO_MANY: Final = law(
    "temporary", f"the session has {MOST_OWN} temporary tables already", "drop temporary tables that are not needed"
)


# ---------------------------------------------------------------- what names mean


def await_world(state: State, decisions: Iterable[Decision]) -> None:
    """Before tables' names are given a meaning. Raises Waits while the server is asked."""
    own = state.own
    if not state.watched or own.failed or not (own.doubted or own.unread):
        return
    named = {name for decision in decisions for name in named_by(state, decision)}
    if not named:
        return
    if own.unread:
        own.doubted |= {name for name in named if name not in own.seen and is_plain(name)}
    if own.doubted:
        ask(state)


def named_by(state: State, decision: Decision) -> Iterator[str]:
    """The tables that it names, or the statement behind its EXECUTE."""
    behind = None if decision.runs is None else state.names.named.get((decision.runs.name or "").lower())
    if behind is not None:
        yield from named_by(state, behind.decision)
    yield from (name for name in decision.tables if name.split(".")[0].lower() not in MYSQL_DATABASES)
    for missing in decision.missing:
        yield ".".join(missing) if len(missing) > 1 else f"{state.database}.{missing[0]}"


def is_plain(name: str) -> bool:
    return name.count(".") == 1


def objection(state: State, decision: Decision) -> Refusal | None:
    """Why this allowed statement may not run, as to the session's own tables."""
    own, shared = state.own, state.policy.shared.catalog
    if not state.watched or not decision.tables:
        return None
    if own.doubted and own.failed:
        return CATALOG_UNREAD
    shaping = decision.changes_own or own.shows(decision.tables)
    if shaping and (made := _objection_to_making(state, decision, shared)) is not None:
        return made
    if decision.kind != "drop" and any(known(shared, name) for name in own.tables):
        return SHADOWED
    return None


def _objection_to_making(state: State, decision: Decision, shared: Catalog) -> Refusal | None:
    if not decision.makes:
        return None
    if not all(map(is_plain, decision.tables)):
        return ODD_TABLE
    if len(state.own.tables) >= MOST_OWN:
        return TOO_MANY
    return SHADOWS if any(known(shared, name) for name in decision.makes) else None


def known(catalog: Catalog, name: str) -> bool:
    database, _, table = name.partition(".")
    return (database, table) in catalog.by_name


# ---------------------------------------------------------------- the question


def ask(state: State) -> None:
    """The client's bytes wait until the server has told of every doubted name."""
    asked = AskedWorld([name for name in sorted(state.own.doubted) if is_plain(name)])
    state.own.doubted.intersection_update(asked.names)
    state.exchange = Exchange(asked, ReplyReader(Expect.TEXT_RESULT, state.login.upstream))
    state.phase = Phase.ANSWERING
    _send(state, state.exchange, asked)
    raise Waits


def _send(state: State, exchange: Exchange, asked: AskedWorld) -> None:
    """One question goes out; behind the last the session's world is what was told."""
    asked.rows.clear()
    if not asked.names:
        _adopt(state, asked)
        return
    place = ".".join(f"`{part.replace('`', '``')}`" for part in asked.names[0].split("."))
    text = f"SHOW FULL COLUMNS FROM {place}" if asked.temporary else f"SHOW CREATE TABLE {place}"
    raw = text.encode() if state.charset.name.startswith("utf8") else state.charset.encode(text)
    state.send_up += encode(Query(raw).encode(state.login.upstream), 0)
    exchange.reader = ReplyReader(Expect.TEXT_RESULT, state.login.upstream, whole_rows=True)


def hear(state: State, exchange: Exchange, splice: Splice, piece: Piece) -> None:
    """A piece of an answer. Nothing of it is for the client."""
    asked = exchange.asked
    assert isinstance(asked, AskedWorld)
    _PIECES[piece.kind](state, asked, splice.buffer, piece)
    splice.replace(piece.start, piece.end)
    if not exchange.reader.complete:
        return
    _conclude(state, asked)
    _send(state, exchange, asked)
    exchange.goes_on = bool(state.send_up)


def _conclude(state: State, asked: AskedWorld) -> None:
    """One question has been answered."""
    name = asked.names[0]
    if asked.temporary:
        database, _, table = name.partition(".")
        number = FIRST_OWN_OID + len(asked.found)
        asked.found[name] = Relation(number, database, table, asked.kind, columns_of(asked.rows))
    elif asked.rows and asked.width > 1 and (made := asked.rows[0][1] or "").startswith(_TEMPORARY):
        asked.temporary, asked.kind = True, "S" if made.endswith(_SEQUENCE) else "r"
        return
    asked.temporary = False
    asked.done.append(asked.names.pop(0))


def _on_columns(state: State, asked: AskedWorld, buffer: bytes, piece: Piece) -> None:
    assert isinstance(piece.value, Columns)
    asked.width = len(piece.value.payloads)


def _on_rows(state: State, asked: AskedWorld, buffer: bytes, piece: Piece) -> None:
    for payload in payloads_of(buffer[piece.start : piece.end]):
        reader = Reader(payload, "row")
        values = [reader.lenenc_bytes_or_null("value") for _ in range(asked.width)]
        try:
            asked.rows.append(tuple(None if v is None else state.results.decode(v) for v in values))
        except UnicodeError:
            state.own.failed = True


def payloads_of(rows: bytes) -> list[bytes]:
    """Rows of this kind are short: one packet each."""
    return [rows[start + 4 : end] for _, start, end in split(rows, 0)[0]]


def _on_end(state: State, asked: AskedWorld, buffer: bytes, piece: Piece) -> None:
    """The status has been noted."""


def _on_err(state: State, asked: AskedWorld, buffer: bytes, piece: Piece) -> None:
    assert isinstance(piece.value, Err)
    if piece.value.errno not in NOT_OWN or asked.temporary:
        state.own.failed = True
        asked.temporary = False


def _adopt(state: State, asked: AskedWorld) -> None:
    """What was told holds from now on."""
    own = state.own
    if own.failed:
        return
    kept = {name: each for name, each in own.tables.items() if name not in asked.done}
    tables = {**kept, **asked.found}
    own.doubted.clear()
    own.seen.update(asked.done)
    if list(tables.values()) != list(own.tables.values()):
        numbered = enumerate(tables.items(), FIRST_OWN_OID)
        own.tables = {
            name: Relation(oid, each.schema, each.name, each.kind, each.columns) for oid, (name, each) in numbered
        }
        state.use(state.policy.shared)


# ---------------------------------------------------------------- SHOW FULL COLUMNS


def columns_of(rows: list[tuple[str | None, ...]]) -> tuple[Column, ...]:
    """Field, Type, Collation, Null, Key, Default, Extra. What a generated column is computed from is not told: it may
    be any of the others."""
    everything = tuple(range(1, len(rows) + 1))
    return tuple(_column(number, row, everything) for number, row in enumerate(rows, 1))


def _column(number: int, row: tuple[str | None, ...], everything: tuple[int, ...]) -> Column:
    name, printed, extra = row[0] or "", (row[1] or "").lower(), (row[6] or "").upper()
    found = _TYPE.match(printed)
    kind, precision, scale = found.groups() if found is not None else (printed, None, None)
    generated = "GENERATED" in extra and "DEFAULT_GENERATED" not in extra
    return Column(
        name.lower(),
        number,
        f"{kind} unsigned" if " unsigned" in printed else str(kind),
        generated_from=tuple(n for n in everything if n != number) if generated else (),
        generated=generated,
        modifier=(int(precision or 0) << 16 | int(scale or 0)) + 4 if kind in _DECIMALS else -1,
        invisible="INVISIBLE" in extra,
    )


def _unexpected(state: State, asked: AskedWorld, buffer: bytes, piece: Piece) -> None:
    raise PeerError(f"the server answered a question of the gate's own with a {piece.kind.value}")


_PIECES: Final[dict[Kind, Callable[[State, AskedWorld, bytes, Piece], None]]] = {
    **dict.fromkeys(Kind, _unexpected),
    Kind.OK: _on_end,
    Kind.ERR: _on_err,
    Kind.COLUMNS: _on_columns,
    Kind.ROWS: _on_rows,
    Kind.ROWS_END: _on_end,
}
