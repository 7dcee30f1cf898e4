"""Attempts to make the gate and the server mean different things by one name, in real bytes.

Each would show a hidden value if the gate took a name, a search path or the shape of rows from anywhere but where the
server takes it. Run directly, each must show the value: an attempt that could not leak proves nothing.
"""

from __future__ import annotations

import contextlib

import pytest

from tests.live import raw, worlds
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream
from tests.live.places import Place
from tests.live.raw import SYNC, bind, close, copy_data, describe, execute, parse, query
from tests.live.servers import Postgres

#: expressions: they have no origin that the server could name in RowDescription
SECRET = "SELECT ssn || '!' AS x FROM customers ORDER BY id"
PLAIN = "SELECT name || '!' AS x FROM customers ORDER BY id"
EMAILS = "SELECT email || '!' AS x FROM customers ORDER BY id"
REVIEWS = "SELECT words || '!' AS x FROM reviews"
BEGIN, TO_HR, TO_OPEN = query("BEGIN"), "SET search_path = hr", query("SET search_path = open")
SSN, EMAIL, WORDS = (worlds.customer("a", 5)[4].encode(), worlds.customer("a", 5)[2].encode(), b"for hr alone")
LONG = "n" * 63

RULES = """
version: 1
rules:
  - id: nearly-all
    roles: [agent]
    allow: {statements: ["*"], tables: ["public.*", "open.*", "front.*", "pg_temp.*"], functions: [mover, folded]}
  - id: no-hr
    deny: {tables: ["hr.*"]}
  - id: mask
    roles: [agent]
    mask: {columns: ["public.customers.ssn", "public.customers.email"], with: redact}
"""
WORLD = f"""
CREATE TABLE reviews (id integer PRIMARY KEY, employee_id integer, words text NOT NULL);
INSERT INTO reviews VALUES (1, 1, 'for everyone');
TRUNCATE hr.reviews;
INSERT INTO hr.reviews VALUES (1, 1, '{WORDS.decode()}');
CREATE SCHEMA open;
CREATE TABLE open.customers AS SELECT id, 'nobody' AS email, 'nothing' AS ssn FROM customers;
CREATE TABLE noisy (id integer);
CREATE FUNCTION mover() RETURNS integer LANGUAGE plpgsql AS
  'BEGIN PERFORM set_config(''search_path'', ''hr, public'', false); RETURN 1; END';
CREATE FUNCTION folded() RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
  'BEGIN PERFORM set_config(''search_path'', ''hr, public'', false); RETURN 1; END';
CREATE RULE tell AS ON INSERT TO noisy DO ALSO SELECT ssn || '!' AS x FROM customers;
ALTER SCHEMA open OWNER TO app;
ALTER TABLE open.customers OWNER TO app;
GRANT USAGE ON SCHEMA open TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA open, public, hr TO PUBLIC;
GRANT USAGE ON SCHEMA hr TO PUBLIC;
"""


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, server: Postgres, database: str) -> Gate:
    """The schemas hr and open have tables of the same names as public; hr is denied, in open nothing is masked."""
    server.run(WORLD, database)
    return make_gate({"names": Upstream(database, "names")}, rulebooks={"names": RULES})


def replies(data: bytes) -> int:
    """How many ReadyForQuery a server gives to these messages."""
    at, found = 0, 0
    while at < len(data):
        found += data[at : at + 1] in (b"Q", b"S")
        at += 1 + int.from_bytes(data[at + 1 : at + 5])
    return found


def received(place: Place, steps: tuple[bytes, ...]) -> bytes:
    """Everything that a client is sent; each step waits for the last one's replies."""
    with place.raw() as client, contextlib.suppress(raw.ConnectionClosedError):
        for step in steps:
            client.ask(step, replies(step))
    return bytes(client.received)


def without_words(data: bytes) -> list[tuple[str, bytes]]:
    """Kinds and payloads; of an error the kind alone, since the gate drops what tells of the server's source."""
    at, found = 0, []
    while at < len(data):
        end = at + 1 + int.from_bytes(data[at + 1 : at + 5])
        found.append((chr(data[at]), b"" if data[at : at + 1] == b"E" else data[at + 5 : end]))
        at = end
    return found


def run(statement: str, name: str = "", portal: str = "") -> bytes:
    return parse(statement, name) + bind(name, portal) + execute(portal)


COPY_NONE = raw.COPY_DONE
SHADOW = query("CREATE TEMP TABLE customers (id integer, name text, email text, ssn text)")
OPEN_FIRST = query("SET search_path = open, public")
#: names what nobody has, so that the gate reads the catalog again
SEE_IT = query("TABLE nobody_has_this")
ATTEMPTS: dict[str, tuple[bytes, tuple[bytes, ...]]] = {
    "statement names are cut at 63 bytes": (
        SSN,
        (
            parse(PLAIN, LONG + "x") + close(LONG + "y") + parse(SECRET, LONG + "y") + SYNC,
            bind(LONG + "x") + execute() + SYNC,
        ),
    ),
    "portal names are cut at 63 bytes": (
        SSN,
        (
            BEGIN,
            parse(PLAIN, "a") + parse(SECRET, "b") + bind("a", LONG + "x") + SYNC,
            close(LONG + "y", "P") + bind("b", LONG + "y") + execute(LONG + "x") + SYNC,
        ),
    ),
    "a long name in SQL": (
        SSN,
        (
            query(f"PREPARE {LONG}x AS {PLAIN}"),
            close(LONG + "y") + parse(SECRET, LONG + "z") + SYNC,
            query(f"EXECUTE {LONG}x"),
        ),
    ),
    "other letters are not folded": (SSN, (parse(PLAIN, "é") + parse(SECRET, "É") + SYNC, query("EXECUTE É"))),
    "quoted names keep their case": (SSN, (parse(PLAIN, "a") + parse(SECRET, "A") + SYNC, query('EXECUTE "A"'))),
    "a Query in the batch that moves the path": (WORDS, (run(TO_HR) + query(REVIEWS) + SYNC,)),
    "a Bind in the batch that moves the path": (
        WORDS,
        (parse(REVIEWS, "r") + SYNC, run(TO_HR) + bind("r") + execute() + SYNC),
    ),
    "an EXECUTE in the batch that moves the path": (
        WORDS,
        (
            parse(REVIEWS, "r") + parse("EXECUTE r", "e") + bind("e") + SYNC,
            BEGIN,
            bind("e", "p") + SYNC,
            run(TO_HR) + execute("p") + SYNC,
        ),
    ),
    "a cursor keeps the tables it was declared on": (
        EMAIL,
        (BEGIN, query(f"DECLARE c CURSOR FOR {EMAILS}"), TO_OPEN, query("FETCH ALL FROM c")),
    ),
    "a cursor, fetched in the extended protocol": (
        EMAIL,
        (BEGIN, query(f"DECLARE c CURSOR FOR {EMAILS}"), TO_OPEN, run("FETCH ALL FROM c") + SYNC),
    ),
    "a cursor, executed as a portal": (
        EMAIL,
        (BEGIN, query(f"DECLARE c CURSOR FOR {EMAILS}"), TO_OPEN, describe("c") + execute("c") + SYNC),
    ),
    "a portal keeps the tables it was bound to": (
        EMAIL,
        (BEGIN, parse(EMAILS, "s") + bind("s", "p") + SYNC, TO_OPEN, execute("p") + SYNC),
    ),
    "a statement bound anew means the new tables": (
        WORDS,
        (parse(REVIEWS, "s") + SYNC, query(TO_HR), bind("s") + execute() + SYNC),
    ),
    "the rest of a suspended EXECUTE": (
        SSN,
        (
            BEGIN,
            query(f"PREPARE q AS {SECRET}"),
            parse("EXECUTE q", "e") + bind("e", "p") + describe("p") + execute("p", 1) + SYNC,
            query("DEALLOCATE q") + query(f"PREPARE q AS {PLAIN}"),
            execute("p") + SYNC,
        ),
    ),
    "the rest of a suspended FETCH": (
        SSN,
        (
            BEGIN,
            query(f"DECLARE c CURSOR FOR {SECRET}"),
            parse("FETCH ALL FROM c", "f") + bind("f", "p") + describe("p") + execute("p", 1) + SYNC,
            query("CLOSE c") + query(f"DECLARE c CURSOR FOR {PLAIN}"),
            execute("p") + SYNC,
        ),
    ),
    "EXECUTE of a wire statement that moves the path": (
        WORDS,
        (parse(TO_HR, "s") + SYNC, query("EXECUTE s"), query(REVIEWS)),
    ),
    "EXECUTE of wire statements that change cursors": (
        SSN,
        (
            BEGIN,
            parse("CLOSE c", "k") + parse(f"DECLARE c CURSOR FOR {SECRET}", "d") + SYNC,
            query(f"DECLARE c CURSOR FOR {PLAIN}"),
            query("EXECUTE k"),
            query("EXECUTE d"),
            query("FETCH ALL FROM c"),
        ),
    ),
    "a path that moves after a COPY in the same text": (
        WORDS,
        (
            query("COPY notes (body) FROM STDIN; " + TO_HR) + copy_data(b"x\n") + COPY_NONE,
            query(REVIEWS),
            query(REVIEWS),
        ),
    ),
    "... pipelined": (
        WORDS,
        (query("COPY notes (body) FROM STDIN; " + TO_HR) + copy_data(b"x\n") + COPY_NONE + query(REVIEWS),),
    ),
    "a PREPARE that fails does not change what EXECUTE runs": (
        WORDS,
        (parse(TO_HR, "s") + SYNC, query("PREPARE s AS SELECT 1") + query("EXECUTE s"), query(REVIEWS)),
    ),
    "a Bind that fails does not change what Execute runs": (
        WORDS,
        (
            BEGIN,
            parse(TO_HR, "a") + bind("a", "p") + parse("SELECT 1", "b") + SYNC,
            query("SAVEPOINT v"),
            bind("b", "p") + SYNC + query("ROLLBACK TO v") + execute("p") + SYNC,
            query(REVIEWS),
        ),
    ),
    "a Parse that fails does not change what Bind binds": (
        WORDS,
        (parse(TO_HR, "a") + SYNC, parse("SELECT 1", "a") + SYNC + bind("a") + execute() + SYNC, query(REVIEWS)),
    ),
    "EXECUTE, prepared before its name changes": (
        WORDS,
        (
            parse("SELECT 1", "s") + parse("EXECUTE s", "e") + SYNC,
            close("s") + parse(TO_HR, "s") + SYNC,
            bind("e") + execute() + SYNC,
            query(REVIEWS),
        ),
    ),
    "a rule that adds a SELECT to an INSERT": (SSN, (query("INSERT INTO noisy VALUES (1)"),)),
    "set_config": (WORDS, (query("SELECT set_config('search_path', 'hr', false)"), query(REVIEWS))),
    "a function that moves the path": (WORDS, (query("SELECT mover()"), query(REVIEWS))),
    "... in the same text": (WORDS, (query("SELECT mover(); " + REVIEWS), query(REVIEWS))),
    "... in the same batch": (WORDS, (run("SELECT mover()") + run(REVIEWS) + SYNC,)),
    "... with a Query in the batch": (WORDS, (run("SELECT mover()") + query(REVIEWS) + SYNC,)),
    "... when it is bound": (WORDS, (parse("SELECT folded()") + bind() + run(REVIEWS, "r") + SYNC,)),
    "... by EXECUTE": (WORDS, (query("PREPARE m AS SELECT mover()"), query("EXECUTE m"), query(REVIEWS))),
    "... by FETCH": (
        WORDS,
        (BEGIN, query("DECLARE c CURSOR FOR SELECT mover()"), query("FETCH c"), query(REVIEWS)),
    ),
    "... called in a transaction": (WORDS, (BEGIN, run("SELECT mover()") + SYNC, run(REVIEWS) + SYNC, query(REVIEWS))),
    "... and a statement prepared before": (
        WORDS,
        (parse(REVIEWS, "r") + SYNC, run("SELECT mover()") + bind("r") + execute() + SYNC),
    ),
    "a batch that fails brings the path back": (
        WORDS,
        (
            query(TO_HR),
            run("SET search_path = public") + run("SELECT 1") + run("SELECT 1/0") + SYNC,
            query(REVIEWS),
        ),
    ),
    "a path that a savepoint brings back": (
        WORDS,
        (
            BEGIN,
            query(TO_HR),
            query("SAVEPOINT v"),
            query("SET search_path = public"),
            run("ROLLBACK TO v") + query(REVIEWS) + SYNC,
            query(REVIEWS),
        ),
    ),
    "a path that a failed transaction brings back": (
        WORDS,
        (
            query(TO_HR),
            BEGIN,
            query("SET LOCAL search_path = public"),
            query("SELECT 1/0"),
            run("ROLLBACK") + query(REVIEWS) + SYNC,
            query(REVIEWS),
        ),
    ),
    "a temporary view": (SSN, (query("CREATE TEMP VIEW v AS SELECT ssn || '!' AS x FROM customers"), query("TABLE v"))),
    "a temporary table that hid another one is dropped": (
        EMAIL,
        (SHADOW, SEE_IT, query("DROP TABLE pg_temp.customers"), query(EMAILS)),
    ),
    "... in a transaction": (EMAIL, (SHADOW, SEE_IT, BEGIN, query("DROP TABLE pg_temp.customers"), query(EMAILS))),
    "... renamed": (
        EMAIL,
        (SHADOW, SEE_IT, BEGIN, query("ALTER TABLE customers RENAME TO others"), query(EMAILS)),
    ),
    "... dropped and the statement prepared before": (
        EMAIL,
        (
            SHADOW,
            SEE_IT,
            parse(EMAILS, "s") + SYNC,
            query("DROP TABLE pg_temp.customers"),
            bind("s") + execute() + SYNC,
        ),
    ),
    "... discarded": (EMAIL, (SHADOW, SEE_IT, query("DISCARD TEMP"), query(EMAILS))),
    "... discarded in a transaction": (EMAIL, (SHADOW, SEE_IT, BEGIN, query("DISCARD TEMP"), query(EMAILS))),
    "a temporary table that the prepared statement does not see": (
        EMAIL,
        (
            query("CREATE TEMP TABLE any_other (id integer)"),
            parse(EMAILS, "s") + SYNC,
            SHADOW,
            SEE_IT,
            bind("s") + execute() + SYNC,
        ),
    ),
    "a temporary table that the cursor does not see": (
        EMAIL,
        (
            query("CREATE TEMP TABLE any_other (id integer)"),
            BEGIN,
            query(f"DECLARE c CURSOR WITH HOLD FOR {EMAILS}"),
            query("COMMIT"),
            SHADOW,
            SEE_IT,
            query("FETCH ALL FROM c"),
        ),
    ),
    "a table that hid another one is renamed": (
        EMAIL,
        (OPEN_FIRST, BEGIN, query("ALTER TABLE open.customers RENAME TO others"), query(EMAILS), query("ROLLBACK")),
    ),
    "... in the extended protocol": (
        EMAIL,
        (
            OPEN_FIRST,
            parse(EMAILS, "s") + SYNC,
            BEGIN,
            run("ALTER TABLE open.customers RENAME TO others") + SYNC,
            bind("s") + execute() + SYNC,
            query("ROLLBACK"),
        ),
    ),
    "... outside of a transaction": (
        EMAIL,
        (
            OPEN_FIRST,
            query("ALTER TABLE open.customers RENAME TO others") + query(EMAILS),
            query("ALTER TABLE open.others RENAME TO customers"),
        ),
    ),
    "... and the statement was prepared before": (
        EMAIL,
        (
            OPEN_FIRST,
            parse(EMAILS, "s") + SYNC,
            query("ALTER TABLE open.customers RENAME TO others"),
            bind("s") + execute() + SYNC,
            query("ALTER TABLE open.others RENAME TO customers"),
        ),
    ),
    "a table that is created before another one": (
        EMAIL,
        (
            query("DROP TABLE IF EXISTS front.customers; CREATE SCHEMA IF NOT EXISTS front"),
            query("SET search_path = front, public"),
            parse(EMAILS, "s") + SYNC,
            query("CREATE TABLE front.customers (id integer, email text)"),
            SEE_IT,
            bind("s") + execute() + SYNC,
        ),
    ),
    "a view that is replaced": (
        SSN,
        (
            query("CREATE OR REPLACE VIEW seen AS SELECT name AS x FROM customers"),
            SEE_IT,
            BEGIN,
            query("CREATE OR REPLACE VIEW seen AS SELECT ssn || '!' AS x FROM customers"),
            query("TABLE seen"),
        ),
    ),
    "a table that is renamed": (
        SSN,
        (BEGIN, query("ALTER TABLE customers RENAME TO c9"), query("SELECT ssn || '!' FROM c9")),
    ),
    "a column that is renamed": (
        SSN,
        (BEGIN, query("ALTER TABLE customers RENAME ssn TO s9"), query("SELECT s9 || '!' FROM customers")),
    ),
    "a binary cursor": (
        SSN,
        (BEGIN, query(f"DECLARE c BINARY CURSOR FOR {SECRET}"), query("FETCH ALL FROM c"), describe("c") + SYNC),
    ),
    "a cursor WITH HOLD": (
        SSN,
        (BEGIN, query(f"DECLARE c CURSOR WITH HOLD FOR {SECRET}"), query("COMMIT"), query("FETCH ALL FROM c")),
    ),
}


NAMES_IT = "SELECT name FROM customers ORDER BY id LIMIT 1"
TO_PUBLIC = "SET search_path = public"
#: the path moves in between: the gate asks the server for it, and nothing of that may be seen
UNSEEN: dict[str, tuple[bytes, ...]] = {
    "the unnamed statement": (parse(TO_PUBLIC, "s") + parse(NAMES_IT) + SYNC, bind("s") + execute() + SYNC),
    "the unnamed portal": (
        BEGIN,
        parse(TO_PUBLIC, "s") + parse(NAMES_IT) + bind() + SYNC,
        bind("s", "p") + execute("p") + SYNC,
        execute() + SYNC,
    ),
    "a transaction that fails": (BEGIN, query(TO_PUBLIC), query("SELECT 1/0"), query("ROLLBACK"), query(NAMES_IT)),
    "pipelined": (query(TO_PUBLIC) + query(NAMES_IT) + run(NAMES_IT) + SYNC + query("SELECT 1"),),
    "a savepoint": (BEGIN, query("SAVEPOINT v"), query("SET LOCAL search_path = open"), query("ROLLBACK TO v")),
    "a batch that goes on": (run("SELECT mover()") + run(TO_PUBLIC) + run(NAMES_IT) + SYNC + run(NAMES_IT) + SYNC,),
    "... in a transaction": (BEGIN, run(TO_PUBLIC) + run(NAMES_IT) + query("COMMIT"), query(NAMES_IT)),
    "... and fails": (run(TO_PUBLIC) + run(NAMES_IT) + run("SELECT 1/0") + run(NAMES_IT) + SYNC, query(NAMES_IT)),
    "statements": (query(TO_PUBLIC), query("SELECT name FROM pg_prepared_statements")),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_the_gates_own_question_changes_nothing(gate: Gate, direct: Place, name: str) -> None:
    steps = (*UNSEEN[name], bind() + execute() + SYNC)
    assert without_words(received(gate_place(gate, "names"), steps)) == without_words(received(direct, steps))


@pytest.mark.parametrize("name", ATTEMPTS)
def test_nothing_hidden_is_seen_through_the_gate(gate: Gate, name: str) -> None:
    hidden, steps = ATTEMPTS[name]
    assert hidden not in received(gate_place(gate, "names"), steps)


@pytest.mark.parametrize("name", ATTEMPTS)
@pytest.mark.usefixtures("gate")
def test_the_attempt_succeeds_without_the_gate(direct: Place, name: str) -> None:
    hidden, steps = ATTEMPTS[name]
    assert hidden in received(direct, steps)
