"""System variables that a statement may read as `@@name`: what drivers, ORMs and tools ask a server for.

The rest needs a rule that lends it by name: a server has hundreds, some hold passwords, paths, statements that run at
its start, or what another statement has left behind (`warning_count` tells how many values of a masked column did not
fit).

MySQL manual, "Server System Variables"; MariaDB documentation, "Server System Variables".
"""

from __future__ import annotations

from typing import Final

_OPEN: Final = frozenset(
    """
    auto_generate_certs auto_increment_increment auto_increment_offset autocommit automatic_sp_privileges back_log
    big_tables binlog_format block_encryption_mode character_set_client character_set_connection character_set_database
    character_set_filesystem character_set_results character_set_server character_set_system collation_connection
    collation_database collation_server completion_type connect_timeout cte_max_recursion_depth datetime_format
    date_format default_collation_for_utf8mb4 default_storage_engine default_tmp_storage_engine default_week_format
    div_precision_increment eq_range_index_dive_limit event_scheduler explicit_defaults_for_timestamp foreign_key_checks
    ft_max_word_len ft_min_word_len group_concat_max_len gtid_mode have_innodb have_openssl have_profiling have_ssl
    have_partitioning hostname init_connect innodb_default_row_format innodb_file_per_table innodb_lock_wait_timeout
    innodb_page_size innodb_read_only innodb_strict_mode innodb_version interactive_timeout join_buffer_size
    language lc_messages lc_time_names license local_infile lock_wait_timeout log_bin
    lower_case_file_system lower_case_table_names max_allowed_packet max_connections max_execution_time
    max_heap_table_size max_join_size max_length_for_sort_data max_prepared_stmt_count max_recursive_iterations
    max_sort_length max_sp_recursion_depth max_statement_time max_user_connections net_buffer_length net_read_timeout
    net_write_timeout old_mode old_passwords optimizer_switch performance_schema port protocol_version
    query_cache_size query_cache_type read_only server_id server_uuid session_track_schema
    session_track_state_change session_track_system_variables session_track_transaction_info show_old_temporals
    skip_networking sort_buffer_size sql_auto_is_null sql_big_selects sql_log_bin sql_mode sql_notes
    sql_quote_show_create sql_safe_updates sql_select_limit sql_warnings ssl_cipher storage_engine super_read_only
    system_time_zone table_definition_cache table_open_cache time_format time_zone tmp_table_size
    transaction_allow_batching transaction_isolation transaction_read_only tx_isolation tx_read_only unique_checks
    updatable_views_with_limit version version_comment version_compile_machine version_compile_os version_malloc_library
    version_ssl_library wait_timeout """.split()  # noqa: SIM905
)
_SCOPES: Final = ("session.", "global.", "local.")


def is_open(name: str) -> bool:
    """`name` without its `@@`: `version`, `session.sql_mode`."""
    name = name.lower()
    scope = next((s for s in _SCOPES if name.startswith(s)), "")
    return name[len(scope) :] in _OPEN
