"""What the two sides of a session share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from dbgate.audit.events import Event
from dbgate.session.accounts import Account, NoAccount
from dbgate.session.limiting import Limiter, Meter, limiter_of
from dbgate.session.long_texts import Answered
from dbgate.session.outcome import CloseSession, Outcome, Wish
from dbgate.session.postgres.login import Limits, SessionLogin
from dbgate.session.postgres.masking import RowPlan
from dbgate.session.postgres.memory import Memory
from dbgate.session.postgres.redacted import ISO, TextStyle
from dbgate.session.postgres.registry import Names, Prepared
from dbgate.session.postgres.texts import fatal_message
from dbgate.session.runs import Book, Run, Running
from protocols.postgres.backend import ErrorResponse, FieldDescription
from protocols.postgres.copy_stream import CopyRewriter
from protocols.postgres.ledger import Ledger
from rules.decision import Decision, Mask, Refusal
from rules.own_world import OwnWorld
from rules.policy import Policy, PolicyContext

MakeContext = Callable[[Policy, tuple[str, ...]], PolicyContext]


NOTHING: Final = ()


class FatalError(Exception):
    """The session must end; the client is told why. The text holds no data."""

    def __init__(self, sqlstate: str, message: str, detail: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.wire = fatal_message(sqlstate, message, detail, hint)


class Phase(Enum):
    """What the session is doing with the client's bytes."""

    OPEN = "open"
    AWAITS_CATALOG = "awaits catalog"  # a relation is unknown: the driver reads the catalog again
    AWAITS_DECISION = "awaits decision"  # a long text is decided in another process
    AWAITS_QUIET = "awaits quiet"  # until every reply is in, so that the search path can be asked for
    AWAITS_PATH = "awaits path"  # the gate's own question is under way
    AWAITS_REPLIES = "awaits replies"  # too many requests are outstanding
    AWAITS_END = "awaits end"  # of a statement whose rows are limited
    AWAITS_CUT = "awaits cut"  # a result that went beyond a limit is being ended
    AWAITS_NAMES = "awaits names"  # what a name stands for depends on replies to come (`awaited_batch`)
    CLOSED = "closed"


# ---------------------------------------------------------------- what was asked, as the ledger keeps it


@dataclass(slots=True)
class AskedParse:
    name: str
    prepared: Prepared


@dataclass(slots=True)
class AskedBind:
    portal: str
    statement: str
    formats: tuple[int, ...]


@dataclass(slots=True)
class AskedDescribe:
    """`of_script`: the client has sent a Query, which is never answered by a NoData."""

    name: str
    of_script: bool = False


@dataclass(slots=True)
class AskedColumns:
    """The gate's own question for the columns that a COPY copies; `fields`: the answer. `in_batch`: asked within a
    batch of the client's, which shares its fate; otherwise `failed` is the error that the COPY would have had."""

    in_batch: bool = False
    fields: tuple[FieldDescription, ...] | None = None
    failed: ErrorResponse | None = None


@dataclass(slots=True)
class AskedExecute:
    portal: str
    run: Run
    prepared: Prepared | None
    columns: AskedColumns | None = None


@dataclass(slots=True)
class AskedClose:
    target: int  # b"S" or b"P"
    name: str


@dataclass(slots=True)
class AskedQuery:
    running: Running
    columns: AskedColumns | None = None


@dataclass(slots=True)
class AskedPath:
    """The gate's own question for the search path; `answer`: the array's text. `in_batch`: asked within a batch of the
    client's, which shares its fate. `whole`: it asks for the session's own world as well."""

    answer: str = ""
    in_batch: bool = False
    whole: bool = False


@dataclass(slots=True)
class Refused:
    """The request was refused: its place is taken by a message that must fail."""

    refusal: Refusal


@dataclass(slots=True)
class Unpassed:
    """The gate's own message, which must fail: the transaction ends up aborted, and nobody is told again."""


Asked: TypeAlias = (
    AskedParse
    | AskedBind
    | AskedDescribe
    | AskedColumns
    | AskedExecute
    | AskedClose
    | AskedQuery
    | AskedPath
    | Refused
    | Unpassed
    | None
)


class Stage(Enum):
    """How far the end of a result is that went beyond a limit."""

    RUNS = "runs"  # the server still runs the statement: its rows are swallowed
    ENDS = "ends"  # the client was told; the rest is swallowed up to ReadyForQuery
    MUST_FAIL = "must fail"  # the server has ended the statement well: the batch must fail now, and the client be told
    MUST_ABORT = "must abort"  # ... and the transaction must, of which the client was told
    DONE = "done"


@dataclass(slots=True)
class Cut:
    """A result that is being ended. `before`: the phase to go back to. `asked`: a cancel is under way, until `over`:
    nothing else is sent before that, since it would hit what comes next. `send`: bytes for the server at once.
    `swallowed`: the client does not wait for the ReadyForQuery that ends the batch."""

    refusal: Refusal
    before: Phase
    stage: Stage = Stage.RUNS
    asked: bool = False
    over: bool = False
    send: bytes = b""
    swallowed: bool = False


@dataclass(slots=True)
class Script:
    """A text that goes statement by statement (`scripts`). `waiting`: the messages that are still to be handled; the
    last of them is the Sync that ends the text."""

    waiting: deque[bytes]


@dataclass(slots=True)
class Stream:
    """The result that is coming in. `run` counts it, `meter` against the role's limits. `kind`: of its messages,
    DataRow or CopyData; `copy`: what masks a COPY, which keeps the rows that are not whole."""

    plan: RowPlan
    run: Run
    kind: int = ord("D")
    copy: CopyRewriter | None = None
    meter: Meter | None = None


PlanKey: TypeAlias = tuple[tuple[FieldDescription, ...], tuple[int, ...], tuple[Mask | None, ...] | None, int | None]


@dataclass(slots=True)
class State:
    """`status`: the last ReadyForQuery's transaction status. `watched`: there is something to hide from this role; if
    not, nothing is asked, described or rebuilt on its behalf. `hidden`: the open transaction (or what is outstanding)
    touched data that the role may not see whole, so the server's texts are rebuilt. `path_dirty`: the search path may
    have changed; `path_moved`: it did so inside the open transaction, whose end may change it back.
    `path_provisional`: it was asked for within a batch, whose failure may change it back. `unanswered`: that
    question has just failed. `retried`: the
    catalog was just read again for the statement at hand. `farewell`: the server has sent a FATAL error.
    `style`: how the server prints dates and intervals.
    `may_wait`: a client's message is at hand, not a reply. `awaited`: the question that another process has; `answers`:
    its answers by text, until the message that needs them has been handled. `parameters`: portal -> how many it has.
    `catalog_dirty`: this session has changed the structure that all see since the catalog was read; `catalog_behind`:
    the transaction that did so has ended within what is under way; `reads_own`: the reading that the client's bytes
    wait for began after that. `world`: what this session sees otherwise than all; `world_dirty`: it may have changed
    since it was asked for; `world_moved`: as `path_moved`. `script`: the text that goes statement by statement.
    `account`: what the session's job has used; `limiter`: the role's limits, None for no end; `cut`: a result that went
    beyond one."""

    login: SessionLogin
    limits: Limits
    context: PolicyContext
    make_context: MakeContext
    policy: Policy
    book: Book
    now: int
    ledger: Ledger[Asked] = field(default_factory=Ledger)
    names: Names = field(default_factory=Names)
    phase: Phase = Phase.OPEN
    status: int = ord("I")
    stream: Stream | None = None
    hidden: bool = False
    path_dirty: bool = False
    path_moved: bool = False
    path_provisional: bool = False
    unanswered: bool = False
    retried: bool = False
    events: list[Event] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    plans: dict[PlanKey, RowPlan] = field(default_factory=dict)
    watched: bool = True
    style: TextStyle = ISO
    farewell: bool = False
    awaited_batch: int = 0
    may_wait: bool = False
    awaited: Answered | None = None
    answers: dict[bytes, Answered] = field(default_factory=dict)
    catalog_dirty: bool = False
    catalog_behind: bool = False
    reads_own: bool = False
    world: OwnWorld | None = None
    world_dirty: bool = False
    world_moved: bool = False
    script: Script | None = None
    memory: Memory = field(default_factory=Memory)
    parameters: dict[str, int] = field(default_factory=dict)
    account: Account = field(default_factory=NoAccount)
    limiter: Limiter | None = None
    cut: Cut | None = None

    def __post_init__(self) -> None:
        self.watched = self.context.names_matter
        self.style = self.login.style
        self.limiter = limiter_of(self.context.limits, self.context.observed_limits, self.account)

    def outcome(self, to_client: bytes = b"", to_upstream: bytes = b"") -> Outcome:
        """What has come up since the last call."""
        events, wishes = self.events, self.wishes
        if events:
            self.events = []
        if wishes:
            self.wishes = []
        return Outcome(to_client, to_upstream, events or NOTHING, wishes or NOTHING, self.phase is not Phase.OPEN)

    def use(self, policy: Policy) -> None:
        """Decide by this policy from the next statement on."""
        self.policy = policy
        seen = policy if self.world is None else policy.seen_with(self.world)
        self.context = self.make_context(seen, self.login.search_path)
        was_watched, self.watched = self.watched, self.context.names_matter
        if self.watched and not was_watched:
            self.path_dirty = self.path_moved = True  # nobody has looked at it so far
            self.world_dirty = self.world_moved = True
        self.book.use_rulebook(self.context.digest)
        self._use_limits()
        self.plans.clear()
        self.memory.forget()

    def _use_limits(self) -> None:
        before, self.limiter = self.limiter, limiter_of(self.context.limits, self.context.observed_limits, self.account)
        if before is not None and self.limiter is not None:
            self.limiter.last, self.limiter.batch, self.limiter.alone = before.last, before.batch, before.alone

    def start_run(self, text: str, decision: Decision, parameters: int = 0) -> Run:
        """Record the intent; the driver writes it to the log before the statement is sent."""
        run, event = self.book.decided(text, decision, self.now, parameters)
        self.events.append(event)
        return run

    def finish_run(self, run: Run, *, sqlstate: str = "", tag: str = "") -> None:
        if not run.finished:
            if run.tally is not None and self.limiter is not None:
                run.observed = self.limiter.exceeded(run.tally)
            self.events.append(self.book.finished(run, self.now, sqlstate=sqlstate, tag=tag))

    def close(self, reason: str) -> None:
        """No byte of either side is looked at any more."""
        if self.phase is not Phase.CLOSED:
            self.phase = Phase.CLOSED
            self.events += self.book.ended(reason, self.now)
            self.wishes.append(CloseSession(reason))
