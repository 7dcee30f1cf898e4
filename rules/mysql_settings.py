"""Which variables a client of MySQL or MariaDB may SET: the counterpart of `rules.settings_policy`.

Pinned ones change how the server reads texts or writes rows that the gate has to read: they keep to what it knows, for
everyone. Harmless ones are what drivers, ORMs and tools send (Connector/J, Connector/Python, PyMySQL, mysql2, Django,
Rails, Laravel, mysqldump) and what tunes a session. Whatever is neither is for unrestricted roles: it may hide tracks
(sql_log_bin), change whose rights count, or show what is hidden. MySQL 9 manual, 7.1.8; MariaDB "Server System
Variables".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from rules.tree import Setting

#: sql_mode: all that both servers have and that changes no word's meaning. PIPES_AS_CONCAT, ANSI_QUOTES,
#: NO_BACKSLASH_ESCAPES, HIGH_NOT_PRECEDENCE, IGNORE_SPACE and what includes them (ANSI, ORACLE, MSSQL ...) do.
MODES: Final = frozenset(
    """
    only_full_group_by strict_trans_tables strict_all_tables no_zero_in_date no_zero_date error_for_division_by_zero
    no_engine_substitution no_auto_value_on_zero no_auto_create_user no_unsigned_subtraction pad_char_to_full_length
    allow_invalid_dates time_truncate_fractional traditional real_as_float no_dir_in_create empty_string_is_null
    simultaneous_assignment time_round_fractional no_field_options no_key_options no_table_options
    """.split()  # noqa: SIM905
)
_AT_HAND: Final = "@@sql_mode"
#: what the gate reads texts in
CHARSETS: Final = frozenset({"utf8mb4", "utf8mb3", "utf8", "latin1", "ascii"})
_ON: Final = frozenset({"on", "1", "true"})
_OFF: Final = frozenset({"off", "0", "false"})
_ENGINES: Final = frozenset({"innodb", "myisam", "memory", "heap", "aria", "archive", "rocksdb"})

Test = Callable[[tuple[str, ...]], bool]


def _modes(value: tuple[str, ...]) -> bool:
    """Known modes with commas between; a number would be a set of bits."""
    parts = {part.strip().lower() for part in value[0].split(",")} if len(value) == 1 else {"?"}
    return parts <= MODES | {"", _AT_HAND}


def _charset(value: tuple[str, ...]) -> bool:
    """A character set that the gate knows; after it, perhaps, one of its collations."""
    return bool(value) and value[0].lower() in CHARSETS and all(_collation((each,)) for each in value[1:])


def _results(value: tuple[str, ...]) -> bool:
    return _charset(value) or (len(value) == 1 and value[0].lower() in ("null", "binary", ""))


def _collation(value: tuple[str, ...]) -> bool:
    """`utf8mb4_bin` and its kin, also MariaDB's short names of them."""
    if len(value) != 1:
        return False
    name = value[0].lower()
    return name.split("_")[0] in CHARSETS or name.startswith("uca1400_") or name == "default"


def _one_of(*words: str) -> Test:
    return lambda value: len(value) == 1 and value[0].lower() in words


def _tracked(value: tuple[str, ...]) -> bool:
    """What the gate asked to be told of stays on the list."""
    parts = {part.strip().lower() for part in value[0].split(",")} if len(value) == 1 else set()
    return bool(parts & {"*", "@@session_track_system_variables"}) or parts >= _TRACKED


_TRACKED: Final = frozenset(
    "autocommit character_set_client character_set_connection character_set_results sql_mode time_zone".split()  # noqa: SIM905
)
_KNOWN_CHARSET: Final = (_charset, "utf8mb4, utf8mb3, latin1 or ascii")
#: name -> (test of the value, the value in words): refused for everybody unless the value passes
PINNED: Final[dict[str, tuple[Test, str]]] = {
    "sql_mode": (_modes, "without modes that change how texts are read (ANSI_QUOTES, PIPES_AS_CONCAT, ...)"),
    "names": _KNOWN_CHARSET,
    "charset": _KNOWN_CHARSET,
    "character set": _KNOWN_CHARSET,
    "character_set_client": _KNOWN_CHARSET,
    "character_set_connection": _KNOWN_CHARSET,
    "character_set_results": (_results, "utf8mb4, utf8mb3, latin1, ascii, binary or NULL"),
    "collation_connection": (_collation, "a collation of utf8mb4, utf8mb3, latin1 or ascii"),
    "session_track_system_variables": (_tracked, "tracking sql_mode and the character sets as well"),
    "resultset_metadata": (_one_of("full"), "FULL"),
}

#: Of these a session may put the value aside in a user variable and set it again (SET @v = @@sql_mode), as dumps do.
#: What the variable holds is for the session to know.
RESTORED: Final = frozenset(
    "sql_mode character_set_client character_set_connection character_set_results collation_connection".split()  # noqa: SIM905
)
_VARIABLE: Final = re.compile(r"@[a-z0-9_$]+")

#: name -> the same, for restricted roles only. The gate learns of the session's state from what the server tracks.
FIXED: Final[dict[str, tuple[Test, str]]] = {
    "session_track_schema": (_one_of(*_ON), "ON"),
    "default_storage_engine": (_one_of(*_ENGINES), "InnoDB or another engine that keeps rows in this server"),
    "default_tmp_storage_engine": (_one_of(*_ENGINES), "InnoDB or another engine that keeps rows in this server"),
    "storage_engine": (_one_of(*_ENGINES), "InnoDB or another engine that keeps rows in this server"),
    "default_collation_for_utf8mb4": (_collation, "a collation of utf8mb4"),
    "sql_log_bin": (_one_of(*_ON), "ON"),
    "sql_log_off": (_one_of(*_OFF), "OFF"),
    "profiling": (_one_of(*_OFF), "OFF"),
}

#: no variables of the server: what the front end notes as settings for the session to see
NOTED: Final = frozenset({"database", "kill"})

HARMLESS: Final = frozenset(
    """
    autocommit completion_type time_zone timestamp default_week_format lc_time_names
    foreign_key_checks unique_checks check_constraint_checks sql_auto_is_null sql_safe_updates sql_big_selects
    max_join_size sql_select_limit sql_notes sql_warnings warning_count max_error_count sql_quote_show_create
    sql_buffer_result sql_if_exists updatable_views_with_limit group_concat_max_len div_precision_increment
    transaction_isolation transaction_read_only tx_isolation tx_read_only
    wait_timeout interactive_timeout net_read_timeout net_write_timeout net_retry_count lock_wait_timeout
    innodb_lock_wait_timeout idle_transaction_timeout idle_readonly_transaction_timeout idle_write_transaction_timeout
    max_execution_time max_statement_time information_schema_stats_expiry show_create_table_verbosity
    show_create_table_skip_secondary_engine show_gipk_in_create_table_and_information_schema
    sql_generate_invisible_primary_key sql_require_primary_key explicit_defaults_for_timestamp
    auto_increment_increment auto_increment_offset insert_id last_insert_id identity innodb_strict_mode
    innodb_table_locks low_priority_updates sql_low_priority_updates bulk_insert_buffer_size
    session_track_transaction_info session_track_state_change session_track_gtids
    windowing_use_high_precision explain_format query_prealloc_size myisam_sort_buffer_size
    alter_algorithm old_alter_table max_recursive_iterations cte_max_recursion_depth net_buffer_length
    max_allowed_packet
    """.split()  # noqa: SIM905
)
#: They choose plans, and with them the order in which rows come when nobody asked for one, or record them. Harmless
#: for roles from which nothing is hidden.
STEERING: Final = frozenset(
    """
    sort_buffer_size join_buffer_size read_buffer_size read_rnd_buffer_size tmp_table_size tmp_memory_table_size
    max_heap_table_size max_sort_length max_length_for_sort_data range_optimizer_max_mem_size eq_range_index_dive_limit
    join_cache_level join_buffer_space_limit big_tables internal_tmp_mem_storage_engine set_operations_buffer_size
    max_seeks_for_key query_cache_type query_cache_wlock_invalidate in_predicate_conversion_threshold use_stat_tables
    histogram_size histogram_type use_secondary_engine secondary_engine_cost_threshold rowid_merge_buff_size
    max_rowid_filter_size
    """.split()  # noqa: SIM905
)
STEERING_PREFIX: Final = "optimizer_"
_WIDE: Final = ("global.", "persist.", "persist_only.")


def objection(setting: Setting, *, unrestricted: bool) -> str | None:
    """Why this SET is refused, or None. `value` is () where it is computed, None for DEFAULT."""
    name = setting.name
    if name.startswith("@") or name in NOTED:
        return None
    if name.startswith(_WIDE):
        return _wide(setting, unrestricted)
    pinned = PINNED.get(name) or (None if unrestricted else FIXED.get(name))
    if pinned is not None:
        return _kept(setting, *pinned)
    if unrestricted or name in HARMLESS:
        return None
    if name in STEERING or name.startswith(STEERING_PREFIX):
        return f'the variable "{name}" chooses plans, whose order of rows can tell hidden values'
    return f'the variable "{name}" is not known to be harmless'


def is_variable(value: str) -> bool:
    """`@name`, a user variable's."""
    return _VARIABLE.fullmatch(value) is not None


def _kept(setting: Setting, test: Test, words: str) -> str | None:
    if setting.name in RESTORED and setting.value and len(setting.value) == 1 and is_variable(setting.value[0]):
        return None
    if setting.value is None:
        return f'the variable "{setting.name}" stays {words}: give the value itself' if setting.name in PINNED else None
    return None if test(setting.value) else f'the variable "{setting.name}" stays {words}'


def _wide(setting: Setting, unrestricted: bool) -> str | None:
    """GLOBAL and PERSIST: for all sessions, the gate's own to come among them."""
    name = setting.name.partition(".")[2]
    if not unrestricted:
        return f'the variable "{name}" would be set for all sessions'
    return _kept(Setting(name, setting.value), *PINNED[name]) if name in PINNED and setting.value is not None else None
