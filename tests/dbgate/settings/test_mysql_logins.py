"""Settings that only logins of MySQL and MariaDB have."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgate.settings import SettingsError, parse_settings

FILE = Path("/etc/dbgate/dbgate.yaml")
VERIFIER = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$" + ":".join(["A" * 43 + "="] * 2)
NATIVE = "*ECAAB87BA49CF80F5817AF105EE99C16B0B1CB50"


def text(native: str = NATIVE, protocol: str = "mysql") -> str:
    return f"""\
gate: {{mysql: {{listen: ["127.0.0.1:6433"]}}}}
databases:
  shop: {{protocol: {protocol}, rules: [shop.yaml], upstream: {{user: app, public_key: rsa.pem}}}}
users:
  agent: {{role: agent, verifier: "{VERIFIER}", databases: [shop], native_verifier: "{native}"}}
"""


def problems(source: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(source, FILE)
    return [str(problem) for problem in caught.value.problems]


def test_what_they_mean() -> None:
    settings = parse_settings(text(), FILE)
    assert settings.users["agent"].native_verifier == NATIVE
    assert settings.databases["shop"].upstream.public_key == FILE.parent / "rsa.pem"
    assert NATIVE not in repr(settings)


@pytest.mark.parametrize("native", ["*1234", "secret", NATIVE[1:]])
def test_a_native_verifier_that_is_none(native: str) -> None:
    (problem,) = problems(text(native))
    assert "dbgate.yaml:5:" in problem
    assert "dbgate user verifier --native" in problem
    assert native not in problem


def test_a_public_key_is_not_for_postgresql() -> None:
    assert any("public_key" in problem and "MySQL only" in problem for problem in problems(text(protocol="postgresql")))
