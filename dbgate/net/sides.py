"""What the two transports of a session speak to: their callbacks become the driver's inputs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbgate.net.driver import Driver


class ClientSide(asyncio.Protocol):
    """The client's transport speaks to the driver through this."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.data_received = driver.client_sent  # type: ignore[method-assign]

    def connection_lost(self, exc: Exception | None) -> None:
        self._driver.side_lost("client", exc)

    def pause_writing(self) -> None:
        self._driver.side_full(client=True)

    def resume_writing(self) -> None:
        self._driver.side_drained(client=True)


class UpstreamSide(asyncio.BufferedProtocol):
    """The upstream's transport. The buffer is shared by a loop's sessions: it is filled and copied in one callback."""

    def __init__(self, driver: Driver, buffer: bytearray) -> None:
        self._driver = driver
        self._view = memoryview(buffer)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        self._driver.upstream_sent(bytes(self._view[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._driver.side_lost("upstream", exc)

    def pause_writing(self) -> None:
        self._driver.side_full(client=False)

    def resume_writing(self) -> None:
        self._driver.side_drained(client=False)
