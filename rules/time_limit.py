"""`statement_time` is the server's statement_timeout: what a statement could do to raise or lift it.

SET and set_config with constants are read and compared. What else sets parameters is refused for a role with such a
limit, one that may do everything included: a set_config that is not read, and writes to pg_settings, which call it.
"""

from __future__ import annotations

from typing import Final

from rules.decision import Refusal
from rules.facts import Facts, TableId
from rules.limits import Bound, time_objection, unread_setting
from rules.set_config import BUILT_IN
from rules.tree import Access

SETTINGS: Final[TableId] = ("pg_catalog", "pg_settings")


def raised_time(facts: Facts, bound: Bound) -> Refusal | None:
    """Why a statement may not run under this limit of time."""
    for setting in facts.settings:
        if (raised := time_objection(setting, bound)) is not None:
            return raised
    writes = any(use.table == SETTINGS and use.access is not Access.SELECT for use in facts.tables)
    return unread_setting(bound) if writes or BUILT_IN in facts.functions else None
