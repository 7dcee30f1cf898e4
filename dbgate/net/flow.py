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
