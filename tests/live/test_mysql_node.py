"""node's `mysql2` and `mariadb` (pinned in node_mysql/package.json, installed once into pytest's cache): the same
results through the gate as directly."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import PASSWORD, Brand, MysqlServer

SOURCE = Path(__file__).with_name("node_mysql")
DATABASE = "nodes"
WORLD = """
CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(50), balance DECIMAL(10,2), big BIGINT UNSIGNED,
    made DATETIME(3), day DATE, stamp TIMESTAMP NULL, body BLOB, note TEXT);
INSERT INTO customers VALUES (1, 'Ada', 12.50, 18446744073709551615, '2024-02-29 12:34:56.789', '1999-12-31',
    '2024-01-02 03:04:05', x'00ff10', 'n'), (2, 'Błażej', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, customer INT, what VARCHAR(30));
INSERT INTO orders (customer, what) VALUES (1, 'tea'), (1, 'milk'), (2, 'rye');
CREATE TABLE numbers (n INT PRIMARY KEY);
INSERT INTO numbers WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 1000) SELECT n FROM s;
CREATE PROCEDURE twice(IN x INT) SELECT x * 2 AS y;
"""
NAMES = [
    "simple", "types", "fields", "prepared", "named", "rowsAsArray", "nested", "multi", "typeCast", "bigNumbers",
    "dates", "stream", "queued", "writes", "transaction", "call", "large", "pool",
]  # fmt: skip


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: brand.value)
def server(request: pytest.FixtureRequest) -> Iterator[MysqlServer]:
    with needed_mysql(request.param) as started:
        started.create_database(DATABASE)
        started.run(WORLD, DATABASE)
        yield started


@pytest.fixture(scope="module")
def gate(server: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    started = Gate(tmp_path_factory.mktemp("gate"), server, {DATABASE: Upstream(DATABASE, "allow_all")})
    yield started
    started.stop()


@pytest.fixture(scope="session")
def script(request: pytest.FixtureRequest) -> Path:
    """The script, beside its installed packages."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    manifest = (SOURCE / "package.json").read_bytes()
    home = Path(request.config.cache.mkdir(f"node-{hashlib.sha256(manifest).hexdigest()[:12]}"))
    if not (home / "node_modules" / "mysql2").is_dir():
        (home / "package.json").write_bytes(manifest)
        command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install the drivers: {done.stderr[-500:]}")
    shutil.copy(SOURCE / "driver.mjs", home / "driver.mjs")
    return home / "driver.mjs"


def results(script: Path, driver: str, port: int, user: str, password: str) -> dict[str, Any]:
    words = {"HOST": "127.0.0.1", "PORT": str(port), "DATABASE": DATABASE, "USER": user, "PASSWORD": password}
    environment = {**os.environ, "TZ": "UTC", **{f"MYSQL_{name}": word for name, word in words.items()}}
    command = ["node", str(script), driver, *NAMES]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert not [text for text in found.values() if isinstance(text, str) and text.startswith("failed:")], found
    return found


@pytest.mark.parametrize("driver", ["mysql2", "mariadb"])
def test_equal_results(server: MysqlServer, gate: Gate, script: Path, driver: str) -> None:
    wanted = results(script, driver, server.port, "app", PASSWORD)
    found = results(script, driver, gate.mysql_ports[""], "agent", CLIENT_PASSWORD)
    assert found == wanted
    assert found["stream"] == 500500
    assert found["queued"] == list(range(30))
