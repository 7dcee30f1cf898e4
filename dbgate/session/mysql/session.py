"""One MySQL or MariaDB session between a client and its upstream, after both have logged in.

It has no sockets and no clock: inputs come with the time of the driver's monotonic clock (nanoseconds), each returns an
`Outcome`. What may pass unchanged passes as the bytes that came (`Splice`), rows in slices.

    client_sent -> front.handle  (decide, send on, substitute what is refused, answer what is closed)
    upstream_sent -> back        (match with what was asked, mask, count, pass on)

The protocol is half duplex: one command is outstanding at a time. What the client sends meanwhile waits in the inbox,
and while the session waits for something else (`Phase`) so does everything. The upstream's bytes never wait.
"""

from __future__ import annotations

from dbgate.session.accounts import Account, NoAccount
from dbgate.session.long_texts import Waits
from dbgate.session.mysql import back, front, overtime, steady
from dbgate.session.mysql.deciding import forget_answers, take_answer
from dbgate.session.mysql.effects import folded
from dbgate.session.mysql.inbox import Inbox
from dbgate.session.mysql.killing import killed
from dbgate.session.mysql.login import Limits, SessionLogin
from dbgate.session.mysql.outbox import Outbox
from dbgate.session.mysql.state import FatalError, MakeContext, Phase, State
from dbgate.session.outcome import Outcome
from dbgate.session.runs import Book
from dbgate.session.splice import Splice
from protocols.errors import PeerError
from protocols.mysql import replies
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.charsets import BY_NAME
from protocols.mysql.commands import Quit
from protocols.mysql.packets import HEADER_SIZE, encode
from protocols.mysql.replies import Err
from rules.decision import Decision
from rules.policy import Policy

QUIT = encode(Quit().encode(Capability.PROTOCOL_41), 0)
#: What the driver's SQLSTATEs become: the server's own numbers for the end of a session.
GOODBYE = {"57P01": 1053, "57P02": 1053, "57P03": 1053, "08006": 2013}


class MysqlSession:
    """`make_context`: the decisions' context for this session's role and database under a policy and a search path,
    which holds the default database, if there is one. `account`: what the session's job has used."""

    __slots__ = ("_client", "_state", "_upstream")

    def __init__(
        self,
        *,
        login: SessionLogin,
        policy: Policy,
        make_context: MakeContext,
        limits: Limits,
        now: int,
        account: Account | None = None,
    ) -> None:
        database = folded(policy.catalog, login.default_database)
        context = make_context(policy, (database,) if database else ())
        charset = BY_NAME[login.charset]
        self._state = State(
            login, limits, make_context, policy, Book(login, context.digest, now), now, charset, context, charset,
            database, account=account or NoAccount(),
        )  # fmt: skip
        self._client = Inbox(limits.client_message)
        self._upstream = Outbox(limits.upstream_message)

    # ------------------------------------------------------------ what the driver may ask

    @property
    def idle(self) -> bool:
        """No transaction is open and nothing outstanding: the session may end now without harm."""
        state = self._state
        outstanding = state.exchange is not None or state.memory.pending is not None or len(self._client)
        return state.phase is Phase.OPEN and not outstanding and StatusFlag.IN_TRANS not in state.status

    @property
    def rows_are_expensive(self) -> bool:
        """A masked result is coming in: let other sessions have their turn between buffers."""
        exchange = self._state.exchange
        stream = None if exchange is None else exchange.stream
        return stream is not None and stream.plan.rewriter is not None

    # ------------------------------------------------------------ inputs

    def client_sent(self, data: bytes, now: int) -> Outcome:
        state = self._state
        state.now = now
        if state.phase is Phase.OPEN and not len(self._client) and steady.send(state, data):
            return state.outcome(b"", data)
        if state.memory.pending is not None:
            steady.give_up(state)
        if state.phase is Phase.CLOSED:
            return state.outcome()
        self._client.add(data)
        return self._front()

    def upstream_sent(self, data: bytes, now: int) -> Outcome:
        state = self._state
        state.now = now
        if state.phase is Phase.CLOSED:
            return state.outcome()
        pending = state.memory.pending
        if pending is not None:
            if steady.receive(state, pending, data):
                return state.outcome(data)
            steady.give_up(state)
        whole = self._upstream.take(data)
        if whole is None:
            return state.outcome()
        splice = Splice(whole)
        try:
            done = self._back(splice)
        except (PeerError, FatalError) as problem:
            return self._fatal(problem, "the upstream broke the protocol", splice.finish(splice.at))
        return self._go_on(splice.finish(done))

    def policy_changed(self, policy: Policy, now: int) -> Outcome:
        """A new rulebook or catalog: it holds from the next statement on; also the answer to RefreshCatalog.

        A new policy is told to all sessions, and then again, the same object, to those that wait for it: only this may
        end the wait of a session for what its own DDL has changed, since another reading may have begun before that."""
        state = self._state
        state.now = now
        answered = policy is state.policy.shared
        state.use(policy)
        if state.catalog_dirty and state.phase is Phase.AWAITS_CATALOG:
            if not answered:
                return state.outcome()
            if state.reads_own:
                state.catalog_dirty = False
        return self._end_wait(Phase.AWAITS_CATALOG)

    def catalog_unavailable(self, reason: str, now: int) -> Outcome:
        """The catalog could not be read: the statement that asked for it is refused."""
        self._state.now = now
        return self._end_wait(Phase.AWAITS_CATALOG)

    def decided(self, decisions: tuple[Decision, ...], now: int) -> Outcome:
        """The answer to DecideElsewhere."""
        self._state.now = now
        take_answer(self._state, decisions)
        return self._end_wait(Phase.AWAITS_DECISION)

    def cancelled(self, certain: bool, now: int) -> Outcome:
        """The answer to CancelStatement. `certain`: the server has carried it out, or never will."""
        state = self._state
        state.now = now
        exchange = state.exchange
        if state.phase is Phase.CLOSED or exchange is None or not exchange.killing:
            return state.outcome()
        if not certain:
            told = "dbgate: a statement was to be cancelled, and the server did not answer in time"
            return self._fatal(FatalError(1105, "HY000", told), "a cancel is in doubt")
        exchange.killing = False
        back.settle(state, exchange)
        return self._go_on(b"")

    def woken(self, now: int) -> Outcome:
        """The answer to Wake."""
        state = self._state
        state.now = now
        if state.phase is not Phase.CLOSED:
            if state.memory.pending is not None and overtime.is_late(state):
                steady.give_up(state)
            overtime.woken(state)
        return state.outcome()

    def killed(self, found: bool, now: int) -> Outcome:
        """The answer to Kill. `found`: a session of this user's had the id."""
        state = self._state
        state.now = now
        if state.phase is not Phase.AWAITS_KILL:
            return state.outcome()
        state.phase = Phase.OPEN
        return self._front(killed(state, found))

    def terminate(self, sqlstate: str, message: str, now: int) -> Outcome:
        """The gate ends the session (drain, kill, revocation)."""
        state = self._state
        state.now = now
        if state.phase is Phase.CLOSED:
            return state.outcome()
        steady.give_up(state)
        words = self._last_words(Err(GOODBYE.get(sqlstate, 1927), "08S01", message.encode()))
        state.close(message)
        return state.outcome(words, QUIT)

    def upstream_lost(self, reason: str, now: int) -> Outcome:
        """The upstream's connection is gone: the client is told, unless the server itself has said goodbye."""
        if self._state.farewell:
            return self.ended(reason, now)
        return self.terminate("08006", "dbgate: the connection to the database was lost", now)

    def ended(self, reason: str, now: int) -> Outcome:
        """A connection is gone: statements whose end was not seen are closed as unknown."""
        self._state.now = now
        self._state.close(reason)
        return self._state.outcome()

    # ------------------------------------------------------------ the client's side

    def _front(self, to_client: bytes = b"") -> Outcome:
        """Handle commands until one waits for its reply, or for something else."""
        state, client, upstream = self._state, [to_client], list[bytes]()
        try:
            while state.phase is Phase.OPEN and (sending := self._client.command()) is not None:
                out = front.handle(state, sending)
                self._client.done()
                upstream.append(out.to_upstream)
                client.append(out.to_client)
                if state.answers:
                    forget_answers(state)
        except Waits:
            upstream.append(state.send_up)  # the command stays in the inbox, and may wait for the server's answer
            state.send_up = b""
        except (PeerError, FatalError) as problem:
            return self._fatal(problem, "the client broke the protocol", b"".join(client), b"".join(upstream))
        # the first part of a command waits for nothing but the rest of it
        state.waiting = 0 if state.phase is Phase.OPEN else len(self._client)
        return state.outcome(b"".join(client), b"".join(upstream))

    def _end_wait(self, phase: Phase) -> Outcome:
        if self._state.phase is not phase:
            return self._state.outcome()
        self._state.phase = Phase.OPEN
        return self._front()

    # ------------------------------------------------------------ the upstream's side

    def _back(self, splice: Splice) -> int:
        """Handle the whole pieces of a buffer; returns how far what may be sent reaches."""
        state, buffer, position = self._state, splice.buffer, 0
        while position < len(buffer):
            splice.at = position
            exchange = state.exchange
            if exchange is None:
                return self._unasked(buffer, position)
            sequence = exchange.reader.sequence
            piece = exchange.reader.next(buffer, position)
            if piece is None:
                break
            back.handle(state, exchange, splice, piece, sequence)
            back.settle(state, exchange)
            position = piece.end
        if position < len(buffer):
            self._upstream.keep(buffer[position:])
        return position

    def _unasked(self, buffer: bytes, position: int) -> int:
        """Only a server that ends the session speaks unasked: one ERR packet."""
        size = int.from_bytes(buffer[position : position + 3], "little")
        if len(buffer) - position < HEADER_SIZE + 1:
            self._upstream.keep(buffer[position:])
            return position
        if buffer[position + HEADER_SIZE] != replies.ERR_HEADER or self._state.farewell:
            raise PeerError("the upstream sent what nobody asked for")
        if len(buffer) - position < HEADER_SIZE + size:
            self._upstream.keep(buffer[position:])
            return position
        self._state.farewell = True
        return position + HEADER_SIZE + size

    def _go_on(self, to_client: bytes) -> Outcome:
        """After the upstream's bytes: the gate's own commands, and then what the client has sent meanwhile."""
        state = self._state
        if state.send_up:
            out, state.send_up = state.send_up, b""
            return state.outcome(to_client, out)
        if state.phase is Phase.OPEN and len(self._client):
            return self._front(to_client)
        return state.outcome(to_client)

    # ------------------------------------------------------------ the end

    def _fatal(
        self, problem: PeerError | FatalError, reason: str, to_client: bytes = b"", to_upstream: bytes = b""
    ) -> Outcome:
        state = self._state
        told = problem.told if isinstance(problem, FatalError) else replies.fatal(problem)
        words = self._last_words(told, self._client.next)
        state.close(f"{reason}: {problem}")
        return state.outcome(to_client + words, to_upstream + QUIT)

    def _last_words(self, told: Err, sequence: int = 0) -> bytes:
        """In the midst of a row that passes in pieces the client would read them as the row's values: only the closed
        connection can tell it then."""
        exchange = self._state.exchange
        if exchange is None or exchange.cut is not None:  # the client has had its answer
            return encode(told.encode(self._state.login.client), sequence)
        if exchange.reader.amid_row:
            return b""
        return encode(told.encode(self._state.login.client), exchange.reader.sequence + exchange.shift & 0xFF)
