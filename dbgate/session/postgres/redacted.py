"""What stands in for a redacted value: a value of its type that tells nothing, or NULL where the gate knows none.

Types that are not built in are known by the catalog. A text form that a setting of the session shapes (DateStyle,
IntervalStyle) follows that setting, so that the client's parser understands it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from protocols.postgres import dates, oids, values
from rules.catalog import Catalog, Type
from rules.masks import is_array

_DEEPEST: Final = 32  # domains over domains


def base_oid(type_oid: int, catalog: Catalog) -> int:
    """The type below a domain, whose wire form a domain's values have; 0 when there is no end to the domains."""
    for _ in range(_DEEPEST):
        found = catalog.type_by_oid.get(type_oid)
        if found is None or found.kind != "d":
            return type_oid
        type_oid = found.element
    return 0


def element_oid(type_oid: int, catalog: Catalog) -> int | None:
    """The type of an array's elements; None for a type that is no array."""
    known = oids.ARRAYS.get(type_oid)
    if known is not None:
        return known
    found = catalog.type_by_oid.get(type_oid)
    return found.element if found is not None and is_array(found) else None


def is_citext(type_oid: int, catalog: Catalog) -> bool:
    """The extension's type, whose wire form is its text in both formats."""
    found = catalog.type_by_oid.get(type_oid)
    return found is not None and found.kind == "b" and found.category == "S" and found.name == "citext"


@dataclass(frozen=True, slots=True)
class TextStyle:
    """Settings of the session that shape text forms, as the server last reported them. A style read off the value
    itself would tell something of it: infinity has none."""

    dates: str = "ISO, MDY"
    intervals: str = "postgres"

    def told(self, name: str, value: str) -> TextStyle:
        """After a ParameterStatus."""
        field = _PARAMETERS.get(name)
        return self if field is None else replace(self, **{field: value})


_PARAMETERS: Final = {"DateStyle": "dates", "IntervalStyle": "intervals"}
_NO_TIME: Final = {"iso_8601": b"PT0S", "postgres_verbose": b"@ 0", "sql_standard": b"0"}
ISO: Final = TextStyle()


def style_of(parameters: Mapping[str, str]) -> TextStyle:
    """By what the server reported at login."""
    style = ISO
    for name in _PARAMETERS:
        style = style.told(name, parameters[name]) if name in parameters else style
    return style


def redacted(type_oid: int, wire_format: int, catalog: Catalog, style: TextStyle = ISO) -> bytes | None:
    """What replaces every value of a type, domains followed; None is NULL."""
    base = base_oid(type_oid, catalog)
    if wire_format == values.TEXT_FORMAT and base in dates.TYPES:
        return dates.first_of_2000(base, style.dates)
    if wire_format == values.TEXT_FORMAT and base == oids.INTERVAL:
        return _NO_TIME.get(style.intervals, b"00:00:00")
    known = values.placeholder(base, wire_format)
    found = catalog.type_by_oid.get(base) if base else None
    if known is not None or found is None:
        return known
    forms = _FORMS[found.kind](found, catalog) if found.kind in _FORMS else None
    return forms and forms[wire_format]


# ---------------------------------------------------------------- types that are not built in

Forms = tuple[bytes, bytes]


def _enum(found: Type, catalog: Catalog) -> Forms | None:
    """The first label, whatever the value is."""
    return (found.labels[0].encode(),) * 2 if found.labels else None


def _composite(found: Type, catalog: Catalog) -> Forms | None:
    """A record of NULLs: its fields, each with its type (record_out, record_send)."""
    relation = catalog.by_name.get((found.schema, found.name))
    if relation is None or not all(column.type_oid for column in relation.columns):
        return None
    fields = b"".join(struct.pack(">Ii", column.type_oid, -1) for column in relation.columns)
    commas = b"," * (len(relation.columns) - 1)
    return b"(" + commas + b")", struct.pack(">i", len(relation.columns)) + fields


def _range(found: Type, catalog: Catalog) -> Forms | None:
    return values.EMPTY_RANGE


def _multirange(found: Type, catalog: Catalog) -> Forms | None:
    return values.EMPTY_MULTIRANGE


def _base(found: Type, catalog: Catalog) -> Forms | None:
    """Arrays, and the two types of the server's own extensions that clients meet most."""
    if is_array(found):
        return values.empty_array(found.element)
    if is_citext(found.oid, catalog):
        return values.REDACTED, values.REDACTED
    return values.EMPTY_HSTORE if found.name == "hstore" else None


_FORMS: Final[dict[str, Callable[[Type, Catalog], Forms | None]]] = {
    "e": _enum,
    "c": _composite,
    "r": _range,
    "m": _multirange,
    "b": _base,
}
