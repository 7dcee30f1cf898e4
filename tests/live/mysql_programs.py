"""Where MySQL's and MariaDB's own programs are on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MYSQL_ROOT = "DBGATE_TEST_MYSQL_ROOT"


class NoServerError(Exception):
    """No way to a real server of that brand on this machine; the text lists what was tried."""


@dataclass(frozen=True, slots=True)
class Programs:
    """`root`: of unpacked packages, whose programs have to be told where their parts are."""

    server: Path
    install: Path | None = None
    root: Path | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """The options that say where the server's own files are."""
        if self.root is None:
            return ()
        share = self.root / "usr/share/mysql"
        return (
            f"--basedir={self.root}/usr",
            f"--plugin-dir={self.root}/usr/lib/mysql/plugin",
            f"--lc-messages-dir={share}",
            f"--character-sets-dir={share}/charsets",
        )

    def client(self, *names: str) -> Path | None:
        """One of the vendor's own client programs: beside the server, else on PATH."""
        for name in names:
            if self.root is not None and (beside := self.root / "usr/bin" / name).exists():
                return beside
            if self.root is None and (found := shutil.which(name)):
                return Path(found)
        return None


def find_mysql() -> Programs | None:
    """MySQL's own programs. A directory that MYSQL_ROOT names is the only one."""
    if named := os.environ.get(MYSQL_ROOT):
        if (found := _unpacked(Path(named))) is None:
            raise NoServerError(f"{MYSQL_ROOT} is {named}, which holds no usr/sbin/mysqld")
        return found
    if (beside := _unpacked(Path(sys.prefix) / "mysql/root")) is not None:
        return beside
    for place in _candidates("mysqld"):
        if "MariaDB" not in _version(place):
            return Programs(place)
    return None


def find_mariadb() -> Programs | None:
    for place in (*_candidates("mariadbd"), *_candidates("mysqld")):
        install = shutil.which("mariadb-install-db")
        if install and "MariaDB" in _version(place):
            return Programs(place, Path(install))
    return None


def _unpacked(root: Path) -> Programs | None:
    server = root / "usr/sbin/mysqld"
    return Programs(server, root=root) if server.exists() else None


def _candidates(name: str) -> list[Path]:
    found = [shutil.which(name), f"/usr/sbin/{name}", f"/usr/libexec/{name}", f"/usr/local/mysql/bin/{name}"]
    return [Path(place) for place in dict.fromkeys(found) if place and Path(place).exists()]


def _version(program: Path) -> str:
    done = subprocess.run([program, "--no-defaults", "--version"], capture_output=True, text=True, check=False)
    return done.stdout
