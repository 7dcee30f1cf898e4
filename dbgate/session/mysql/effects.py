"""What a statement may change of what the session knows: when it is sent, and when it has worked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dbgate.session.mysql import saved
from dbgate.session.mysql.deciding import carried_statement, key
from dbgate.session.mysql.login import CHARSETS
from dbgate.session.mysql.own import note_shaped
from dbgate.session.mysql.state import State
from dbgate.session.outcome import CatalogChanged
from protocols.mysql.capabilities import Capability
from protocols.mysql.charsets import BY_NAME
from rules.catalog import Catalog
from rules.decision import Decision
from rules.tree import Setting

#: Statements on tables: the server has a diagnostics area of their own for them.
OWN_DIAGNOSTICS: Final = frozenset({"select", "insert", "update", "delete", "merge"})
NAMES: Final = frozenset({"names", "charset", "character set", "character_set_client"})


def note_sent(state: State, decisions: Iterable[Decision]) -> None:
    """Statements are being sent, as what is outstanding now."""
    for decision in decisions:
        if decision.changes_catalog:
            state.wishes.append(CatalogChanged())
            state.catalog_dirty = state.catalog_dirty or state.watched
        note_shaped(state, decision)
        if decision.kind == "call" or decision.calls_user:
            state.names.named.clear()  # a procedure can prepare statements under any name
        if decision.defines is not None:
            state.names.named.pop(key(decision.defines.name), None)  # gone even if the new text is no good
        if decision.hides:
            state.tainted = True
            if state.exchange is not None:
                state.exchange.hides = True


def note_done(state: State, decision: Decision, whole: bytes) -> None:
    """A statement has worked. `whole`: the text that it is part of."""
    if decision.kind in OWN_DIAGNOSTICS and decision.tables and not decision.hides and decision.defines is None:
        state.tainted = False
    if decision.defines is not None:
        state.names.named[key(decision.defines.name)] = carried_statement(state, whole, decision)
    if decision.drops is not None:
        state.names.named.pop(key(decision.drops.name), None)
    for setting in decision.settings:
        saved.note_done(state, setting)
        _apply(state, setting)


def _apply(state: State, setting: Setting) -> None:
    """What the server reports itself is taken from its report (`back`)."""
    reported = Capability.SESSION_TRACK in state.login.upstream
    value = setting.value[0] if setting.value else ""
    if setting.name == "database":
        state.use_database(server_name(state, value))
    elif setting.name == "time_zone":
        state.own_zone = False
    elif setting.name in NAMES and not reported and value.lower() in CHARSETS:
        state.charset = BY_NAME[value.lower()]
        state.memory.forget()


def server_name(state: State, database: str) -> str:
    return folded(state.context.catalog, database)


def folded(catalog: Catalog, database: str) -> str:
    """As the server compares names of databases."""
    return database.lower() if catalog.lower_case_table_names else database
