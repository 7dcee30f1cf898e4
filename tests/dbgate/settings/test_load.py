"""The settings file: what a good one means, and what a bad one is told."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dbgate.settings import Address, Secret, SecretUnavailable, SettingsError, load_settings, parse_settings
from dbgate.settings.model import Authentication, Durability, TlsMode, WhenFull

FILE = Path("/etc/dbgate/dbgate.yaml")
WORDS = ("gate", "databases", "users", "upstream", "tls", "listen", "audit", "clickhouse", "password", "shop", "rules")
LEAVES = st.none() | st.booleans() | st.integers() | st.text()
KEYS = st.sampled_from(WORDS) | st.text()
DATA = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=15
)
VERIFIER = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$" + ":".join(["A" * 43 + "="] * 2)
GOOD = f"""\
gate:
  name: gate-1
  listen: [127.0.0.1:6432, "[::1]:6433", "unix:/run/dbgate/.s.PGSQL.6432"]
  workers: 2
  directory: ./data
  drain: 90s
  tls: {{certificate: cert.pem, key: /keys/key.pem, required: true}}
control: {{listen: "127.0.0.1:9632"}}
databases:
  shop:
    upstream:
      host: db.internal
      user: app
      password: {{env: SHOP_PASSWORD}}
      tls: {{mode: verify-full, root_certificate: ca.pem}}
    rules: [rules/shop.yaml]
users:
  agent: {{role: agent, verifier: "{VERIFIER}", databases: [shop], authentication: password}}
masking: {{key: {{file: mask.key}}}}
audit: {{durability: fsync, max_bytes: 2GiB, when_full: pass, clickhouse: {{url: "http://ch:8123", password: ""}}}}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, FILE)
    return [str(problem).removeprefix(f"{FILE}:") for problem in caught.value.problems]


def test_a_full_file() -> None:
    parsed = parse_settings(GOOD, FILE)
    gate, shop, agent = parsed.gate, parsed.databases["shop"], parsed.users["agent"]
    assert [str(address) for address in gate.listen] == [
        "127.0.0.1:6432", "[::1]:6433", "unix:/run/dbgate/.s.PGSQL.6432"
    ]  # fmt: skip
    assert (gate.name, gate.workers, gate.drain, gate.directory) == ("gate-1", 2, 90.0, Path("/etc/dbgate/data"))
    assert gate.tls is not None
    assert (gate.tls.certificate, gate.tls.key) == (Path("/etc/dbgate/cert.pem"), Path("/keys/key.pem"))
    assert parsed.control.listen == Address("127.0.0.1", 9632)
    assert (shop.upstream.database, shop.upstream.port, shop.upstream.tls.mode) == ("shop", 5432, TlsMode.VERIFY_FULL)
    assert shop.rules == (Path("/etc/dbgate/rules/shop.yaml"),)
    assert (agent.role, agent.databases, agent.authentication) == ("agent", ("shop",), Authentication.PASSWORD)
    assert parsed.audit.max_bytes == 2 << 30
    assert (parsed.audit.durability, parsed.audit.when_full) == (Durability.FSYNC, WhenFull.PASS)


def test_the_defaults_are_safe() -> None:
    parsed = parse_settings("databases: {shop: {upstream: {user: app}, rules: r.yaml}}", FILE)
    assert parsed.gate.listen == (Address("127.0.0.1", 6432),)
    assert parsed.audit.when_full is WhenFull.HOLD
    assert parsed.users == {}
    assert parsed.control.listen is None


def test_secrets_are_never_printed() -> None:
    text = GOOD.replace("{env: SHOP_PASSWORD}", "hunter2")
    printed = repr(parse_settings(text, FILE))
    assert "hunter2" not in printed
    assert VERIFIER not in printed


MINIMUM = "databases: {shop: {upstream: {user: app}, rules: r.yaml}}\n"
BAD = {
    "": ["1:1  settings.databases is missing  name at least one database and its upstream"],
    "- a": ["1:1  settings has to be a mapping  its keys are gate, control, databases, users, masking, audit",
            "1:1  settings.databases is missing  name at least one database and its upstream"],
    MINIMUM + "gates: {}": ['2:1  unknown key "gates" in settings  did you mean "gate"?'],
    MINIMUM + "gate: {lisen: '1.2.3.4:5'}": ['2:8  unknown key "lisen" in gate  did you mean "listen"?'],
    MINIMUM + "gate: {listen: '6432'}": [
        '2:8  gate.listen "6432" is no address; write host:port (127.0.0.1:6432, [::1]:6432) or '
        "unix:/absolute/path"
    ],
    MINIMUM + "gate: {listen: 'h:70000'}": [
        '2:8  gate.listen "h:70000" is no address; write host:port (127.0.0.1:6432, [::1]:6432) or '
        "unix:/absolute/path"
    ],
    MINIMUM + "gate: {drain: 30}": [
        '2:8  gate.drain "30" is no duration; write a number and a unit: 250ms, 30s, 5m, 1h'
    ],
    MINIMUM + "gate: {workers: 0}": ["2:8  gate.workers has to be a whole number from 1 to 256"],
    MINIMUM + "gate: {workers: yes}": ["2:8  gate.workers has to be a whole number from 1 to 256"],
    MINIMUM + "gate: {tls: {key: k}}": [
        "2:13  gate.tls.certificate is missing  TLS needs a certificate and its key, both PEM files"
    ],
    MINIMUM + "audit: {max_bytes: many}": [
        '2:9  audit.max_bytes "many" is no size; write a number and a unit: 64KiB, 500MB, 1GiB'
    ],
    MINIMUM + "audit: {when_full: drop}": ['2:9  audit.when_full "drop" is none of hold, pass'],
    MINIMUM + "masking: {key: {env: A, file: b}}": [
        "2:11  masking.key is no secret  write {env: NAME}, {file: path}, {command: [program, argument]} or "
        "a text"
    ],
    "databases: {shop: {upstream: {tls: {mode: verify-ca}}}}": [
        "1:19  databases.shop.rules is missing  write rules: [rules/shop.yaml]; without rules nothing is allowed",
        "1:30  databases.shop.upstream.user is missing  write user: the database user that the gate logs in as",
        "1:36  databases.shop.upstream.tls.root_certificate is missing  verify-ca checks the server's certificate "
        "against it",
    ],
}  # fmt: skip


def test_an_unknown_database_and_a_wrong_verifier_of_a_user() -> None:
    assert problems(MINIMUM + "users:\n  bob: {role: r, verifier: md5abc, databases: [shopp]}\n") == [
        "3:18  users.bob.verifier is no SCRAM-SHA-256 verifier  make one with: dbgate user verifier",
        '3:36  users.bob.databases names the unknown database "shopp"  known are shop',
    ]


def test_broken_yaml_is_told_with_its_place() -> None:
    assert problems("gate: {name: [}\n") == ["1:15  is no valid YAML: expected the node content, but found '}'"]


@pytest.mark.parametrize("text", BAD)
def test_bad(text: str) -> None:
    assert problems(text) == BAD[text]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read  No such file"):
        load_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("secret", "value"),
    [
        (Secret(text="a"), "a"),
        (Secret(env="DBGATE_TEST_SECRET"), "from env"),
        (Secret(command=("echo", "from command")), "from command"),
    ],
)
def test_secrets_are_read_where_they_are(secret: Secret, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBGATE_TEST_SECRET", "from env")
    assert secret.read() == value


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (Secret(env="DBGATE_NOT_SET"), "DBGATE_NOT_SET is not set"),
        (Secret(file=Path("/nowhere/at/all")), "/nowhere/at/all cannot be read"),
        (Secret(command=("false",)), "the command false ended with exit code 1"),
        (Secret(command=("/no/such/program",)), "/no/such/program gave no secret"),
    ],
)
def test_a_secret_that_is_not_there_says_where_it_was_sought(secret: Secret, words: str) -> None:
    with pytest.raises(SecretUnavailable, match=words):
        secret.read()


@given(DATA)
@settings(max_examples=80, deadline=None)
def test_any_file_is_read_or_refused_and_nothing_else(data: object) -> None:
    out = StringIO()
    YAML(typ="safe").dump(data, out)
    try:
        parse_settings(out.getvalue(), FILE)
    except SettingsError:
        return
