"""Which system catalogs are readable without a rule."""

from __future__ import annotations

import pytest

from rules.lineage import facts
from rules.postgres import read
from rules.postgres.ddl import catalog_from_ddl
from rules.postgres.system_catalogs import readable, system_relations

ASKED_FOR = "pg_class pg_attribute pg_type pg_namespace pg_constraint pg_index pg_proc pg_enum pg_settings pg_roles"
SECRET = (
    "pg_statistic pg_statistic_ext_data pg_stats pg_stats_ext pg_stats_ext_exprs pg_authid pg_shadow pg_largeobject "
    "pg_stat_activity pg_stat_statements pg_hba_file_rules pg_ident_file_mappings "
    "pg_file_settings pg_user_mapping pg_user_mappings pg_stat_ssl pg_stat_gssapi "
    "pg_prepared_xacts pg_replication_slots pg_stat_replication pg_stat_wal_receiver pg_backend_memory_contexts "
    "pg_shmem_allocations pg_config pg_aios made_up "
    "pg_stat_xact_all_tables pg_stat_xact_user_tables pg_stat_xact_sys_tables"
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


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("select relname from pg_class where relkind = 'r'", 1),
        ("select table_schema, table_name from information_schema.tables", 2),
        ("select * from pg_catalog.pg_namespace", 4),
        ("select a.attname, t.typname from pg_attribute a join pg_type t on t.oid = a.atttypid", 2),
    ],
)
def test_a_catalog_made_of_ddl_knows_the_system_catalogs(sql: str, columns: int) -> None:
    found = read(sql)
    assert isinstance(found, tuple)
    known = facts(found[0], catalog_from_ddl("create table t (a int)"), ("pg_catalog", "public"))
    assert (known.problem, known.missing) == (None, ())
    assert known.outputs is not None
    assert len(known.outputs) == columns


def test_every_system_relation_can_be_read_without_a_rule() -> None:
    assert len(system_relations()) > 150
    assert all(readable(relation.schema, relation.name) and relation.columns for relation in system_relations())
    assert max(relation.oid for relation in system_relations()) < 10_000
