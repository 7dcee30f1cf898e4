"""Values in the binary protocol that a client sends: parameters of COM_STMT_EXECUTE and query attributes.

Source: MySQL internals, "COM_QUERY", "COM_STMT_EXECUTE", "Binary Protocol Value". A block is a NULL bitmap, a flag
byte, types (and names, with query attributes) when the flag says so, then the values.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.mysql.faults import malformed
from protocols.mysql.fieldtypes import STRING_TYPES, TEMPORAL_TYPES, FieldType
from protocols.mysql.wire import Reader, integer, lenenc_bytes

TYPE_MASK: Final = 0x7FFF  # all but UNSIGNED: what lies above a type's byte makes it another type to the server
MOST_PARAMETERS: Final = 0xFFFF
MOST_TEMPORAL: Final = 12  # bytes: days, hours, minutes, seconds, microseconds and a sign

# Only what every server reads alike: MySQL takes a length in front of YEAR, INT24, NULL (without its bit in the bitmap)
# and of types that do not exist, where a reader by the manual sees two, four and no bytes. The statement of a COM_QUERY
# begins where its attributes end, so a client that sends those could show one statement here and run another there.
WIDTHS: Final[dict[int, int]] = {
    FieldType.TINY: 1,
    FieldType.SHORT: 2,
    FieldType.LONG: 4,
    FieldType.FLOAT: 4,
    FieldType.LONGLONG: 8,
    FieldType.DOUBLE: 8,
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value. `type` is the 16-bit type as sent (bit 15: unsigned); `name` is None where names do not travel.

    `data` is the encoded value with its length in front (if its type has one), None for NULL and for values that came
    as long data.
    """

    type: int
    data: bytes | None
    name: bytes | None = None


def read_value(reader: Reader, kind: int) -> bytes:
    """One encoded value, its own length bytes included."""
    kind &= TYPE_MASK
    start = reader.position
    if (width := WIDTHS.get(kind)) is not None:
        return reader.take(width, "value")
    if kind in TEMPORAL_TYPES:
        if (size := reader.u8("length of a date or time")) > MOST_TEMPORAL:
            raise malformed("parameters", f"a date or time of {size} bytes")
    elif kind in STRING_TYPES:
        size = reader.lenenc("length of a value")
    else:
        raise malformed("parameters", f"a value of type {kind} is not read alike everywhere")
    prefix = reader.position - start
    reader.position = start
    return reader.take(prefix + size, "value")


def read_types(reader: Reader, count: int, named: bool) -> list[tuple[int, bytes | None]]:
    """Type and name of each parameter."""
    reader.require(2 * count, "parameter types")
    return [(reader.u16("type"), reader.lenenc_bytes("parameter name") if named else None) for _ in range(count)]


def read_block(
    reader: Reader,
    count: int,
    named: bool,
    known: Sequence[tuple[int, bytes | None]] | None = None,
    long_data: Collection[int] = (),
) -> tuple[bool, tuple[Parameter, ...]]:
    """`(types were sent, parameters)` of a block of `count` > 0 parameters.

    `known` are types and names of an earlier execution, for a block that brings none; `long_data` the parameters whose
    values came in COM_STMT_SEND_LONG_DATA. Raises `PeerError`.
    """
    if count > MOST_PARAMETERS:
        raise malformed("parameters", f"{count} of them")
    bitmap = reader.take((count + 7) // 8, "NULL bitmap")
    bound = reader.u8("new_params_bind_flag")
    if bound > 1:
        raise malformed("parameters", f"new_params_bind_flag {bound}")
    types = read_types(reader, count, named) if bound else known
    if types is None or len(types) != count:
        raise malformed("parameters", "no types were sent and none are known")
    return bool(bound), tuple(
        Parameter(kind, _value(reader, kind, bitmap, number, long_data), name)
        for number, (kind, name) in enumerate(types)
    )


def _value(reader: Reader, kind: int, bitmap: bytes, number: int, long_data: Collection[int]) -> bytes | None:
    if number in long_data or bitmap[number >> 3] >> (number & 7) & 1:
        return None
    return read_value(reader, kind)


def write_block(
    parameters: Sequence[Parameter], named: bool, bound: bool = True, long_data: Collection[int] = ()
) -> bytes:
    """What `read_block` reads. A NULL that is no long data gets its bit; with type NULL it would also need none."""
    bitmap = bytearray((len(parameters) + 7) // 8)
    for number, parameter in enumerate(parameters):
        if parameter.data is None and number not in long_data:
            bitmap[number >> 3] |= 1 << (number & 7)
    types = b"".join(_typed(parameter, named) for parameter in parameters) if bound else b""
    values = b"".join(parameter.data for parameter in parameters if parameter.data is not None)
    return bytes(bitmap) + (b"\x01" if bound else b"\0") + types + values


def _typed(parameter: Parameter, named: bool) -> bytes:
    return integer(parameter.type, 2) + (lenenc_bytes(parameter.name or b"") if named else b"")
