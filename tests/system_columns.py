"""Makes `rules/postgres/system_columns.py`: the columns of the readable system catalogs.

    python -m tests.system_columns BIN_OF_POSTGRESQL_15 ... BIN_OF_POSTGRESQL_18 > rules/postgres/system_columns.py

Each argument is the directory with a version's `initdb` and `postgres`, oldest first. The file holds the union: a
column that any of the versions has. To be run again when a new major version is supported.
"""

from __future__ import annotations

import os
import sys
import textwrap

from rules.postgres.system_catalogs import readable
from tests.live.servers import PROGRAMS, start_postgres

QUERY = """
SELECT n.nspname, c.relname, c.relkind::text, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v') AND a.attnum > 0
  AND NOT a.attisdropped
GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2
"""
HEAD = '''"""The columns of the readable system catalogs, of all supported PostgreSQL versions together.

Made by `python -m tests.system_columns`; not to be edited. One entry a relation: schema, name, kind, columns.
"""

from __future__ import annotations

from typing import Final

SYSTEM_COLUMNS: Final = """
'''

Relations = dict[tuple[str, str, str], list[str]]


def columns_of(programs: str) -> Relations:
    """Of one server."""
    os.environ[PROGRAMS] = programs
    with start_postgres() as server, server.connect() as connection:
        rows = connection.execute(QUERY).fetchall()
    return {(schema, name, kind): names for schema, name, kind, names in rows if readable(schema, name)}


def united(versions: list[Relations]) -> Relations:
    """The newest version's order; what only older ones have comes last."""
    found: Relations = {}
    for relations in reversed(versions):
        for relation, names in relations.items():
            known = found.setdefault(relation, [])
            known += [name for name in names if name not in known]
    return found


def entry(relation: tuple[str, str, str], names: list[str]) -> str:
    schema, name, kind = relation
    return "\n".join(textwrap.wrap(f"{schema} {name} {kind} {' '.join(names)};", 118, break_long_words=False))


def main() -> None:
    found = united([columns_of(programs) for programs in sys.argv[1:]])
    print(HEAD + "\n".join(entry(*item) for item in sorted(found.items(), reverse=False)) + '\n"""')


if __name__ == "__main__":
    main()
