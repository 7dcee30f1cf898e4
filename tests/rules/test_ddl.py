"""Which server DDL is read for."""

from __future__ import annotations

import pytest

from rules.ddl import Server, catalog_from_ddl, default_path

DDL = "CREATE TABLE t (a int)"


@pytest.mark.parametrize(
    ("server", "dialect", "version", "path"),
    [
        (Server(), "postgres", 170000, ("public",)),
        (Server("mysql"), "mysql", 90700, ("test",)),
        (Server("mysql", "8.4.3", "shop"), "mysql", 80403, ("shop",)),
        (Server("mariadb", "10.11"), "mariadb", 101100, ("test",)),
    ],
)
def test_the_catalog_of_a_server(server: Server, dialect: str, version: int, path: tuple[str, ...]) -> None:
    catalog = catalog_from_ddl(DDL, server)
    assert (catalog.dialect, catalog.server_version, default_path(catalog)) == (dialect, version, path)
    assert catalog.find(("t",), path) is not None


@pytest.mark.parametrize("version", ["9", "9.7.1.2", "newest"])
def test_what_is_no_version(version: str) -> None:
    with pytest.raises(ValueError, match=r"is no version of a server; write it as 8\.4"):
        catalog_from_ddl(DDL, Server("mysql", version))
