"""What the server has built in, against the lists of the rules."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from rules.postgres.functions import risk_of
from rules.postgres.system_catalogs import readable

#: Types that no SQL expression has a value of: the server's own calls, and handlers.
_PLUMBING = "internal cstring trigger event_trigger language_handler fdw_handler index_am_handler table_am_handler"

#: A name counts when one of its functions can be called.
_CALLABLE = """
SELECT DISTINCT n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'pg_catalog' AND p.proname !~ '^pg_(toast|temp)'
  AND NOT EXISTS (SELECT 1 FROM unnest(p.proargtypes::oid[] || p.prorettype) t
                  WHERE format_type(t, NULL) = ANY (%s))
"""

#: Relations of the server's own that are refused, each because of data, secrets, other sessions or the server's works.
_REFUSED = """
pg_aios pg_authid pg_backend_memory_contexts pg_config pg_file_settings pg_hba_file_rules
pg_ident_file_mappings pg_largeobject pg_prepared_xacts pg_replication_origin
pg_replication_origin_status pg_replication_slots pg_shadow pg_shmem_allocations pg_shmem_allocations_numa
pg_stat_activity pg_stat_gssapi pg_stat_recovery_prefetch pg_stat_replication pg_stat_replication_slots pg_stat_ssl
pg_stat_subscription pg_stat_subscription_stats pg_stat_wal_receiver pg_statistic pg_statistic_ext_data pg_stats
pg_stat_xact_all_tables pg_stat_xact_sys_tables pg_stat_xact_user_tables pg_stats_ext pg_stats_ext_exprs
pg_subscription_rel pg_user_mapping pg_user_mappings
"""


@pytest.mark.live
def test_every_callable_function_has_a_risk(connection: psycopg.Connection[Any]) -> None:
    found = connection.execute(_CALLABLE, [[*_PLUMBING.split(), "tsm_handler"]]).fetchall()
    assert len(found) > 1500
    assert [name for schema, name in found if risk_of(schema, name) is None] == []


@pytest.mark.live
def test_every_system_catalog_is_listed_or_refused_on_purpose(connection: psycopg.Connection[Any]) -> None:
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')"
    ).fetchall()
    assert len(found) > 100
    assert {name for (name,) in found if not readable("pg_catalog", name)} <= set(_REFUSED.split())
