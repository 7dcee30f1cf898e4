"""The control process: everything of a gate that is not the data path."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from dbgate.audit.errors import StoreUnavailable
from dbgate.audit.query import CONTROL_SOCKET, handle_query
from dbgate.audit.shipper import Shipper
from dbgate.audit.store import open_store
from dbgate.control.http import inside, outside, serve_tcp, serve_unix
from dbgate.control.metrics import GateCollector
from dbgate.control.orders import Word, follow_orders, say
from dbgate.control.snapshots import Snapshots, open_post
from dbgate.settings import Settings, load_settings
from dbgate.settings.auditing import audit_settings

log = logging.getLogger("dbgate.control")

#: seconds for the last events to reach ClickHouse at the end; the local log keeps what doesn't
LAST_FLUSH = 5.0


async def main(config: Path, _number: int, _listeners: list[object]) -> None:
    await Control(load_settings(config)).run()


class Control:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = asyncio.Event()
        self._store = open_store(audit_settings(settings))
        self._shipper = Shipper(settings.gate.directory, self._store)
        self._snapshots = Snapshots(settings.gate.workers)
        self._collector = GateCollector(self._snapshots, lambda: self._shipper.status)

    async def run(self) -> None:
        directory = self._settings.gate.directory
        orders = await follow_orders(self._ordered)
        post = await open_post(directory, self._snapshots)
        shipping = asyncio.create_task(self._ship())
        runners = []
        try:
            runners.append(
                await serve_unix(inside(self._ask, self._snapshots, self._collector), directory / CONTROL_SOCKET)
            )
            if self._settings.control.listen is not None:
                runners.append(
                    await serve_tcp(outside(self._snapshots, self._collector), self._settings.control.listen)
                )
            say(Word.READY)
            await self._stop.wait()
        finally:
            for runner in runners:
                await runner.cleanup()
            with suppress(FileNotFoundError):
                os.unlink(directory / CONTROL_SOCKET)
            post.close()
            orders.close()
            await self._end_shipping(shipping)

    def _ordered(self, word: Word) -> None:
        if word is Word.DRAIN:
            self._stop.set()

    async def _ask(self, sql: str) -> dict[str, Any]:
        return await handle_query(self._store, sql, self._shipper.flush)

    async def _ship(self) -> None:
        """The shipper deals with outages itself. What it cannot deal with ends this process: the supervisor says so and
        starts it again."""
        try:
            await self._shipper.run()
        except Exception:
            self._stop.set()
            raise

    async def _end_shipping(self, shipping: asyncio.Task[None]) -> None:
        shipping.cancel()
        results = await asyncio.gather(shipping, return_exceptions=True)
        try:
            async with asyncio.timeout(LAST_FLUSH):
                await self._shipper.flush()
        except (StoreUnavailable, TimeoutError):
            log.warning("the last audit events stay in the local log until the next start")
        self._shipper.close()
        await self._store.close()
        fault = results[0]
        if isinstance(fault, Exception):
            raise fault
