"""Which catalog reader goes with which protocol."""

from __future__ import annotations

from dbgate.catalog import postgres
from dbgate.net.asking import Asking, ReadCatalog
from dbgate.settings.model import Protocol
from rules.catalog import Catalog


def catalog_reader(protocol: Protocol) -> ReadCatalog:
    """Reads the catalog of a database that speaks it."""
    if protocol is Protocol.POSTGRESQL:
        return postgres.read_catalog
    from dbgate.catalog import mysql

    return mysql.read_catalog


async def read_once(protocol: Protocol, asking: Asking) -> Catalog:
    """The catalog, over a connection of the gate's own. Raises QueryFailed, UpstreamUnavailable."""
    return await catalog_reader(protocol)(asking.query, None)
