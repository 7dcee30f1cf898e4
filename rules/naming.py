"""Which schemas are a database system's own, by dialect."""

from __future__ import annotations

from typing import Final

from rules.matching import POSTGRES_SYSTEM, System

POSTGRES: Final = "postgres"
MYSQL_BRANDS: Final = frozenset({"mysql", "mariadb"})
#: databases that come with a MySQL or MariaDB server
MYSQL_DATABASES: Final = frozenset({"information_schema", "mysql", "ndbinfo", "performance_schema", "sys"})


def is_mysql_database(schema: str) -> bool:
    return schema.lower() in MYSQL_DATABASES


def namespace_word(dialect: str) -> str:
    """What the server's users call that which qualifies a table's name."""
    return "schema" if dialect == POSTGRES else "database"


def system_test(dialect: str) -> System:
    """The test whether a schema is the system's."""
    return POSTGRES_SYSTEM if dialect == POSTGRES else is_mysql_database
