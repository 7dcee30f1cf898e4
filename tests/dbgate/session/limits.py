"""A model server whose results are as long as the text says, and a client, a session and a cancel between them.

SELECT rows 20      20 rows, at once             SELECT slow 20      20 rows, then it runs until it is cancelled
SELECT steady 20    as rows, but can't be cancelled in time
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dbgate.session.accounts import AccountUnavailable, Share, Usage
from dbgate.session.outcome import CancelStatement, Outcome, RefreshCatalog
from dbgate.session.postgres.login import Limits as SessionLimits
from dbgate.session.postgres.session import PostgresSession
from protocols.postgres import backend, frontend
from protocols.postgres.frames import HEADER_SIZE, split
from rules.book import load
from rules.limits import Limits, strictest
from tests.dbgate.session.fakes import LOGIN, FakePolicy, make_context
from tests.dbgate.session.model_server import ModelServer, ServerError

LONG = ("rows", "slow", "steady")
RESETS = "2026-01-02 00:00:00 UTC"


def limits(figures: str) -> Limits:
    """`rows_per_statement: 10, ...` as a role has them, from rule "cap"."""
    text = f"version: 1\nrules:\n  - {{id: cap, limit: {{{figures}}}}}\n"
    rulebook = load({"test.yaml": text}).rulebook
    assert rulebook is not None
    found = strictest((rule, rule.verb) for rule in rulebook.rules)  # type: ignore[misc]
    assert found is not None
    return found


@dataclass
class LimitServer(ModelServer):
    """`most`: natively fails a SELECT beyond so many rows, as the gate's client should see it. `running`: the message
    at hand is not through: what has come meanwhile waits in `later`."""

    most: int | None = None
    running: str = ""
    by_query: bool = False
    later: bytes = b""
    cancels: int = 0

    def receive(self, data: bytes) -> bytes:
        out = b""
        self.later += data
        while not self.running:
            messages, _ = split(self.later, 0, 1 << 30)
            if not messages:
                return out
            kind, start, end = messages[0]
            whole, self.later = self.later[start + HEADER_SIZE : end], self.later[end:]
            message = frontend.decode(kind, whole)
            self.by_query = isinstance(message, frontend.Query)
            out += self.message(kind, message)
        return out

    def ready(self) -> bytes:
        return b"" if self.running else super().ready()

    def cancel(self) -> bytes:
        """A cancel request has come: it hits whatever runs now."""
        self.cancels += 1
        if not self.running:
            return b""
        self.running = ""
        problem = ServerError("57014", "canceling statement due to user request")
        out = self.failed(problem, frontend.Query("") if self.by_query else None)
        return out + self.receive(b"")

    def dispatch(self, message: object) -> bytes:
        """A portal that was read to its end has no more rows."""
        out = super().dispatch(message)
        if isinstance(message, frontend.Execute) and self.portals.get(message.portal, "").startswith("SELECT"):
            self.portals[message.portal] = "SELECT rows 0"
        return out

    def run(self, sql: str, describe: bool) -> bytes:
        words = sql.split()
        if len(words) < 3 or words[0] != "SELECT" or words[1] not in LONG:
            return super().run(sql, describe)
        self.check_aborted(sql)
        self.ran.append(sql)
        return self.result(words[1], int(words[2]), describe)

    def result(self, word: str, count: int, describe: bool) -> bytes:
        head = backend.RowDescription((self.fields("SELECT")[0],)).encode() if describe else b""
        row = backend.DataRow((b"x" * 10,)).encode()
        if self.most is not None and count > self.most:
            problem = ServerError("54000", "a limit")
            problem.before = head + row * self.most
            raise problem
        if word == "slow":
            self.running = "slow"
            return head + row * count
        return head + row * count + backend.CommandComplete(f"SELECT {count}").encode()


class FakeAccount:
    """A job's account that is shared by everybody who is given it."""

    def __init__(self) -> None:
        self.used: dict[int, tuple[int, int, int]] = {}
        self.counted: dict[str, int] = {}
        self.broken = False

    def usage(self, window: int) -> Usage:
        if self.broken:
            raise AccountUnavailable
        return Usage(*self.used.get(window, (0, 0, 0)), RESETS)

    def spend(self, shares: tuple[Share, ...], rows: int, size: int, cells: int) -> bool:
        if self.broken:
            raise AccountUnavailable
        sums = {}
        for share in shares:
            before = self.used.get(share.window, (0, 0, 0))
            after = sums[share.window] = (before[0] + rows, before[1] + size, before[2] + cells)
            if after[0] > share.rows or after[1] > share.bytes or after[2] > share.cells:
                return False
        self.used |= sums
        return True

    def statements(self, count: int, most: int, purpose: str) -> float:
        if self.broken:
            raise AccountUnavailable
        if self.counted.get(purpose, 0) + count > most:
            return 12.0
        self.counted[purpose] = self.counted.get(purpose, 0) + count
        return 0.0


@dataclass
class Wires:
    """A client, the session, the server and the cancel's connection, with bytes under way in all directions."""

    limits: Limits | None
    observed: Limits | None = None
    unrestricted: bool = True
    account: Any = field(default_factory=FakeAccount)

    def __post_init__(self) -> None:
        self.policy = FakePolicy(unrestricted=self.unrestricted, limits=self.limits, observed_limits=self.observed)
        self.server = LimitServer()
        self.session = PostgresSession(
            login=LOGIN, policy=self.policy, make_context=make_context, limits=SessionLimits(), now=0,  # type: ignore[arg-type]
            account=self.account,
        )  # fmt: skip
        self.to_server = self.to_session = self.received = b""
        self.cancelling = False
        self.events: list[Any] = []

    def take(self, outcome: Outcome) -> None:
        assert not (self.cancelling and outcome.to_upstream), "something was sent while a cancel was under way"
        self.received += outcome.to_client
        self.to_server += outcome.to_upstream
        self.events += outcome.events
        for wish in outcome.wishes:
            if isinstance(wish, CancelStatement):
                assert not self.cancelling
                self.cancelling = True
            if isinstance(wish, RefreshCatalog):
                self.take(self.session.policy_changed(self.policy, 0))  # type: ignore[arg-type]

    def sends(self, *messages: frontend.FrontendMessage) -> None:
        self.take(self.session.client_sent(b"".join(message.encode() for message in messages), 0))

    def move_up(self, size: int) -> None:
        piece, self.to_server = self.to_server[:size], self.to_server[size:]
        self.to_session += self.server.receive(piece)

    def move_down(self, size: int) -> None:
        piece, self.to_session = self.to_session[:size], self.to_session[size:]
        if piece:
            self.take(self.session.upstream_sent(piece, 0))

    def cancel(self) -> None:
        """The cancel's connection: the server hears of it, then it ends. Nothing may be sent in between."""
        if self.cancelling:
            self.cancelling = False
            self.to_session += self.server.cancel()
            self.take(self.session.cancelled(True, 0))

    def drain(self) -> None:
        while self.to_server or self.to_session or self.cancelling:
            self.move_up(1 << 20)
            self.move_down(1 << 20)
            self.cancel()

    def ask(self, *messages: frontend.FrontendMessage) -> bytes:
        """What the client gets in answer."""
        before = len(self.received)
        self.sends(*messages)
        self.drain()
        return self.received[before:]


def told(data: bytes) -> list[tuple[str, str]]:
    """(SQLSTATE, detail) of each error."""
    found = []
    for kind, start, end in split(data, 0, 1 << 30)[0]:
        if kind == ord("E"):
            error = backend.decode(kind, data[start + HEADER_SIZE : end])
            assert isinstance(error, backend.ErrorResponse)
            found.append((error.get("C") or "", error.get("D") or ""))
    return found


def seen(data: bytes) -> str:
    """The conversation in letters, with the transaction status behind each Z: `TDDCZI`."""
    letters = []
    for kind, start, _ in split(data, 0, 1 << 30)[0]:
        letters.append(chr(kind) + (chr(data[start + HEADER_SIZE]) if kind == ord("Z") else ""))
    return "".join(letters)


def converse(wires: Wires, data: bytes, schedule: list[tuple[int, int, int, bool]]) -> None:
    """Sends the data piece by piece: bytes of the client, moved up, moved down, and whether a cancel comes."""
    for forward, up, down, cancel in schedule:
        piece, data = data[:forward], data[forward:]
        if piece:
            wires.take(wires.session.client_sent(piece, 0))
        if cancel:
            wires.cancel()
        wires.move_up(up)
        wires.move_down(down)
    if data:
        wires.take(wires.session.client_sent(data, 0))
    wires.drain()
