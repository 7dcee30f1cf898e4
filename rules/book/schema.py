"""The JSON Schema of the rule file, made of the tables that the reader itself goes by.

Editors complete and check by it as one types. It is a little wider than the reader: what a name may be made of, which
labels there are, and what a filter's condition may say is found by `dbgate rules check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from rules.book.filtering import KEYS as FILTER_KEYS
from rules.book.limiting import BYTES, FIGURES, LARGEST, MILLISECONDS, MOST_A_MINUTE, WINDOWS
from rules.book.model import Predicates
from rules.book.reading import (
    COUNTED_MASKS,
    LARGEST_STEP,
    MODES,
    MOST_KEPT,
    PLAIN_MASKS,
    RULE_KEYS,
    TOP_KEYS,
    VERB_KEYS,
    VERBS,
    WITHOUT,
)
from rules.decision import MaskKind
from rules.taxonomy import KINDS

Schema: TypeAlias = dict[str, Any]
DIALECT: Final = "http://json-schema.org/draft-07/schema#"
ID_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$"
LABEL_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"

#: verb -> the keys of its body
BODIES: Final[Mapping[str, tuple[str, ...]]] = {**VERB_KEYS, "filter": FILTER_KEYS, "limit": (*FIGURES, "per")}
_REQUIRED: Final = {"mask": ["columns", "with"], "filter": ["where"]}
_SAID: Final = {
    "allow": "What the role may do. What nothing allows is refused.",
    "deny": "What is refused whatever else allows it. All keys that are given must match.",
    "mask": "Columns whose values are changed on their way out.",
    "filter": "Rows that do not meet the condition are as if they were not there.",
    "limit": "What the role may use up.",
}


def rule_file_schema() -> Schema:
    """Draft 7, which editors' YAML language servers read."""
    return {
        "$schema": DIALECT,
        "title": "dbgate rule file",
        **_mapping({key: _TOP[key] for key in TOP_KEYS}, required=["version"]),
        "anyOf": [{"required": ["rules"]}, {"required": ["labels"]}],
        "definitions": {"rule": _rule(), **_DEFINITIONS},
    }


def _mapping(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    found: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


def _rule() -> Schema:
    verbs = {verb: {"description": _SAID[verb], **_body(verb)} for verb in VERBS}
    rule = _mapping({**{key: _RULE[key] for key in RULE_KEYS}, **verbs}, required=["id"])
    return {**rule, "oneOf": [{"required": [verb]} for verb in VERBS]}


def _body(verb: str) -> Schema:
    keys = {key: _figure(key) if key in FIGURES else _KEYS[key] for key in BODIES[verb]}
    return {**_mapping(keys, _REQUIRED.get(verb, ())), "minProperties": 1}


# ---------------------------------------------------------------- values


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, "minItems": 1, **more}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _figure(key: str) -> Schema:
    """By the unit that its name begins with."""
    return next(make(key) for unit, make in _FIGURES.items() if key.startswith(unit))


def _count(key: str) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": MOST_A_MINUTE if key == "statements_per_minute" else LARGEST}


def _with_unit(units: Iterable[str], number: str) -> Schema:
    return {"type": "string", "pattern": f"^ *{number} ?({'|'.join(units)}) *$"}


def _size(key: str) -> Schema:
    return {"anyOf": [{"type": "integer", "minimum": 1}, _with_unit(BYTES, "[1-9][0-9]{0,15}")]}


def _time(key: str) -> Schema:
    return _with_unit(MILLISECONDS, "[0-9]{1,15}(\\.[0-9]{1,6})?")


#: how a figure's name begins -> its values
_FIGURES: Final[dict[str, Callable[[str], Schema]]] = {
    "bytes_": _size,
    "statement_time": _time,
    "rows_": _count,
    "statements_": _count,
    "sensitive_": _count,
}


def _counted(word: str, kind: MaskKind) -> Schema:
    most = LARGEST_STEP if kind is MaskKind.ROUND else MOST_KEPT
    return _mapping({word: {"type": "integer", "minimum": 1, "maximum": most}}, required=[word])


_NAMES: Final = _list(_reference("pattern"), description="Tables or functions: orders, hr.people, public.*, *.")
_DEFINITIONS: Final[dict[str, Schema]] = {
    "pattern": {"type": "string", "minLength": 1, "description": "A name, or a pattern with *."},
    "kind": {"anyOf": [{"enum": list(KINDS)}, {"type": "string", "pattern": "\\*"}]},
    "columns": _list(
        _reference("pattern"), description='Columns: customers.email, hr.people.salary, "*.ssn", "label:pii".'
    ),
    "mask": {
        "description": "What becomes of the value. The strongest of several masks wins.",
        "anyOf": [
            {"enum": [*PLAIN_MASKS, None]},
            *(_counted(word, kind) for word, kind in COUNTED_MASKS.items()),
        ],
    },
}
#: key of a verb's body -> its values
_KEYS: Final[dict[str, Schema]] = {
    "statements": _list(_reference("kind"), description="Kinds of statement."),
    "tables": _NAMES,
    "functions": _NAMES,
    "table": _reference("pattern"),
    "columns": _reference("columns"),
    "without": {"enum": list(WITHOUT), "description": "UPDATE and DELETE that lack this."},
    "with": _reference("mask"),
    "predicates": {
        "enum": [each.value for each in Predicates],
        "description": "What else a masked column may be used for.",
    },
    "where": {"type": "string", "minLength": 1, "description": "A condition on the table's own columns."},
    "per": {"anyOf": [{"enum": list(WINDOWS)}, _time("per")], "description": "When the budgets of a job begin anew."},
}
#: key of a rule -> its values
_RULE: Final[dict[str, Schema]] = {
    "id": {"type": "string", "pattern": ID_PATTERN, "description": "Refusals and the audit name it."},
    "roles": _list({"type": "string", "minLength": 1}, description='Left out or "*": everyone.'),
    "message": {"type": "string", "description": "Why, for the one who is refused."},
    "instead": {"type": "string", "description": "What to do instead."},
    "mode": {"enum": list(MODES), "description": "observe: recorded, without effect."},
}
#: key of the file -> its values
_TOP: Final[dict[str, Schema]] = {
    "version": {"const": 1},
    "labels": {
        "type": "object",
        "description": "Names for groups of columns.",
        "propertyNames": {"pattern": LABEL_PATTERN},
        "additionalProperties": _reference("columns"),
    },
    "rules": _list(_reference("rule"), description="Order never matters: a deny beats every allow."),
}
