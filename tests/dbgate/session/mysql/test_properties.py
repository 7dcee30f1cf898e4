"""Any conversation, cut anywhere: the client sees what a server would have shown it, refusals being failures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dbgate.audit.events import StatementDecided, StatementFinished
from dbgate.session.mysql.texts import refusal_error
from dbgate.session.outcome import Outcome
from protocols.mysql import commands
from protocols.mysql.capabilities import Capability
from protocols.mysql.replies import Err
from tests.dbgate.session.fakes import NO
from tests.dbgate.session.mysql.fakes import CAPABILITIES, LOGIN, MysqlPolicy, new_session, packet, query
from tests.dbgate.session.mysql.model_server import VALUE, ModelServer

TEXTS = (
    *("SELECT rows 1", "SELECT rows 1", "SELECT rows 7", "INSERT x", "BEGIN", "COMMIT", "CALL p", "SELECT fail"),
    *("SELECT forbidden", "INSERT x; SELECT forbidden", "SELECT rows 2; INSERT fail; SELECT 1"),
    *("USE other", "INSERT y; CALL p"),
)  # fmt: skip
HIDING = ("SELECT masked rows 3", "SELECT secret rows 2", "INSERT hidden fail", "CALL secret")
#: COM_STMT_... by number; the model numbers its statements from 1 on
NUMBERS = st.integers(1, 3)
COMMANDS = st.one_of(
    st.sampled_from(TEXTS).map(query),
    st.sampled_from(("SELECT rows 3", "INSERT ?", "SELECT forbidden")).map(
        lambda text: packet(commands.StmtPrepare(text.encode()))
    ),
    st.just(packet(commands.Ping())),
    st.just(packet(commands.InitDb(b"other"))),
    st.just(packet(commands.StmtSendLongData(9, 0, b"x"))),
)


def refuses(text: bytes) -> Err | None:
    return refusal_error(NO) if b"forbidden" in text else None


class Relay:
    """A session and a model server; bytes reach either in pieces."""

    def __init__(self, login: Any, policy: MysqlPolicy, cuts: list[int]) -> None:
        self.session = new_session(policy, login=login)
        self.server = ModelServer(login.upstream)
        self.cuts = cuts or [1 << 20]
        self.at = 0
        self.events: list[Any] = []

    def pieces(self, data: bytes) -> list[bytes]:
        found = []
        while data:
            size = self.cuts[self.at % len(self.cuts)]
            self.at += 1
            found.append(data[:size])
            data = data[size:]
        return found

    def send(self, data: bytes) -> bytes:
        return b"".join(self.carry(self.session.client_sent(piece, 1)) for piece in self.pieces(data))

    def carry(self, outcome: Outcome) -> bytes:
        self.events += outcome.events
        out = outcome.to_client
        for piece in self.pieces(self.server.receive(outcome.to_upstream)):
            out += self.carry(self.session.upstream_sent(piece, 2))
        return out


@settings(deadline=None, max_examples=150)
@given(
    st.lists(COMMANDS, max_size=12),
    st.lists(st.integers(1, 40), max_size=6),
    st.booleans(),
    st.sampled_from((Capability(0), Capability.DEPRECATE_EOF)),
)
def test_replies_are_those_of_a_server(
    sent: list[bytes], cuts: list[int], unrestricted: bool, without: Capability
) -> None:
    capabilities = CAPABILITIES & ~without
    login = replace(LOGIN, client=capabilities, upstream=capabilities)
    relay = Relay(login, MysqlPolicy(unrestricted=unrestricted), cuts)
    native = ModelServer(capabilities, refuses)
    assert relay.send(b"".join(sent)) == native.receive(b"".join(sent))
    assert relay.server.ran == native.ran
    assert relay.session.idle is not bool(relay.server.status & 1)
    allowed = [e.statement_id for e in relay.events if isinstance(e, StatementDecided) and e.verdict == "allow"]
    assert sorted(allowed) == sorted(e.statement_id for e in relay.events if isinstance(e, StatementFinished))


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.sampled_from(HIDING), max_size=6),
    st.lists(st.integers(1, 60), max_size=6),
    st.booleans(),
    NUMBERS,
)  # fmt: skip
def test_no_hidden_value_passes(texts: list[str], cuts: list[int], prepared: bool, flags: int) -> None:
    relay = Relay(LOGIN, MysqlPolicy(), cuts)
    out = b""
    for number, text in enumerate(texts, 1):
        if not prepared:
            out += relay.send(query(text))
            continue
        out += relay.send(packet(commands.StmtPrepare(text.encode())))
        out += relay.send(packet(commands.StmtExecute(number, flags & 1)))
        out += relay.send(packet(commands.StmtFetch(number, flags)))
    assert VALUE not in out
    assert b"ada@" not in out


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.lists(st.binary(max_size=40), max_size=5))
def test_nothing_that_either_side_sends_raises(client: list[bytes], upstream: list[bytes]) -> None:
    session = new_session()
    session.client_sent(query("SELECT rows 1"), 1)
    for mine, theirs in zip(client, upstream, strict=False):
        session.upstream_sent(theirs, 2)
        session.client_sent(mine, 2)
    session.ended("the end", 3)
