"""Where a driver test runs: the same test against PostgreSQL itself and through a gate."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.gate import Gate
from tests.live.raw import Raw
from tests.live.servers import uri


@dataclass(frozen=True, slots=True)
class Place:
    """One address with a user that can log in there. `gate` is None for the server itself."""

    host: str
    port: int
    database: str
    user: str
    password: str
    gate: Gate | None = None
    root: Path | None = None  # the authority to check TLS with; None: no TLS
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def through_gate(self) -> bool:
        return self.gate is not None

    def dsn(self, scheme: str = "postgresql", **options: str) -> str:
        """A URI as libpq and most drivers read it."""
        words = {**self.libpq_tls(), **self.options, **options}
        return uri(self.host, self.port, self.database, self.user, self.password, **words).replace(
            "postgresql", scheme, 1
        )

    def plain(self, scheme: str = "postgresql") -> str:
        """A URI without any option."""
        return uri(self.host, self.port, self.database, self.user, self.password).replace("postgresql", scheme, 1)

    def libpq_tls(self) -> dict[str, str]:
        if self.root is None:
            return {"sslmode": "disable"}
        return {"sslmode": "verify-full", "sslrootcert": str(self.root)}

    def context(self) -> ssl.SSLContext | None:
        """For drivers that take an SSLContext; None without TLS."""
        return ssl.create_default_context(cafile=str(self.root)) if self.root else None

    def environment(self) -> dict[str, str]:
        """libpq's environment variables, for programs."""
        words = {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGDATABASE": self.database,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGSSLMODE": "disable",
        }
        if self.root is not None:
            words |= {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(self.root)}
        return words

    def raw(self, **parameters: str) -> Raw:
        """A raw client, logged in."""
        client = Raw(self.host, self.port)
        try:
            if (context := self.context()) is not None:
                client.start_tls(context)
            return client.login(self.user, self.password, self.database, **parameters)
        except Exception:
            client.close()
            raise
