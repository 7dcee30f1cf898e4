"""Columns' types as `dbgate.catalog.mysql` writes them: information_schema's DATA_TYPE, with ` unsigned` behind it
where the column is: `varchar`, `int unsigned`, `decimal`, `json`.

MySQL manual, chapter "Data Types".
"""

from __future__ import annotations

import math
from enum import Enum
from functools import cache
from typing import Final

from rules.lineage.numbers import Kind, Number
from rules.lineage.numbers import of_type as postgres_number


class Group(Enum):
    """Types whose values are compared as they are with each other."""

    TEXT = "text"  # character strings and bytes
    NUMBER = "number"
    TIME = "time"
    NAMED = "named"  # enum and set: by label or by number
    OTHER = "other"


_GROUPS: Final = {
    Group.TEXT: """char varchar tinytext text mediumtext longtext binary varbinary tinyblob blob mediumblob longblob""",
    Group.NUMBER: "tinyint smallint mediumint int integer bigint decimal numeric float double real bit year",
    Group.TIME: "date datetime timestamp time",
    Group.NAMED: "enum set",
    Group.OTHER: """json uuid inet4 inet6 vector geometry point linestring polygon multipoint multilinestring
        multipolygon geomcollection geometrycollection""",
}
_GROUP_OF: Final = {name: group for group, names in _GROUPS.items() for name in names.split()}


def is_known(type_name: str) -> bool:
    return type_name.removesuffix(" unsigned") in _GROUP_OF


def group_of(type_name: str | None) -> Group:
    """What is not known counts as text, by which a comparison can tell most."""
    return _GROUP_OF.get((type_name or "").removesuffix(" unsigned"), Group.TEXT)


#: digits of the largest value; sums and products of whole numbers are BIGINT whatever they are made of
_WHOLE: Final = {"tinyint": 127, "smallint": 32767, "mediumint": 8_388_607, "int": 2**31 - 1, "year": 2155}
_MOMENTS: Final = {"date": "date", "datetime": "timestamp without time zone", "timestamp": "timestamp with time zone"}


@cache
def number_of(type_name: str, modifier: int = -1) -> Number | None:
    """The bounds of a stored column's values. None for what is no number, and for unsigned ones, of which a difference
    below zero fails. `modifier`: the precision and scale of a DECIMAL, as PostgreSQL packs them."""
    if type_name in _WHOLE:
        return Number(Kind.BIG, 0.0, math.log10(_WHOLE[type_name]))
    if type_name == "bigint":
        return postgres_number("bigint")
    if type_name in ("decimal", "numeric"):
        return _decimal(modifier)
    if type_name in ("float", "double", "real"):
        return postgres_number("double precision" if type_name != "float" else "real")
    return None


def _decimal(modifier: int) -> Number | None:
    """DECIMAL has 65 digits at the most: what comes near is not bounded."""
    found = postgres_number("numeric", modifier) if modifier >= 4 else None
    return found if found is not None and found.most <= 30 else None
