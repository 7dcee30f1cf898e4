"""HTTP: /health, /ready and /metrics for the outside; audit questions on a unix socket for the gate's user."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from dbgate.audit.query import QUERY_PATH
from dbgate.control.metrics import GateCollector, metrics_page
from dbgate.control.snapshots import Snapshots
from dbgate.settings.model import Address

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

AskAudit = Callable[[str], Awaitable[dict[str, Any]]]


def outside(snapshots: Snapshots, collector: GateCollector) -> web.Application:
    """What may be shown to a network: no names of people, no statements."""
    application = web.Application()

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def ready(_request: web.Request) -> web.Response:
        problems = snapshots.problems()
        return web.json_response({"ready": not problems, "problems": problems}, status=503 if problems else 200)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=metrics_page(collector), headers={"Content-Type": METRICS_TYPE})

    application.add_routes([web.get("/health", health), web.get("/ready", ready), web.get("/metrics", metrics)])
    return application


def inside(ask: AskAudit, snapshots: Snapshots, collector: GateCollector) -> web.Application:
    """The same, and the audit."""
    application = outside(snapshots, collector)

    async def query(request: web.Request) -> web.Response:
        try:
            body = await request.json()
            sql = body["sql"]
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": 'send {"sql": "SELECT ..."}'}, status=400)
        answer = await ask(str(sql))
        return web.json_response(answer, status=400 if "error" in answer else 200)

    application.add_routes([web.post(QUERY_PATH, query)])
    return application


async def serve_tcp(application: web.Application, address: Address) -> web.AppRunner:
    """Raises OSError when the address is in use."""
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site: web.BaseSite
    if address.path is not None:
        site = web.UnixSite(runner, str(address.path))
    else:
        site = web.TCPSite(runner, address.host, address.port)
    return await _start(runner, site)


async def serve_unix(application: web.Application, path: Path) -> web.AppRunner:
    """In the gate's own directory, for its own user."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    started = await _start(runner, web.UnixSite(runner, str(path)))
    os.chmod(path, 0o600)
    return started


async def _start(runner: web.AppRunner, site: web.BaseSite) -> web.AppRunner:
    try:
        await site.start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner
