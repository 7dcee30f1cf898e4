"""Arrays on the wire, element by element. Sources: the server's array_out, array_in, array_send and array_recv.

Dimensions, lower bounds and NULLs stay as they are. The delimiter is the comma, which every type but `box` has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import IntEnum, auto
from struct import Struct
from typing import TypeAlias

from protocols.errors import PeerError

#: Makes another element of one; None is NULL.
Change: TypeAlias = Callable[[bytes], bytes | None]

_MAX_DIMENSIONS = 6  # MAXDIM
_MAX_ELEMENTS = 1 << 27  # MaxArraySize: a gigabyte of pointers


def _malformed(why: str) -> PeerError:
    return PeerError(f"invalid array: {why}")


# ---------------------------------------------------------------- text

#: `[2:3][-1:0]=` before the braces, when a dimension does not begin at 1
_BOUNDS = re.compile(rb"(?:\[-?\d{1,10}:-?\d{1,10}\]){1,6}=")
#: a brace, a comma, a quoted element (group 1) or a bare one (group 2)
_TOKEN = re.compile(rb'[{},]|"((?:[^"\\]|\\.)*)"|([^{},"\\]+)', re.DOTALL)
#: one dimension, nothing in quotes: several times as fast
_SIMPLE = re.compile(rb'\{((?:[^{},"\\]+,)*+[^{},"\\]+)\}')
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_SPECIAL = re.compile(rb'["\\]')
_BARE = re.compile(rb'[^{},"\\ \t\n\r\v\f]+')
_NULL_WORD = b"NULL"


class _At(IntEnum):
    """Where in the text: before the first brace, behind an opening one, behind a comma, behind an element or a closing
    brace."""

    START = auto()
    OPENED = auto()
    COMMA = auto()
    ELEMENT = auto()


_DEPTHS = {b"{": 1, b"}": -1}
_ANY = b""  # an element
_NEXT: dict[tuple[_At, bytes], _At] = {
    (_At.START, b"{"): _At.OPENED,
    (_At.OPENED, b"{"): _At.OPENED,
    (_At.OPENED, b"}"): _At.ELEMENT,
    (_At.OPENED, _ANY): _At.ELEMENT,
    (_At.COMMA, b"{"): _At.OPENED,
    (_At.COMMA, _ANY): _At.ELEMENT,
    (_At.ELEMENT, b","): _At.COMMA,
    (_At.ELEMENT, b"}"): _At.ELEMENT,
}


def change_text(cell: bytes, change: Change) -> bytes:
    """The array's text with each element that is not NULL changed. Raises `PeerError` for what is no array."""
    simple = _SIMPLE.fullmatch(cell)
    if simple is not None:
        elements = (e if e == _NULL_WORD else _written(change(e)) for e in simple[1].split(b","))
        return b"{" + b",".join(elements) + b"}"
    bounds = _BOUNDS.match(cell)
    start = bounds.end() if bounds else 0
    return cell[:start] + b"".join(_changed_tokens(cell, start, change))


def _changed_tokens(cell: bytes, start: int, change: Change) -> Iterator[bytes]:
    at, depth = _At.START, 0
    for token in _tokens(cell, start):
        mark = _ANY if token.lastindex else token[0]
        known = _NEXT.get((at, mark))
        depth += _DEPTHS.get(mark, 0)
        if known is None or depth > _MAX_DIMENSIONS or (depth == 0 and token.end() < len(cell)):
            raise _malformed("a brace or comma stands where none can")
        at = known
        yield _changed_element(token, change) if mark == _ANY else mark
    if depth or at is _At.START:
        raise _malformed("it ends too early")


def _tokens(cell: bytes, position: int) -> Iterator[re.Match[bytes]]:
    while position < len(cell):
        token = _TOKEN.match(cell, position)
        if token is None:
            raise _malformed("a quote or backslash stands where none can")
        position = token.end()
        yield token


def _changed_element(token: re.Match[bytes], change: Change) -> bytes:
    if token.lastindex == 1:
        return _written(change(_ESCAPE.sub(rb"\1", token[1])))
    return token[2] if token[2] == _NULL_WORD else _written(change(token[2]))


def _written(element: bytes | None) -> bytes:
    """An element as array_out writes it: in quotes where it could be taken for something else."""
    if element is None:
        return _NULL_WORD
    if _BARE.fullmatch(element) and element.upper() != _NULL_WORD:
        return element
    return b'"' + _SPECIAL.sub(rb"\\\g<0>", element) + b'"'


# ---------------------------------------------------------------- binary

_HEAD = Struct(">iiI")  # dimensions, whether there are NULLs, the elements' type
_DIMENSION = Struct(">ii")  # size, lower bound
_LENGTH = Struct(">i")
_NULL = b"\xff\xff\xff\xff"


def change_binary(cell: bytes, change: Change) -> bytes:
    """The same for the binary form."""
    if len(cell) < _HEAD.size:
        raise _malformed("its head is missing")
    dimensions, _, element_type = _HEAD.unpack_from(cell)
    start = _HEAD.size + dimensions * _DIMENSION.size
    if not 0 <= dimensions <= _MAX_DIMENSIONS or len(cell) < start:
        raise _malformed(f"{dimensions} dimensions")
    elements = [_prefixed(change(e)) if e is not None else _NULL for e in _elements(cell, start, dimensions)]
    head = _HEAD.pack(dimensions, int(_NULL in elements), element_type)
    return b"".join((head, cell[_HEAD.size : start], *elements))


def _prefixed(element: bytes | None) -> bytes:
    return _NULL if element is None else _LENGTH.pack(len(element)) + element


def _elements(cell: bytes, position: int, dimensions: int) -> Iterator[bytes | None]:
    size = len(cell)
    for _ in range(_count(cell, dimensions)):
        if position + _LENGTH.size > size:
            raise _malformed("it ends too early")
        (length,) = _LENGTH.unpack_from(cell, position)
        position += _LENGTH.size
        if length < -1 or position + length > size:
            raise _malformed("an element's length does not fit")
        yield None if length < 0 else cell[position : position + length]
        position += max(length, 0)
    if position != size:
        raise _malformed("bytes are left behind its last element")


def _count(cell: bytes, dimensions: int) -> int:
    count = 1 if dimensions else 0
    for number in range(dimensions):
        size, _ = _DIMENSION.unpack_from(cell, _HEAD.size + number * _DIMENSION.size)
        if not 0 <= size <= _MAX_ELEMENTS:
            raise _malformed(f"a dimension of {size} elements")
        count *= size
    return count
