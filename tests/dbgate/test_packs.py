from __future__ import annotations

from pathlib import Path

import pytest

from dbgate.packs import UnknownPack, packs, rule_path
from dbgate.settings import SettingsError, parse_settings

SETTINGS = """
databases:
  shop:
    upstream: {user: app}
    rules: [RULES]
"""


def test_names_and_files() -> None:
    found = packs()
    assert {"pii", "payment-cards", "secrets", "least-privilege-agent", "write-safety"} == set(found)
    assert all(file.is_file() for file in found.values())


def test_only_a_prefix_makes_a_pack() -> None:
    assert rule_path("pack:pii", Path) == packs()["pii"]
    assert rule_path("pii", Path) == Path("pii")
    with pytest.raises(UnknownPack, match=r'no pack "../pii": known are least-privilege-agent, '):
        rule_path("pack:../pii", Path)


def test_in_the_settings() -> None:
    settings = parse_settings(SETTINGS.replace("RULES", "pack:pii, rules/shop.yaml"), Path("/etc/gate/dbgate.yaml"))
    assert settings.databases["shop"].rules == (packs()["pii"], Path("/etc/gate/rules/shop.yaml"))
    with pytest.raises(SettingsError, match='there is no pack "pie"'):
        parse_settings(SETTINGS.replace("RULES", '"pack:pie"'), Path("/etc/gate/dbgate.yaml"))
