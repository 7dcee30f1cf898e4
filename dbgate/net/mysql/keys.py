"""The gate's RSA key, with which clients without TLS seal their passwords."""

from __future__ import annotations

import asyncio

from protocols.mysql import sealing


class RsaKeys:
    """One key, made in a thread when a client first asks for it, and kept in memory alone."""

    def __init__(self) -> None:
        self._making: asyncio.Task[sealing.PrivateKey] | None = None
        self.pem = b""

    @property
    def made(self) -> sealing.PrivateKey | None:
        """The key, unless nobody has asked for it yet."""
        making = self._making
        return making.result() if making is not None and making.done() and not making.cancelled() else None

    async def get(self) -> sealing.PrivateKey:
        """The key; `pem` is then its public half. A client that leaves while it waits doesn't stop the making."""
        if self._making is None or self._making.cancelled():
            self._making = asyncio.get_running_loop().create_task(self._make())
        return await asyncio.shield(self._making)

    async def _make(self) -> sealing.PrivateKey:
        key = await asyncio.to_thread(sealing.make_key)
        self.pem = sealing.public_pem(key)
        return key
