"""Which configuration parameters a client may SET.

Pinned ones change how the server reads SQL text: the gate reads with one grammar, so they keep their value for
everyone. Harmless ones are what drivers, ORMs and tools send (psycopg, asyncpg, JDBC, Django, SQLAlchemy, Rails,
pg_dump, DBeaver) and what tunes plans or prints. Whatever is neither is for unrestricted roles only, since it may
feed row security (`app.tenant`), change who one is, or hide tracks. `row_security = off`, which pg_dump sends, shows no
row more: the server then refuses what a policy would filter. PostgreSQL manual, chapter 20.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rules.tree import Setting

_UTF8: Final = frozenset({"utf8", "unicode"})
_ON: Final = frozenset({"on", "true", "yes", "1", "tru", "tr", "t", "ye", "y"})


def _is_utf8(value: str) -> bool:
    return "".join(c for c in value.lower() if c.isalnum()) in _UTF8


def _is_on(value: str) -> bool:
    return value.lower() in _ON


def _is_not_negative(value: str) -> bool:
    return value.isascii() and value.isdigit()


#: name -> (test of the value, the value in words): refused for everybody unless the value passes
PINNED: Final[dict[str, tuple[Callable[[str], bool], str]]] = {
    "client_encoding": (_is_utf8, "UTF8"),
    "names": (_is_utf8, "UTF8"),
    "standard_conforming_strings": (_is_on, "on"),
}

#: name -> the same, for restricted roles only. Floats that the server has rounded already would be masked by `round`
#: to another multiple: what stands near the middle between two could be told by setting the digits one by one.
FIXED: Final[dict[str, tuple[Callable[[str], bool], str]]] = {
    "extra_float_digits": (_is_not_negative, "0 or more"),
}

#: who one is, and whether triggers and foreign keys hold: back to the default only
IDENTITY: Final = frozenset({"role", "session_authorization", "session_replication_role"})

HARMLESS: Final = frozenset(
    """
    all application_name
    datestyle intervalstyle timezone time_zone timezone_abbreviations extra_float_digits bytea_output xmlbinary
    xmloption lc_monetary lc_numeric lc_time default_text_search_config quote_all_identifiers array_nulls
    backslash_quote escape_string_warning client_min_messages check_function_bodies
    search_path schema temp_tablespaces default_tablespace default_table_access_method
    default_toast_compression default_with_oids
    statement_timeout lock_timeout transaction_timeout idle_in_transaction_session_timeout idle_session_timeout
    deadlock_timeout tcp_keepalives_idle tcp_keepalives_interval tcp_keepalives_count tcp_user_timeout
    client_connection_check_interval
    default_transaction_isolation default_transaction_read_only default_transaction_deferrable
    transaction_isolation transaction_read_only transaction_deferrable synchronous_commit
    work_mem maintenance_work_mem hash_mem_multiplier temp_buffers logical_decoding_work_mem
    effective_cache_size effective_io_concurrency maintenance_io_concurrency
    seq_page_cost random_page_cost cpu_tuple_cost cpu_index_tuple_cost cpu_operator_cost parallel_setup_cost
    parallel_tuple_cost min_parallel_table_scan_size min_parallel_index_scan_size
    max_parallel_workers max_parallel_workers_per_gather max_parallel_maintenance_workers
    parallel_leader_participation force_parallel_mode debug_parallel_query
    from_collapse_limit join_collapse_limit cursor_tuple_fraction constraint_exclusion plan_cache_mode
    default_statistics_target recursive_worktable_factor synchronize_seqscans
    gin_fuzzy_search_limit gin_pending_list_limit seed
    vacuum_cost_delay vacuum_cost_limit vacuum_cost_page_hit vacuum_cost_page_miss vacuum_cost_page_dirty
    restrict_nonsystem_relation_kind commit_siblings row_security
    """.split()  # noqa: SIM905
)
HARMLESS_PREFIXES: Final = ("enable_", "geqo", "jit")
#: They choose the plan, and with it the order in which rows come when nobody asked for one: sorted by a masked column,
#: say. Harmless for roles from which nothing is hidden.
STEERING: Final = frozenset(
    """
    work_mem hash_mem_multiplier seq_page_cost random_page_cost cpu_tuple_cost cpu_index_tuple_cost cpu_operator_cost
    effective_cache_size cursor_tuple_fraction plan_cache_mode
    """.split()  # noqa: SIM905
)
STEERING_PREFIX: Final = "enable_"
#: not harmless although a prefix says so: they load or dump code
_NOT_HARMLESS: Final = frozenset({"jit_provider", "jit_dump_bitcode", "jit_debugging_support", "jit_profiling_support"})


def is_harmless(name: str) -> bool:
    return name in HARMLESS or (name.startswith(HARMLESS_PREFIXES) and name not in _NOT_HARMLESS)


def objection(setting: Setting, *, unrestricted: bool) -> str | None:
    """Why this SET is refused, or None. RESET and DEFAULT (`value` None) go back to what the gate began with."""
    name = setting.name.lower()
    if setting.value is None:
        return None if _may_reset(name) or unrestricted else f'the parameter "{name}" is not known to be harmless'
    fixed = PINNED.get(name) or (None if unrestricted else FIXED.get(name))
    if fixed is not None:
        test, words = fixed
        return None if len(setting.value) == 1 and test(setting.value[0]) else f'the parameter "{name}" stays {words}'
    if name in IDENTITY and not (name == "role" and setting.value == ("none",)):
        return f'the parameter "{name}" changes whose rights a session has'
    if not unrestricted and (name in STEERING or name.startswith(STEERING_PREFIX)):
        return f'the parameter "{name}" chooses plans, whose order of rows can tell hidden values'
    if is_harmless(name) or name == "role" or unrestricted or name in FIXED:
        return None
    return f'the parameter "{name}" is not known to be harmless'


def _may_reset(name: str) -> bool:
    return name in PINNED or name in FIXED or name in IDENTITY or is_harmless(name)
