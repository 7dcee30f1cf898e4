"""A worker: the data path of the sessions that landed on it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from dbgate.audit.log import AuditLog
from dbgate.budgets.ledger import Ledger
from dbgate.catalog.postgres import read_catalog
from dbgate.control.orders import Word, follow_orders, say
from dbgate.control.snapshots import metrics_path
from dbgate.net.cancel import open_post, socket_path
from dbgate.net.counters import Counters
from dbgate.net.databases import LiveDatabase
from dbgate.net.elsewhere import Elsewhere
from dbgate.net.faults import log_fault
from dbgate.net.gateway import Gateway
from dbgate.net.recording import LogRecorder
from dbgate.net.tls import TlsUnusable
from dbgate.serve.reading import NotUsable, Parts, make_door, read_parts
from dbgate.serve.sessions import make_session
from dbgate.settings import Settings, SettingsError, load_settings
from dbgate.settings.auditing import audit_settings
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


async def main(config: Path, number: int, descriptors: list[int]) -> None:
    """Until told to drain. `descriptors`: listening sockets, inherited."""
    worker = Worker(config, load_settings(config), number)
    await worker.run([socket.socket(fileno=descriptor) for descriptor in descriptors])


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

    async def run(self, listeners: list[socket.socket]) -> None:
        postgres_front_end()  # loads the parsers before anybody waits for them
        orders = await follow_orders(self._ordered)
        recorder = self._open_recorder()
        self._recorder = recorder
        gateway = self._start_gateway(read_parts(self.settings))
        self._gateway = gateway
        directory = self.settings.gate.directory
        post = await open_post(socket_path(directory, self._number), gateway.cancel_received)
        helpers = [asyncio.create_task(self._beat()), asyncio.create_task(self._reload_when_told())]
        try:
            await self._first_look()
            gateway.listen(listeners)
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
            post.close()
            orders.close()
            recorder.close()
            self._ledger.close()
            for listener in listeners:
                listener.close()
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
        return Gateway(
            number=self._number,
            directory=gate.directory,
            door=make_door(self.settings),
            databases=self._databases,
            make_session=partial(make_session, self._ledger),
            recorder=self._recorder,
            counters=self._counters,
            authentication_timeout=gate.authentication_timeout,
            half_open=gate.half_open,
            connections=gate.connections,
        )

    def _add_database(self, settings: Database, rulebook: Rulebook | None) -> None:
        database = LiveDatabase(
            settings,
            rulebook,
            read_catalog=read_catalog,
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
        door = make_door(settings)
        self._mask_key, self._gateway.door = parts.mask_key, door
        for name in [name for name in self._databases if name not in settings.databases]:
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


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
