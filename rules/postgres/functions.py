"""The risk of PostgreSQL's built-in functions, versions 12 to 18.

A function is pure when its name is on the list in `pure_functions` (taken from pg_proc and read through one by one);
everything else that is built in has a risk here; a name that stands in neither is unknown, and refused.
nextval, currval and lastval count as pure: every INSERT with a serial column uses them.
"""

from __future__ import annotations

from typing import Final

from rules.facts import FunctionRisk
from rules.postgres.pure_functions import INFORMATION_SCHEMA, PURE, ROWS

#: Names exactly.
_NAMES: Final[dict[FunctionRisk, str]] = {
    FunctionRisk.QUERY: """
        query_to_xml query_to_xmlschema query_to_xml_and_xmlschema table_to_xml table_to_xmlschema
        table_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema schema_to_xml schema_to_xmlschema
        schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema database_to_xml_and_xmlschema ts_stat
        ts_rewrite currtid currtid2""",
    FunctionRisk.FILE: """
        pg_current_logfile pg_hba_file_rules pg_ident_file_mappings pg_read_binary_file pg_read_file pg_read_file_old
        pg_read_server_files pg_show_all_file_settings pg_stat_file""",
    FunctionRisk.SLEEP: "pg_sleep pg_sleep_for pg_sleep_until",
    FunctionRisk.SESSION: """
        set_config setval setseed pg_notify pg_export_snapshot pg_stat_clear_snapshot pg_stat_force_next_flush""",
    FunctionRisk.LARGE_OBJECT: "loread lowrite",
    FunctionRisk.ADMIN: """
        amvalidate brin_desummarize_range brin_summarize_new_values brin_summarize_range gin_clean_pending_list
        pg_cancel_backend pg_terminate_backend pg_reload_conf pg_rotate_logfile pg_rotate_logfile_old pg_promote
        pg_switch_wal pg_switch_xlog pg_start_backup pg_stop_backup pg_config pg_extension_config_dump
        pg_get_aios pg_get_backend_memory_contexts pg_get_loaded_modules pg_get_multixact_members
        pg_get_process_memory_contexts pg_get_replication_slots pg_get_shmem_allocations
        pg_get_shmem_allocations_numa pg_import_system_collations pg_isolation_test_session_is_blocked
        pg_log_backend_memory_contexts pg_log_standby_snapshot pg_mcv_list_items pg_nextoid pg_prepared_xact
        pg_show_replication_origin_status pg_stat_get_activity pg_stat_get_blocks_fetched pg_stat_get_blocks_hit
        pg_stat_get_replication_slot pg_stat_get_subscription pg_stat_get_tuples_fetched pg_stat_get_tuples_returned
        pg_stat_get_wal_receiver pg_stat_get_wal_senders pg_stop_making_pinned_objects pg_sync_replication_slots
        pg_wal_replay_pause pg_wal_replay_resume pg_xlog_replay_pause pg_xlog_replay_resume pg_wal_summary_contents
        pg_available_wal_summaries pg_get_wal_summarizer_state fmgr_c_validator fmgr_internal_validator
        fmgr_sql_validator plpgsql_validator postgresql_fdw_validator pg_ddl_command_send
        pg_dependencies_send pg_mcv_list_send pg_ndistinct_send brin_bloom_summary_send
        brin_minmax_multi_summary_send""",
}

#: Names by how they begin.
_FAMILIES: Final[tuple[tuple[str, FunctionRisk], ...]] = (
    ("lo_", FunctionRisk.LARGE_OBJECT),
    ("pg_ls_", FunctionRisk.FILE),
    ("pg_file_", FunctionRisk.FILE),
    ("pg_advisory_", FunctionRisk.SESSION),
    ("pg_try_advisory_", FunctionRisk.SESSION),
    ("binary_upgrade_", FunctionRisk.ADMIN),
    ("pg_backup_st", FunctionRisk.ADMIN),
    ("pg_clear_", FunctionRisk.ADMIN),
    ("pg_control_", FunctionRisk.ADMIN),
    ("pg_copy_", FunctionRisk.ADMIN),
    ("pg_create_", FunctionRisk.ADMIN),
    ("pg_drop_", FunctionRisk.ADMIN),
    ("pg_event_trigger_", FunctionRisk.ADMIN),
    ("pg_logical_", FunctionRisk.ADMIN),
    ("pg_replication_", FunctionRisk.ADMIN),
    ("pg_restore_", FunctionRisk.ADMIN),
    ("pg_stat_get_backend_", FunctionRisk.ADMIN),
    ("pg_stat_get_xact_blocks_", FunctionRisk.ADMIN),
    ("pg_stat_get_xact_numscans", FunctionRisk.ADMIN),
    ("pg_stat_get_xact_tuples_", FunctionRisk.ADMIN),
    ("pg_stat_reset", FunctionRisk.ADMIN),
)

#: Functions of PostgreSQL's own extensions that do worse than compute, whatever schema they were installed in.
_EXTENSIONS: Final[dict[FunctionRisk, str]] = {
    FunctionRisk.QUERY: "crosstab crosstab2 crosstab3 crosstab4 crosstabn connectby xpath_table",
    FunctionRisk.NETWORK: "postgres_fdw_disconnect postgres_fdw_disconnect_all postgres_fdw_get_connections",
    FunctionRisk.ADMIN: """
        get_raw_page heap_page_items heap_page_item_attrs tuple_data_split bt_page_items gin_leafpage_items
        gist_page_items gist_page_items_bytea hash_page_items brin_page_items fsm_page_contents
        pg_stat_statements pg_stat_statements_reset pgrowlocks pg_prewarm pg_truncate_visibility_map
        heap_force_kill heap_force_freeze pg_logdir_ls""",
}


def _by_name(groups: dict[FunctionRisk, str]) -> dict[str, FunctionRisk]:
    return {name: risk for risk, names in groups.items() for name in names.split()}


_RISKS: Final = _by_name(_NAMES)
_EXTENSION_RISKS: Final = _by_name(_EXTENSIONS)


def risk_of(schema: str, name: str) -> FunctionRisk | None:
    """The risk of a built-in function; None when no function of that name is built in."""
    if schema == "information_schema":
        return FunctionRisk.PURE if name in INFORMATION_SCHEMA else None
    if schema != "pg_catalog":
        return None
    if name in _RISKS:
        return _RISKS[name]
    if name in PURE:
        return FunctionRisk.PURE
    return _family(name)


def extension_risk(name: str) -> FunctionRisk:
    """The risk of a function that is not built in: the user's own, unless a known extension's is worse."""
    if name.startswith("dblink"):
        return FunctionRisk.NETWORK
    if name.startswith("pg_file_"):
        return FunctionRisk.FILE
    return _EXTENSION_RISKS.get(name, FunctionRisk.USER)


def _family(name: str) -> FunctionRisk | None:
    return next((risk for prefix, risk in _FAMILIES if name.startswith(prefix)), None)


def result_columns(name: str) -> tuple[str, ...]:
    """The column names of a built-in function that returns rows; empty for one that returns a plain value."""
    return ROWS.get(name, ())
