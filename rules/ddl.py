"""Which server a schema in DDL is written for, and the catalog that it makes there.

MySQL and MariaDB give a table without a database to the default database: the one that is named here, else the first
that the DDL's own USE names, else `test`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rules.catalog import Catalog

POSTGRESQL: Final = "postgresql"
DIALECTS: Final = (POSTGRESQL, "mysql", "mariadb")
#: dialect -> the server's version where none is named, as the server counts it
_VERSIONS: Final = {"mysql": 90700, "mariadb": 101100}
_VERSION: Final = re.compile(r"(\d{1,2})\.(\d{1,2})(?:\.(\d{1,2}))?")


class DdlError(ValueError):
    """The DDL could not be made a catalog; `line` counts from 1. The text says what to write instead."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line
        self.what = what


@dataclass(frozen=True, slots=True)
class Server:
    """`dialect`: one of DIALECTS. `version`: `8.4` or `10.11.6`, empty for the newest that is known; `database`: the
    default database, empty for the DDL's own. Both belong to MySQL and MariaDB."""

    dialect: str = POSTGRESQL
    version: str = ""
    database: str = ""

    @property
    def is_mysql(self) -> bool:
        return self.dialect != POSTGRESQL

    @property
    def number(self) -> int:
        """The version as the server counts it: 80403 for 8.4.3. Raises ValueError."""
        if not self.version:
            return _VERSIONS[self.dialect]
        found = _VERSION.fullmatch(self.version)
        if found is None:
            raise ValueError(f'"{self.version}" is no version of a server; write it as 8.4 or 10.11.6')
        major, minor, patch = (int(part or 0) for part in found.groups())
        return major * 10000 + minor * 100 + patch


POSTGRES_SERVER: Final = Server()


def catalog_from_ddl(text: str, server: Server) -> Catalog:
    """The catalog that a server would have after running `text`. Raises ValueError, DdlError where a line is at
    fault."""
    if server.is_mysql:
        from rules.mysql.ddl import catalog_from_ddl as by_mysql  # a command reads one dialect

        return by_mysql(text, server.dialect, server.number, server.database)
    from rules.postgres.ddl import catalog_from_ddl as by_postgres

    return by_postgres(text)


def default_path(catalog: Catalog) -> tuple[str, ...]:
    """Where a session's unqualified names are looked up before it has said anything else."""
    return (catalog.default_schema,) if catalog.default_schema else ()
