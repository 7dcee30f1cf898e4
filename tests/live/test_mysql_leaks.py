"""No masked value leaves MySQL or MariaDB, whatever is asked (DESIGN's second promise): test_leaks for these servers.

Each attempt runs in two worlds that differ only in hidden values (see mysql_worlds), as texts, as prepared statements
with binary rows, and in SQL's PREPARE. Behind the gate no received byte may hold a hidden value in any known disguise,
and both worlds must give the same bytes: rows, definitions, counts of rows and warnings, texts of errors. Run directly,
the same attempt must show or depend on hidden values: an attempt that could not leak proves nothing.
"""

from __future__ import annotations

import contextlib
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from ruamel.yaml import YAML

from tests.live import mysql_raw as raw
from tests.live import mysql_worlds as here
from tests.live import worlds
from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import PASSWORD, Brand, MysqlServer

#: over a thousand attempts: the longer run
pytestmark = pytest.mark.fuzz
BRAND = re.compile(r"\((mysql|mariadb)\)")
#: what ends a transaction, or touches what no transaction protects
LASTING = re.compile(r"\b(CREATE|ALTER|DROP|RENAME|TRUNCATE|LOAD|IMPORT|LOCK|REPAIR|ANALYZE|XA|patients|steps)\b", re.I)
MODES: Final = ("text", "binary", "sql")
PLAIN: Final = re.compile(r"(PREPARE|EXECUTE|DEALLOCATE|USE|SET|BEGIN|IF|WHILE)\b", re.I)


class Attempt(NamedTuple):
    steps: tuple[str, ...]
    parameters: tuple[str, ...]

    @property
    def lasting(self) -> bool:
        return any(LASTING.search(step) for step in self.steps)


def attempts() -> dict[tuple[str, Brand], Attempt]:
    """The lines of the data file by `category-number`, for each brand that they are for."""
    found: dict[tuple[str, Brand], Attempt] = {}
    for category, text in YAML(typ="safe").load(Path(__file__).with_name("evasions_mysql.yaml")).items():
        only = BRAND.search(category)
        for number, line in enumerate(worlds.guesses(text).splitlines(), 1):
            text_of_steps, _, words = line.partition(" :: ")
            steps = tuple(step.strip() for step in text_of_steps.split(" ;; "))
            for brand in Brand if only is None else (Brand(only[1]),):
                found[f"{category}-{number}", brand] = Attempt(steps, tuple(words.split(" | ")) if words else ())
    return found


EVASIONS = attempts()


class Place(NamedTuple):
    port: int
    database: str
    user: str
    password: str


class Session:
    """One login, and what has been prepared in it."""

    def __init__(self, place: Place, mode: str) -> None:
        client = raw.Raw("127.0.0.1", place.port, raw.OLD if mode == "binary" else raw.NEW)
        try:
            self.client = client.login(place.user, place.password, place.database)
        except BaseException:
            client.close()
            raise
        self.kept: list[int] = []

    def clean(self, database: str) -> bool:
        """As new, back in its database; False when it cannot be. The server rolls back and unlocks by itself."""
        self.kept.clear()
        return not (
            self.client.command(raw.RESET_CONNECTION).failed
            or self.client.command(raw.INIT_DB, database.encode()).failed
        )


def by_text(session: Session, sql: str, parameters: tuple[str, ...]) -> raw.Reply:
    for value in parameters if "?" in sql else ():
        sql = sql.replace("?", f"'{value}'", 1)
    return session.client.query(sql)


def by_binary(session: Session, sql: str, parameters: tuple[str, ...]) -> raw.Reply:
    prepared = session.client.prepare(sql)
    if prepared.failed:
        return raw.Reply((*prepared.packets, *by_text(session, sql, parameters).packets))
    reply = session.client.execute(prepared.statement, parameters if "?" in sql else ())
    session.client.close_statement(prepared.statement)
    return raw.Reply((*nameless_statement(prepared), *reply.packets))


def nameless_statement(prepared: raw.Reply) -> tuple[bytes, ...]:
    """Without the statement's number, which counts what the session prepared before."""
    first = prepared.packets[0]
    return (first[:1] + first[5:], *prepared.packets[1:]) if first[0] == 0 else prepared.packets


def by_sql(session: Session, sql: str, parameters: tuple[str, ...]) -> raw.Reply:
    if PLAIN.match(sql):
        return by_text(session, sql, parameters)
    quoted = sql.replace("\\", "\\\\").replace("'", "''")
    prepared = session.client.query(f"PREPARE evasion FROM '{quoted}'")
    if prepared.failed:
        return raw.Reply((*prepared.packets, *by_text(session, sql, parameters).packets))
    given = parameters if "?" in sql else ()
    for number, value in enumerate(given):
        session.client.query(f"SET @p{number} = '{value}'")
    using = " USING " + ", ".join(f"@p{number}" for number in range(len(given))) if given else ""
    return raw.Reply((*prepared.packets, *session.client.query(f"EXECUTE evasion{using}").packets))


BY_MODE: Final = {"text": by_text, "binary": by_binary, "sql": by_sql}


# ---------------------------------------------------------------- commands other than COM_QUERY


def field_list(session: Session, words: str, _: tuple[str, ...]) -> raw.Reply:
    return session.client.field_list(words.encode())


def init_db(session: Session, words: str, _: tuple[str, ...]) -> raw.Reply:
    return session.client.command(raw.INIT_DB, words.encode())


def with_cursor(session: Session, words: str, parameters: tuple[str, ...]) -> raw.Reply:
    prepared = session.client.prepare(words)
    if prepared.failed:
        return prepared
    packets = session.client.execute(prepared.statement, parameters, raw.READ_ONLY_CURSOR).packets
    while packets[-1][0] != 0xFF and raw._status(packets[-1]) & raw.CURSOR_EXISTS:
        packets += session.client.fetch(prepared.statement, 3).packets
        if raw._status(packets[-1]) & raw.LAST_ROW_SENT:
            break
    return raw.Reply((*nameless_statement(prepared), *packets))


def with_long_data(session: Session, words: str, parameters: tuple[str, ...]) -> raw.Reply:
    prepared = session.client.prepare(words)
    if prepared.failed:
        return prepared
    for number, value in enumerate(parameters):
        session.client.send_long_data(prepared.statement, number, value.encode())
    client, count = session.client, len(parameters)
    head = struct.pack("<IBI", prepared.statement, 0, 1) + bytes((count + 7) // 8) + b"\x01" + b"\xfd\0" * count
    client.send(bytes([raw.EXECUTE]) + head)
    return raw.Reply((*nameless_statement(prepared), *client.results().packets))


def keep(session: Session, words: str, _: tuple[str, ...]) -> raw.Reply:
    prepared = session.client.prepare(words)
    if not prepared.failed:
        session.kept.append(prepared.statement)
    return raw.Reply(nameless_statement(prepared))


def run_kept(session: Session, _: str, parameters: tuple[str, ...]) -> raw.Reply:
    packets = [p for number in session.kept for p in session.client.execute(number, parameters).packets]
    return raw.Reply(tuple(packets))


def statistics(session: Session, _: str, __: tuple[str, ...]) -> raw.Reply:
    """How long the server has been up differs from call to call."""
    reply = session.client.command(raw.STATISTICS)
    return reply if reply.failed else raw.Reply(())


def process_info(session: Session, _: str, __: tuple[str, ...]) -> raw.Reply:
    session.client.send(bytes([raw.PROCESS_INFO]))
    reply = session.client.results()
    return reply if reply.failed else raw.Reply(())


def as_bytes(session: Session, words: str, _: tuple[str, ...]) -> raw.Reply:
    return session.client.query(re.sub(rb"\\x([0-9a-f]{2})", lambda x: bytes.fromhex(x[1].decode()), words.encode()))


COMMANDS: Final[dict[str, Callable[[Session, str, tuple[str, ...]], raw.Reply]]] = {
    "field_list": field_list, "init_db": init_db, "cursor": with_cursor, "long_data": with_long_data,
    "prepare": keep, "execute": run_kept, "statistics": statistics, "process_info": process_info, "bytes": as_bytes,
}  # fmt: skip


# ---------------------------------------------------------------- hearing


class Ears:
    """Sessions that hear one attempt after the other: one for each place and mode, as new for each attempt. One that
    the gate has ended (a result that it cannot vouch for) or that cannot be cleaned is replaced."""

    def __init__(self) -> None:
        self._open: dict[tuple[Place, str], Session] = {}

    def close(self) -> None:
        for session in self._open.values():
            session.client.close()

    def hear(self, place: Place, world: str, attempt: Attempt, mode: str) -> bytes:
        """All packets that a client receives who makes the attempt in a transaction that is rolled back."""
        session = self._open.pop((place, mode), None) or Session(place, mode)
        session.client.received.clear()
        heard: list[bytes] = []
        try:
            session.client.query("START TRANSACTION")
            for step in attempt.steps:
                heard += run(session, here.names(step, world), attempt.parameters, mode).packets
            if session.clean(place.database):
                self._open[place, mode] = session
        except raw.ConnectionClosedError:
            heard.append(b"closed")
        finally:
            if (place, mode) not in self._open:
                session.client.close()
        return here.nameless(b"\n".join(heard), world)


def run(session: Session, step: str, parameters: tuple[str, ...], mode: str) -> raw.Reply:
    if step.startswith("@"):
        name, _, words = step[1:].partition(" ")
        return COMMANDS[name](session, words, parameters)
    return BY_MODE[mode](session, step, parameters)


@cache
def needles(world: str) -> frozenset[bytes]:
    return frozenset(form for value in here.canaries(world) for form in worlds.forms(value) if len(form) > 5)


def leaks(heard: bytes, world: str) -> list[bytes]:
    return [needle for needle in needles(world) if needle in heard]


# ---------------------------------------------------------------- the servers and their gates


class Stage:
    """One brand's server with both worlds, and a gate before them."""

    def __init__(self, server: MysqlServer, gate: Gate) -> None:
        self.server, self.gate, self.ears = server, gate, Ears()
        self.whole = {world: here.snapshot(server, world) for world in worlds.WORLDS}

    def direct(self, world: str) -> Place:
        return Place(self.server.port, here.database(world), "app", PASSWORD)

    def guarded(self, book: str, world: str) -> Place:
        return Place(self.gate.mysql_ports[""], f"{book}_{world}", "agent", CLIENT_PASSWORD)

    def mend(self) -> None:
        """Both worlds are as they were."""
        self.server.run("DROP DATABASE IF EXISTS x_elsewhere")
        for world in worlds.WORLDS:
            if here.snapshot(self.server, world) != self.whole[world]:
                here.create(self.server, world)
                self.whole[world] = here.snapshot(self.server, world)


class Stages:
    """Each brand's, made when it is first asked for."""

    def __init__(self, places: pytest.TempPathFactory) -> None:
        self._stack, self._places = contextlib.ExitStack(), places
        self._made: dict[Brand, Stage | None] = {}

    def close(self) -> None:
        self._stack.close()

    def __getitem__(self, brand: Brand) -> Stage:
        """One try: what failed is not started again for the next test."""
        if brand not in self._made:
            self._made[brand] = None
            self._made[brand] = self._make(brand)
        made = self._made[brand]
        if made is None:
            pytest.fail("the stage could not be made, see the first failure")
        return made

    def _make(self, brand: Brand) -> Stage:
        server = self._stack.enter_context(needed_mysql(brand))
        server.run("SET GLOBAL lock_wait_timeout = 3, GLOBAL innodb_lock_wait_timeout = 3")
        for world in worlds.WORLDS:
            here.create(server, world)
        books = {f"{book}_{world}": here.rulebook(book, world) for book in here.BOOKS for world in worlds.WORLDS}
        upstreams = {name: Upstream(here.database(name[-1]), name) for name in books}
        gate = Gate(self._places.mktemp("gate"), server, upstreams, server.authority.server("gate"), rulebooks=books)
        self._stack.callback(gate.stop)
        stage = Stage(server, gate)
        self._stack.callback(stage.ears.close)
        return stage


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    made = Stages(tmp_path_factory)
    yield made
    made.close()


CASES = sorted(EVASIONS, key=lambda case: case[1].value)
WAYS: Final = tuple((book, mode) for book in here.BOOKS for mode in (MODES if book == "wide" else MODES[:2]))


def number(case: tuple[str, Brand]) -> int:
    return zlib.crc32(" ;; ".join(EVASIONS[case].steps).encode())


def identity(case: tuple[str, Brand]) -> str:
    return f"{case[1].value}-{case[0]}"


def ordinary(case: tuple[str, Brand]) -> bool:
    """Half of what leaves nothing behind, each in one way. The longer run has all of them in every way: after what
    lasts both worlds are made anew, which takes seconds."""
    return not EVASIONS[case].lasting and number(case) % 2 == 0


PROOFS = [pytest.param(case, marks=[] if ordinary(case) else [pytest.mark.fuzz], id=identity(case)) for case in CASES]
#: each attempt in one book and mode, all of them evenly
ONE_WAY = [
    pytest.param(case, WAYS[number(case) // 2 % len(WAYS)], id=identity(case)) for case in CASES if ordinary(case)
]


@pytest.mark.parametrize("case", PROOFS)
def test_attempt_would_leak_without_the_gate(case: tuple[str, Brand], stages: Stages) -> None:
    stage, attempt = stages[case[1]], EVASIONS[case]
    heard = {world: stage.ears.hear(stage.direct(world), world, attempt, "text") for world in worlds.WORLDS}
    if attempt.lasting:
        stage.mend()
    assert leaks(heard["a"], "a") or heard["a"] != heard["b"], (attempt.steps, heard["a"][:1500])


def assert_nothing_told(stage: Stage, attempt: Attempt, book: str, mode: str) -> None:
    heard = {w: stage.ears.hear(stage.guarded(book, w), w, attempt, mode) for w in worlds.WORLDS}
    for world in worlds.WORLDS:
        said = here.names(" ".join(attempt.steps), world).encode()  # a guess comes back as a column's name
        told = [needle for needle in leaks(heard[world], world) if needle not in said]
        assert not told, (book, mode, attempt.steps, heard[world][:1500])
    assert heard["a"] == heard["b"], (book, mode, attempt.steps, heard["a"][:1500], heard["b"][:1500])


@pytest.mark.parametrize(("case", "way"), ONE_WAY)
def test_evasion(case: tuple[str, Brand], way: tuple[str, str], stages: Stages) -> None:
    assert_nothing_told(stages[case[1]], EVASIONS[case], *way)


@pytest.mark.fuzz
@pytest.mark.parametrize("case", CASES, ids=identity)
def test_evasion_in_every_way(case: tuple[str, Brand], stages: Stages) -> None:
    stage, attempt = stages[case[1]], EVASIONS[case]
    try:
        for book, mode in WAYS:
            assert_nothing_told(stage, attempt, book, mode)
    finally:
        if attempt.lasting:
            stage.mend()


def test_there_are_enough() -> None:
    for each in Brand:
        assert sum(brand is each for _, brand in EVASIONS) >= 600
        assert sum(ordinary(case) for case in CASES if case[1] is each) >= 200
