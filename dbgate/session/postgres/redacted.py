"""What stands in for a redacted value: a value of its type that tells nothing, or NULL where the gate knows none.

Types that are not built in are known by the catalog. A text form that a setting of the session shapes (DateStyle,
IntervalStyle) follows the style of the value that it replaces, so that the client's parser understands it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import Final

from protocols.postgres import dates, oids, values
from protocols.postgres.rows import CellMasker, Constant
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


def redacted(type_oid: int, wire_format: int, catalog: Catalog) -> CellMasker | Constant:
    """What replaces every value of a type, domains followed."""
    base = base_oid(type_oid, catalog)
    if wire_format == values.TEXT_FORMAT and (styled := _STYLED.get(base)):
        return styled
    known = values.placeholder(base, wire_format)
    found = catalog.type_by_oid.get(base) if base else None
    if known is not None or found is None:
        return Constant(known)
    forms = _FORMS[found.kind](found, catalog) if found.kind in _FORMS else None
    return Constant(forms and forms[wire_format])


# ---------------------------------------------------------------- styles


def _interval(cell: bytes) -> bytes:
    """No time at all, in the IntervalStyle iso_8601, postgres_verbose or (read by the others as well) postgres."""
    return {b"P": b"PT0S", b"@": b"@ 0"}.get(cell[:1], b"00:00:00")


_STYLED: Final[dict[int, CellMasker]] = {
    **{type_oid: partial(dates.first_of_2000, type_oid=type_oid) for type_oid in dates.TYPES},
    oids.INTERVAL: _interval,
}

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
