"""The settings file -> Settings, or every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from dbgate.packs import UnknownPack, rule_path
from dbgate.settings.listeners import check_listeners
from dbgate.settings.model import (
    STANDARD_PORTS,
    Audit,
    Authentication,
    ClickHouse,
    ClientTls,
    Control,
    Database,
    Durability,
    Gate,
    Masking,
    Mysql,
    Protocol,
    Settings,
    StatementTexts,
    TlsMode,
    Upstream,
    UpstreamTls,
    User,
    WhenFull,
)
from dbgate.settings.nodes import ROOT, Node, Report
from dbgate.settings.problems import Problem
from dbgate.settings.texts import UNIX_PATH_LIMIT, parse_address, parse_duration, parse_size
from protocols.errors import UsageError
from protocols.mysql import native_password
from protocols.postgres.scram import Verifier

#: the longest file name the gate puts below its directory for a unix socket
_LONGEST_SOCKET = "run/worker-999.sock"


class SettingsError(Exception):
    """`problems`: all that is wrong, in the file's order."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def load_settings(path: Path) -> Settings:
    """Reads and checks the file. Raises SettingsError with every problem; needs no other file to exist."""
    path = path.absolute()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or "it is no UTF-8 text"
        raise SettingsError([Problem(str(path), 0, 0, "cannot be read", str(reason))]) from None
    return parse_settings(text, path)


def parse_settings(text: str, path: Path) -> Settings:
    """As load_settings, from a text. `path`: absolute; the file's directory is the base of relative paths."""
    report = Report(path)
    settings = _settings(report, _parse_yaml(text, path))
    if report.problems:
        raise SettingsError(sorted(report.problems))
    return settings


def _parse_yaml(text: str, path: Path) -> Any:
    try:
        return YAML(typ="rt", pure=True).load(StringIO(text))
    except MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise SettingsError([Problem(str(path), line, column, f"is no valid YAML: {fault.problem}")]) from None
    except YAMLError as fault:
        raise SettingsError([Problem(str(path), 0, 0, f"is no valid YAML: {type(fault).__name__}")]) from None


def _settings(report: Report, data: Any) -> Settings:
    root = Node.of(report, ROOT, data, (0, 0), _KEYS[""])
    if not root.has("databases"):
        root.missing("databases", "name at least one database and its upstream")
    databases = {name: _database(report, root, name, value) for name, value in _entries(root, "databases")}
    users = {name: _user(report, root, name, value, databases) for name, value in _entries(root, "users")}
    gate = _gate(root.child("gate", _KEYS["gate"]), databases)
    check_listeners(root, gate, databases)
    return Settings(
        file=report.file,
        gate=gate,
        databases=databases,
        users=users,
        control=_control(root.child("control", _KEYS["control"])),
        masking=Masking(root.child("masking", _KEYS["masking"]).secret("key")),
        audit=_audit(root.child("audit", _KEYS["audit"])),
    )


def _entries(root: Node, key: str) -> list[tuple[str, Any]]:
    """The entries of a mapping whose keys are names of the user's own choice."""
    value = root.data.get(key)
    if value is None:
        return []
    if not isinstance(value, CommentedMap):
        root.wrong(key, "has to be a mapping of names")
        return []
    for name in value:
        if not isinstance(name, str) or not name or len(name.encode()) > 63:
            root.wrong(key, f'"{name}" is no name', "a name is a text of 1 to 63 bytes; write numbers in quotes")
    return [(str(name), value) for name, value in value.items()]


def _child(report: Report, root: Node, key: str, name: str, value: Any, kind: str) -> Node:
    line, column = root.data[key].lc.key(name)
    return Node.of(report, f"{key}.{name}", value, (line, column), _KEYS[kind])


def _gate(node: Node, databases: Mapping[str, Database]) -> Gate:
    standard = Gate()
    listens = not databases or any(each.protocol is Protocol.POSTGRESQL for each in databases.values())
    directory = node.path("directory") or node.report.path("dbgate-data")
    if len(str(directory / _LONGEST_SOCKET).encode()) > UNIX_PATH_LIMIT:
        node.wrong("directory", "is too long a path for the unix sockets below it", f"keep {directory} under 80 bytes")
    return Gate(
        name=node.text("name", standard.name),
        listen=node.parsed_list("listen", standard.listen if listens else (), parse_address),
        workers=node.number("workers", standard.workers, 1, 256),
        directory=directory,
        drain=node.parsed("drain", standard.drain, parse_duration),
        authentication_timeout=node.parsed("authentication_timeout", standard.authentication_timeout, parse_duration),
        half_open=node.number("half_open", standard.half_open, 1, 100_000),
        connections=node.number("connections", standard.connections, 1, 1_000_000),
        decision_cache=node.parsed("decision_cache", standard.decision_cache, parse_size),
        tls=_client_tls(node.child("tls", _KEYS["gate.tls"])) if node.has("tls") else None,
        mysql=Mysql(node.child("mysql", _KEYS["gate.mysql"]).parsed_list("listen", (), parse_address)),
    )


def _client_tls(node: Node) -> ClientTls:
    for key in ("certificate", "key"):
        if not node.has(key):
            node.missing(key, "TLS needs a certificate and its key, both PEM files")
    nowhere = node.report.file
    return ClientTls(node.path("certificate") or nowhere, node.path("key") or nowhere, node.flag("required", False))


def _control(node: Node) -> Control:
    return Control(node.parsed("listen", None, parse_address))


def _database(report: Report, root: Node, name: str, value: Any) -> Database:
    node = _child(report, root, "databases", name, value, "database")
    if not node.has("upstream"):
        node.missing("upstream", "write upstream: {host: ..., user: ...}")
    rules = node.texts("rules", required="write rules: [rules/shop.yaml]; without rules nothing is allowed")
    protocol = node.choice("protocol", Protocol.POSTGRESQL, _OTHER_NAMES)
    upstream = _upstream(node.child("upstream", _KEYS["upstream"]), name, protocol, node.has("upstream"))
    refresh, listen = node.parsed("refresh", 30.0, parse_duration), node.parsed_list("listen", (), parse_address)
    return Database(name, upstream, _rule_paths(node, rules), refresh, protocol, listen)


def _rule_paths(node: Node, rules: tuple[str, ...]) -> tuple[Path, ...]:
    """Files relative to the settings, and packs by name."""
    try:
        return tuple(rule_path(rule, node.report.path) for rule in rules)
    except UnknownPack as fault:
        node.wrong("rules", "names a pack that is not there", why=str(fault))
        return ()


def _upstream(node: Node, database: str, protocol: Protocol, complain: bool) -> Upstream:
    return Upstream(
        host=node.text("host", "127.0.0.1"),
        port=node.number("port", STANDARD_PORTS[protocol], 1, 65535),
        database=node.text("database", database),
        user=node.text("user", required="write user: the database user that the gate logs in as" if complain else ""),
        password=node.secret("password"),
        tls=_upstream_tls(node.child("tls", _KEYS["upstream.tls"])),
        connect_timeout=node.parsed("connect_timeout", 10.0, parse_duration),
        public_key=_public_key(node, protocol),
    )


def _public_key(node: Node, protocol: Protocol) -> Path | None:
    if node.has("public_key") and protocol is not Protocol.MYSQL:
        node.wrong("public_key", "is for MySQL only", "take it out; PostgreSQL proves itself by SCRAM or TLS")
    return node.path("public_key")


def _upstream_tls(node: Node) -> UpstreamTls:
    tls = UpstreamTls(
        mode=node.choice("mode", TlsMode.PREFER),
        root_certificate=node.path("root_certificate"),
        certificate=node.path("certificate"),
        key=node.path("key"),
    )
    if tls.mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL) and tls.root_certificate is None:
        node.missing("root_certificate", f"{tls.mode.value} checks the server's certificate against it")
    if (tls.certificate is None) != (tls.key is None):
        node.missing("key" if tls.key is None else "certificate", "a client certificate needs both files")
    return tls


def _user(report: Report, root: Node, name: str, value: Any, databases: Mapping[str, Database]) -> User:
    node = _child(report, root, "users", name, value, "user")
    names = node.texts("databases", required=f"write databases: [{', '.join(databases) or 'shop'}]")
    for database in names:
        if database not in databases:
            node.wrong("databases", f'names the unknown database "{database}"', f"known are {', '.join(databases)}")
    return User(
        name=name,
        role=node.text("role", required="write role: the role that rules name"),
        verifier=_verifier(node),
        databases=names,
        authentication=node.choice("authentication", Authentication.SCRAM),
        job=node.text("job"),
        native_verifier=_native_verifier(node),
    )


def _verifier(node: Node) -> str:
    text = node.text("verifier", required="make one with: dbgate user verifier")
    try:
        if text:
            Verifier.parse(text)
    except UsageError:
        node.wrong("verifier", "is no SCRAM-SHA-256 verifier", "make one with: dbgate user verifier")
    return text


def _native_verifier(node: Node) -> str:
    text = node.text("native_verifier")
    try:
        if text:
            native_password.read_verifier(text)
    except UsageError:
        node.wrong("native_verifier", "is no mysql_native_password verifier (* and 40 hex digits)",
                   "make one with: dbgate user verifier --native")  # fmt: skip
    return text


def _audit(node: Node) -> Audit:
    standard = Audit()
    return Audit(
        durability=node.choice("durability", Durability.OS),
        max_bytes=node.parsed("max_bytes", standard.max_bytes, parse_size),
        when_full=node.choice("when_full", WhenFull.HOLD),
        clickhouse=_clickhouse(node.child("clickhouse", _KEYS["clickhouse"])) if node.has("clickhouse") else None,
        statements=node.choice("statements", StatementTexts.KEEP),
    )


def _clickhouse(node: Node) -> ClickHouse:
    url = node.text("url", required='write url: "http://127.0.0.1:8123"')
    if url and not url.startswith(("http://", "https://")):
        node.wrong("url", "has to begin with http:// or https://")
    database = node.text("database", "dbgate")
    return ClickHouse(url, node.text("user", "default"), node.secret("password"), database)


#: what people may write for a protocol, and what it is called here
_OTHER_NAMES = {"mariadb": "mysql", "postgres": "postgresql", "pg": "postgresql", "mysql8": "mysql"}

_KEYS = {
    "": ("gate", "control", "databases", "users", "masking", "audit"),
    "gate": (
        "name", "listen", "workers", "directory", "drain", "authentication_timeout", "half_open", "connections",
        "decision_cache", "tls", "mysql",
    ),
    "gate.mysql": ("listen",),
    "gate.tls": ("certificate", "key", "required"),
    "control": ("listen",),
    "database": ("upstream", "rules", "refresh", "protocol", "listen"),
    "upstream": ("host", "port", "database", "user", "password", "tls", "connect_timeout", "public_key"),
    "upstream.tls": ("mode", "root_certificate", "certificate", "key"),
    "user": ("role", "verifier", "databases", "authentication", "job", "native_verifier"),
    "masking": ("key",),
    "audit": ("durability", "max_bytes", "when_full", "clickhouse", "statements"),
    "clickhouse": ("url", "user", "password", "database"),
}  # fmt: skip
