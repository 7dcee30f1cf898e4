"""Built-in functions of MySQL and MariaDB by what they can do, and which function a call means.

A name without a database means the built-in function first, then a loadable one, then the stored function of the
default database (MySQL manual, "Function Name Parsing and Resolution"). Written with a space before its parenthesis,
the name of some built-in functions means the stored one: so where there is a stored function of the name, both count. A
name that is on no list and in no database is refused; loadable functions are such."""

from __future__ import annotations

from typing import Final

from rules.catalog import Catalog, Function
from rules.facts import FunctionRisk, FunctionUse
from rules.mysql.pure_functions import PURE

BUILT_IN: Final = ""

_NAMES: Final[dict[FunctionRisk, str]] = {
    FunctionRisk.FILE: "load_file",
    FunctionRisk.SLEEP: """
        sleep benchmark master_pos_wait source_pos_wait master_gtid_wait wait_for_executed_gtid_set
        wait_until_sql_thread_after_gtids wsrep_sync_wait_upto_gtid""",
    FunctionRisk.SESSION: """
        get_lock is_free_lock is_used_lock release_all_locks release_lock nextval lastval setval""",
    FunctionRisk.ADMIN: """
        asynchronous_connection_failover_add_managed asynchronous_connection_failover_add_source
        asynchronous_connection_failover_delete_managed asynchronous_connection_failover_delete_source
        asynchronous_connection_failover_reset binlog_gtid_pos convert_cpu_id_mask convert_interval_to_user_interval
        current_role_in current_user_in innodb_redo_log_sharp_checkpoint innodb_set_open_files_limit
        is_visible_dd_object ps_current_thread_id ps_thread_id remove_dd_property_key roles_graphml
        wsrep_last_seen_gtid wsrep_last_written_gtid""",
}
_FAMILIES: Final = (
    "audit_", "can_access_", "get_dd_", "get_jdv_", "group_replication_", "internal_", "keyring_", "load_", "mysqlx_",
    "service_get_", "version_tokens_",
)  # fmt: skip
_RISKS: Final = {name: risk for risk, names in _NAMES.items() for name in names.split()}


def risk_of(name: str) -> FunctionRisk | None:
    """The risk of a built-in function by its name in lower case; None when there is none of that name."""
    if name in PURE:
        return FunctionRisk.PURE
    return _RISKS.get(name) or (FunctionRisk.ADMIN if name.startswith(_FAMILIES) else None)


def candidates(catalog: Catalog, name: tuple[str, ...], path: tuple[str, ...] = ()) -> frozenset[FunctionUse]:
    """All that a call of the name may run. `path`: the default database; without it a bare name may mean any."""
    bare = name[-1].lower()
    if len(name) > 1:
        found = {_use(f) for f in _stored(catalog, bare) if f.schema == name[-2]}
        return frozenset(found or {FunctionUse(name[-2], bare, FunctionRisk.UNKNOWN)})
    found = {_use(f) for f in _stored(catalog, bare) if not path or f.schema in path}
    risk = risk_of(bare)
    if risk is not None:
        found.add(FunctionUse(BUILT_IN, bare, risk))
    return frozenset(found or {FunctionUse(BUILT_IN, bare, FunctionRisk.UNKNOWN)})


def _stored(catalog: Catalog, bare: str) -> tuple[Function, ...]:
    return catalog.functions_by_name.get(bare, ())


def _use(function: Function) -> FunctionUse:
    return FunctionUse(function.schema, function.name, FunctionRisk.USER)
