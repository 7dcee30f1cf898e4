"""What a peer can do wrong on the MySQL wire, with the error number a server answers it with."""

from __future__ import annotations

from protocols.errors import PeerError

MALFORMED_PACKET = 1835  # ER_MALFORMED_PACKET
OUT_OF_ORDER = 1156  # ER_NET_PACKETS_OUT_OF_ORDER
TOO_LARGE = 1153  # ER_NET_PACKET_TOO_LARGE
COMMUNICATION_FAILURE = "08S01"
GENERAL = "HY000"


class WireError(PeerError):
    """A broken packet. `errno` goes into the ERR packet that ends the connection."""

    def __init__(self, message: str, errno: int = MALFORMED_PACKET, sqlstate: str = GENERAL, hint: str = "") -> None:
        super().__init__(message, sqlstate, hint)
        self.errno = errno


def malformed(place: str, what: str) -> WireError:
    """`place` is the packet or field as the manual calls it."""
    return WireError(f"Malformed communication packet: {place}: {what}")


def out_of_order(expected: int, got: int) -> WireError:
    return WireError(
        f"Got packets out of order: sequence id {got}, {expected} was expected", OUT_OF_ORDER, COMMUNICATION_FAILURE
    )


def too_large(limit: int) -> WireError:
    return WireError(
        f"Got a packet bigger than 'max_allowed_packet' bytes ({limit})",
        TOO_LARGE,
        COMMUNICATION_FAILURE,
        "send less at once: fewer rows in one INSERT, or long data in pieces",
    )
