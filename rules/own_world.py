"""What one session sees otherwise than everybody else: its temporary relations, and what its open transaction has
created, changed or dropped. Laid over the catalog that all share, it gives the catalog that this session's names mean.

The session's own temporary schema is called `pg_temp` here, whatever its real name is (pg_temp_3), so that rules can
name it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from rules.catalog import Catalog, Relation, Type

TEMPORARY: Final = "pg_temp"


@dataclass(frozen=True, slots=True)
class OwnWorld:
    """`relations`: as the session sees them, sorted by OID. `gone`: OIDs of relations that it has dropped. `types`:
    those that are new to it. `schemas`: all that it sees; empty: those of the shared catalog. `temp_schema`: the real
    name of its temporary schema, empty while it has none."""

    relations: tuple[Relation, ...] = ()
    gone: frozenset[int] = frozenset()
    types: tuple[Type, ...] = ()
    schemas: frozenset[str] = frozenset()
    temp_schema: str = ""


def own_catalog(catalog: Catalog, world: OwnWorld) -> Catalog:
    """The catalog as the session sees it; what is its own stands in place of what has the same OID or name."""
    own = {relation.oid for relation in world.relations} | world.gone
    names = {relation.qualified for relation in world.relations}
    types = {each.oid for each in world.types}
    return replace(
        catalog,
        version=f"{catalog.version}+own",
        relations=(
            *(r for r in catalog.relations if r.oid not in own and r.qualified not in names),
            *world.relations,
        ),
        types=(*(t for t in catalog.types if t.oid not in types), *world.types),
        schemas=world.schemas or catalog.schemas,
        temp_schema=world.temp_schema,
    )
