"""What a session has created, altered or dropped itself, committed or not, is to the gate what it is to the server.

The conversations of own_world.yaml run against PostgreSQL itself and through gates of several roles, in each way that
drivers send statements; the replies must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from ruamel.yaml import YAML

from tests.live import raw
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream
from tests.live.places import Place
from tests.live.raw import Message

#: name -> statements; a list in place of one is a text of several
CONVERSATIONS: Final = YAML(typ="safe").load(Path(__file__).with_name("own_world.yaml"))
#: what touches no table needs a rule for all tables, which not every role has
EVERYWHERE: Final = frozenset(
    {
        "enums and domains",
        "a schema of its own",
        "a schema of its own in one transaction",
        "a text that moves the search path",
    }
)
#: rulebook of a role that changes the structure everywhere and has masks on some tables
ADMIN: Final = """
version: 1
rules:
  - id: everything
    allow: {statements: ["*"], tables: ["*"]}
  - id: mask
    mask:
      columns: ["*.ssn", customers.email, customers.phone, customers.card_number, customers.profile, employees.email]
      with: redact
"""


def simple(text: str) -> bytes:
    return raw.query(text)


def extended(text: str) -> bytes:
    return raw.extended(text)


WAYS: Final[dict[str, Callable[[str], bytes]]] = {"simple": simple, "extended": extended}


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, database: str) -> Gate:
    books = {book: Upstream(database, book) for book in ("allow_all", "wide", "admin")}
    return make_gate(books, rulebooks={"admin": ADMIN})


@pytest.fixture(params=["allow_all", "wide", "admin"])
def role(request: pytest.FixtureRequest, gate: Gate) -> Place:
    return gate_place(gate, request.param)


def replies(place: Place, sent: list[bytes]) -> list[list[object]]:
    """What each of these is answered with, without what differs from run to run."""
    with place.raw() as client:
        return [[told(message) for message in client.ask(data)] for data in sent]


def told(message: Message) -> object:
    if message.kind in "EN":
        return message.kind, message.fields["C"], message.fields.get("P")
    if message.kind == "T":  # the table's OID is another one each time
        return "T", list(columns(message.payload))
    return message.kind, message.payload


def columns(payload: bytes) -> Iterator[bytes]:
    """The names of a RowDescription's columns."""
    at = 2
    for _ in range(int.from_bytes(payload[:2])):
        end = payload.index(b"\0", at)
        yield payload[at:end]
        at = end + 19


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversation(name: str, way: str, direct: Place, role: Place) -> None:
    steps = CONVERSATIONS[name]
    if name in EVERYWHERE and role.database == "wide":
        pytest.skip("this role may not")
    if way == "extended" and any(isinstance(step, list) for step in steps):
        pytest.skip("a Parse holds one statement")
    sent = [WAYS[way](step if isinstance(step, str) else ";\n".join(step)) for step in steps]
    assert replies(role, sent) == replies(direct, sent)
