"""What `dbgate check --connect` finds out at each upstream."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dbgate.net.asking import Asking, ask
from dbgate.net.catalogs import read_once
from dbgate.net.mysql.settling import mode_problem
from dbgate.net.reaching import QueryFailed, UpstreamUnavailable
from dbgate.serve.reading import Parts
from dbgate.settings.model import Database, Protocol, Settings
from protocols.mysql.handshake import Brand
from rules.book import check

MYSQL_QUESTION = "SELECT @@global.sql_mode, @@version"
#: a view that hides its definition is one that the gate can't look through
HIDDEN_VIEWS = (
    "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.views "
    "WHERE view_definition = '' AND table_schema NOT IN ('sys', 'mysql') ORDER BY 1"
)
#: the oldest versions that tell of changes to the session as the gate needs them
OLDEST = {Brand.MYSQL: (8, 0), Brand.MARIADB: (10, 6)}


@dataclass(frozen=True, slots=True)
class Looked:
    """`brand`: of a MySQL or MariaDB that could be reached."""

    database: Database
    problems: list[str]
    brand: Brand | None = None


async def look(parts: Parts, database: Database) -> Looked:
    """Logs in, reads the catalog, and checks the rules against it."""
    place = f"{parts.settings.file}  databases.{database.name}.upstream:"
    try:
        asking = await ask(database, "dbgate check")
    except UpstreamUnavailable as fault:
        return Looked(database, [f"{place} {fault.message}  {fault.cause}"])
    brand = asking.server.brand if asking.server is not None else None
    try:
        return Looked(database, await _problems(parts, database, asking, place), brand)
    except (QueryFailed, UpstreamUnavailable) as fault:
        return Looked(database, [f"{place} the catalog cannot be read  {fault}"], brand)
    finally:
        asking.close()


async def _problems(parts: Parts, database: Database, asking: Asking, place: str) -> list[str]:
    found = await _mysql_problems(asking, place) if database.protocol is Protocol.MYSQL else []
    catalog = await read_once(database.protocol, asking)
    rulebook = parts.rulebooks[database.name].rulebook
    return found + ([str(problem) for problem in check(rulebook, catalog)] if rulebook is not None else [])


async def _mysql_problems(asking: Asking, place: str) -> list[str]:
    mode, version = (await asking.query(MYSQL_QUESTION))[0]
    found = [_version_problem(version or "", asking)]
    if problem := mode_problem(mode or ""):
        found.append(f"the server ({version}) reads SQL otherwise than the gate  {problem}")
    if views := [str(row[0]) for row in await asking.query(HIDDEN_VIEWS)]:
        found.append(f"the gate's user may not see the views {', '.join(views[:5])}  GRANT SHOW VIEW on them")
    return [f"{place} {each}" for each in found if each]


def _version_problem(version: str, asking: Asking) -> str:
    assert asking.server is not None
    brand, numbers = asking.server.brand, re.match(r"(\d+)\.(\d+)", version)
    oldest = OLDEST[brand]
    if numbers is not None and (int(numbers[1]), int(numbers[2])) >= oldest:
        return ""
    return f"the server's version is {version}  the gate needs {brand.value} {oldest[0]}.{oldest[1]} or later"


def brand_problems(settings: Settings, looked: list[Looked]) -> list[str]:
    """Those who share an address have to be of one brand: its greeting says which."""
    sharing = [each for each in looked if each.brand is not None and not each.database.listen]
    first = sharing[0].database.name if sharing else ""
    return [
        f"{settings.file}  databases.{each.database.name} is {each.brand.value}, {first} beside it is not  "
        f"give it an address of its own: databases.{each.database.name}.listen"
        for each in sharing
        if each.brand is not None and each.brand is not sharing[0].brand
    ]
