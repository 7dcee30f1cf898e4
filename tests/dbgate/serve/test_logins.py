"""Ways in, by a real driver (libpq 18 in psycopg's wheel) and by bytes that no driver sends."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.dbgate.serve.conftest import DATABASE, stop
from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream, await_true, verifier
from tests.live.servers import Postgres

USERS = {
    "agent": {"role": "agent", "verifier": verifier(CLIENT_PASSWORD), "databases": ["allow_all"]},
    "plain": {
        "role": "agent",
        "verifier": verifier("plain secret"),
        "databases": ["allow_all"],
        "authentication": "password",
    },
    "outsider": {"role": "agent", "verifier": verifier(CLIENT_PASSWORD), "databases": ["down"]},
}


@pytest.fixture(scope="module")
def gate(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    databases = {
        "allow_all": Upstream(DATABASE, "allow_all"),
        "down": Upstream(DATABASE, "allow_all", host="127.0.0.1", port=1),
    }
    pair = server.authority.server("gate")
    extra = {"users": USERS, "gate": {"authentication_timeout": "1500ms"}}
    gate = Gate(tmp_path_factory.mktemp("g"), server, databases, pair, extra=extra)
    yield gate
    stop(gate)


def refusal(gate: Gate, *words: str, **options: str) -> psycopg.OperationalError:
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(gate.dsn(*words, **options)).close()
    return caught.value


@pytest.mark.parametrize(
    "options",
    [
        {"sslmode": "disable"},
        {"sslmode": "require"},
        {"sslmode": "require", "channel_binding": "require"},
        {"sslmode": "require", "sslnegotiation": "direct", "channel_binding": "require"},
        {"max_protocol_version": "3.2"},
        {"max_protocol_version": "latest"},
        {"min_protocol_version": "3.2", "max_protocol_version": "3.2"},
        {"require_auth": "scram-sha-256"},
        {"gssencmode": "prefer"},
        {"options": "-c search_path=public -cstatement_timeout=5s --lock_timeout=1s", "application_name": "a b"},
        {"client_encoding": "utf-8"},
    ],
)
def test_ways_in(gate: Gate, options: dict[str, str]) -> None:
    with psycopg.connect(gate.dsn("allow_all", **options)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert connection.info.parameter_status("standard_conforming_strings") == "on"
        assert connection.info.encoding == "utf-8"


def test_options_arrive(gate: Gate) -> None:
    with psycopg.connect(gate.dsn("allow_all", options=r"-c application_name=a\ b -c lock_timeout=7s")) as connection:
        assert connection.info.parameter_status("application_name") == "a b"
        assert connection.execute("SHOW lock_timeout").fetchone() == ("7s",)


def test_the_certificate_is_verified_by_the_client(gate: Gate, server: Postgres) -> None:
    dsn = gate.dsn("allow_all", sslmode="verify-full", sslrootcert=str(server.authority.root))
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_password_in_clear_through_tls(gate: Gate) -> None:
    with psycopg.connect(gate.dsn("allow_all", "plain", "plain secret", require_auth="password")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert "password authentication failed" in str(refusal(gate, "allow_all", "plain", "wrong"))


def test_an_unknown_user_fails_as_a_wrong_password_does(gate: Gate) -> None:
    wrong, unknown = (str(refusal(gate, "allow_all", user, "wrong")) for user in ("agent", "nobody"))
    assert 'password authentication failed for user "agent"' in wrong
    assert unknown.replace("nobody", "agent") == wrong


@pytest.mark.parametrize(
    ("words", "options", "told"),
    [
        (("nowhere",), {}, 'database "nowhere" does not exist'),
        (("allow_all", "outsider"), {}, 'user "outsider" may not open database "allow_all"'),
        (("down", "outsider"), {}, "the gate cannot serve this database now: the database behind the gate cannot be"),
        (("allow_all",), {"options": "-c session_replication_role=replica"}, "session_replication_role"),
        (("allow_all",), {"options": "-c standard_conforming_strings=off"}, "standard_conforming_strings"),
        (("allow_all",), {"options": "-x"}, "write settings as -c name=value"),
        (("allow_all",), {"client_encoding": "latin1"}, "client_encoding"),
        (("allow_all",), {"replication": "database"}, "replication"),
        (("allow_all",), {"options": "-c DateStyle=nonsense"}, "DateStyle"),
    ],
)
def test_refusals_are_clear(gate: Gate, words: tuple[str, ...], options: dict[str, str], told: str) -> None:
    assert told.lower() in str(refusal(gate, *words, **options)).lower()


def test_nothing_of_the_upstream_is_told(gate: Gate) -> None:
    text = str(refusal(gate, "down", "outsider"))
    assert "app" not in text.partition("FATAL")[2]
    assert "secret" not in text


GARBAGE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\0\0\0\x08",
    b"\0\0\0\x07\x04\xd2\x16\x2f",
    b"\xff" * 64,
    b"\x16\x03\x01\x00\x05hello",
    struct.pack(">II", 12, 80877103) + b"xxxx",
    struct.pack(">II", 8, 80877103) + b"\x16\x03\x01",
    struct.pack(">IHH", 9, 2, 0) + b"\0",
    struct.pack(">IHH", 9, 3, 0) + b"\0",
]


@pytest.mark.parametrize("data", GARBAGE)
def test_garbage_and_half_a_login_are_closed(gate: Gate, data: bytes) -> None:
    with socket.create_connection((gate.host, gate.port), timeout=10) as client:
        client.sendall(data)
        began = time.monotonic()
        while client.recv(4096):
            pass
        assert time.monotonic() - began < 6
    gate.check()


def test_a_silent_client_is_closed(gate: Gate) -> None:
    with socket.create_connection((gate.host, gate.port), timeout=10) as client:
        assert client.recv(1) == b""


def test_bytes_before_the_handshake_are_refused(gate: Gate) -> None:
    """CVE-2021-23214: what came in clear must not look as if it came inside TLS."""
    with socket.create_connection((gate.host, gate.port), timeout=10) as client:
        client.sendall(struct.pack(">II", 8, 80877103) + b"Q\0\0\0\x0dSELECT 1\0")
        answer = b""
        while data := client.recv(4096):
            answer += data
    assert not answer.startswith(b"S")


def test_logins_are_audited(gate: Gate) -> None:
    refusal(gate, "allow_all", "agent", "wrong")
    with psycopg.connect(gate.dsn("allow_all", application_name="the job", sslmode="require")):
        pass
    await_true(lambda: any(event["type"] == "session_ended" for event in _events(gate)), 15, "the audit's events")
    events = _events(gate)
    assert any(event["type"] == "login_refused" and event["sqlstate"] == "28P01" for event in events)
    started = [event for event in events if event["type"] == "session_started" and event["job"] == "the job"]
    assert started[0]["identity"] == "agent"


def _events(gate: Gate) -> list[dict[str, str]]:
    found = []
    for segment in (gate.directory / "dbgate-data" / "audit").rglob("*"):
        if segment.is_file() and "worker-" in str(segment):
            found += _lines(segment.read_bytes())
    return found


def _lines(data: bytes) -> list[dict[str, str]]:
    found = []
    for line in data.splitlines():
        parts = line.split(b" ", 3)
        if len(parts) == 4:
            found.append(json.loads(parts[3]))
    return found
