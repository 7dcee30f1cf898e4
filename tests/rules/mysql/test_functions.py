"""Built-in functions by risk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.facts import FunctionRisk
from rules.mysql import total_functions
from rules.mysql.functions import candidates, risk_of
from rules.mysql.pure_functions import PURE
from rules.mysql.system_variables import is_open
from tests.rules.mysql.shop import CATALOG


@pytest.mark.parametrize(
    ("name", "risk"),
    [
        ("upper", FunctionRisk.PURE),
        ("st_astext", FunctionRisk.PURE),
        ("load_file", FunctionRisk.FILE),
        ("benchmark", FunctionRisk.SLEEP),
        ("release_all_locks", FunctionRisk.SESSION),
        ("keyring_key_fetch", FunctionRisk.ADMIN),
        ("group_replication_set_as_primary", FunctionRisk.ADMIN),
        ("sys_exec", None),
    ],
)
def test_risks(name: str, risk: FunctionRisk | None) -> None:
    assert risk_of(name) is risk


def test_a_stored_function_counts_beside_a_built_in_one() -> None:
    assert {f.risk for f in candidates(CATALOG, ("TOTAL_OF",))} == {FunctionRisk.USER}
    assert {f.risk for f in candidates(CATALOG, ("other", "total_of"))} == {FunctionRisk.UNKNOWN}


def test_what_is_total_is_pure() -> None:
    groups = ("FIRM", "WITH_CONSTANTS", "HOLLOW", "OF_UNITS", "OF_NUMBERS", "OF_JSON")
    listed = frozenset().union(*(getattr(total_functions, group) for group in groups))
    assert listed - {"default_of"} <= PURE


@pytest.mark.parametrize(
    ("name", "is_it"),
    [("version", True), ("GLOBAL.sql_mode", True), ("report_password", False), ("x.version", False), ("", False)],
)
def test_system_variables(name: str, is_it: bool) -> None:
    assert is_open(name) is is_it


def test_a_bare_name_means_the_default_databases_function() -> None:
    elsewhere = replace(CATALOG.functions[0], schema="other")
    catalog = replace(CATALOG, functions=(*CATALOG.functions, elsewhere))
    name = (CATALOG.functions[0].name,)
    assert {f.schema for f in candidates(catalog, name, ("shop",))} == {"shop"}
    assert {f.schema for f in candidates(catalog, name)} == {"shop", "other"}
