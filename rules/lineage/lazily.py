"""What is worked out only if another value lets it.

AND, OR, COALESCE, IN, BETWEEN and comparisons of rows stop at the first operand that decides. Where one after it may
fail or do something besides (`ssn = '1' AND 1 / (id - id) > 0`, `coalesce(nullif(ssn, '1'), nextval('s')::text)`), that
the statement fails or the sequence moves tells about the operands before it, although what comes out is masked. So
their columns count as Use.COMPUTE. A CASE needs no such care: its conditions are uses of their own.
"""

from __future__ import annotations

from typing import Final

from rules.lineage import hazards
from rules.lineage.reader import Reader
from rules.lineage.values import Item, united
from rules.postgres.total_functions import words
from rules.tree import Expression, Operation

_STOPPING: Final = words("""
    and or in not_in between not_between between_symmetric not_between_symmetric
""")
_COMPARISONS: Final = words("= <> != < > <= >= is_distinct is_not_distinct")


def of_operation(reader: Reader, e: Operation, operands: list[Item]) -> None:
    """Notes the columns that decide whether an operand which may fail is worked out."""
    if e.operator == "coalesce":
        _coalesced(reader, operands)
    elif e.operator in _STOPPING:
        if any(item.fails for item in operands[1:]):
            hazards.told(reader, united(operands))
    elif e.operator in _COMPARISONS and any(map(_is_row, e.operands)) and any(item.fails for item in operands):
        hazards.told(reader, united(operands))


def _coalesced(reader: Reader, operands: list[Item]) -> None:
    """Which columns are NULL is no secret; whether a hollow value is NULL is."""
    for position, item in enumerate(operands):
        if item.hollow and any(later.fails for later in operands[position + 1 :]):
            hazards.told(reader, item.sources)


def _is_row(e: Expression) -> bool:
    return isinstance(e, Operation) and e.operator == "row"
