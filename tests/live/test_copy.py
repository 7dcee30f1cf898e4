"""COPY ... TO STDOUT of masked columns: the server reads the gate's rows back, and drivers read them as any others.

What COPY gives through the gate must be what SELECT gives through the gate, in every spelling of every format. The
judge is PostgreSQL: it loads the copied rows into a table.
"""

from __future__ import annotations

import asyncio
import csv
import io
import struct
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import psycopg2
import pytest
from psycopg import sql

from tests.live import raw
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream
from tests.live.places import Place
from tests.live.servers import PASSWORD, Postgres
from tests.live.test_psql import psql

DATABASE = "copy_masks"
CANARY = "kx83canary"

#: column -> (type, mask or None, value of row 1; other rows hold what is tricky in text)
COLUMNS: dict[str, tuple[str, str | None, str]] = {
    "id": ("integer", None, "1"),
    "plain": ("text", None, "a plain value"),
    "mail": ("text", "{keep_last: 4}", f"{CANARY}@shop.example"),
    "code": ("varchar(60)", "redact", f"{CANARY} code"),
    "padded": ("char(20)", "redact", CANARY),
    "address": ("text", "email", f"{CANARY}@example.org"),
    "token": ("text", "hash", CANARY),
    "gone": ("text", '"null"', CANARY),
    "number": ("integer", "hash", "83920174"),
    "large": ("bigint", "redact", "839201748392017483"),
    "money": ("numeric(20,4)", "redact", "83920174.8392"),
    "fraction": ("double precision", "redact", "8392.0174"),
    "yes": ("boolean", "redact", "true"),
    "bytes": ("bytea", "hash", f"\\x{CANARY.encode().hex()}"),
    "more_bytes": ("bytea", "redact", f"\\x{CANARY.encode().hex()}"),
    "key": ("uuid", "hash", "83920174-8392-0174-8392-017483920174"),
    "day": ("date", "redact", "1983-09-20"),
    "moment": ("timestamptz", "redact", "1983-09-20 08:39:20+00"),
    "span": ("interval", "redact", "8 days 03:09:20"),
    "host": ("inet", "redact", "83.92.0.174"),
    "document": ("jsonb", "{keep_last: 2}", f'{{"a": "{CANARY}"}}'),
    "letter": ("json", "redact", f'{{"a": "{CANARY}"}}'),
    "words": ("text[]", "redact", f"{{{CANARY},{CANARY}}}"),
    "numbers": ("integer[]", "redact", "{83920174,8392}"),
    "mood": ("mood", "redact", CANARY),
    "mail_of": ("mail_address", "{keep_last: 4}", f"{CANARY}@shop.example"),
    "after": ("text", None, "the last"),
}
TRICKY = ["", "\\.", "\\N", 'a "quoted", one', "tab\tnew\nline\rback\\slash", "grün 🐘|;'", ",", "NULL", " "]
SECRETS = [CANARY, CANARY.encode().hex(), "83920174", "8392.0174", "1983-09-20", "83.92.0.174"]
BINARY_SECRETS = [CANARY.encode(), struct.pack(">i", 83920174), struct.pack(">d", 8392.0174)]
NAMES = ", ".join(COLUMNS)
#: the same types without what would change a value that is read back
LOOSE = {"char(20)": "bpchar", "numeric(20,4)": "numeric", "varchar(60)": "varchar"}

RULES = (
    "version: 1\nrules:\n  - {id: all, allow: {statements: ['*'], tables: ['public.*']}}\n"
    + "".join(
        f"  - {{id: mask-{name}, mask: {{columns: [things.{name}], with: {mask}}}}}\n"
        for name, (_, mask, _) in COLUMNS.items()
        if mask
    )
    + "  - {id: mask-moving, mask: {columns: [moving.mail], with: redact}}\n"
)
SCHEMA = f"""
CREATE TYPE mood AS ENUM ('fine', '{CANARY}');
CREATE DOMAIN mail_address AS text;
CREATE TABLE things (dropped text, {", ".join(f"{name} {type_name}" for name, (type_name, _, _) in COLUMNS.items())},
  loud text GENERATED ALWAYS AS (upper(mail)) STORED, fixed integer GENERATED ALWAYS AS (1) STORED);
ALTER TABLE things DROP COLUMN dropped;
CREATE TABLE as_text ({", ".join(f"{name} text" for name in COLUMNS)});
CREATE TABLE as_typed ({", ".join(f"{name} {LOOSE.get(kind, kind)}" for name, (kind, _, _) in COLUMNS.items())});
CREATE TABLE moving (id text, mail text);
CREATE VIEW things_view AS SELECT {NAMES} FROM things;
"""


def fill(connection: psycopg.Connection[Any]) -> None:
    insert = sql.SQL("INSERT INTO things ({}) VALUES ({})")
    names = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))

    def row(values: list[str | None]) -> None:
        cells = sql.SQL(", ").join(map(sql.Literal, values))
        connection.execute(insert.format(names, cells))

    first = [value for _, _, value in COLUMNS.values()]
    row(list(first))
    row(["2", *[None] * (len(COLUMNS) - 1)])
    for number, word in enumerate(TRICKY, 3):
        values: list[str | None] = [
            (word if mask is None else CANARY[:6] + word) if kind == "text" else value
            for kind, mask, value in COLUMNS.values()
        ]
        row([str(number), *values[1:]])
    row(["99", *[value if COLUMNS[name][0] != "text" else "" for name, value in zip(COLUMNS, first, strict=True)][1:]])


@pytest.fixture(scope="module")
def things(server: Postgres) -> Iterator[Place]:
    """The database itself."""
    server.drop_database(DATABASE)
    server.create_database(DATABASE)
    server.run("SET ROLE app;" + SCHEMA, DATABASE)
    with server.connect(DATABASE) as connection, connection.transaction():
        fill(connection)
    yield Place(server.host, server.port, DATABASE, "app", PASSWORD)
    server.drop_database(DATABASE)


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, things: Place) -> Gate:
    return make_gate({"things": Upstream(things.database, "copying")}, rulebooks={"copying": RULES})


@pytest.fixture
def masked(gate: Gate) -> Place:
    return gate_place(gate, "things")


def messages(place: Place, statement: str) -> list[bytes]:
    """Each CopyData's payload."""
    with psycopg.connect(place.dsn()) as connection, connection.cursor().copy(statement.encode()) as copy:
        return [bytes(piece) for piece in copy]


def selected(place: Place, columns: str = NAMES, source: str = "things") -> list[tuple[str | None, ...]]:
    """The rows as text."""
    with psycopg.connect(place.dsn()) as connection:
        found = connection.pgconn.exec_(f"SELECT {columns} FROM {source} ORDER BY id::integer".encode())
        assert not found.error_message, found.error_message
        cells = ((found.get_value(r, c) for c in range(found.nfields)) for r in range(found.ntuples))
        return [tuple(None if cell is None else cell.decode() for cell in row) for row in cells]


def loaded(place: Place, table: str, columns: str, data: bytes, options: str) -> list[tuple[str | None, ...]]:
    """What the server reads in the copied rows."""
    with psycopg.connect(place.dsn()) as connection, connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table}".encode())
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN {options}".encode()) as copy:
            copy.write(data)
        connection.commit()
    return selected(place, columns, table)


def assert_hidden(data: bytes) -> None:
    shown = [secret for secret in SECRETS if secret.encode() in data]
    assert not shown
    assert not [secret for secret in BINARY_SECRETS if secret in data]


# ---------------------------------------------------------------- every spelling

#: options of COPY TO, and those by which COPY FROM reads the same (None: the same)
TEXTS: dict[str, str | None] = {
    "": None,
    "(FORMAT text)": None,
    "(FORMAT 'text', ENCODING 'utf-8')": None,
    "(DELIMITER '|')": None,
    "(DELIMITER ',')": None,
    "(DELIMITER E'\\x01')": None,
    "WITH NULL AS '\\Null'": None,
    "(HEADER)": None,
    "(HEADER on, DELIMITER ';')": None,
    "CSV": None,
    "(FORMAT csv)": None,
    "WITH CSV HEADER": None,
    "(FORMAT csv, HEADER true, DELIMITER ';')": None,
    "(FORMAT csv, DELIMITER E'\\t')": None,
    "(FORMAT csv, NULL 'NULL')": None,
    "(FORMAT csv, NULL '\\N')": None,
    "(FORMAT csv, FORCE_QUOTE *)": "(FORMAT csv)",
    "(FORMAT csv, FORCE_QUOTE (mail, code, after, number))": "(FORMAT csv)",
    "CSV FORCE QUOTE mail, plain": "CSV",
    "CSV QUOTE '''' ESCAPE '/'": None,
    "(FORMAT csv, ESCAPE E'\\\\')": None,
    "(FORMAT csv, QUOTE '*', ESCAPE 'x')": None,
    "(FORMAT csv, QUOTE 'k', DELIMITER '8')": None,
}
SOURCES = {
    "table": ("things", NAMES),
    "columns": (f"things ({', '.join(reversed(COLUMNS))})", ", ".join(reversed(COLUMNS))),
    "query": (f"(SELECT {NAMES} FROM things)", NAMES),
    "view": ("(SELECT * FROM things_view v WHERE id > 0)", NAMES),
    "common table": (f"(WITH x AS (TABLE things) SELECT {NAMES} FROM x)", NAMES),
    "nothing": ("(SELECT * FROM things_view WHERE id < 0)", NAMES),
}


PAIRS = [(options, "table") for options in TEXTS] + [
    (options, source) for options in ("", "WITH CSV HEADER") for source in SOURCES if source != "table"
]


@pytest.mark.parametrize(("options", "source"), PAIRS)
def test_text_and_csv_are_what_select_gives(options: str, source: str, things: Place, masked: Place) -> None:
    text, columns = SOURCES[source]
    found = messages(masked, f"COPY {text} TO STDOUT {options}")
    assert_hidden(b"".join(found))
    assert len(found) == len(messages(things, f"COPY {text} TO STDOUT {options}"))
    wanted = selected(masked, columns) if source != "nothing" else []
    assert loaded(things, "as_text", columns, b"".join(found), TEXTS[options] or options) == wanted


@pytest.mark.parametrize("source", SOURCES)
def test_binary_is_what_select_gives(source: str, things: Place, masked: Place) -> None:
    text, columns = SOURCES[source]
    found = messages(masked, f"COPY {text} TO STDOUT (FORMAT binary)")
    assert_hidden(b"".join(found))
    assert len(found) == len(messages(things, f"COPY {text} TO STDOUT BINARY"))
    wanted = selected(masked, columns) if source != "nothing" else []
    assert loaded(things, "as_typed", columns, b"".join(found), "(FORMAT binary)") == wanted


def test_the_oldest_spellings(things: Place, masked: Place) -> None:
    found = messages(masked, "COPY BINARY things TO STDOUT")
    assert loaded(things, "as_typed", NAMES, b"".join(found), "(FORMAT binary)") == selected(masked)
    found = messages(masked, "COPY things TO STDOUT USING DELIMITERS '|' WITH NULL AS '\\N'")
    assert loaded(things, "as_text", NAMES, b"".join(found), "(DELIMITER '|')") == selected(masked)


@pytest.mark.parametrize("name", COLUMNS)
def test_each_column_by_itself(name: str, things: Place, masked: Place) -> None:
    for options, table in (("", "as_text"), ("(FORMAT csv)", "as_text"), ("(FORMAT binary)", "as_typed")):
        found = b"".join(messages(masked, f"COPY (SELECT {name} FROM things ORDER BY id) TO STDOUT {options}"))
        assert_hidden(found)
        if name != "id":
            both = b"".join(messages(masked, f"COPY (SELECT id, {name} FROM things) TO STDOUT {options}"))
            columns = f"id, {name}"
            assert loaded(things, table, columns, both, options) == selected(masked, columns)


@pytest.mark.parametrize("options", ["", "(FORMAT csv, HEADER, FORCE_QUOTE *)", "(FORMAT binary)"])
def test_what_is_not_masked_is_the_servers_own_bytes(options: str, things: Place, masked: Place) -> None:
    for text in ("things (plain, id, after)", "(SELECT id, after FROM things)"):
        statement = f"COPY {text} TO STDOUT {options}"
        assert messages(masked, statement) == messages(things, statement)


def test_computed_values_are_redacted_by_their_types(masked: Place) -> None:
    query = "SELECT upper(mail), mail || '', coalesce(number, 1), gone || '' FROM things WHERE id = 1"
    assert messages(masked, f"COPY ({query}) TO STDOUT") == [b"[redacted]\t[redacted]\t0\t\\N\n"]
    statement = f"COPY ({query}) TO STDOUT BINARY"
    with psycopg.connect(masked.dsn()) as connection, connection.cursor().copy(statement.encode()) as copy:
        copy.set_types(["text", "text", "int4", "text"])
        assert list(copy.rows()) == [("[redacted]", "[redacted]", 0, None)]


@pytest.mark.parametrize("options", ["", "(FORMAT csv)", "(FORMAT binary)"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, upper(mail), mail || '', number + 1, length(code) > 3 FROM things",
        "SELECT things FROM things",
        "SELECT row_to_json(t) FROM things t",
        "SELECT array_agg(mail), max(number), count(*) FROM things",
        "SELECT id, mail FROM things UNION ALL SELECT number, gone FROM things",
        "SELECT loud, fixed FROM things",
        "VALUES ((SELECT mail FROM things WHERE id = 1))",
        "INSERT INTO things (id) VALUES (-5) RETURNING (SELECT mail FROM things WHERE id = 1)",
        "DELETE FROM things WHERE id = -5 RETURNING *",
    ],
)
def test_whatever_is_computed_shows_nothing(query: str, options: str, things: Place, masked: Place) -> None:
    try:
        found = messages(masked, f"COPY ({query}) TO STDOUT {options}")
    except psycopg.errors.InsufficientPrivilege:
        assert "DELETE" in query or ">" in query or "+" in query  # conditions and computations that may fail
        return
    assert_hidden(b"".join(found))
    assert len(found) == len(messages(things, f"COPY ({query}) TO STDOUT {options}")) or "DELETE" in query


# ---------------------------------------------------------------- refusals

REFUSED = {
    "(ENCODING 'LATIN1')": "ENCODING LATIN1",
    "(ENCODING 'SQL_ASCII')": "ENCODING SQL_ASCII",
    "(FORMAT text, NULL '')": "NULL ''",
    "(NULL '83920174')": "NULL '83920174'",
    "(FORMAT csv, QUOTE E'\\n')": "a QUOTE that is not one ASCII character",
    "(FORMAT csv, FREEZE false)": "the option FREEZE",
}


@pytest.mark.parametrize("options", REFUSED)
def test_what_the_gate_cannot_mask_is_refused(options: str, masked: Place) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as refusal:
        messages(masked, f"COPY things TO STDOUT {options}")
    diagnostics = refusal.value.diag
    assert f"the gate cannot mask COPY with {REFUSED[options]}" in (diagnostics.message_detail or "")
    assert diagnostics.message_hint


@pytest.mark.parametrize(
    "statement",
    ["COPY things TO '/tmp/x'", "COPY things TO PROGRAM 'cat'", "COPY (SELECT mail FROM things) TO '/tmp/x' CSV"],
)
def test_files_of_the_server_stay_closed(statement: str, masked: Place) -> None:
    with psycopg.connect(masked.dsn()) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("COPY things (loud) TO STDOUT", "42P10"),
        ("COPY things_view TO STDOUT", "42809"),
        ("COPY nowhere TO STDOUT", "42P01"),
        ("COPY things (nothing) TO STDOUT", "42703"),
    ],
)
def test_the_servers_own_errors(statement: str, sqlstate: str, things: Place, masked: Place) -> None:
    for place in (things, masked):
        with pytest.raises(psycopg.Error) as problem:
            messages(place, statement)
        assert problem.value.sqlstate == sqlstate


# ---------------------------------------------------------------- protocols and drivers


@pytest.mark.parametrize("mode", ["simple", "extended"])
def test_both_protocols(mode: str, masked: Place) -> None:
    statement = "COPY (SELECT id, mail, after FROM things WHERE id = 1) TO STDOUT"
    with masked.raw() as client:
        heard = client.ask(raw.query(statement) if mode == "simple" else raw.extended(statement))
        kinds = "".join(message.kind for message in heard)
        assert kinds.endswith("HdcCZ")
        data = next(message.payload for message in heard if message.kind == "d")
    assert data == b"1\t" + b"*" * 19 + b"mple\tthe last\n"


def test_in_the_midst_of_several_statements(masked: Place) -> None:
    with masked.raw() as client:
        heard = client.ask(raw.query("SELECT 1; COPY things (mail) TO STDOUT CSV; SELECT mail FROM things; SELECT 2"))
    assert "".join(message.kind for message in heard).startswith("TDCHd")
    assert_hidden(b"".join(message.payload for message in heard))


def test_a_prepared_copy_follows_the_table(things: Place, masked: Place) -> None:
    with psycopg.connect(things.dsn(), autocommit=True) as other, masked.raw() as client:
        other.execute(f"INSERT INTO moving VALUES ('1', '{CANARY}')".encode())
        run = raw.bind("c") + raw.execute("") + raw.SYNC
        client.ask(raw.parse("COPY moving TO STDOUT", "c") + raw.SYNC)
        heard = client.ask(run)
        assert [m.payload for m in heard if m.kind == "d"] == [b"1\t[redacted]\n"]
        # the same number of columns in another order: only the server can tell
        other.execute("DROP TABLE moving; CREATE TABLE moving (mail text, id text)")
        other.execute(f"INSERT INTO moving VALUES ('{CANARY}', '1')".encode())
        for ask in (run, raw.query("COPY moving TO STDOUT"), raw.query("COPY (SELECT * FROM moving) TO STDOUT CSV")):
            try:
                assert_hidden(b"".join(message.payload for message in client.ask(ask)))
            except raw.ConnectionClosedError:
                break
        assert_hidden(bytes(client.received))


def test_a_cancelled_copy(masked: Place) -> None:
    with psycopg.connect(masked.dsn(), autocommit=True) as connection:
        statement = "COPY (SELECT t.mail FROM things t, generate_series(1, 1000000)) TO STDOUT"
        with pytest.raises(psycopg.errors.QueryCanceled):
            _cancel_half_way(connection, statement)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def _cancel_half_way(connection: psycopg.Connection[Any], statement: str) -> None:
    with connection.cursor().copy(statement.encode()) as copy:
        for number, piece in enumerate(copy):
            assert CANARY.encode() not in bytes(piece)
            if number == 1000:
                connection.cancel()


def test_psql(masked: Place) -> None:
    for command in (
        "\\copy things TO STDOUT",
        "\\copy things (id, mail, code) TO pstdout WITH CSV HEADER",
        "\\copy (SELECT id, mail FROM things ORDER BY id) TO STDOUT (FORMAT csv, FORCE_QUOTE *)",
        "COPY things TO STDOUT;",
    ):
        told = psql(masked, command + "\n")
        assert "the last" in told or "mple" in told, told
        assert_hidden(told.encode())
    assert '"1","*******************mple"' in told or "[redacted]" in told


def test_psycopg(masked: Place) -> None:
    with psycopg.connect(masked.dsn()) as connection, connection.cursor() as cursor:
        statement = "COPY (SELECT id, mail, number, day, words FROM things WHERE id = 1) TO STDOUT"
        with cursor.copy(statement) as copy:
            rows = list(copy.rows())
        with cursor.copy(statement + " (FORMAT binary)") as copy:
            copy.set_types(["int4", "text", "int4", "date", "text[]"])
            typed = list(copy.rows())
    plain = selected(masked, "id, mail, number, day, words")[0]
    assert rows == [plain]
    assert [str(value) for value in typed[0][:4]] == list(plain[:4])
    assert typed[0][1] == "*" * 19 + "mple"


def test_psycopg2(masked: Place) -> None:
    connection = psycopg2.connect(masked.dsn())
    try:
        written = io.StringIO(newline="")
        with connection.cursor() as cursor:
            cursor.copy_expert("COPY things TO STDOUT WITH CSV HEADER", written)
            listed = io.StringIO()
            cursor.copy_to(listed, "things", sep="|", columns=("id", "mail"))
    finally:
        connection.close()
    assert_hidden(written.getvalue().encode() + listed.getvalue().encode())
    header, *rows = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert header == list(COLUMNS)
    assert len(rows) == len(TRICKY) + 3
    assert listed.getvalue().splitlines()[0] == "1|" + "*" * 19 + "mple"


def test_asyncpg(masked: Place) -> None:
    async def talk() -> tuple[bytes, bytes, bytes]:
        connection = await asyncpg.connect(masked.plain(), ssl="disable")
        try:
            outputs = [io.BytesIO() for _ in range(3)]
            query = "SELECT id, mail, number FROM things WHERE id = $1"
            await connection.copy_from_query(query, 1, output=outputs[0], format="csv", header=True)
            await connection.copy_from_table("things", output=outputs[1], columns=["id", "mail"], format="binary")
            await connection.copy_from_table("things", output=outputs[2], delimiter="|")
            return outputs[0].getvalue(), outputs[1].getvalue(), outputs[2].getvalue()
        finally:
            await connection.close(timeout=5)

    found = asyncio.run(talk())
    assert_hidden(b"".join(found))
    assert found[0].startswith(b"id,mail,number\n1," + b"*" * 19 + b"mple,")
    assert found[1].endswith(b"\xff\xff")
    assert found[2].count(b"\n") == len(TRICKY) + 3
