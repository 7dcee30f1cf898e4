"""Which catalog reader goes with which protocol."""

from __future__ import annotations

from typing import Final

from dbgate.catalog import mysql, postgres
from dbgate.net.asking import Asking, ReadCatalog
from dbgate.settings.model import Protocol
from rules.catalog import Catalog

_READERS: Final[dict[Protocol, ReadCatalog]] = {
    Protocol.POSTGRESQL: postgres.read_catalog,
    Protocol.MYSQL: mysql.read_catalog,
}


def catalog_reader(protocol: Protocol) -> ReadCatalog:
    """Reads the catalog of a database that speaks it."""
    return _READERS[protocol]


async def read_once(protocol: Protocol, asking: Asking) -> Catalog:
    """The catalog, over a connection of the gate's own. Raises QueryFailed, UpstreamUnavailable."""
    return await catalog_reader(protocol)(asking.query, None)
