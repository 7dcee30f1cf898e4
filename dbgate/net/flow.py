"""Reading from one side stops while anybody has a reason to stop it."""

from __future__ import annotations

import asyncio

#: the other side's write buffer is full
PEER_FULL = 1
#: the session asked to wait (a held statement, a catalog refresh)
SESSION_HOLDS = 2
#: the audit log takes nothing at the moment
AUDIT_HOLDS = 4
#: one turn of the loop for the neighbours after a buffer of expensive rows
FAIRNESS = 8


class Flow:
    """The reading side of a transport, paused while the set of reasons isn't empty."""

    __slots__ = ("reasons", "transport")

    def __init__(self, transport: asyncio.Transport, reasons: int = 0) -> None:
        self.transport = transport
        self.reasons = reasons

    def pause(self, reason: int) -> None:
        if not self.reasons:
            self.transport.pause_reading()
        self.reasons |= reason

    def resume(self, reason: int) -> None:
        if not self.reasons & reason:
            return
        self.reasons &= ~reason
        if not self.reasons and not self.transport.is_closing():
            self.transport.resume_reading()


#: seconds that a closed connection may take to flush its last bytes to a slow peer
FLUSH_TIME = 10.0


def close_soon(transport: asyncio.Transport, flush_time: float = FLUSH_TIME) -> None:
    """Close after the last bytes are out; abort a peer that doesn't take them, or doesn't answer TLS' goodbye."""
    transport.close()
    if transport.get_write_buffer_size() or transport.get_extra_info("ssl_object") is not None:
        asyncio.get_running_loop().call_later(flush_time, transport.abort)
