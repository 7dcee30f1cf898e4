"""The two ways a protocol can be broken: by the peer, or by us.

Bytes that come from a peer may raise `PeerError` and nothing else; any other exception is our own bug.
"""

from __future__ import annotations

PROTOCOL_VIOLATION = "08P01"


class ProtocolError(Exception):
    """Base of everything the `protocols` package raises on purpose."""


class PeerError(ProtocolError):
    """The peer broke the protocol.

    `message` and `hint` are fit to be shown to the peer; `sqlstate` is the five-character code to send with them.
    """

    def __init__(self, message: str, sqlstate: str = PROTOCOL_VIOLATION, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.hint = hint


class UsageError(ProtocolError):
    """We misused the protocol: a value that cannot be encoded, or a call in the wrong phase."""
