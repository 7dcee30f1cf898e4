"""From settings to the parts a worker runs on; the same for the start, a reload and `dbgate check`."""

from __future__ import annotations

from dataclasses import dataclass

from dbgate.identity.passwords import PasswordMemory
from dbgate.identity.secret import gate_secret
from dbgate.identity.users import Users
from dbgate.net.client_login import Door
from dbgate.net.mysql.client_login import Door as MysqlDoor
from dbgate.net.mysql.keys import RsaKeys
from dbgate.net.tls import TlsUnusable, server_tls, upstream_context
from dbgate.serve.rulebooks import read_rulebook
from dbgate.settings.model import Database, Settings
from dbgate.settings.secrets import SecretUnavailable
from rules.book import Loaded
from rules.policy import hash_rules

#: bytes of a key for hash masks at the least
KEY_SIZE = 16


class NotUsable(Exception):  # noqa: N818
    """`problems`: one line each, with the place and the mend."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Parts:
    """All that is read from files beside the settings. `rulebooks`: database -> what its rule files gave."""

    settings: Settings
    mask_key: bytes | None
    rulebooks: dict[str, Loaded]


def read_parts(settings: Settings) -> Parts:
    """Raises NotUsable with all that is wrong but the rulebooks: these are the caller's to judge."""
    problems = _tls_problems(settings)
    key = None
    try:
        key = mask_key(settings)
    except ValueError as fault:
        problems.append(str(fault))
    if problems:
        raise NotUsable(problems)
    return Parts(settings, key, {name: read_rulebook(each.rules) for name, each in settings.databases.items()})


def rule_problems(parts: Parts) -> list[str]:
    """Errors in rule files, and hash masks without a key."""
    found = []
    for loaded in parts.rulebooks.values():
        if loaded.rulebook is None:
            found += [str(problem) for problem in loaded.problems]
        elif parts.mask_key is None and (needing := hash_rules(loaded.rulebook)):
            rules = ", ".join(needing)
            found.append(f"{parts.settings.file}  masking.key is missing  these rules mask with hash: {rules}")
    return list(dict.fromkeys(found))


def mask_key(settings: Settings) -> bytes | None:
    """Raises ValueError with a sentence for people."""
    if settings.masking.key is None:
        return None
    try:
        key = settings.masking.key.read().encode()
    except SecretUnavailable as fault:
        raise ValueError(f"{settings.file}  masking.key: {fault}") from None
    if len(key) < KEY_SIZE:
        raise ValueError(f"{settings.file}  masking.key has {len(key)} bytes  it needs {KEY_SIZE} at the least")
    return key


@dataclass(frozen=True, slots=True)
class Doors:
    postgres: Door
    mysql: MysqlDoor


def make_doors(settings: Settings, passwords: PasswordMemory, keys: RsaKeys) -> Doors:
    """Raises TlsUnusable, OSError. Which databases there are is for the ends to fill in."""
    tls = server_tls(settings.gate.tls) if settings.gate.tls is not None else None
    required = settings.gate.tls is not None and settings.gate.tls.required
    users, none = Users(settings.users, gate_secret(settings.gate.directory)), frozenset[str]()
    return Doors(
        postgres=Door(users, none, tls, required),
        mysql=MysqlDoor(users, none, passwords, keys, server_version="", tls=tls, tls_required=required),
    )


def _tls_problems(settings: Settings) -> list[str]:
    problems = []
    try:
        if settings.gate.tls is not None:
            server_tls(settings.gate.tls)
    except TlsUnusable as fault:
        problems.append(f"{settings.file}  gate.tls: {fault}")
    return problems + [problem for each in settings.databases.values() for problem in _upstream_tls(settings, each)]


def _upstream_tls(settings: Settings, database: Database) -> list[str]:
    try:
        upstream_context(database.upstream.tls)
    except TlsUnusable as fault:
        return [f"{settings.file}  databases.{database.name}.upstream.tls: {fault}"]
    return []
