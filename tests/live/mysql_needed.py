"""What tests need of a real MySQL or MariaDB: the server, and its client programs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NoReturn

import pytest

from tests.live.mysql_programs import NoServerError
from tests.live.mysql_servers import Brand, MysqlServer, start_mariadb, start_mysql

STARTERS: Final[dict[Brand, Callable[[], AbstractContextManager[MysqlServer]]]] = {
    Brand.MYSQL: start_mysql,
    Brand.MARIADB: start_mariadb,
}
#: the brand's own command-line client and dump program, newest name first
CLIENTS: Final = {Brand.MYSQL: ("mysql",), Brand.MARIADB: ("mariadb", "mysql")}
DUMPS: Final = {Brand.MYSQL: ("mysqldump",), Brand.MARIADB: ("mariadb-dump", "mysqldump")}


@contextlib.contextmanager
def needed_mysql(brand: Brand) -> Iterator[MysqlServer]:
    """A running server of that brand. Where none can be had the test is skipped; in CI that is a failure."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(STARTERS[brand]())
        except NoServerError as trouble:
            _missing(str(trouble))
        yield server


def needed_client(server: MysqlServer, names: dict[Brand, tuple[str, ...]]) -> Path:
    """The vendor's own client program; skipped where there is none, which in CI is a failure."""
    found = server.programs.client(*names[server.brand]) if server.programs is not None else None
    if found is None:
        _missing(f"the program {names[server.brand][0]} is not installed beside {server.origin}")
    return found


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
