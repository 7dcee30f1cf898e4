"""Which tables of the system databases may be read without a rule: what drivers, ORMs and tools ask for.

Connector/J, MariaDB Connector/J, SQLAlchemy, Django, mysqldump, mariadb-dump, Workbench, DBeaver and phpMyAdmin read
the structure of tables from information_schema, which shows to each user only what that user may see at all.

Not on the list, and so refused: what shows data or samples of it (COLUMN_STATISTICS holds histograms, the INNODB_FT_
tables hold words of the texts, INNODB_BUFFER_ and INNODB_CMP_ pages), other sessions and their statements (PROCESSLIST,
INNODB_TRX, INNODB_LOCKS, PROFILING, OPTIMIZER_TRACE), rights and accounts (USER_PRIVILEGES, USER_ATTRIBUTES), files,
and all of mysql, performance_schema and sys.

MySQL manual, chapter "INFORMATION_SCHEMA Tables"; MariaDB documentation, "Information Schema Tables".
"""

from __future__ import annotations

from typing import Final

_STRUCTURE: Final = """
applicable_roles character_sets check_constraints collation_character_set_applicability collations column_privileges
columns columns_extensions enabled_roles engines events geometry_columns key_column_usage keywords parameters partitions
plugins referential_constraints role_column_grants role_routine_grants role_table_grants routines schema_privileges
schemata schemata_extensions sequences spatial_ref_sys sql_functions st_geometry_columns st_spatial_reference_systems
st_units_of_measure statistics table_constraints table_constraints_extensions table_privileges tables
tables_extensions triggers view_routine_usage view_table_usage views
"""

_READABLE: Final[dict[str, frozenset[str]]] = {"information_schema": frozenset(_STRUCTURE.split())}


def readable(schema: str, name: str) -> bool:
    """Whether a table of a system database may be read without a rule; names in any case of letters."""
    return name.lower() in _READABLE.get(schema.lower(), ())
