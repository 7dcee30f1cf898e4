"""The embedded server is a real one, it wants passwords, and it leaves nothing behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dbgate.demo import programs
from dbgate.demo.embedded_postgres import EmbeddedPostgres
from dbgate.demo.programs import PostgresUnavailableError, find_programs, unprivileged_owner

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres({"work_mem": "5MB"}) as running:
        yield running


def test_it_is_a_postgresql_server_with_our_settings(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute(
            "SELECT current_setting('work_mem'), current_setting('server_version_num')::int"
        ).fetchone()
    assert row is not None
    assert row[0] == "5MB"
    assert row[1] >= 140000


def test_it_also_listens_on_a_unix_socket(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn(), host=str(server.socket_directory)) as connection:
        assert connection.execute("SELECT inet_server_addr()").fetchone() == (None,)


@pytest.mark.parametrize("host", ["127.0.0.1", "socket"])
def test_a_wrong_password_is_refused(server: EmbeddedPostgres, host: str) -> None:
    where = str(server.socket_directory) if host == "socket" else host
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn(password="guess"), host=where)


def test_passwords_are_kept_as_scram_verifiers(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'").fetchone()
    assert row is not None
    assert row[0].startswith("SCRAM-SHA-256$")


def test_nothing_is_left_behind() -> None:
    with EmbeddedPostgres() as running:
        folder = running.folder
        pid = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        client = psycopg.connect(running.dsn())
    client.close()
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    running.stop()  # once more is harmless


def test_two_servers_run_side_by_side(server: EmbeddedPostgres) -> None:
    with EmbeddedPostgres() as other:
        assert other.port != server.port
        psycopg.connect(other.dsn()).close()


def test_a_bad_setting_is_told_in_the_servers_words_and_cleaned_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EmbeddedPostgres({"shared_buffers": "a lot"})
    with pytest.raises(PostgresUnavailableError, match="shared_buffers"):
        broken.start()
    assert broken._folder is None


def test_a_wheel_that_the_owner_may_not_enter_is_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "_runs", lambda folder, owner, scratch: scratch in folder.parents)
    found = find_programs(None, tmp_path)
    assert tmp_path in found.parents
    assert (found / "postgres").exists()
    assert (found.parent / "share").is_dir()


def test_without_the_wheel_an_installed_server_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed = tmp_path / "pgsql" / "bin"
    installed.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (installed / name).write_text("#!/bin/sh\nexit 0\n")
        (installed / name).chmod(0o755)
    monkeypatch.setattr(programs, "_wheel", lambda: None)
    monkeypatch.setenv("PATH", str(installed))
    assert find_programs(None, tmp_path) == installed


def test_without_any_server_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "_wheel", lambda: None)
    monkeypatch.setattr(programs, "_installed", list)
    with pytest.raises(PostgresUnavailableError, match=r"dbgate\[embedded\]"):
        find_programs(None, tmp_path)


def test_root_never_runs_the_server() -> None:
    owner = unprivileged_owner()
    assert (owner is None) == (os.geteuid() != 0)
    assert owner is None or owner.uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand the server to another user")
def test_a_temporary_folder_that_the_owner_may_not_enter_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(PostgresUnavailableError, match="TMPDIR"):
        EmbeddedPostgres().start()
    assert list(tmp_path.iterdir()) == []
