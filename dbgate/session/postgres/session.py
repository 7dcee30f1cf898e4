"""One PostgreSQL session between a client and its upstream, after both have logged in.

It has no sockets and no clock: inputs come with the time of the driver's monotonic clock (nanoseconds), each returns an
`Outcome`. One pass over each buffer; what may pass unchanged passes as the bytes that came (`Splice`), rows in slices.

    client_sent -> front.handle  (decide, enter in the ledger, substitute what is refused)
    upstream_sent -> back        (match with the ledger, mask, count, swallow what the gate itself asked for)

The client's bytes wait (`Phase`) while the catalog is read again, while a long text is decided in another process,
while the gate asks for a search path that may have moved, while a name's meaning depends on replies to come, and
while too many requests are outstanding. The upstream's bytes never wait.
"""

from __future__ import annotations

from typing import Final

from dbgate.session.accounts import Account, NoAccount
from dbgate.session.outcome import Outcome
from dbgate.session.postgres import back, cutting, front, steady
from dbgate.session.postgres.asking import ask_path, may_ask
from dbgate.session.postgres.elsewhere import take_answer
from dbgate.session.postgres.inbox import Inbox
from dbgate.session.postgres.login import Limits, SessionLogin
from dbgate.session.postgres.metering import masked_rows, pass_rows
from dbgate.session.postgres.results import current_stream
from dbgate.session.postgres.scripts import feed
from dbgate.session.postgres.state import FatalError, MakeContext, Phase, State, Stream
from dbgate.session.postgres.texts import fatal_message
from dbgate.session.runs import Book
from dbgate.session.splice import Splice
from protocols.errors import PeerError
from protocols.postgres import frontend
from protocols.postgres.frames import HEADER, HEADER_SIZE, LENGTH_SIZE, bad_length
from protocols.postgres.rows import count_rows
from rules.decision import Decision
from rules.policy import Policy

ROW: Final = ord("D")
COPY_DATA: Final = ord("d")
TERMINATE: Final = frontend.Terminate().encode()


class PostgresSession:
    """`make_context`: the decisions' context for this session's role and database under a policy and search path.
    `account`: what the session's job has used."""

    __slots__ = ("_client", "_state", "_through", "_upstream")

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
        context = make_context(policy, login.search_path)
        book, used = Book(login, context.digest, now), account or NoAccount()
        self._state = State(login, limits, context, make_context, policy, book, now, account=used)
        self._client = Inbox()
        self._upstream = Inbox()
        self._through = 0  # bytes still to come of a row that passes

    # ------------------------------------------------------------ what the driver may ask

    @property
    def idle(self) -> bool:
        """No transaction is open and nothing outstanding: the session may end now without harm."""
        state = self._state
        outstanding = state.ledger.entries or state.memory.pending is not None or len(self._client)
        return state.status == back.IDLE and state.phase is Phase.OPEN and not outstanding

    @property
    def rows_are_expensive(self) -> bool:
        """A masked result is coming in: let other sessions have their turn between buffers."""
        stream = self._state.stream
        return stream is not None and stream.plan.rewriter is not None

    # ------------------------------------------------------------ inputs

    def client_sent(self, data: bytes, now: int) -> Outcome:
        state = self._state
        state.now = now
        if state.phase is not Phase.OPEN:
            self._client.add(data)
            return state.outcome()
        if state.memory.pending is not None:
            steady.give_up(state)
        elif not len(self._client) and steady.send(state, data):
            return state.outcome(b"", data)
        whole = self._client.take(data)
        if whole is None:
            return state.outcome()
        return self._guarded_front(whole)

    def upstream_sent(self, data: bytes, now: int) -> Outcome:
        state = self._state
        state.now = now
        if state.phase is Phase.CLOSED:
            return state.outcome()
        pending = state.memory.pending
        if pending is not None:
            if not len(self._upstream) and steady.receive(state, pending, data):
                return state.outcome(data)
            steady.give_up(state)
        whole = self._upstream.take(data)
        if whole is None:
            return state.outcome()
        splice = Splice(whole)
        done = 0
        try:
            done = self._back(splice)
        except (PeerError, FatalError) as problem:
            return self._fatal(problem, "the upstream broke the protocol", to_client=splice.finish(splice.at))
        return self._go_on(splice.finish(done))

    def policy_changed(self, policy: Policy, now: int) -> Outcome:
        """A new rulebook or catalog: it holds from the next statement on; also the answer to RefreshCatalog.

        A new policy is told to all sessions, and then again, the same object, to those that wait for it: only this may
        end the wait of a session for what its own DDL has changed, since another reading may have begun before that."""
        state = self._state
        state.now = now
        answered = policy is state.policy
        state.use(policy)
        if state.catalog_dirty and state.phase is Phase.AWAITS_CATALOG:
            if not answered:
                return state.outcome()
            if state.reads_own:
                state.catalog_dirty = state.catalog_behind = False
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
        """The answer to CancelStatement: the request's connection has ended. `certain`: the server has read it, or
        never will."""
        state = self._state
        state.now = now
        if state.phase is Phase.CLOSED:
            return state.outcome()
        try:
            cutting.cancelled(state, certain)
        except (PeerError, FatalError) as problem:
            return self._fatal(problem, "a cancel is in doubt")
        return self._go_on(b"")

    def terminate(self, sqlstate: str, message: str, now: int) -> Outcome:
        """The gate ends the session (drain, kill, revocation)."""
        state = self._state
        state.now = now
        if state.phase is Phase.CLOSED:
            return state.outcome()
        state.close(message)
        return state.outcome(self._last_words(fatal_message(sqlstate, message)), TERMINATE)

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

    def _guarded_front(self, buffer: bytes, to_client: bytes = b"", before: bytes = b"") -> Outcome:
        splice = Splice(buffer)
        state = self._state
        state.may_wait = True
        try:
            done = self._front(splice)
        except (PeerError, FatalError) as problem:
            accepted = before + splice.finish(splice.at)
            return self._fatal(problem, "the client broke the protocol", to_client=to_client, to_upstream=accepted)
        finally:
            state.may_wait = False
        return state.outcome(to_client, before + splice.finish(done) if before else splice.finish(done))

    def _front(self, splice: Splice) -> int:
        """Handle the whole messages of a buffer; returns how far they reach. What is left goes to the inbox."""
        state, buffer, size = self._state, splice.buffer, len(splice.buffer)
        position, need = 0, 0
        largest = state.limits.client_message
        if state.script is not None:
            splice.insert(0, feed(state, front.handle))
        while state.phase is Phase.OPEN and size - position >= HEADER_SIZE:
            splice.at = position
            kind, length = HEADER.unpack_from(buffer, position)
            if length < LENGTH_SIZE or length > largest:
                raise bad_length(kind, length, largest)
            end = position + 1 + length
            if end > size:
                need = end - position
                break
            if not front.handle(state, kind, splice, position, end):
                break
            position = end
            if state.script is not None:
                splice.insert(end, feed(state, front.handle))
        if position < size and state.phase is not Phase.CLOSED:
            self._client.keep(buffer[position:], need)
        return position

    # ------------------------------------------------------------ the upstream's side

    def _back(self, splice: Splice) -> int:
        """Handle the whole messages of a buffer; returns how far what may be sent reaches."""
        buffer, size = splice.buffer, len(splice.buffer)
        position = self._pass_through(splice, size)
        while size - position >= HEADER_SIZE:
            splice.at = position
            kind, length = HEADER.unpack_from(buffer, position)
            if length < LENGTH_SIZE:
                raise bad_length(kind, length, self._state.limits.upstream_message)
            if kind in (ROW, COPY_DATA):
                reached = self._data(splice, kind, position, length)
            else:
                reached = self._message(splice, kind, position, position + 1 + length)
            if reached == position:
                break
            position = reached
        if position < size:
            self._keep_upstream(buffer, position)
        return min(position, size)

    def _pass_through(self, splice: Splice, size: int) -> int:
        """The rest of a row that began in an earlier buffer and passes, or is swallowed behind a limit."""
        passed = min(self._through, size)
        self._through -= passed
        if passed and self._state.cut is not None:
            splice.replace(0, passed)
        return passed

    def _keep_upstream(self, buffer: bytes, position: int) -> None:
        need = 0
        if len(buffer) - position >= HEADER_SIZE:
            kind, length = HEADER.unpack_from(buffer, position)
            need = 1 + length
            if length > self._state.limits.upstream_message:
                raise bad_length(kind, length, self._state.limits.upstream_message)
        self._upstream.keep(buffer[position:], need)

    def _message(self, splice: Splice, kind: int, start: int, end: int) -> int:
        """One message that is no row; returns its end, or its start while it is incomplete."""
        if end > len(splice.buffer):
            return start
        cut = self._state.cut
        if cut is not None and cutting.on_message(self._state, cut, splice, kind, start, end):
            return end
        handler = back.HANDLERS.get(kind)
        if handler is None:
            raise PeerError(f"the upstream sent a message of unknown type {kind}")
        handler(self._state, splice, start, end)
        return end

    def _data(self, splice: Splice, kind: int, start: int, length: int) -> int:
        """Rows or COPY data from `start` on; returns how far they reach, which may be beyond the buffer."""
        if self._state.cut is not None:
            return self._reached(splice, cutting.swallow_rows(splice, kind, start))
        stream = current_stream(self._state, kind)
        if stream is None:
            end = start + 1 + length
            if end > len(splice.buffer):
                return start
            back.on_own_row(self._state, splice, start, end)
            return end
        if stream.plan.rewriter is not None:
            return self._masked_rows(splice, stream, start)
        return self._plain_rows(splice, stream, kind, start)

    def _masked_rows(self, splice: Splice, stream: Stream, start: int) -> int:
        assert stream.plan.rewriter is not None
        if stream.meter is not None:
            return masked_rows(self._state, splice, stream, stream.meter, start)
        made, reached, rows, cells = stream.plan.rewriter(splice.buffer, start)
        if reached > start:
            stream.run.rows += rows
            stream.run.bytes += splice.replace_rows(start, reached, made)
            stream.run.masked_cells += cells
        return reached

    def _plain_rows(self, splice: Splice, stream: Stream, kind: int, start: int) -> int:
        """Whole rows are counted and pass; the last one passes in pieces."""
        buffer, size = splice.buffer, len(splice.buffer)
        reached, rows = count_rows(buffer, start) if kind == ROW else count_copy_data(buffer, start)
        if size - reached >= HEADER_SIZE:
            next_kind, length = HEADER.unpack_from(buffer, reached)
            if next_kind == kind:
                reached, rows = self._reached(splice, reached + 1 + length), rows + 1
        if stream.meter is not None:
            pass_rows(self._state, splice, stream, stream.meter, start, reached, rows)
            return reached
        stream.run.rows += rows
        stream.run.bytes += reached - start
        return reached

    def _reached(self, splice: Splice, reached: int) -> int:
        """Messages reach this far; what lies behind the buffer goes the same way when it comes."""
        self._through = max(reached - len(splice.buffer), 0)
        return reached

    # ------------------------------------------------------------ waiting

    def _go_on(self, to_client: bytes) -> Outcome:
        """After the upstream's messages: has what the client waits for come about?"""
        state = self._state
        to_upstream = b""
        if state.cut is not None:
            to_upstream = cutting.go_on(state, state.cut)
            if state.cut is not None:
                return state.outcome(to_client, to_upstream)
        if state.phase is Phase.AWAITS_END and (state.limiter is None or not state.limiter.waits):
            state.phase = Phase.OPEN
        if state.phase is Phase.AWAITS_REPLIES and len(state.ledger) <= state.limits.outstanding // 2:
            state.phase = Phase.AWAITS_QUIET if state.path_dirty and state.watched else Phase.OPEN
        if state.phase is Phase.AWAITS_NAMES and state.ledger.answered > state.awaited_batch:
            state.phase = Phase.OPEN
        if state.phase is Phase.AWAITS_QUIET and not state.ledger:
            return self._ask_path(to_client)
        if state.phase is Phase.OPEN and self._may_go_on():
            return self._resume(to_client, to_upstream)
        return state.outcome(to_client, to_upstream)

    def _may_go_on(self) -> bool:
        return self._state.script is not None or bool(len(self._client) and not self._client.incomplete)

    def _ask_path(self, to_client: bytes) -> Outcome:
        """For a path that was set inside a transaction the question waits for names (`before_names`); where nothing can
        be asked now, for the next Query or Sync."""
        state = self._state
        if may_ask(state) and (state.status == back.IDLE or state.world_dirty):
            return state.outcome(to_client, ask_path(state))
        state.phase = Phase.OPEN
        return self._resume(to_client)

    def _end_wait(self, phase: Phase) -> Outcome:
        if self._state.phase is not phase:
            return self._state.outcome()
        self._state.phase = Phase.OPEN
        return self._resume(b"")

    def _resume(self, to_client: bytes, to_upstream: bytes = b"") -> Outcome:
        """Take up the client's bytes that waited; `to_upstream` goes before them."""
        waiting = self._client.drain()
        if not waiting and self._state.script is None:
            return self._state.outcome(to_client, to_upstream)
        return self._guarded_front(waiting, to_client, to_upstream)

    # ------------------------------------------------------------ the end

    def _fatal(
        self, problem: PeerError | FatalError, reason: str, to_client: bytes = b"", to_upstream: bytes = b""
    ) -> Outcome:
        state = self._state
        if isinstance(problem, FatalError):
            told = problem.wire
        else:
            told = fatal_message(problem.sqlstate, problem.message, hint=problem.hint)
        state.close(f"{reason}: {problem}")
        return state.outcome(to_client + self._last_words(told), to_upstream + TERMINATE)

    def _last_words(self, message: bytes) -> bytes:
        """In the midst of a row that passes in pieces the client would read them as the row's values: only the closed
        connection can tell it then."""
        return b"" if self._through and self._state.cut is None else message


def count_copy_data(buffer: bytes, position: int) -> tuple[int, int]:
    """(how far whole CopyData messages reach, how many)."""
    last, count, size = len(buffer) - HEADER_SIZE, 0, len(buffer)
    while position <= last:
        kind, length = HEADER.unpack_from(buffer, position)
        end = position + 1 + length
        if kind != COPY_DATA or end > size:
            break
        if length < LENGTH_SIZE:
            raise bad_length(kind, length, size)
        position = end
        count += 1
    return position, count
