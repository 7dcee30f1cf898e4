"""A worker's ends of both protocols, and where other workers reach it."""

from __future__ import annotations

import asyncio
from functools import partial

from dbgate.budgets.ledger import Ledger
from dbgate.identity.passwords import PasswordMemory
from dbgate.net.cancel import open_post, socket_path
from dbgate.net.gateway import End
from dbgate.net.mysql.end import MysqlEnd
from dbgate.net.mysql.keys import RsaKeys
from dbgate.net.mysql.killing import Killer, open_kill_post, post_path
from dbgate.net.postgres_end import PostgresEnd
from dbgate.net.sessions import Sessions
from dbgate.serve.reading import Doors, make_doors
from dbgate.serve.sessions import make_mysql_session, make_postgres_session
from dbgate.settings.listeners import Listener
from dbgate.settings.model import Protocol, Settings


class Ends:
    """`number`: the worker's. What it remembers of passwords outlives a reload."""

    def __init__(self, settings: Settings, number: int, sessions: Sessions, ledger: Ledger) -> None:
        self._passwords, self._keys = PasswordMemory(), RsaKeys()
        self._number, self._directory = number, settings.gate.directory
        doors = self.doors(settings)
        self._killer = Killer(number, self._directory, sessions.start)
        self._postgres = PostgresEnd(
            sessions,
            doors.postgres,
            number=number,
            directory=self._directory,
            make_session=partial(make_postgres_session, ledger),
        )
        self._mysql = MysqlEnd(sessions, doors.mysql, self._killer, partial(make_mysql_session, ledger))

    def doors(self, settings: Settings) -> Doors:
        """Raises TlsUnusable, OSError."""
        return make_doors(settings, self._passwords, self._keys)

    def use(self, doors: Doors) -> None:
        """For the logins to come."""
        self._postgres.door, self._mysql.door = doors.postgres, doors.mysql

    def of(self, place: Listener) -> End:
        return self._mysql.at(place.database) if place.protocol is Protocol.MYSQL else self._postgres

    async def open_posts(self) -> list[asyncio.DatagramTransport]:
        """Cancel requests and KILL that came to other workers."""
        return [
            await open_post(socket_path(self._directory, self._number), self._postgres.cancel_received),
            await open_kill_post(post_path(self._directory, self._number), self._killer.received),
        ]
