from __future__ import annotations

import socket
from pathlib import Path

import click
import pytest

from dbgate.cli.live import chosen_database, live_catalog
from protocols.postgres.scram import Verifier

SETTINGS = """\
gate: {{directory: /tmp/dbgate-unused}}
databases:
  shop:
    upstream: {{host: 127.0.0.1, port: {port}, database: shop, user: gate}}
    rules: [shop.yaml]
{more}
users:
  agent: {{role: agent, verifier: "{verifier}", databases: [shop]}}
"""
SECOND = "  hr:\n    upstream: {host: 127.0.0.1, port: 5432, database: hr, user: gate}\n    rules: [hr.yaml]"


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write(folder: Path, port: int, more: str = "") -> Path:
    verifier = Verifier.make("secret", b"salt" * 4, 4096).encode()
    path = folder / "dbgate.yaml"
    path.write_text(SETTINGS.format(port=port, more=more, verifier=verifier))
    return path


def test_the_only_database_needs_no_name(tmp_path: Path) -> None:
    found = chosen_database(write(tmp_path, 5432), None)
    assert found.name == "shop"
    assert found.rules == (tmp_path / "shop.yaml",)


def test_one_of_several_must_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, 5432, SECOND)
    with pytest.raises(click.UsageError, match=r"say which: --database hr \| shop"):
        chosen_database(path, None)
    assert chosen_database(path, "hr").name == "hr"
    with pytest.raises(click.UsageError, match='no database "x"'):
        chosen_database(path, "x")


def test_faulty_settings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "dbgate.yaml"
    path.write_text("databses: {}\n")
    with pytest.raises(click.ClickException, match="databses"):
        chosen_database(path, None)


def test_an_upstream_that_does_not_answer(tmp_path: Path, closed_port: int) -> None:
    with pytest.raises(click.ClickException, match='the catalog of "shop" could not be read'):
        live_catalog(write(tmp_path, closed_port), None)
