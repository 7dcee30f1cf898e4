"""Statements of MySQL and MariaDB that show stored values, or tell whether a guess at one is right, past every mask and
filter: refused to roles from which something is hidden, whatever rule allows their kind.
"""

from __future__ import annotations

from typing import Final

from rules.decision import Refusal
from rules.denying import REFUSED
from rules.facts import Facts
from rules.roles import RoleView

TELLING: Final = "dbgate:telling"
_STORED: Final = "shows rows as they are stored"
_OTHERS: Final = "shows statements of other sessions with what is in them"

#: words of a statement -> why, for any role from which something is hidden
ANYWHERE: Final = {
    "SHOW STATUS COUNTERS": "counts the rows that were read, hidden ones too",
    "SHOW PROFILE": "tells how much was read",
    "HANDLER READ": _STORED,
    "HANDLER OPEN": _STORED,
    "SHOW BINLOG EVENTS": _STORED,
    "SHOW RELAYLOG EVENTS": _STORED,
    "SHOW PROCESSLIST": _OTHERS,
    "SHOW ENGINE": _OTHERS,
    "SHOW EXPLAIN": _OTHERS,
    "EXPLAIN FOR CONNECTION": _OTHERS,
}
#: the same, where the statement names a table of which something is hidden
OF_TABLES: Final = {
    "CHECKSUM TABLE": "tells whether a guess at the stored values is right",
    "SELECT INTO OUTFILE": "writes values to a file, where no mask holds",
    "FLUSH TABLES WITH READ LOCK": "lets the table's file be copied",
}
_MENDS: Final = {"SHOW STATUS COUNTERS": "name what you need: SHOW STATUS LIKE 'Ssl_cipher', 'Threads%', 'Uptime'"}


def telling(facts: Facts, view: RoleView) -> Refusal | None:
    """A law."""
    why = ANYWHERE.get(facts.detail)
    if why is None and any(view.hides_in(use.table) for use in facts.tables):
        why = OF_TABLES.get(facts.detail)
    if why is None or not view.hides_data:
        return None
    words = facts.detail.removesuffix(" COUNTERS")
    detail = f'{TELLING}: {words} {why}, and something is hidden from role "{view.role}"'
    return Refusal(TELLING, REFUSED, detail, _MENDS.get(facts.detail, "read the tables with SELECT"))
