"""Which system catalogs may be read without a rule: what drivers, ORMs, psql, pgAdmin and DBeaver ask for.

Not on the lists, and so refused: what shows samples of the data (pg_statistic, pg_stats, pg_largeobject), secrets
(pg_authid, pg_user_mapping, pg_hba_file_rules; single columns in `rules.closed_columns`), other sessions and their
query texts (pg_stat_activity, pg_stat_ssl, pg_prepared_xacts), how many rows a statement of the open transaction has
looked at, hidden ones too (pg_stat_xact_user_tables), and the server's own works (replication, memory, files).
"""

from __future__ import annotations

from functools import cache
from typing import Final

from rules.catalog import Column, Relation
from rules.postgres.system_columns import SYSTEM_COLUMNS

_STRUCTURE: Final = """
pg_aggregate pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_cast pg_class pg_collation
pg_constraint pg_conversion pg_database pg_db_role_setting pg_default_acl pg_depend pg_description pg_enum
pg_event_trigger pg_extension pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_group pg_index pg_indexes
pg_inherits pg_init_privs pg_language pg_largeobject_metadata pg_matviews pg_namespace pg_opclass pg_operator
pg_opfamily pg_parameter_acl pg_partitioned_table pg_policies pg_policy pg_proc pg_publication
pg_publication_namespace pg_publication_rel pg_publication_tables pg_range pg_rewrite pg_roles pg_rules pg_seclabel
pg_seclabels pg_sequence pg_sequences pg_shdepend pg_shdescription pg_shseclabel pg_statistic_ext pg_subscription
pg_tables pg_tablespace pg_transform pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict pg_ts_parser pg_ts_template
pg_type pg_user pg_views
"""
_SESSION: Final = """
pg_available_extension_versions pg_available_extensions pg_cursors pg_locks pg_prepared_statements pg_settings
pg_timezone_abbrevs pg_timezone_names pg_wait_events
"""
_COUNTERS: Final = """
pg_stat_all_indexes pg_stat_all_tables pg_stat_archiver pg_stat_bgwriter pg_stat_checkpointer pg_stat_database
pg_stat_database_conflicts pg_stat_io pg_stat_progress_analyze pg_stat_progress_basebackup pg_stat_progress_cluster
pg_stat_progress_copy pg_stat_progress_create_index pg_stat_progress_vacuum pg_stat_slru pg_stat_sys_indexes
pg_stat_sys_tables pg_stat_user_functions pg_stat_user_indexes pg_stat_user_tables pg_stat_wal
pg_stat_xact_user_functions
pg_statio_all_indexes pg_statio_all_sequences pg_statio_all_tables pg_statio_sys_indexes pg_statio_sys_sequences
pg_statio_sys_tables pg_statio_user_indexes pg_statio_user_sequences pg_statio_user_tables
"""
#: Without foreign_server_options, foreign_table_options and the user mappings: they can hold credentials.
_INFORMATION_SCHEMA: Final = """
administrable_role_authorizations applicable_roles attributes character_sets check_constraint_routine_usage
check_constraints collation_character_set_applicability collations column_column_usage column_domain_usage
column_options column_privileges column_udt_usage columns constraint_column_usage constraint_table_usage
data_type_privileges domain_constraints domain_udt_usage domains element_types enabled_roles foreign_data_wrappers
foreign_servers foreign_tables information_schema_catalog_name key_column_usage parameters referential_constraints
role_column_grants role_routine_grants role_table_grants role_udt_grants role_usage_grants routine_column_usage
routine_privileges routine_routine_usage routine_sequence_usage routine_table_usage routines schemata sequences
sql_features sql_implementation_info sql_packages sql_parts sql_sizing sql_sizing_profiles sql_languages
table_constraints table_privileges tables transforms triggered_update_columns triggers udt_privileges
usage_privileges user_defined_types view_column_usage view_routine_usage view_table_usage views
"""

_READABLE: Final[dict[str, frozenset[str]]] = {
    "pg_catalog": frozenset((_STRUCTURE + _SESSION + _COUNTERS).split()),
    "information_schema": frozenset(_INFORMATION_SCHEMA.split()),
}


def readable(schema: str, name: str) -> bool:
    """Whether the system catalog may be read without a rule. False for every name not on the lists."""
    return name in _READABLE.get(schema, ())


@cache
def system_relations() -> tuple[Relation, ...]:
    """The readable system catalogs with the columns of all supported versions, for catalogs that are made of DDL. Their
    OIDs are made up, below those of users' relations; types are left out."""
    entries = [entry.split() for entry in SYSTEM_COLUMNS.split(";") if entry.strip()]
    return tuple(_relation(oid, *entry) for oid, entry in enumerate(entries, 1))


def _relation(oid: int, schema: str, name: str, kind: str, *columns: str) -> Relation:
    return Relation(oid, schema, name, kind, tuple(Column(c, number, "") for number, c in enumerate(columns, 1)))
