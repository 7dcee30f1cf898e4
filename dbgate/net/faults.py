"""How a fault of the gate itself gets into its log."""

from __future__ import annotations

import logging
import traceback

log = logging.getLogger("dbgate.net")


def log_fault(what: str, fault: BaseException, session: str = "") -> None:
    """The kind of the fault and where it happened. Never its text: that could hold a statement or a value."""
    frames = traceback.extract_tb(fault.__traceback__)
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-6:]]
    log.error(what, extra={"fields": {"session": session, "fault": type(fault).__name__, "where": where}})
