"""A worker: the data path of the sessions that landed on it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from dbgate.audit.log import AuditLog
from dbgate.budgets.ledger import Ledger
from dbgate.control.orders import Word, follow_orders, say
from dbgate.control.snapshots import metrics_path
from dbgate.net.catalogs import catalog_reader
from dbgate.net.counters import Counters
from dbgate.net.databases import LiveDatabase
from dbgate.net.elsewhere import Elsewhere
from dbgate.net.faults import log_fault
from dbgate.net.gateway import Gateway
from dbgate.net.recording import LogRecorder
from dbgate.net.sessions import Sessions
from dbgate.net.tls import TlsUnusable
from dbgate.serve.ends import Ends
from dbgate.serve.listening import Open, close_listeners
from dbgate.serve.reading import NotUsable, Parts, read_parts
from dbgate.settings import Settings, SettingsError, load_settings
from dbgate.settings.auditing import audit_settings
from dbgate.settings.listeners import listeners
from dbgate.settings.model import Database, StatementTexts
from rules.book import Rulebook
from rules.cache import Memory
from rules.catalog import Catalog
from rules.policy import Policy, postgres_front_end

log = logging.getLogger("dbgate.serve")

#: seconds that a worker waits for its databases before it accepts connections all the same
FIRST_LOOK = 15.0
#: seconds between two snapshots for the metrics page
BEAT = 1.0


async def main(config: Path, number: int, listeners: list[Open]) -> None:
    """Until told to drain. `listeners`: inherited sockets."""
    await Worker(config, load_settings(config), number).run(listeners)


class Worker:
    """`number` counts from 0."""

    def __init__(self, config: Path, settings: Settings, number: int) -> None:
        self._config, self.settings, self._number = config, settings, number
        self._counters = Counters()
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._mask_key: bytes | None = None
        self._memory = Memory(settings.gate.decision_cache)  # one for all databases and all rulebooks to come
        self._databases: dict[str, LiveDatabase] = {}
        self._listening = False
        self._elsewhere = Elsewhere()
        self._ledger = Ledger(settings.gate.directory / "budgets")

    async def run(self, listeners: list[Open]) -> None:
        postgres_front_end()  # loads the parsers before anybody waits for them
        orders = await follow_orders(self._ordered)
        recorder = self._open_recorder()
        self._recorder = recorder
        gateway = self._start_gateway(read_parts(self.settings))
        posts = await self._ends.open_posts()
        helpers = [asyncio.create_task(self._beat()), asyncio.create_task(self._reload_when_told())]
        try:
            await self._first_look()
            gateway.listen((each.socket, self._ends.of(each.place)) for each in listeners)
            self._listening = True
            gc.collect()
            gc.freeze()
            say(Word.READY)
            await self._stop.wait()
            self._listening = False
            await gateway.drain(self.settings.gate.drain)
        finally:
            await _cancel(helpers)
            for database in self._databases.values():
                await database.stop()
            await self._elsewhere.stop()
            for post in posts:
                post.close()
            orders.close()
            recorder.close()
            self._ledger.close()
            close_listeners([listeners])
            self._send_snapshot()

    def _ordered(self, word: Word) -> None:
        (self._reload if word is Word.RELOAD else self._stop).set()

    # ------------------------------------------------------------ parts

    def _open_recorder(self) -> LogRecorder:
        settings, gate = audit_settings(self.settings), self.settings.gate.name
        opened = AuditLog.open(
            settings.directory,
            f"worker-{self._number}",
            durability=settings.durability,
            max_bytes=settings.max_bytes,
            segment_bytes=settings.segment_bytes,
            when_full=settings.when_full,
            gate=gate,
        )
        return LogRecorder(opened, gate, drop_statements=self.settings.audit.statements is StatementTexts.DROP)

    def _start_gateway(self, parts: Parts) -> Gateway:
        self._mask_key = parts.mask_key
        for name, database in self.settings.databases.items():
            self._add_database(database, parts.rulebooks[name].rulebook)
        gate = self.settings.gate
        sessions = Sessions(self._databases, self._recorder, self._counters, most=gate.connections)
        self._ends = Ends(self.settings, self._number, sessions, self._ledger)
        return Gateway(sessions, authentication_timeout=gate.authentication_timeout, half_open=gate.half_open)

    def _add_database(self, settings: Database, rulebook: Rulebook | None) -> None:
        database = LiveDatabase(
            settings,
            rulebook,
            read_catalog=catalog_reader(settings.protocol),
            build=self._build_policy,
            recorder=self._recorder,
            elsewhere=self._elsewhere,
        )
        self._databases[settings.name] = database
        database.start()

    def _build_policy(self, rulebook: Rulebook, catalog: Catalog) -> Policy:
        return Policy(rulebook, catalog, self._mask_key, memory=self._memory)

    async def _first_look(self) -> None:
        """So that the first client doesn't meet a gate that knows no catalog yet. A database that doesn't answer must
        not keep the others waiting for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK):
                for database in self._databases.values():
                    await database.tried.wait()

    # ------------------------------------------------------------ reload

    async def _reload_when_told(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            try:
                await self._reload_now()
            except (SettingsError, NotUsable) as fault:
                for problem in fault.problems:
                    log.error("reload refused", extra={"fields": {"problem": str(problem)}})
            except (TlsUnusable, OSError) as fault:
                log.error("reload refused", extra={"fields": {"problem": str(fault)}})
            except Exception as fault:
                log_fault("reload failed", fault)

    async def _reload_now(self) -> None:
        """Users, certificates, databases, rulebooks. Open sessions go on, under the new rules."""
        settings = await asyncio.to_thread(load_settings, self._config)
        parts = await asyncio.to_thread(read_parts, settings)
        self._ends.use(self._ends.doors(settings))
        self._mask_key = parts.mask_key
        if listeners(settings) != listeners(self.settings):
            log.warning("other addresses to listen on hold after a restart")
        for name in [name for name, each in self._databases.items() if _is_another(each, settings)]:
            await self._databases.pop(name).stop()
        for database in settings.databases.values():
            self._reload_database(database, parts)
        log.info("settings reloaded", extra={"fields": {"databases": len(self._databases)}})

    def _reload_database(self, settings: Database, parts: Parts) -> None:
        loaded = parts.rulebooks[settings.name]
        known = self._databases.get(settings.name)
        if known is None:
            self._add_database(settings, loaded.rulebook)
        elif loaded.rulebook is None:
            known.refuse(None, [str(problem) for problem in loaded.problems])
        else:
            with suppress(ValueError):  # it doesn't fit the catalog: said in log and audit already
                known.use(settings, loaded.rulebook)

    # ------------------------------------------------------------ metrics

    async def _beat(self) -> None:
        while True:
            self._send_snapshot()
            await asyncio.sleep(BEAT)

    def _send_snapshot(self) -> None:
        """One datagram for the control process. When it isn't there, the next one counts: numbers only grow."""
        data = json.dumps(self.snapshot()).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as post, suppress(OSError):
            post.setblocking(False)
            post.sendto(data, str(metrics_path(self.settings.gate.directory)))

    def snapshot(self) -> dict[str, Any]:
        return {
            "worker": self._number,
            "time": time.time(),
            "listening": self._listening,
            "audit_available": self._recorder.available,
            "audit_late": self._recorder.late,
            "databases": {name: database.loaded for name, database in self._databases.items()},
            "counters": self._counters.snapshot(),
        }


def _is_another(database: LiveDatabase, settings: Settings) -> bool:
    """Not served any more, or behind its name another kind of server."""
    found = settings.databases.get(database.settings.name)
    return found is None or found.protocol is not database.settings.protocol


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
