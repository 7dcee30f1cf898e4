"""Which system catalogs are readable without a rule."""

from __future__ import annotations

import pytest

from rules.postgres.system_catalogs import readable

ASKED_FOR = "pg_class pg_attribute pg_type pg_namespace pg_constraint pg_index pg_proc pg_enum pg_settings pg_roles"
SECRET = (
    "pg_statistic pg_statistic_ext_data pg_stats pg_stats_ext pg_stats_ext_exprs pg_authid pg_shadow pg_largeobject "
    "pg_largeobject_metadata pg_stat_activity pg_stat_statements pg_hba_file_rules pg_ident_file_mappings "
    "pg_file_settings pg_user_mapping pg_user_mappings pg_subscription pg_foreign_server pg_stat_ssl pg_stat_gssapi "
    "pg_prepared_xacts pg_replication_slots pg_stat_replication pg_stat_wal_receiver pg_backend_memory_contexts "
    "pg_shmem_allocations pg_config pg_aios made_up"
)


@pytest.mark.parametrize("name", ASKED_FOR.split())
def test_drivers_may_read(name: str) -> None:
    assert readable("pg_catalog", name)


@pytest.mark.parametrize("name", SECRET.split())
def test_nobody_reads_without_a_rule(name: str) -> None:
    assert not readable("pg_catalog", name)


def test_information_schema() -> None:
    assert readable("information_schema", "columns")
    assert not readable("information_schema", "user_mapping_options")
    assert not readable("information_schema", "foreign_server_options")


def test_other_schemas_are_no_system_catalogs() -> None:
    assert not readable("public", "pg_class")
