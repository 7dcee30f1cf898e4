"""The same statements to a real MySQL or MariaDB and to gates before it: one database of the same world for each place,
with names of one length, so that what differs can be told from what is said of the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from ruamel.yaml import YAML

from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream
from tests.live.mysql_bytes import MODES, Bytes
from tests.live.mysql_servers import PASSWORD, Brand, MysqlServer

HERE: Final = Path(__file__).parent
WORLD: Final = HERE / "legitimate_mysql.sql"
DIRECT: Final = "direct"
#: rulebook -> its database
BOOKS: Final = {"legitimate_mysql_shop": "legit_s", "legitimate_mysql_wide": "legit_w"}
DATABASES: Final = {DIRECT: "legit_d", **BOOKS}
_MARKS: Final = re.compile(r"\((\w+)\)")
_DATABASE: Final = re.compile(rb"legit_[dsw]")


class Case(NamedTuple):
    """Steps of one session. `marks`: the words in brackets behind the category's name."""

    steps: tuple[str, ...]
    marks: frozenset[str]

    @property
    def brands(self) -> frozenset[Brand]:
        return frozenset(brand for brand in Brand if brand.value in self.marks) or frozenset(Brand)

    @property
    def modes(self) -> tuple[str, ...]:
        return MODES[:1] if {"text", "latin1"} & self.marks else MODES

    @property
    def charset(self) -> str:
        return "latin1" if "latin1" in self.marks else "utf8"

    @property
    def books(self) -> tuple[str, ...]:
        return tuple(BOOKS)[1:] if "wide" in self.marks else tuple(BOOKS)


def cases(name: str) -> dict[str, Case]:
    """The lines of a data file by `category-number`."""
    found: dict[str, Case] = {}
    for category, text in YAML(typ="safe").load(HERE / name).items():
        marks = frozenset(_MARKS.findall(category))
        for number, line in enumerate(text.splitlines(), 1):
            found[f"{category}-{number}"] = Case(tuple(line.split(" ;; ")), marks)
    return found


class Listener:
    """A session at one place for each charset; it is as new for each case."""

    def __init__(self, port: int, user: str, password: str, database: str) -> None:
        self._place = (port, user, password, database)
        self._client: Bytes | None = None

    def hear(self, case: Case, mode: str) -> list[bytes]:
        """The answer to each step, without the database's name."""
        client = self._client or Bytes(*self._place)
        self._client = None
        steps = [step.replace("{db}", self._place[3]) for step in case.steps]
        heard = [_DATABASE.sub(b"legit_*", client.ask(step, mode, case.charset)) for step in steps]
        client.reset()
        self._client = client
        return heard

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def create_databases(server: MysqlServer) -> None:
    for name in DATABASES.values():
        server.drop_database(name)
        server.create_database(name)
        server.run(WORLD.read_text(), name)


@contextmanager
def opened(server: MysqlServer, gate: Gate) -> Iterator[dict[str, Listener]]:
    """By place: directly, and behind each rulebook."""
    with ExitStack() as stack:
        found = {DIRECT: Listener(server.port, "app", PASSWORD, DATABASES[DIRECT])}
        found |= {book: Listener(gate.mysql_ports[""], "agent", CLIENT_PASSWORD, name) for book, name in BOOKS.items()}
        for listener in found.values():
            stack.callback(listener.close)
        yield found


def upstreams() -> dict[str, Upstream]:
    return {name: Upstream(name, book) for book, name in BOOKS.items()}
