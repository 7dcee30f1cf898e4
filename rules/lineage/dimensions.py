"""Arrays: what fails by how many dimensions or elements an array has.

The type of an array column does not say its dimensions: `{1,2}` and `{{1},{2}}` are both integer[]. Appending to
arrays, joining them, searching them and making arrays of arrays fail for some shapes, and so would tell the shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rules.catalog import Catalog, Column
from rules.lineage.arithmetic import CONDITIONS
from rules.lineage.values import Item
from rules.masks import base_type
from rules.postgres.total_functions import words
from rules.tree import Call, Operation

#: they go by the dimensions of their arrays
_SHAPED: Final = words("array_agg array_append array_cat array_position array_prepend array_remove")
#: of whole arrays: the meaning that intarray gives to them fails where an element is NULL
OF_ARRAYS: Final = words("&& @> <@")
_JOINING: Final = words("array ||")
_MAKING: Final = words("""
    akeys array_agg array_positions avals enum_range hstore_to_array hstore_to_matrix parse_ident regexp_match
    regexp_split_to_array show_trgm string_to_array tsvector_to_array xpath
""")
#: of arrays they make something else; any other function may return what it is given
_LEAVING: Final = words("""
    array_dims array_length array_lower array_ndims array_position array_to_json array_to_string
    array_upper cardinality concat concat_ws count format json_agg json_build_array json_build_object jsonb_agg
    jsonb_build_array jsonb_build_object num_nonnulls num_nulls pg_column_size pg_typeof quote_literal quote_nullable
    row_to_json to_json to_jsonb unnest
""")
_VECTORS: Final = words("int2vector oidvector")


def is_array(catalog: Catalog, column: Column) -> bool:
    """A stored column of arrays, or of a domain over them."""
    found = base_type(catalog, column)
    return found.endswith("[]") or found in _VECTORS


def any_array(items: Iterable[Item]) -> bool:
    """Of columns, whose shape nobody has written down."""
    return any(item.array and item.sources for item in items)


def call_fails(e: Call, arguments: Iterable[Item]) -> bool:
    return e.name[-1] in _SHAPED and any_array(arguments)


def operation_fails(e: Operation, operands: Iterable[Item]) -> bool:
    return e.operator in _JOINING and any_array(operands)


def of_call(e: Call, arguments: Iterable[Item]) -> bool:
    """Whether the call may give an array."""
    name = e.name[-1]
    return name in _MAKING or (name not in _LEAVING and any(item.array for item in arguments))


def of_operation(e: Operation, operands: Iterable[Item]) -> bool:
    if e.operator == "array":
        return True
    word = e.operator.removesuffix(" any").removesuffix(" all")
    return word not in CONDITIONS and word != "subscript" and any(item.array for item in operands)
