"""The JSON Schema knows what the reader knows, no more and no less."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from rules.book import filtering, limiting, load, reading
from rules.book.schema import BODIES, ID_PATTERN, LABEL_PATTERN, rule_file_schema

SCHEMA = rule_file_schema()
HOUSE = Path(__file__).parents[3]
RULEBOOKS = sorted(
    file
    for folder in ("dbgate", "rules", "bench", "tests")
    for file in (HOUSE / folder).rglob("*.yaml")
    if re.search(r"^(rules|labels):\s*($|#)", file.read_text("utf-8"), re.M) and not file.name.endswith(".test.yaml")
)


# ---------------------------------------------------------------- as much of JSON Schema as the schema uses


def faults(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Every place where the value breaks the schema."""
    found: list[str] = []
    for word, wanted in schema.items():
        found += CHECKS[word](value, wanted, schema, where) if word in CHECKS else []
        assert word in CHECKS or word in ("$schema", "title", "description", "definitions", "properties"), word
    return found


def is_of(kind: str, value: Any) -> bool:
    types = {"object": dict, "array": list, "string": str, "integer": int}
    return isinstance(value, types[kind]) and not isinstance(value, bool)


def closed(value: Any, more: Any, schema: dict[str, Any], where: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    known = schema.get("properties", {})
    inside = [
        fault for key, each in value.items() if key in known for fault in faults(each, known[key], f"{where}/{key}")
    ]
    other = [key for key in value if key not in known]
    if more is False:
        return inside + [f"{where}: unknown {key}" for key in other]
    return inside + [fault for key in other for fault in faults(value[key], more, f"{where}/{key}")]


def some(value: Any, options: list[dict[str, Any]], where: str, count: range) -> list[str]:
    fitting = sum(not faults(value, option, where) for option in options)
    return [] if fitting in count else [f"{where}: {fitting} of the alternatives fit"]


CHECKS: dict[str, Any] = {
    "$ref": lambda v, ref, s, w: faults(v, SCHEMA["definitions"][ref.rpartition("/")[2]], w),
    "type": lambda v, kind, s, w: [] if is_of(kind, v) else [f"{w}: no {kind}"],
    "const": lambda v, wanted, s, w: [] if v == wanted else [f"{w}: not {wanted}"],
    "enum": lambda v, words, s, w: [] if v in words else [f"{w}: none of {words}"],
    "pattern": lambda v, p, s, w: [] if not isinstance(v, str) or re.search(p, v) else [f"{w}: no {p}"],
    "minLength": lambda v, n, s, w: [] if not isinstance(v, str) or len(v) >= n else [f"{w}: too short"],
    "minimum": lambda v, n, s, w: [] if not isinstance(v, int) or v >= n else [f"{w}: too small"],
    "maximum": lambda v, n, s, w: [] if not isinstance(v, int) or v <= n else [f"{w}: too large"],
    "minItems": lambda v, n, s, w: [] if not isinstance(v, list) or len(v) >= n else [f"{w}: too few"],
    "minProperties": lambda v, n, s, w: [] if not isinstance(v, dict) or len(v) >= n else [f"{w}: empty"],
    "required": lambda v, keys, s, w: [f"{w}: no {k}" for k in keys if isinstance(v, dict) and k not in v],
    "items": lambda v, i, s, w: [f for e in (v if is_of("array", v) else ()) for f in faults(e, i, f"{w}/-")],
    "propertyNames": lambda v, i, s, w: [f for k in v for f in faults(k, i, w)] if isinstance(v, dict) else [],
    "additionalProperties": closed,
    "anyOf": lambda v, options, s, w: some(v, options, w, range(1, 99)),
    "oneOf": lambda v, options, s, w: some(v, options, w, range(1, 2)),
}  # fmt: skip


def parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


# ---------------------------------------------------------------- tests


def test_there_are_rulebooks() -> None:
    assert len(RULEBOOKS) >= 10
    assert {"pii.yaml", "shop.yaml", "rulebook.yaml"} <= {file.name for file in RULEBOOKS}


@pytest.mark.parametrize("file", RULEBOOKS, ids=lambda file: str(file.relative_to(HOUSE)))
def test_every_rulebook_of_the_house_fits(file: Path) -> None:
    assert faults(parsed(file.read_text("utf-8")), SCHEMA) == []


def test_every_key_that_the_reader_knows_is_in_it() -> None:
    rule = SCHEMA["definitions"]["rule"]
    assert set(SCHEMA["properties"]) == set(reading.TOP_KEYS)
    assert set(rule["properties"]) == {*reading.RULE_KEYS, *reading.VERBS}
    assert set(BODIES) == set(reading.VERBS)
    known = {**reading.VERB_KEYS, "filter": filtering.KEYS, "limit": (*limiting.FIGURES, "per")}
    for verb, keys in known.items():
        assert set(rule["properties"][verb]["properties"]) == set(keys)


def test_its_names_are_the_readers() -> None:
    assert f"^{reading._ID.pattern}$" == ID_PATTERN
    assert f"^{reading._LABEL.pattern}$" == LABEL_PATTERN
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


GOOD = """version: 1
labels: {pii: [customers.email, "*.ssn"]}
rules:
  - {id: a, roles: [agent], allow: {statements: [select, "copy_*"], tables: ["public.*"], functions: [f]}}
  - {id: b, deny: {statements: [update], without: where}, message: no, instead: use WHERE}
  - {id: c, mode: observe, mask: {columns: ["label:pii"], with: {keep_last: 4}, predicates: equality}}
  - {id: d, mask: {columns: [t.a], with: null}}
  - {id: e, mask: {columns: [t.b], with: {round: 1000}}}
  - {id: f, filter: {table: customers, where: "country = 'US'"}}
  - {id: g, filter: {tables: [a, b], where: "x = 1"}}
  - {id: h, limit: {rows_per_statement: 10, bytes_per_statement: 5MB, statement_time: 30s, rows_per_job: 5, per: hour}}
""".replace("message: no,", "message: nothing,")


def test_what_the_reader_takes_fits() -> None:
    assert load({"r.yaml": GOOD}).problems == ()
    assert faults(parsed(GOOD), SCHEMA) == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("version: 1", "version: 2"),
        ("version: 1", "verison: 1"),
        ("id: a", "id: a b"),
        ("id: a,", "name: a,"),
        ("roles: [agent]", "roles: agent"),
        ("roles: [agent]", "roles: []"),
        ("roles: [agent]", "rolse: [agent]"),
        ("statements: [select,", "statements: [selekt,"),
        ("functions: [f]", "funktions: [f]"),
        ("without: where", "without: limit"),
        ("mode: observe", "mode: watch"),
        ("predicates: equality", "predicates: some"),
        ("keep_last: 4", "keep_last: 0"),
        ("keep_last: 4", "keep_middle: 4"),
        ("with: null", "with: nothing"),
        ("columns: [t.a], with: null", "columns: [t.a]"),
        ("table: customers,", "tabel: customers,"),
        (", where: \"x = 1\"", ""),
        ("rows_per_statement: 10", "rows_per_statement: 0"),
        ("5MB", "5 megabytes"),
        ("30s", "soon"),
        ("per: hour", "per: moon"),
        ("deny: {statements: [update], without: where}", "deny: {}"),
        ("deny: {", "mask: {columns: [a.b], with: hash}, deny: {"),
        ("pii: [customers.email, \"*.ssn\"]", "p i: [customers.email]"),
        ("pii: [customers.email, \"*.ssn\"]", "pii: customers.email"),
    ],
)  # fmt: skip
def test_what_the_reader_refuses_does_not_fit(good: str, bad: str) -> None:
    text = GOOD.replace(good, bad, 1)
    assert text != GOOD
    assert load({"r.yaml": text}).rulebook is None
    assert faults(parsed(text), SCHEMA)
