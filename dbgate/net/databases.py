"""A worker's view of one database: its policy, the sessions on it, and the catalog kept fresh.

Reading the catalog is one thing at a time for each database. Whoever wishes for a refresh while one is under way waits
for the next: what made it wish may be younger than the one under way.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from dbgate.audit.events import PolicyLoaded
from dbgate.net.asking import Asking, ReadCatalog, ask
from dbgate.net.driver import Driver
from dbgate.net.elsewhere import Elsewhere, Job
from dbgate.net.faults import log_fault
from dbgate.net.mysql.greeting import Server
from dbgate.net.reaching import QueryFailed, UpstreamUnavailable
from dbgate.net.recording import LogRecorder
from dbgate.session.outcome import DecideElsewhere
from dbgate.settings.model import Database as DatabaseSettings
from dbgate.settings.model import Upstream
from rules.book import Rulebook, Severity, check
from rules.catalog import Catalog
from rules.policy import Policy

log = logging.getLogger("dbgate.policy")

#: seconds between two readings at the least, however often somebody wishes for one
MIN_INTERVAL = 0.05
#: seconds until the next try when the upstream cannot be reached
RETRY = 1.0
#: seconds that one reading may take
READ_TIME = 60.0

NO_LONGER_SERVED = "the gate no longer serves this database"

BuildPolicy = Callable[[Rulebook, Catalog], Policy]


class LiveDatabase:
    """`rulebook` None: it has problems. `server`: a MySQL or MariaDB as it greeted the gate the last time.

    `build` raises ValueError, with a sentence for people, when rulebook and catalog don't go together."""

    def __init__(
        self,
        settings: DatabaseSettings,
        rulebook: Rulebook | None,
        *,
        read_catalog: ReadCatalog,
        build: BuildPolicy,
        recorder: LogRecorder,
        elsewhere: Elsewhere,
    ) -> None:
        self.settings = settings
        self.policy: Policy | None = None
        self.problem = "its catalog has not been read yet"
        self._rulebook = rulebook
        self._catalog: Catalog | None = None
        self._read_catalog, self._build, self._recorder = read_catalog, build, recorder
        self._elsewhere = elsewhere
        self._drivers: set[Driver] = set()
        self._waiting: list[Driver] = []
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._connection: Asking | None = None
        self.server: Server | None = None
        self._last = -MIN_INTERVAL
        self._task: asyncio.Task[None] | None = None
        self._told: list[str] = []
        self.tried = asyncio.Event()  # the first reading has ended, well or not

    @property
    def upstream(self) -> Upstream:
        return self.settings.upstream

    @property
    def loaded(self) -> bool:
        return self.policy is not None

    # ------------------------------------------------------------ sessions

    def opened(self, driver: Driver) -> None:
        self._drivers.add(driver)

    def closed(self, driver: Driver) -> None:
        self._drivers.discard(driver)
        if driver in self._waiting:
            self._waiting.remove(driver)

    def refresh(self, driver: Driver) -> None:
        """Reads the catalog, then calls the driver's policy_changed or catalog_unavailable."""
        if self._task is None or self._task.done():
            asyncio.get_running_loop().call_soon(driver.catalog_unavailable, NO_LONGER_SERVED)
            return
        self._waiting.append(driver)
        self._wanted.set()

    def decide_elsewhere(self, wish: DecideElsewhere, driver: Driver) -> None:
        """Has a long text decided in another process, then calls the driver's decided."""
        self._elsewhere.submit(Job(wish.context, wish.text, lambda: not driver.closed, driver.decided))

    def structure_changed(self) -> None:
        self._wanted.set()

    # ------------------------------------------------------------ policy

    def use(self, settings: DatabaseSettings, rulebook: Rulebook) -> None:
        """A reload: the rulebook holds at once when the catalog is known. Raises ValueError when rulebook and catalog
        don't go together, and then everything stays as it was."""
        if self._catalog is not None:
            try:
                self._adopt(self._fit(rulebook, self._catalog))
            except ValueError as fault:
                self.refuse(rulebook, str(fault).splitlines())
                raise
        self._rulebook = rulebook
        if settings.upstream != self.settings.upstream:
            self._disconnect()
            self._wanted.set()
        self.settings = settings

    def _adopt(self, policy: Policy) -> None:
        before, self.policy = self.policy, policy
        if before is None or before.digest != policy.digest:
            self._tell_loaded(policy)
        for driver in [*self._drivers]:
            driver.policy_changed(policy)

    def _fit(self, rulebook: Rulebook, catalog: Catalog) -> Policy:
        """A rulebook is checked against the catalog when it is new. One that is in use stays when the catalog changes:
        nothing that it names can be reached in another way."""
        if self.policy is None or self.policy.rulebook is not rulebook:
            errors = [problem for problem in check(rulebook, catalog) if problem.severity is Severity.ERROR]
            if errors:
                raise ValueError("\n".join(str(problem) for problem in errors))
        return self._build(rulebook, catalog)

    def refuse(self, rulebook: Rulebook | None, problems: Sequence[str]) -> None:
        """Says in log and audit that a rulebook was not taken."""
        files = rulebook.files if rulebook is not None else tuple(str(path) for path in self.settings.rules)
        digest = rulebook.digest if rulebook is not None else ""
        event = PolicyLoaded(
            database=self.settings.name, rulebook=digest, files=tuple(files), problems=tuple(problems), accepted=False
        )
        self._recorder.record_late([event])
        for problem in problems:
            log.error("rulebook refused", extra={"fields": {"database": self.settings.name, "problem": problem}})

    def _tell_loaded(self, policy: Policy) -> None:
        files = tuple(policy.rulebook.files)
        event = PolicyLoaded(database=self.settings.name, rulebook=policy.digest, files=files)
        self._recorder.record_late([event])
        fields = {"database": self.settings.name, "rulebook": policy.digest}
        log.info("policy loaded", extra={"fields": fields})

    # ------------------------------------------------------------ the catalog

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep_fresh())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        waiting, self._waiting = self._waiting, []
        for driver in waiting:
            driver.catalog_unavailable(NO_LONGER_SERVED)
        self._disconnect()

    async def _keep_fresh(self) -> None:
        while True:
            await self._next_turn()
            waiting, self._waiting = self._waiting, []
            self._wanted.clear()
            reason = await self._refresh_once()
            self.tried.set()
            for driver in waiting:
                if reason or self.policy is None:
                    driver.catalog_unavailable(reason)
                else:
                    driver.policy_changed(self.policy)

    async def _next_turn(self) -> None:
        """Until somebody wishes for a reading or one is due."""
        pause = self.settings.refresh if self.policy is not None else RETRY
        try:
            async with asyncio.timeout(pause):
                await self._wanted.wait()
        except TimeoutError:
            pass
        if (left := self._last + MIN_INTERVAL - time.monotonic()) > 0:
            await asyncio.sleep(left)

    async def _refresh_once(self) -> str:
        """Why it failed, or an empty text."""
        try:
            async with asyncio.timeout(READ_TIME):
                catalog = await self._read()
        except UpstreamUnavailable as fault:
            return self._failed(fault.message, fault.cause)
        except QueryFailed as fault:
            return self._failed("the database behind the gate does not show its catalog", str(fault))
        except TimeoutError:
            return self._failed("the database behind the gate does not show its catalog", "no answer in time")
        except Exception as fault:
            log_fault("the catalog could not be read", fault)
            return self._failed("the catalog could not be read", type(fault).__name__)
        finally:
            self._last = time.monotonic()
        return self._take(catalog)

    def _failed(self, reason: str, cause: str) -> str:
        self._disconnect()
        if self.policy is None:
            self.problem = reason
        fields = {"database": self.settings.name, "cause": cause}
        log.warning("catalog refresh failed", extra={"fields": fields})
        return reason

    async def _read(self) -> Catalog:
        """Over the connection of the last time; over a new one when that has ended in the meantime."""
        if self._connection is not None and not self._connection.stream.ended:
            try:
                return await self._read_over(self._connection)
            except UpstreamUnavailable:
                self._disconnect()
        self._connection = await ask(self.settings, "dbgate catalog")
        self.server = self._connection.server
        return await self._read_over(self._connection)

    async def _read_over(self, connection: Asking) -> Catalog:
        return await self._read_catalog(connection.query, self._catalog)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _take(self, catalog: Catalog) -> str:
        if self._catalog is not None and catalog.version == self._catalog.version and self.policy is not None:
            return ""
        self._catalog = catalog
        if self._rulebook is None:
            self.problem = "its rulebook has problems"
            return self.problem
        try:
            self._adopt(self._fit(self._rulebook, catalog))
        except ValueError as fault:
            return self._unfit(self._rulebook, str(fault).splitlines())
        return ""

    def _unfit(self, rulebook: Rulebook, problems: list[str]) -> str:
        if problems != self._told:
            self._told = problems
            self.refuse(rulebook, problems)
        if self.policy is None:
            self.problem = "its rulebook does not fit its tables; the gate's log names every problem"
        return "the rulebook does not fit the database"
