"""Attempts on MySQL's wire to have the gate and the server, or the gate and the client, mean different things.

A relay between the gate and the real server lies in the place of replies; a client sends texts that could be read in
two ways. No value of a masked column or a denied table ever comes, and afterwards the session is in step or at its end.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable

import pytest

from tests.live import mysql_raw as raw
from tests.live.gate import await_true
from tests.live.mysql_bed import SECRET, Bed
from tests.live.mysql_servers import Brand
from tests.live.mysql_tamper import LONG, Lie, column, eof, error, ok, packets, result, text

MORE = 2 | raw.MORE_RESULTS
VALUE = b"ada" + SECRET
ROW = text(b"1") + text(VALUE)
NAME, EMAIL, PLAIN = column(b"customers", b"name"), column(b"customers", b"email"), column(b"plain", b"name")
TWO = packets(b"\2", PLAIN, PLAIN, eof())  # the reply's head: ids 1 to 4
#: in the place of the reply to a statement of two columns, the second one masked
LIES: dict[str, bytes] = {
    "the truth": result([NAME, EMAIL], [ROW]),
    "another origin": result([NAME, PLAIN], [ROW]),
    "no origin": result([column(b"", b"x"), column(b"", b"y")], [ROW]),
    "more columns": result([PLAIN] * 3, [ROW + text(VALUE)]),
    "fewer columns": result([PLAIN], [text(VALUE)]),
    "a count too high": result([PLAIN] * 2, [ROW], count=3),
    "a count too low": result([PLAIN] * 2, [ROW], count=1),
    "a count of nothing": packets(b"\xfc\0\0"),
    "a count of millions": packets(b"\xfd\xff\xff\xff"),
    "a count cut short": packets(b"\xfc\1"),
    "a count with more behind": packets(b"\2" + VALUE),
    "a row of more columns": result([PLAIN] * 2, [ROW + text(VALUE)]),
    "a row of fewer columns": result([PLAIN] * 2, [text(VALUE)]),
    "a length beyond the row": result([PLAIN] * 2, [text(b"1") + b"\x40" + VALUE]),
    "a length cut short": result([PLAIN] * 2, [text(b"1") + b"\xfd\1"]),
    "a length that is none": result([PLAIN] * 2, [text(b"1") + b"\xff" + VALUE]),
    "a row that begins as an error": result([PLAIN] * 2, [b"\xff" + VALUE]),
    "an empty row": result([PLAIN] * 2, [b""]),
    "an end of rows with values in it": result([PLAIN] * 2, [b"\xfe" + VALUE]),
    "two replies": result([NAME, EMAIL], [ROW]) * 2,
    "one more result": result([NAME, EMAIL], [ROW], MORE) + packets(b"\1", PLAIN, eof(), text(VALUE), eof(), first=7),
    "OK": packets(ok()),
    "OK and a result": packets(ok(MORE), b"\1", PLAIN, eof(), text(VALUE), eof()),
    "OK, cut short": packets(b"\0\0"),
    "an error, cut short": packets(b"\xff\1"),
    "an error that tells": packets(error(VALUE, 1292)),
    "an error behind rows that tells": packets(b"\2", NAME, EMAIL, eof(), ROW, error(VALUE, 1366)),
    "a wrong id at once": packets(b"\2", PLAIN, first=7),
    "a wrong id in the rows": TWO + packets(ROW, eof(), first=9),
    "a row's id twice": TWO + packets(ROW, first=5) + packets(ROW, eof(), first=5),
    "an empty packet": b"\0\0\0\1",
    "a request for authentication": packets(b"\xfemysql_native_password\0abcdefghijabcdefghij\0"),
    "a definition cut short": packets(b"\2", b"\3def\x50", PLAIN, eof(), ROW, eof()),
    "a definition with more behind": packets(b"\2", NAME, EMAIL + VALUE, eof(), ROW, eof()),
    "an end among the definitions": packets(b"\2", PLAIN, eof(), ROW, eof()),
    "an error among the definitions": packets(b"\2", PLAIN, error(VALUE, 1292)),
    "other types": result([column(b"plain", b"name", kind=LONG), column(b"plain", b"name", kind=16)], [ROW]),
    "unknown types": result([column(b"plain", b"name", kind=99), column(b"plain", b"name", kind=77)], [ROW]),
    "a cursor": packets(b"\2", PLAIN, PLAIN, eof(0x42), ROW, eof()),
    "noise": b"\xde\xad\xbe\xef" * 40,
    "a text": b"HTTP/1.1 400 Bad Request\r\n\r\n" + VALUE,
}


def telling(*pieces: bytes) -> Lie:
    """The lie, and then nothing any more: what is missing must not be waited for without end by anyone but the one
    who asked."""

    def tell(near: socket.socket) -> None:
        for piece in pieces:
            near.sendall(piece)

    return tell


def in_step(client: raw.Raw) -> bool:
    """Is the session where it should be? False: it is over."""
    try:
        reply = client.query("SELECT 4711 AS x")
    except raw.ConnectionClosedError:
        return False
    if reply.packets[-1][:1] == b"\xff":
        assert closed(client)
        return False
    assert text(b"4711") in reply.packets
    return True


def closed(client: raw.Raw) -> bool:
    try:
        while True:
            client.packet()
    except raw.ConnectionClosedError:
        return True
    except TimeoutError:
        return False


def lied_to(bed: Bed, name: str, lie: bytes, ask: Callable[[raw.Raw], object], database: str = "masked") -> raw.Raw:
    """A session after it has asked: everything that it was sent is in `received`."""
    bed.relay.lies[name.encode()] = telling(lie)
    with bed.login(database, timeout=3.0) as client:
        with contextlib.suppress(raw.ConnectionClosedError):
            ask(client)
        in_step(client)
        return client


def marked(name: str, statement: str = "SELECT name, email FROM customers") -> str:
    return f"{statement} /*tampered {name}*/"


@pytest.mark.parametrize("name", LIES)
def test_a_server_that_lies(bed: Bed, name: str) -> None:
    client = lied_to(bed, name, LIES[name], lambda client: client.query(marked(name)))
    assert SECRET not in bytes(client.received)


def test_a_reply_in_two_pieces(bed: Bed) -> None:
    """Cut anywhere it says the same: the masked row, never a piece of the value."""
    data = LIES["the truth"]
    with bed.login(timeout=5.0) as client:
        for cut in range(1, len(data), 2):
            bed.relay.lies[b"cut"] = telling(data[:cut], data[cut:])
            assert client.query(marked("cut")).packets[-2:-1] == (text(b"1") + text(b"[redacted]"),)
        assert in_step(client)
        assert SECRET not in bytes(client.received)


@pytest.mark.parametrize("statement", ["UPDATE plain SET name = 'y' WHERE id = 1", "BEGIN", "SET @a = 1"])
def test_rows_where_none_are_due(bed: Bed, statement: str) -> None:
    for name in ("the truth", "another origin", "OK and a result", "one more result"):
        client = lied_to(bed, name, LIES[name], lambda client, name=name: client.query(marked(name, statement)))  # type: ignore[misc]
        assert SECRET not in bytes(client.received)


def test_columns_that_the_server_names(bed: Bed) -> None:
    """A statement that reads nothing masked, of which the server says otherwise."""
    ask = marked("named", "SELECT name, name AS n FROM plain")
    client = lied_to(bed, "named", LIES["the truth"], lambda client: client.query(ask))
    assert SECRET not in bytes(client.received)
    keys = column(b"api_keys", b"k")
    client = lied_to(bed, "named", result([keys, keys], [ROW]), lambda client: client.query(ask))
    assert SECRET not in bytes(client.received)


BINARY_ROW = b"\0\0" + text(b"1") + text(VALUE)
BINARY_LIES = {
    "text rows": LIES["another origin"],
    "more columns": result([PLAIN] * 3, [BINARY_ROW + text(VALUE)]),
    "a row without its first byte": result([PLAIN] * 2, [BINARY_ROW[1:]]),
    "a row of one byte": result([PLAIN] * 2, [b"\0"]),
    "all is NULL and more": result([PLAIN] * 2, [b"\0\x0c" + VALUE]),
    "another type": result([PLAIN, column(b"plain", b"name", kind=LONG)], [BINARY_ROW]),
    "a type without a form": result([PLAIN, column(b"plain", b"name", kind=99)], [BINARY_ROW]),
    "a length beyond the row": result([PLAIN] * 2, [b"\0\0" + text(b"1") + b"\xfd\xff\xff\xff" + VALUE]),
    "a prepared statement": packets(b"\0" + bytes(11)),
    "a cursor, and rows": packets(b"\2", PLAIN, PLAIN, eof(0x42), BINARY_ROW, eof()),
}


@pytest.mark.parametrize("name", BINARY_LIES)
def test_a_server_that_lies_to_a_prepared_statement(bed: Bed, name: str) -> None:
    def ask(client: raw.Raw) -> None:
        statement = client.prepare("SELECT name, email FROM customers WHERE name = ?").statement
        client.execute(statement, [f"tampered {name}*"])

    assert SECRET not in bytes(lied_to(bed, name, BINARY_LIES[name], ask).received)


def prepared_ok(columns: int, parameters: int) -> bytes:
    return b"\0" + struct.pack("<IHHxH", 7, columns, parameters, 0)


#: in the place of the reply to a COM_STMT_PREPARE
PREPARE_LIES = {
    **LIES,
    "counts, then an error": packets(prepared_ok(0xFFFF, 0xFFFF), error(VALUE, 1292)),
    "counts, then rows": packets(prepared_ok(2, 0), PLAIN, PLAIN, eof(), ROW, eof()),
    "fewer definitions": packets(prepared_ok(3, 0), PLAIN, PLAIN, eof()),
    "more definitions": packets(prepared_ok(1, 0), PLAIN, PLAIN, eof()),
    "a wrong id in the definitions": packets(prepared_ok(2, 0)) + packets(PLAIN, PLAIN, eof(), first=9),
    "OK for another column": packets(prepared_ok(1, 0), NAME, eof()),
}


@pytest.mark.parametrize("name", PREPARE_LIES)
def test_a_server_that_lies_when_it_prepares(bed: Bed, name: str) -> None:
    """An error or the end of the connection, and the client is not left waiting (TimeoutError)."""
    client = lied_to(bed, name, PREPARE_LIES[name], lambda client: client.prepare(marked(name)))
    assert SECRET not in bytes(client.received)


@pytest.mark.parametrize("statement", ["SELECT 1", "UPDATE plain SET name = 'y'", "SELECT name, email FROM customers"])
def test_a_server_that_asks_for_a_file(bed: Bed, statement: str) -> None:
    """It gets an empty one from the gate; the client is not asked."""
    given: list[bytes] = []

    def asks(near: socket.socket) -> None:
        near.sendall(packets(b"\xfb/etc/passwd"))
        given.append(near.recv(100))
        near.sendall(packets(ok(), first=3))

    bed.relay.lies[b"file"] = asks
    with bed.login() as client:
        reply = client.query(marked("file", statement))
        assert reply.failed
        assert b"file" in reply.packets[0]
        assert given == [b"\0\0\0\2"]
        assert in_step(client)


SMUGGLED: dict[str, tuple[bytes, ...]] = {
    "a NUL before the end": (b"SELECT name FROM plain\0 UNION SELECT k FROM api_keys",),
    "a NUL at the start": (b"\0SELECT k FROM api_keys",),
    "a NUL in a comment": (b"SELECT name FROM plain /*\0*/ UNION SELECT k FROM api_keys",),
    "invalid UTF-8 that would take the quote": (
        b"SELECT '\xff', k FROM api_keys -- '",
        b"SELECT '\xe4\xb8', k FROM api_keys",
    ),
    "a sequence cut by the quote": (b"SELECT '\xf0\x9f\x98', k FROM api_keys -- '",),
    "an overlong quote": (b"SELECT '\xc0\xa7, k FROM api_keys -- '",),
    "four bytes in utf8mb3": (
        b"SET NAMES utf8mb3",
        b"SELECT '\xf0\x9f\x98\x80', k FROM api_keys -- '",
        b"SELECT email AS `\xf0\x9f\x98\x80`, k FROM customers, api_keys",
        b"SELECT name, email AS `name\xf0\x9f\x98\x80` FROM customers",
    ),
    "latin1, backslashes and high bytes": (
        b"SET NAMES latin1",
        b"SELECT '\xbf\\', k FROM api_keys -- '",
        b"SELECT '\xbf', k FROM api_keys",
        b"SELECT '\x81\\\\', k FROM api_keys",
        b"SELECT email AS `\xe9` FROM customers",
    ),
    "ascii with high bytes": (
        b"SET NAMES ascii",
        b"SELECT '\xbf\\', k FROM api_keys -- '",
        b"SELECT '\xe9', k FROM api_keys",
    ),
    "character sets with quotes in characters": (
        b"SET NAMES gbk",
        b"SET character_set_client = sjis",
        b"SELECT '\xbf\x5c', k FROM api_keys -- '",
        b"SELECT _gbk'\xbf\x5c', k FROM api_keys -- '",
    ),
    "an introducer": (b"SELECT _gbk'\xbf\\', k FROM api_keys -- '", b"SELECT _binary'a\\', k FROM api_keys -- '"),
    "comments that the server runs": (
        b"SELECT name /*!50000 , email */ FROM customers",
        b"SELECT name /*!99999 , k */ FROM customers /*!00000 , api_keys */",
        b"SELECT name /*M!100000 , email */ FROM customers",
        b"SELECT name FROM plain /*! UNION SELECT k FROM api_keys */",
        b"SELECT name FROM plain /*/ UNION SELECT k FROM api_keys /**/",
        b"SELECT name FROM plain /*!/* */ UNION SELECT k FROM api_keys */",
        b"SELECT name FROM plain --\1UNION SELECT k FROM api_keys",
        b"SELECT name FROM plain WHERE 1--1 UNION SELECT k FROM api_keys",
        b"SELECT name FROM plain #\n UNION SELECT k FROM api_keys",
        b"SELECT name FROM plain -- \r UNION SELECT k FROM api_keys",
    ),
    "modes": (
        b"SET sql_mode = 'ANSI_QUOTES'",
        b"SELECT \"a\", k FROM api_keys",
        b"SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        b"SELECT '\\', k FROM api_keys -- '",
    ),
    "several statements": (
        b"SELECT 1; SELECT k FROM api_keys",
        b"SELECT 1;;SELECT k FROM api_keys",
        b"DELIMITER //\nSELECT k FROM api_keys//",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SMUGGLED)
@pytest.mark.parametrize("way", ["query", "prepare"])
def test_texts_of_two_readings(bed: Bed, name: str, way: str) -> None:
    with bed.login(capabilities=raw.NEW) as client:
        for sql in SMUGGLED[name]:
            if way == "query":
                client.query(sql)
            elif not (prepared := client.prepare(sql)).failed:
                client.execute(prepared.statement)
        assert in_step(client)
        assert SECRET not in bytes(client.received)


def test_these_texts_would_tell(bed: Bed) -> None:
    """Run directly the secret does come: an attempt that cannot leak proves nothing."""
    with contextlib.closing(raw.Raw(bed.server.host, bed.server.port)) as client:
        client.login("app", "app-secret", "tampered")
        for name in ("comments that the server runs", "several statements"):
            for sql in SMUGGLED[name]:
                client.query(sql)
        assert SECRET in bytes(client.received)


def test_the_option_of_several_statements(bed: Bed) -> None:
    with bed.login() as client:
        for option in (b"\1\0", b"\0\0", b"\1\0", b"\2\0", b"\xff\xff", b"\0\0"):
            client.command(27, option)
            client.query("SELECT 1; SELECT k FROM api_keys")
            client.query("SELECT name FROM plain; SELECT email FROM customers")
            assert client.prepare("SELECT 1; SELECT email FROM customers").failed
            assert in_step(client)
        assert SECRET not in bytes(client.received)


# ---------------------------------------------------------------- the audit


def events(bed: Bed, text_in_it: str) -> list[tuple[str, str, str]]:
    """(type, verdict or SQLSTATE, tag) of each statement with this in its text, in the order of the log."""
    found, ids = [], set()
    for event in bed.gate.audit():
        if event["type"] == "statement_decided" and text_in_it in event["statement"]:
            ids.add(event["statement_id"])
            found.append(("decided", event["verdict"], ""))
        elif event["type"] == "statement_finished" and event["statement_id"] in ids:
            found.append(("finished", event["sqlstate"], event["command_tag"]))
    return found


def test_the_intent_is_logged_before_the_statement_is_sent(bed: Bed) -> None:
    seen: list[list[tuple[str, str, str]]] = []

    def looks(near: socket.socket) -> None:
        seen.append(events(bed, "/*tampered look*/"))
        near.sendall(packets(ok()))

    bed.relay.lies[b"look"] = looks
    with bed.login() as client:
        for _ in range(3):  # the general way, and what is known already
            client.query(marked("look", "UPDATE plain SET name = 'z' WHERE id = 1"))
    assert [len(found) for found in seen] == [1, 3, 5]
    assert all(found[-1] == ("decided", "allow", "") for found in seen)
    await_true(lambda: len(events(bed, "/*tampered look*/")) == 6)


def test_every_statement_has_one_outcome(bed: Bed) -> None:
    word = "outcome of this test"
    statements = {
        f"SELECT 1 /*{word}*/": ("allow", ""),
        f"SELECT name, email FROM customers /*{word}*/": ("allow", ""),
        f"SELECT k FROM api_keys /*{word}*/": ("refuse", None),
        f"INSERT INTO plain VALUES (1, 'again') /*{word}*/": ("allow", "23000"),
        f"SELECT FROM WHERE /*{word}*/": ("refuse", None),
    }
    with bed.login() as client:
        for statement in statements:
            client.query(statement)
    with bed.login("open") as client:
        client.send(bytes([raw.QUERY]) + f"SELECT sleep(5), 1 /*{word}*/".encode())
        await_true(lambda: len(events(bed, word)) == 9)
    await_true(lambda: len(events(bed, word)) == 10)
    expected = []
    for verdict, sqlstate in statements.values():
        expected.append(("decided", verdict))
        expected += [("finished", sqlstate)] if sqlstate is not None else []
    expected += [("decided", "allow"), ("finished", "unknown")]
    assert [each[:2] for each in events(bed, word)] == expected


def test_the_servers_are_what_they_say(bed: Bed) -> None:
    """The lies were told to the gate as MySQL and as MariaDB: it tells them apart by their greeting."""
    assert ("MariaDB" in bed.server.version) is (bed.server.brand is Brand.MARIADB)
