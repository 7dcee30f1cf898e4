"""What each driver sees of the example rules: masked values and refusals that teach, in every protocol."""

from __future__ import annotations

import asyncio
import decimal
from collections.abc import Iterator
from typing import Any

import asyncpg
import pg8000.native
import psycopg
import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest
from sqlalchemy import MetaData, Table, create_engine, select
from sqlalchemy.exc import ProgrammingError

from tests.live import raw, worlds
from tests.live.places import Place
from tests.live.programs import client_program, run

EMAIL, PHONE = worlds.customer("a", 1)[2:4]
REFUSED = "SELECT secret FROM api_keys"


def keep_last(value: str, count: int = 4) -> str:
    """The mask as the manual describes it: as many stars as characters hidden."""
    return "*" * (len(value) - count) + value[-count:]


@pytest.fixture
def connection(shop: Place) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(shop.dsn()) as opened:
        yield opened
        opened.rollback()


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_masks(connection: psycopg.Connection[Any], binary: bool) -> None:
    statement = "SELECT id, email, phone, name FROM customers WHERE id = %s"
    row = connection.execute(statement, (1,), binary=binary).fetchone()
    assert row == (1, keep_last(EMAIL), keep_last(PHONE), "Customer 1")


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_every_masked_type_is_readable(connection: psycopg.Connection[Any], binary: bool) -> None:
    row = connection.execute("SELECT * FROM customers WHERE id = 2", binary=binary).fetchone()
    assert row is not None
    assert len(row) == 11
    staff = connection.execute("SELECT salary, iban, ssn FROM employees WHERE id = 1", binary=binary).fetchone()
    assert staff is not None
    assert str(staff[0]) != str(worlds.employee("a", 1)[4])
    assert worlds.employee("a", 1)[5] not in staff


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_null_stays_null(connection: psycopg.Connection[Any], binary: bool) -> None:
    statement = "SELECT email, phone, ssn, card_number, profile FROM customers WHERE id = 20"
    assert connection.execute(statement, binary=binary).fetchone() == (None,) * 5


def test_prepared_statement_executed_again(connection: psycopg.Connection[Any]) -> None:
    for number in range(1, 8):
        row = connection.execute("SELECT email FROM customers WHERE id = %s", (number,), prepare=True).fetchone()
        assert row == (keep_last(worlds.customer("a", number)[2]),)


def test_server_cursor_is_masked(connection: psycopg.Connection[Any]) -> None:
    with connection.cursor("named") as cursor:
        cursor.execute("SELECT email FROM customers ORDER BY id")
        cursor.itersize = 3
        found = [row[0] for row in cursor]
    assert found == [value and keep_last(value) for value in (worlds.customer("a", n)[2] for n in range(1, 21))]


def test_equality_on_a_masked_column(connection: psycopg.Connection[Any]) -> None:
    """`predicates: equality` lets an agent look a customer up by a value that it knows."""
    assert connection.execute("SELECT id FROM customers WHERE email = %s", (EMAIL,)).fetchone() == (1,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT id FROM customers WHERE email > %s", ("kx8",))


def test_refusal_teaches(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        connection.execute(REFUSED)
    diagnosis = caught.value.diag
    assert "credentials are not readable through this gate" in f"{diagnosis.message_primary} {diagnosis.message_detail}"
    assert "no-secrets" in str(diagnosis.message_detail)
    assert "shop.yaml:" in str(diagnosis.message_detail)
    assert "platform team" in str(diagnosis.message_hint)
    assert diagnosis.severity_nonlocalized == "ERROR"


def test_refusal_without_a_matching_rule(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        connection.execute("DELETE FROM customers WHERE id = 1")
    assert caught.value.diag.message_detail
    assert caught.value.diag.message_hint


def test_write_without_where(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        connection.execute("UPDATE orders SET note = 'x'")
    assert "write-needs-where" in str(caught.value.diag.message_detail)
    assert "WHERE" in str(caught.value.diag.message_hint)


@pytest.mark.parametrize("parameters", [None, (1,)], ids=["simple", "extended"])
def test_refusal_in_a_transaction(connection: psycopg.Connection[Any], parameters: tuple[int] | None) -> None:
    connection.execute("INSERT INTO orders (customer_id, placed, note) VALUES (1, now(), 'lost')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(REFUSED + (" WHERE id = %s" if parameters else ""), parameters)
    assert connection.info.transaction_status.name == "INERROR"
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    connection.rollback()
    assert connection.execute("SELECT count(*) FROM orders WHERE note = 'lost'").fetchone() == (0,)


def test_refusal_outside_a_transaction(shop: Place) -> None:
    with psycopg.connect(shop.dsn(), autocommit=True) as connection:
        for parameters in (None, (1,)):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(REFUSED + (" WHERE id = %s" if parameters else ""), parameters)
            assert connection.info.transaction_status.name == "IDLE"
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_savepoint_survives_a_refusal(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("INSERT INTO orders (customer_id, placed, note) VALUES (1, now(), 'kept')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute(REFUSED)
        assert connection.execute("SELECT count(*) FROM orders WHERE note = 'kept'").fetchone() == (1,)


def test_refusal_in_a_pipeline(shop: Place) -> None:
    with psycopg.connect(shop.dsn(), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _insert_and_be_refused(connection)
        assert connection.execute("SELECT count(*) FROM orders WHERE note = 'piped'").fetchone() == (0,)


def _insert_and_be_refused(connection: psycopg.Connection[Any]) -> None:
    with connection.pipeline() as pipeline:
        connection.execute("INSERT INTO orders (customer_id, placed, note) VALUES (1, now(), 'piped')")
        connection.execute(REFUSED)
        connection.execute("INSERT INTO orders (customer_id, placed, note) VALUES (1, now(), 'piped')")
        pipeline.sync()


def test_refusal_among_several_statements(shop: Place) -> None:
    """One refused statement in a simple Query: nothing of that text may stay in the database."""
    insert = "INSERT INTO orders (customer_id, placed, note) VALUES (1, now(), 'several')"
    with shop.raw() as client:
        messages = client.ask(raw.query(f"{insert}; {REFUSED}; {insert}"))
        assert [message.fields["C"] for message in messages if message.kind == "E"] == ["42501"]
        assert raw.kinds(messages).endswith("EZ")
        assert messages[-1].payload == b"I"
        answer = client.ask(raw.query("SELECT count(*) FROM orders WHERE note = 'several'"))
    assert answer[1].values == [b"0"]


def test_errors_name_no_values(connection: psycopg.Connection[Any]) -> None:
    """A cast error quotes the value: for a role with masks the text is made anew from its SQLSTATE."""
    with pytest.raises(psycopg.Error) as caught:
        connection.execute("SELECT email::int FROM customers WHERE id = 1")
    assert EMAIL not in str(caught.value)
    assert "kx" not in str(caught.value.diag.message_detail)


def test_errors_without_hidden_data_are_the_servers_own(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation, match='invalid input syntax for type integer: "x"'):
        connection.execute("SELECT 'x'::int FROM products")
    connection.rollback()
    with pytest.raises(psycopg.errors.UndefinedTable, match="no_such_table"):
        connection.execute("SELECT * FROM no_such_table")


def test_psycopg2(shop: Place) -> None:
    connection = psycopg2.connect(shop.dsn())
    cursor = connection.cursor()
    cursor.execute("SELECT email FROM customers WHERE id = %s", (1,))
    assert cursor.fetchone() == (keep_last(EMAIL),)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege) as caught:
        cursor.execute(REFUSED)
    assert "no-secrets" in caught.value.diag.message_detail
    assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INERROR
    connection.rollback()
    named = connection.cursor("c")
    named.execute("SELECT id, ssn FROM customers ORDER BY id")
    assert all(row[1] != worlds.customer("a", row[0])[4] for row in named.fetchall()[:19])
    connection.close()


def test_asyncpg(shop: Place) -> None:
    async def talk() -> None:
        connection = await asyncpg.connect(shop.plain(), ssl="disable")
        statement = await connection.prepare("SELECT email FROM customers WHERE id = $1")
        for number in (1, 2, 3):
            assert await statement.fetchval(number) == keep_last(worlds.customer("a", number)[2])
        rows = await connection.fetch("SELECT * FROM employees")
        assert all(isinstance(row["salary"], decimal.Decimal | None) for row in rows)
        with pytest.raises(asyncpg.InsufficientPrivilegeError) as caught:
            await connection.fetch(REFUSED + " WHERE id = $1", 1)
        assert "no-secrets" in str(caught.value.detail)
        assert "platform team" in str(caught.value.hint)
        async with connection.transaction():
            found = [row["email"] async for row in connection.cursor("SELECT email FROM customers ORDER BY id")]
        assert found[0] == keep_last(EMAIL)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _refused_in_transaction(connection)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()

    asyncio.run(talk())


async def _refused_in_transaction(connection: Any) -> None:
    async with connection.transaction():
        await connection.execute(REFUSED)


def test_pg8000(shop: Place) -> None:
    connection = pg8000.native.Connection(
        shop.user, host=shop.host, port=shop.port, database=shop.database, password=shop.password
    )
    assert connection.run("SELECT email FROM customers WHERE id = :n", n=1) == [[keep_last(EMAIL)]]
    with pytest.raises(pg8000.native.DatabaseError) as caught:
        connection.run(REFUSED + " WHERE id = :n", n=1)
    assert caught.value.args[0]["C"] == "42501"
    assert "no-secrets" in caught.value.args[0]["D"]
    assert connection.run("SELECT 1") == [[1]]
    connection.close()


def test_sqlalchemy(shop: Place) -> None:
    engine = create_engine(shop.dsn("postgresql+psycopg"))
    customers = Table("customers", MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        row = connection.execute(select(customers).where(customers.c.id == 1)).one()
        assert row.email == keep_last(EMAIL)
        assert row.ssn != worlds.customer("a", 1)[4]
        with pytest.raises(ProgrammingError, match="credentials are not readable"):
            connection.exec_driver_sql(REFUSED)
        connection.rollback()
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    engine.dispose()


def test_psql(shop: Place) -> None:
    script = f"SELECT email FROM customers WHERE id = 1;\n{REFUSED};\nSELECT 'goes on';\n"
    done = run(shop, [client_program("psql"), "-X", "-At"], script)
    assert done.stdout.splitlines() == [keep_last(EMAIL), "goes on"]
    assert "ERROR:  " in done.stderr
    assert "DETAIL:  " in done.stderr
    assert "HINT:  ask the platform team" in done.stderr


def test_copy_of_masked_columns(wide: Place) -> None:
    """COPY rows are masked like any others, or the statement is refused; its text never holds a value."""
    with psycopg.connect(wide.dsn()) as connection, connection.cursor() as cursor:
        try:
            with cursor.copy("COPY (SELECT id, email FROM customers ORDER BY id) TO STDOUT") as copy:
                rows = list(copy.rows())
        except psycopg.errors.InsufficientPrivilege:
            return
    assert rows[0] == ("1", keep_last(EMAIL))


def test_temporary_table_with_the_name_of_another(wide: Place) -> None:
    with psycopg.connect(wide.dsn()) as connection:
        connection.execute("CREATE TEMP TABLE products (only_one text)")
        connection.execute("INSERT INTO products VALUES ('mine')")
        assert connection.execute("SELECT * FROM products").fetchall() == [("mine",)]
