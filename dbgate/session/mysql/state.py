"""What the two sides of a session share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from dbgate.audit.events import Event
from dbgate.session.accounts import Account, NoAccount
from dbgate.session.limiting import Limiter, Meter, limiter_of
from dbgate.session.long_texts import Answered
from dbgate.session.mysql.login import Limits, SessionLogin
from dbgate.session.mysql.masking import RowPlan
from dbgate.session.mysql.memory import Known, Memory
from dbgate.session.mysql.registry import Cursor, Names, Prepared
from dbgate.session.outcome import CloseSession, Outcome, Wish
from dbgate.session.runs import Book, Run, Running, Tally
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.charsets import Charset
from protocols.mysql.relay import ReplyReader
from protocols.mysql.replies import ColumnDefinition, Err
from rules.catalog import Relation
from rules.decision import Decision, Mask, Refusal
from rules.own_world import OwnWorld
from rules.policy import Policy, PolicyContext

MakeContext = Callable[[Policy, tuple[str, ...]], PolicyContext]

NOTHING: Final = ()
NO_STATUS: Final = StatusFlag(0)
#: What the sides may have agreed on differently, so that packets of a reply change on their way.
TRANSLATED: Final = Capability.DEPRECATE_EOF | Capability.SESSION_TRACK | Capability.MARIADB_EXTENDED_METADATA

#: ... or also the commands.
FORMS: Final = Capability.DEPRECATE_EOF | Capability.MARIADB_EXTENDED_METADATA | Capability.QUERY_ATTRIBUTES


class FatalError(Exception):
    """The session must end; the client is told why. The text holds no data."""

    def __init__(self, errno: int, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.told = Err(errno, sqlstate, message.encode())


class Phase(Enum):
    """What the session is doing with the client's bytes. In all but OPEN they wait."""

    OPEN = "open"
    ANSWERING = "answering"  # a command's reply is outstanding
    AWAITS_CATALOG = "awaits catalog"  # a relation is unknown: the driver reads the catalog again
    AWAITS_DECISION = "awaits decision"  # a long text is decided in another process
    AWAITS_KILL = "awaits kill"  # the gateway ends another session
    AWAITS_CUT = "awaits cut"  # a statement that went beyond a limit is being ended
    CLOSED = "closed"


#: In these nobody may read more of the client: what it sent is not being worked on.
HOLDS: Final = frozenset({Phase.AWAITS_CATALOG, Phase.AWAITS_DECISION, Phase.AWAITS_KILL, Phase.CLOSED})


# ---------------------------------------------------------------- what was asked


@dataclass(slots=True)
class AskedQuery:
    """COM_QUERY: the statements of its text."""

    running: Running


@dataclass(slots=True)
class AskedPrepare:
    prepared: Prepared


@dataclass(slots=True)
class AskedExecute:
    """`decision`: the one that holds for this execution. `cursor`: the client asked for one."""

    prepared: Prepared
    decision: Decision
    running: Running
    cursor: bool


@dataclass(slots=True)
class AskedFetch:
    prepared: Prepared
    cursor: Cursor
    run: Run


@dataclass(slots=True)
class AskedDatabase:
    """COM_INIT_DB."""

    name: str
    run: Run


@dataclass(slots=True)
class AskedFields:
    """COM_FIELD_LIST."""

    run: Run
    decision: Decision


@dataclass(slots=True)
class AskedReset:
    """COM_RESET_CONNECTION. `pins`: what is still to be set; `held`: the client's reply, which waits until then."""

    pins: list[str]
    held: bytes = b""


@dataclass(slots=True)
class AskedOption:
    """COM_SET_OPTION: several statements in one text, or not."""

    multi: bool


@dataclass(slots=True)
class AskedStatementReset:
    prepared: Prepared


@dataclass(slots=True)
class AskedWorld:
    """The gate's own questions: which of these names are temporary tables of the session's? `names`: still to be asked,
    `done` those that were; `found`: the tables. `temporary`: the first name is one, and its columns are asked for;
    `kind` as Relation's. `rows`, `width`: the answer at hand."""

    names: list[str]
    done: list[str] = field(default_factory=list)
    found: dict[str, Relation] = field(default_factory=dict)
    temporary: bool = False
    kind: str = "r"
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    width: int = 0


@dataclass(slots=True)
class AskedPlain:
    """A command that changes nothing that the session keeps."""

    run: Run | None = None


@dataclass(slots=True)
class Refused:
    """The command was refused: its place is taken by a statement that must fail."""

    refusal: Refusal
    must_fail: bool = True


Asked: TypeAlias = (
    AskedQuery
    | AskedPrepare
    | AskedExecute
    | AskedFetch
    | AskedDatabase
    | AskedFields
    | AskedReset
    | AskedOption
    | AskedStatementReset
    | AskedPlain
    | AskedWorld
    | Refused
)


@dataclass(slots=True)
class Stream:
    """The result whose rows are coming in. `meter` counts them against the role's limits. `promised`: what the server
    says of it in the EOF behind its definitions only, and a client without that EOF must read at the rows' end."""

    plan: RowPlan
    run: Run
    definitions: tuple[ColumnDefinition, ...]
    meter: Meter | None = None
    promised: StatusFlag = NO_STATUS


@dataclass(slots=True)
class Cut:
    """A result that is being ended: the client has had its error, the rest of the reply is swallowed. `at`: the number
    of its statement in the text, behind which none may run any more."""

    refusal: Refusal
    at: int = 0


@dataclass(slots=True)
class Exchange:
    """The command whose reply is outstanding. `shift`: what to add to the server's sequence ids for the client's.
    `hides`: the server's own words about it are not for the client. `owes_eof`: the client is to have an EOF behind
    definitions that came without. `goes_on`: another command of the gate's own follows before the client hears.
    `known`: the statement, when it needs no second look. `killing`: KILL QUERY is under way, and nothing else is sent
    before that is over, since it would hit what comes next. `overtime`: why, when the statement's time was over."""

    asked: Asked
    reader: ReplyReader
    shift: int = 0
    hides: bool = False
    owes_eof: bool = False
    goes_on: bool = False
    known: Known | None = None
    stream: Stream | None = None
    cut: Cut | None = None
    killing: bool = False
    overtime: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Killing:
    """A KILL that the gateway carries out. `sequence`: the id of the answer's packet."""

    sequence: int
    connection_id: int
    run: Run


PlanKey: TypeAlias = tuple[
    tuple[ColumnDefinition, ...], bool, tuple[Mask | None, ...] | None, int | None, str, str, bool
]


@dataclass(slots=True)
class Own:
    """The session's temporary tables, by `database.table`. `doubted`: names that may have become one, or none, since
    the server was asked; `failed`: it could not be asked. `unread`: code that the gate has not read has run, which can
    have made others than the gate knows; `seen`: names that were asked for since."""

    tables: dict[str, Relation] = field(default_factory=dict)
    doubted: set[str] = field(default_factory=set)
    failed: bool = False
    unread: bool = False
    seen: set[str] = field(default_factory=set)

    @property
    def settled(self) -> bool:
        """There are none, and nothing is in doubt."""
        return not (self.tables or self.doubted or self.unread)

    def shows(self, names: Iterable[str]) -> bool:
        return any(name in self.tables for name in names)


@dataclass(slots=True)
class State:
    """`charset`: in which the client's texts come, `results` in which the server's names do. `own_zone`: the time zone
    is the one that the session began with. `database`: the server's default database, empty for none. `status`: the
    last reply's flags. `watched`: there is something to hide from this role. `tainted`: the server's diagnostics area
    may tell of what the role may not see. `retried`: the catalog was just read again for the command at hand.
    `catalog_dirty`: this session has changed the structure since the catalog was read; `reads_own`: the reading that
    the client's bytes wait for began after that. `own`: what only this session sees.
    `awaited`: the question that another process has, `answers` its answers. `farewell`: the server has said goodbye.
    `multi`: the server takes several statements in one text.
    `translates`: the sides have agreed on different forms of a reply; `steady`: they have not, nor of commands, where
    rows begin and end. `waiting`: bytes of the client's that wait. `send_up`: what a reply has the gate send at
    once. `due`: when the time of the statement at hand is over, for roles with such a limit; `alarmed`: the gate will
    be woken (see `overtime`)."""

    login: SessionLogin
    limits: Limits
    make_context: MakeContext
    policy: Policy
    book: Book
    now: int
    charset: Charset
    context: PolicyContext
    results: Charset
    database: str = ""
    own_zone: bool = True
    phase: Phase = Phase.OPEN
    status: StatusFlag = StatusFlag.AUTOCOMMIT
    exchange: Exchange | None = None
    names: Names = field(default_factory=Names)
    memory: Memory = field(default_factory=Memory)
    plans: dict[PlanKey, RowPlan] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    account: Account = field(default_factory=NoAccount)
    limiter: Limiter | None = None
    watched: bool = True
    tainted: bool = False
    retried: bool = False
    catalog_dirty: bool = False
    reads_own: bool = False
    own: Own = field(default_factory=Own)
    awaited: Answered | None = None
    answers: dict[bytes, Answered] = field(default_factory=dict)
    farewell: bool = False
    multi: bool = False
    killing: Killing | None = None
    translates: bool = False
    steady: bool = False
    waiting: int = 0
    send_up: bytes = b""
    due: int = 0
    alarmed: bool = False

    def __post_init__(self) -> None:
        self.watched = self.context.names_matter
        self.multi = Capability.MULTI_STATEMENTS in self.login.client
        differ = self.login.client ^ self.login.upstream
        self.translates = bool(differ & TRANSLATED)
        self.steady = not differ & FORMS
        self.limiter = limiter_of(self.context.limits, self.context.observed_limits, self.account)

    def outcome(self, to_client: bytes = b"", to_upstream: bytes = b"") -> Outcome:
        """What has come up since the last call."""
        events, wishes = self.events, self.wishes
        if events:
            self.events = []
        if wishes:
            self.wishes = []
        holds = self.phase in HOLDS or self.waiting > self.limits.waiting
        return Outcome(to_client, to_upstream, events or NOTHING, wishes or NOTHING, holds)

    # ------------------------------------------------------------ what decisions rest on

    @property
    def in_doubt(self) -> bool:
        """May names mean something else than the catalog says?"""
        return self.catalog_dirty or (self.watched and bool(self.own.doubted or self.own.unread))

    def use(self, policy: Policy) -> None:
        """Decide by this policy from the next statement on."""
        own = tuple(self.own.tables.values())
        self.policy = policy.seen_with(OwnWorld(own)) if own else policy
        self.move()
        self.watched = self.context.names_matter
        self.book.use_rulebook(self.context.digest)
        before, self.limiter = self.limiter, limiter_of(self.context.limits, self.context.observed_limits, self.account)
        if before is not None and self.limiter is not None:
            self.limiter.last = before.last
        self.plans.clear()

    def use_database(self, name: str) -> None:
        if name != self.database:
            self.database = name
            self.move()

    def move(self) -> None:
        """Rules, catalog or default database are others: nothing that was learnt holds any more."""
        self.context = self.context_for(self.database)
        self.memory.forget()

    def context_for(self, database: str) -> PolicyContext:
        """The context of a text that the server reads with this default database."""
        return self.make_context(self.policy, (database,) if database else ())

    # ------------------------------------------------------------ the audit

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

    def meter(self, run: Run, decision: Decision | None, columns: int, tally: Tally | None = None) -> Meter | None:
        """For the rows of a run. `decision` None: nothing is known of them. `tally`: of a result read in parts."""
        limiter = self.limiter
        if limiter is None or not limiter.measures:
            return None
        run.tally = tally or Tally()
        return Meter(limiter, run.tally, decision.sensitive if decision is not None else max(columns, 1))

    def close(self, reason: str) -> None:
        """No byte of either side is looked at any more."""
        if self.phase is not Phase.CLOSED:
            self.phase = Phase.CLOSED
            self.events += self.book.ended(reason, self.now)
            self.wishes.append(CloseSession(reason))
