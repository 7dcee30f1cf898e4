"""A small model of a PostgreSQL backend, as far as a session's messages go: names, transaction status, skip to Sync,
COPY. It answers with the bytes a server would, so that the properties of a session can be tried thousands of times.

Statements are read off their first word; anything else is a syntax error. `SELECT fail` divides by zero.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from protocols.postgres import backend, frontend
from protocols.postgres.backend import FieldDescription, TransactionStatus
from protocols.postgres.frames import HEADER_SIZE, split

TEXT = 25
VERBS = (
    "SELECT", "BEGIN", "COMMIT", "ROLLBACK", "DECLARE", "FETCH", "CLOSE", "PREPARE", "EXECUTE", "DEALLOCATE",
    "SET", "CREATE", "COPY", "INSERT", "WITH",
)  # fmt: skip
SECRET = b"4111-1111-1111-1234"
NO_WORLD = {
    "path": ["pg_catalog", "public"], "temp": None, "schemas": ["public"], "seen": None, "relations": [], "types": [],
}  # fmt: skip


class ServerError(Exception):
    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.before = b""


def column(name: str = "c", table: int = 0, number: int = 0) -> FieldDescription:
    return FieldDescription(name, table, number, TEXT, -1, -1, 0)


@dataclass
class ModelServer:
    status: str = "I"
    statements: dict[str, str] = field(default_factory=dict)
    portals: dict[str, str] = field(default_factory=dict)
    skipping: bool = False
    copying: bool = False
    ran: list[str] = field(default_factory=list)
    rest: bytes = b""
    batch: bool = False  # an implicit transaction is open
    #: the answer to the gate's question for the session's own world
    world: dict[str, Any] = field(default_factory=lambda: {**NO_WORLD})

    def receive(self, data: bytes) -> bytes:
        buffer = self.rest + data
        messages, consumed = split(buffer, 0, 1 << 30)
        self.rest = buffer[consumed:]
        out = []
        for kind, start, end in messages:
            out.append(self.message(kind, frontend.decode(kind, buffer[start + HEADER_SIZE : end])))
        return b"".join(out)

    def message(self, kind: int, message: object) -> bytes:
        if isinstance(message, frontend.Terminate):
            return b""
        if self.skipping and not isinstance(message, frontend.Sync):
            return b""
        try:
            return self.dispatch(message)
        except ServerError as problem:
            return self.failed(problem, message)

    def failed(self, problem: ServerError, message: object) -> bytes:
        told = problem.before + backend.error("ERROR", problem.sqlstate, str(problem)).encode()
        if self.status == "T":
            self.status = "E"
        if isinstance(message, frontend.Query):
            return told + self.ready()
        self.skipping = True
        return told

    def ready(self) -> bytes:
        if self.status == "I":
            self.portals = {}
        return backend.ReadyForQuery(TransactionStatus(self.status)).encode()

    def dispatch(self, message: object) -> bytes:
        match message:
            case frontend.Query(sql):
                self.statements.pop("", None)
                return self.query(sql) + self.ready()
            case frontend.Parse(name, sql):
                return self.parse(name, sql)
            case frontend.Bind(portal, statement):
                if statement not in self.statements:
                    raise ServerError("26000", f'prepared statement "{statement}" does not exist')
                self.check_aborted(self.statements[statement])
                self.portals[portal] = self.statements[statement]
                return backend.BindComplete().encode()
            case frontend.Describe(target, name):
                return self.describe(target, name)
            case frontend.Execute(portal):
                if portal not in self.portals:
                    raise ServerError("34000", f'portal "{portal}" does not exist')
                return self.run(self.portals[portal], describe=False)
            case frontend.Close(target, name):
                (self.statements if target is frontend.Target.STATEMENT else self.portals).pop(name, None)
                return backend.CloseComplete().encode()
            case frontend.Sync():
                self.skipping = False
                return self.ready()
            case _:
                return b""

    def parse(self, name: str, sql: str) -> bytes:
        if name == "":
            self.statements.pop("", None)
        self.check_syntax(sql)
        self.check_aborted(sql)
        if name and name in self.statements:
            raise ServerError("42P05", f'prepared statement "{name}" already exists')
        self.statements[name] = sql
        return backend.ParseComplete().encode()

    def describe(self, target: frontend.Target, name: str) -> bytes:
        held = self.statements if target is frontend.Target.STATEMENT else self.portals
        if name not in held:
            raise ServerError("26000", f'"{name}" does not exist')
        head = backend.ParameterDescription(()).encode() if target is frontend.Target.STATEMENT else b""
        fields = self.fields(held[name])
        return head + (backend.RowDescription(fields).encode() if fields else backend.NoData().encode())

    def query(self, sql: str) -> bytes:
        pieces = [piece.strip() for piece in sql.split(";") if piece.strip()]
        if not pieces:
            return backend.EmptyQueryResponse().encode()
        for piece in pieces:
            self.check_syntax(piece)
        out = b""
        for piece in pieces:
            try:
                out += self.run(piece, describe=True)
            except ServerError as problem:
                problem.before = out + problem.before
                raise
        return out

    def check_syntax(self, sql: str) -> None:
        if sql.strip() and sql.split()[0] not in VERBS:
            raise ServerError("42601", f'syntax error at or near "{sql.split()[0]}"')

    def check_aborted(self, sql: str) -> None:
        if self.status == "E" and not sql.startswith(("COMMIT", "ROLLBACK")):
            raise ServerError("25P02", "current transaction is aborted")

    def fields(self, sql: str) -> tuple[FieldDescription, ...]:
        words = sql.split() or [""]
        if words[0] == "FETCH":
            return self.fields(self.portals.get(words[1], "SELECT"))
        if words[0] == "EXECUTE":
            return self.fields(self.statements.get(words[1], "SELECT"))
        return (column(),) if words[0] == "SELECT" else ()

    def run(self, sql: str, describe: bool) -> bytes:
        if not sql.strip():
            return backend.EmptyQueryResponse().encode()
        self.check_aborted(sql)
        words = sql.split()
        verb, name = words[0], words[1] if len(words) > 1 else ""
        if verb == "SELECT" and "fail" in sql:
            told = SECRET.decode() if "hidden" in sql or "masked" in sql else "nothing"
            raise ServerError("22012", f"division by zero near {told}")
        change = getattr(self, f"do_{verb.lower()}", None)
        inner = change(sql, name) if change else None
        self.ran.append(sql)
        rows = self.rows(inner or sql, describe) if verb in ("SELECT", "FETCH", "EXECUTE", "WITH") else b""
        return rows + backend.CommandComplete(f"{verb} 1").encode()

    def rows(self, sql: str, describe: bool) -> bytes:
        value = SECRET if "masked" in sql else b"plain"
        if "json_build_object" in sql:
            value = json.dumps(self.world).encode()
        elif "current_schemas" in sql:
            value = ("{" + ",".join(self.world["path"]) + "}").encode()
        head = backend.RowDescription((column(),)).encode() if describe else b""
        return head + backend.DataRow((value,)).encode()

    def do_begin(self, sql: str, name: str) -> None:
        self.status = "T"

    def do_commit(self, sql: str, name: str) -> None:
        self.status = "I"

    do_rollback = do_commit

    def do_declare(self, sql: str, name: str) -> None:
        if name in self.portals:
            raise ServerError("42P03", f'cursor "{name}" already exists')
        self.portals[name] = sql[sql.index("SELECT") :]

    def do_fetch(self, sql: str, name: str) -> str:
        if name not in self.portals:
            raise ServerError("34000", f'cursor "{name}" does not exist')
        return self.portals[name]

    def do_close(self, sql: str, name: str) -> None:
        if self.portals.pop(name, None) is None:
            raise ServerError("34000", f'cursor "{name}" does not exist')

    def do_prepare(self, sql: str, name: str) -> None:
        if name in self.statements:
            raise ServerError("42P05", f'prepared statement "{name}" already exists')
        self.statements[name] = sql[sql.index("SELECT") :]

    def do_execute(self, sql: str, name: str) -> str:
        if name not in self.statements:
            raise ServerError("26000", f'prepared statement "{name}" does not exist')
        return self.statements[name]

    def do_deallocate(self, sql: str, name: str) -> None:
        if name == "ALL":
            self.statements.clear()
        elif self.statements.pop(name, None) is None:
            raise ServerError("26000", f'prepared statement "{name}" does not exist')
