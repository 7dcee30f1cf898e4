"""psql: its backslash commands are long catalog queries, and people type anything at it."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.live.places import Place
from tests.live.programs import client_program, run
from tests.live.servers import Postgres


def psql(place: Place, script: str, *options: str) -> str:
    """What psql prints for a script, standard output and errors in their own order."""
    command = [client_program("psql"), "-X", "-v", "VERBOSITY=verbose", *options]
    done = run(place, command, script)
    return done.stdout + done.stderr


def test_tls(tls_place: Place) -> None:
    assert "SSL connection" in psql(tls_place, "\\conninfo\n")


COMMANDS = [
    line.strip()
    for line in r"""
    \d
    \d customers
    \d+ customers
    \d orders
    \d+ customer_view
    \d hr.*
    \dt
    \dt+ cust*
    \dt *.*
    \dv
    \di
    \ds
    \dm
    \df
    \df+ order_total
    \dn
    \dn+
    \du
    \dT
    \dD
    \dx
    \dp
    \ddp
    \l
    \db
    \dC
    \do ===
    \da
    \dy
    \dP
    \d events
    \sf order_total
    \sv customer_view
    \encoding
    \dd
    \dF
    \dO
    \dL
    \dconfig work_mem
    \drds
    \dRp
""".strip().splitlines()
]


def test_foreign_servers(direct: Place, allow_all: Place) -> None:
    assert psql(allow_all, "\\des\n") == psql(direct, "\\des\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_backslash_commands(command: str, direct: Place, allow_all: Place) -> None:
    expected = psql(direct, command + "\n")
    assert "ERROR" not in expected
    assert psql(allow_all, command + "\n").replace("allow_all", direct.database) == expected


SCRIPTS: dict[str, str] = YAML(typ="safe").load(Path(__file__).with_name("psql_scripts.yaml"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts(name: str, direct: Place, allow_all: Place) -> None:
    """psql prints the same, byte for byte (but for process ids in notifications)."""
    wanted, found = (re.sub(r"PID \d+", "PID", psql(place, SCRIPTS[name])) for place in (direct, allow_all))
    assert found == wanted


ISOLATION = {
    "one by one": "BEGIN;\nSET search_path TO public;\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\n",
    "local": "BEGIN;\nSET LOCAL search_path TO hr, public;\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\n",
    "one text": "BEGIN\\; SET search_path TO public\\; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\n",
    "reset": "BEGIN;\nRESET search_path;\nSET transaction_isolation = 'serializable';\n",
}


@pytest.mark.parametrize("name", ISOLATION)
def test_isolation_after_a_search_path(name: str, direct: Place, wide: Place) -> None:
    """The gate's own question must not be the transaction's first query. In `wide` columns are hidden, so it asks."""
    script = ISOLATION[name] + "SHOW transaction_isolation;\nSELECT id FROM products WHERE id = 1;\nCOMMIT;\n"
    wanted = psql(direct, script)
    assert "serializable" in wanted
    assert psql(wide, script) == wanted


def test_bind(server: Postgres, direct: Place, allow_all: Place) -> None:
    script = "SELECT $1::int + $2::int AS sum \\bind 1 2 \\g\nSELECT 3 \\bind \\g\n"
    program = client_program("psql")
    version = run(direct, [program, "--version"]).stdout
    if int(re.findall(r"\d+", version)[0]) < 16:
        pytest.skip(f"\\bind needs psql 16: {version.strip()}")
    assert psql(allow_all, script) == psql(direct, script)


@pytest.mark.parametrize("place_name", ["direct", "allow_all"])
def test_interrupt(place_name: str, request: pytest.FixtureRequest) -> None:
    """Ctrl-C in psql sends a CancelRequest on a connection of its own."""
    place: Place = request.getfixturevalue(place_name)
    process = subprocess.Popen(
        [client_program("psql"), "-X", "-c", "SELECT pg_sleep(30)"],
        env={**place.environment(), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    await_sleep(request.getfixturevalue("server"))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert "canceling statement due to user request" in errors


def await_sleep(server: Postgres) -> None:
    """Until the server runs pg_sleep: before that, psql has no query to cancel."""
    running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep(%'"
    deadline = time.monotonic() + 20
    with server.connect("postgres") as watcher:
        while watcher.execute(running).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_large_result_to_a_file(direct: Place, allow_all: Place, tmp_path: Path) -> None:
    sizes = []
    for place in (direct, allow_all):
        target = tmp_path / "out"
        psql(place, f"\\o {target}\nSELECT n, md5(n::text) FROM generate_series(1, 200000) n;\n", "-At")
        sizes.append(target.read_bytes())
    assert sizes[0] == sizes[1]
    assert len(sizes[0].splitlines()) == 200000


def test_pg_dump(direct: Place, allow_all: Place) -> None:
    """pg_dump reads every catalog and COPYs every table in one snapshot."""
    program = client_program("pg_dump")
    dumps = []
    for place in (direct, allow_all):
        done = run(place, [program, "--no-owner"])
        assert done.returncode == 0, done.stderr
        dumps.append(re.sub(r"(?m)^\\(un)?restrict \w+$", "", done.stdout))  # a new word in each dump
    assert dumps[0] == dumps[1]
    assert "COPY public.customers" in dumps[0]
