"""The live database's catalog for commands that look rules over: one connection, read and closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from dbgate.net.asking import ask
from dbgate.net.catalogs import read_once
from dbgate.net.reaching import QueryFailed, UpstreamUnavailable
from dbgate.settings import Database, SettingsError, load_settings
from rules.catalog import Catalog


def chosen_database(config: Path, name: str | None) -> Database:
    """The database of the settings that is meant; without a name there must be only one."""
    try:
        databases = load_settings(config).databases
    except SettingsError as fault:
        raise click.ClickException(str(fault)) from None
    if name is None and len(databases) == 1:
        return next(iter(databases.values()))
    if name is None or name not in databases:
        asked = "say which" if name is None else f'there is no database "{name}"'
        raise click.UsageError(f"{asked}: --database {' | '.join(sorted(databases))}")
    return databases[name]


def live_catalog(config: Path, name: str | None) -> Catalog:
    database = chosen_database(config, name)
    try:
        return asyncio.run(_read(database))
    except (UpstreamUnavailable, QueryFailed) as fault:
        raise click.ClickException(f'the catalog of "{database.name}" could not be read: {fault}') from None


async def _read(database: Database) -> Catalog:
    connection = await ask(database, "dbgate rules")
    try:
        return await read_once(database.protocol, connection)
    finally:
        connection.close()
