"""The risk of built-in functions."""

from __future__ import annotations

import pytest

from rules.facts import FunctionRisk
from rules.postgres.functions import extension_risk, result_columns, risk_of
from rules.postgres.pure_functions import PURE, ROWS


@pytest.mark.parametrize(
    ("risk", "names"),
    [
        (FunctionRisk.PURE, "count sum upper now random version nextval currval lastval current_setting"),
        (FunctionRisk.PURE, "pg_get_viewdef has_table_privilege current_user uuidv7 any_value json_agg popen pclose"),
        (
            FunctionRisk.QUERY,
            "query_to_xml table_to_xml cursor_to_xml schema_to_xml database_to_xml ts_stat",
        ),
        (FunctionRisk.FILE, "pg_read_file pg_read_binary_file pg_ls_dir pg_ls_waldir pg_stat_file pg_file_write"),
        (FunctionRisk.SLEEP, "pg_sleep pg_sleep_for pg_sleep_until"),
        (FunctionRisk.SESSION, "set_config setval setseed pg_notify pg_advisory_lock pg_try_advisory_xact_lock"),
        (FunctionRisk.LARGE_OBJECT, "lo_import lo_export lo_get lo_put lo_unlink loread lowrite"),
        (FunctionRisk.ADMIN, "pg_terminate_backend pg_cancel_backend pg_reload_conf pg_switch_wal pg_promote"),
        (
            FunctionRisk.ADMIN,
            "pg_stat_get_tuples_fetched pg_stat_get_xact_tuples_returned pg_stat_get_xact_numscans",
        ),
        (
            FunctionRisk.ADMIN,
            "pg_logical_emit_message pg_create_restore_point pg_drop_replication_slot",
        ),
        (
            FunctionRisk.ADMIN,
            "pg_stat_get_activity pg_stat_get_backend_activity binary_upgrade_set_next_pg_type_oid pg_stat_reset",
        ),
    ],
)
def test_risk(risk: FunctionRisk, names: str) -> None:
    assert {name: risk_of("pg_catalog", name) for name in names.split()} == dict.fromkeys(names.split(), risk)


@pytest.mark.parametrize("name", ["int4in", "textout", "array_recv", "plpgsql_call_handler", "made_up", "pg_", ""])
def test_what_is_not_listed_is_not_known(name: str) -> None:
    assert risk_of("pg_catalog", name) is None


def test_only_the_built_in_schemas_have_built_in_functions() -> None:
    assert risk_of("public", "upper") is None
    assert risk_of("information_schema", "_pg_expandarray") is FunctionRisk.PURE
    assert risk_of("information_schema", "upper") is None


def test_known_extensions_keep_their_risk_in_any_schema() -> None:
    assert extension_risk("dblink_exec") is FunctionRisk.NETWORK
    assert extension_risk("crosstab") is FunctionRisk.QUERY
    assert extension_risk("get_raw_page") is FunctionRisk.ADMIN
    assert extension_risk("order_total") is FunctionRisk.USER


def test_result_columns() -> None:
    assert result_columns("jsonb_each") == ("key", "value")
    assert result_columns("upper") == ()
    assert ROWS.keys() - {"_pg_expandarray"} <= PURE
