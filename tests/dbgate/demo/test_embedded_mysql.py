"""The demo's MySQL half: a server of its own or one that is named, the company on it, and what is said without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from dbgate.demo import embedded_mysql
from dbgate.demo.agent import Answer
from dbgate.demo.agent_mysql import ask
from dbgate.demo.company_mysql import DATABASES, OWNER, founded, protected_values
from dbgate.demo.embedded_mysql import ENVIRONMENT, EmbeddedMysql, Mysql, MysqlUnavailableError
from dbgate.demo.script import CHAPTERS as POSTGRES_CHAPTERS
from dbgate.demo.script import Outcome, Step
from dbgate.demo.script_mysql import CHAPTERS
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand

PASSWORD = "owner-secret"


@pytest.fixture(scope="module", params=["installed", *Brand], ids=str)
def server(request: pytest.FixtureRequest) -> Iterator[Mysql]:
    """The demo's own server, and servers of both brands by their DSN."""
    if request.param == "installed":
        if embedded_mysql._find(embedded_mysql.SERVERS) is None:
            pytest.skip("no MySQL or MariaDB is installed")
        with EmbeddedMysql() as own:
            yield own
        return
    with needed_mysql(request.param) as started, pytest.MonkeyPatch.context() as patched:
        patched.setenv(ENVIRONMENT, started.dsn())
        with EmbeddedMysql() as named:
            yield named


def steps(sql: str) -> Step:
    return Step("a step", sql, Outcome.ALLOWED)


@pytest.mark.live
def test_the_company_is_there_for_the_time_of_the_block(server: Mysql) -> None:
    assert server.version.split()[0] in ("MySQL", "MariaDB")
    with founded(server, PASSWORD), server.connect("shop", OWNER, PASSWORD) as connection:
        assert len(protected_values(connection).values) > 1000
        assert ask(connection, steps("SELECT id, secret FROM api_keys WHERE id < 2")) == Answer(
            ("id", "secret"), (("1", "sk_live_51Nq7rXcV0tqk2"),)
        )
        assert ask(connection, steps("SET @a = 1")).tag == "0 rows affected"
        failure = ask(connection, steps("SELECT nothing FROM orders")).failure
        assert failure is not None
        assert (failure.sqlstate, "nothing" in failure.message) == ("1054", True)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        assert not {row[0] for row in cursor.fetchall()} & set(DATABASES)
        assert cursor.execute("SELECT user FROM mysql.user WHERE user = %s", (OWNER,)) == 0


@pytest.mark.live
def test_somebody_elses_databases_are_left_alone(server: Mysql) -> None:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE hr")
        try:
            with pytest.raises(MysqlUnavailableError, match="hr already"), founded(server, PASSWORD):
                pass
            cursor.execute("SHOW DATABASES LIKE 'hr'")
            assert cursor.fetchall() == (("hr",),)
        finally:
            cursor.execute("DROP DATABASE hr")


@pytest.mark.live
def test_nobody_gets_in_without_the_password(server: Mysql) -> None:
    for user in (server.user, "root"):
        with pytest.raises(pymysql.MySQLError, match="Access denied"):
            embedded_mysql.connect(server.host, server.port, user, "guess", None)


@pytest.mark.live
def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    if embedded_mysql._find(embedded_mysql.SERVERS) is None:
        pytest.skip("no MySQL or MariaDB is installed")
    embedded = EmbeddedMysql()
    with embedded:
        folder, process = embedded._folder, embedded._process
        assert folder is not None
        assert process is not None
    assert process.poll() is not None
    assert not folder.exists()
    embedded.stop()  # once more is harmless


def test_without_a_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_mysql, "FOLDERS", ())
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with pytest.raises(MysqlUnavailableError, match=r"apt-get install mariadb-server.*DBGATE_DEMO_MYSQL"):
        EmbeddedMysql().__enter__()


@pytest.mark.parametrize("dsn", ["mysql://root@127.0.0.1:1", "mysql://root@127.0.0.1:nonsense"])
def test_a_named_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    monkeypatch.setenv(ENVIRONMENT, dsn)
    with pytest.raises(MysqlUnavailableError, match="DBGATE_DEMO_MYSQL names cannot be used"):
        EmbeddedMysql().__enter__()


def test_a_program_that_fails_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "mysqld"
    program.write_text("#!/bin/sh\necho no room for a server\nexit 1\n")
    program.chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setattr(embedded_mysql, "_find", lambda names, beside=None: program if beside is None else None)
    monkeypatch.setattr(embedded_mysql, "unprivileged_owner", lambda: None)
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    embedded = EmbeddedMysql()
    with pytest.raises(MysqlUnavailableError, match="no room for a server"):
        embedded.__enter__()
    assert embedded._folder is None


def test_the_script_asks_nothing_twice_and_covers_what_mysql_has() -> None:
    asked = [step for chapter in CHAPTERS for step in chapter.steps]
    assert len({step.title for step in asked}) == len(asked)
    assert {step.outcome for step in asked} >= {Outcome.ALLOWED, Outcome.MASKED, Outcome.REFUSED, Outcome.LIMITED}
    assert {chapter.user for chapter in CHAPTERS} == {chapter.user for chapter in POSTGRES_CHAPTERS}
