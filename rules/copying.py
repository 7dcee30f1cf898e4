"""COPY ... TO STDOUT of masked columns: what the gate must know to mask the rows, and what it therefore refuses.

Of a COPY's columns the server tells their number only. The session asks it for more (`described`), but not everywhere
it can, so what the text does not make certain is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rules.catalog import Catalog
from rules.copy_format import CopyFormat, CopyOut
from rules.decision import Mask, MaskKind, Refusal
from rules.denying import REFUSED
from rules.facts import ColumnId, Facts, OutputColumn
from rules.hiding import masked_sources, output_masks
from rules.masks import Family, family
from rules.roles import RoleView

COPY_OUT: Final = "dbgate:copy"
TEXT: Final = 25
_DEEPEST: Final = 32  # domains over domains

#: masks that leave an empty text empty, so that it does not matter whether one stands for NULL
_KEEPS_EMPTY: Final = frozenset({MaskKind.KEEP_LAST, MaskKind.KEEP_FIRST, MaskKind.NULL})


# ---------------------------------------------------------------- what is refused


def unmaskable_copy(facts: Facts, view: RoleView) -> Refusal | None:
    """COPY ... TO STDOUT of masked columns in a way that the gate cannot mask, or of columns that it does not know."""
    if facts.kind != "copy_out" or not view.masks or facts.missing:
        return None
    if facts.outputs is None:
        return Refusal(COPY_OUT, REFUSED, "the columns of this COPY are not certain", "use SELECT")
    masked = masked_sources(facts, view)
    if not masked:
        return None
    found = _objection(facts, view)
    if found is None:
        return None
    names = ", ".join(str(column) for column in masked)
    what, mend = found
    detail = f"{_masked_by(masked, view)}, and the gate cannot mask COPY with {what}"
    return Refusal(COPY_OUT, REFUSED, detail, f"{mend}, or COPY without {names}")


def _masked_by(masked: Iterable[ColumnId], view: RoleView) -> str:
    """Each rule with the columns that it masks."""
    columns: dict[str, list[str]] = {}
    for column in masked:
        columns.setdefault(min(rule.id for rule, _ in view.maskings(column)), []).append(str(column))
    return ", ".join(f'rule "{rule}" masks {" and ".join(found)}' for rule, found in columns.items())


def _objection(facts: Facts, view: RoleView) -> tuple[str, str] | None:
    """(what the gate cannot mask, what to do instead)."""
    written = facts.copy
    if written is None or written.problem:
        what = written.problem if written else "these options"
        return (
            what,
            "use FORMAT text, csv or binary in UTF8 with DELIMITER, NULL, HEADER, QUOTE, ESCAPE and FORCE_QUOTE",
        )
    masks = output_masks(facts, view) or ()
    types = output_types(facts, masks, view.catalog)
    pairs = [(mask, oid) for mask, oid in zip(masks, types, strict=True) if mask is not None]
    if null_hides_values(written) and any(_shows_null(written, mask, oid, view.catalog) for mask, oid in pairs):
        return f"NULL '{written.null}', which a value can be written as too", "leave NULL out, or use FORMAT csv"
    return None


def null_hides_values(written: CopyFormat) -> bool:
    """Whether some value is written as the null string is. The text format does not tell them apart, so a value that
    equals it would pass as NULL, and a client could try values one by one. CSV quotes such values."""
    if written.name != "text":
        return False
    plain = r"[^\\\x08\f\n\r\t\v%s]|\\[bfnrtv\\%s]" % ((re.escape(written.delimiter),) * 2)
    return re.fullmatch(f"(?:{plain})*", written.null) is not None


def _shows_null(written: CopyFormat, mask: Mask, type_oid: int, catalog: Catalog) -> bool:
    if mask.kind is MaskKind.NULL:
        return False  # each value becomes NULL
    if written.null:
        return True
    return mask.kind not in _KEEPS_EMPTY and _may_be_empty(type_oid, catalog)


_NEVER_EMPTY: Final = frozenset({Family.JSON, Family.UUID, Family.INTEGER, Family.NUMERIC, Family.FLOAT, Family.DATE})


def _may_be_empty(type_oid: int, catalog: Catalog) -> bool:
    found = catalog.type_by_oid.get(type_oid)
    return found is None or family(found.name) not in _NEVER_EMPTY


# ---------------------------------------------------------------- what masks


def copy_out(facts: Facts, masks: tuple[Mask | None, ...] | None, view: RoleView) -> CopyOut | None:
    """What the session needs to mask a COPY, and to ask the server whether something is to be masked at all."""
    if facts.kind != "copy_out" or facts.copy is None or not view.hides_data:
        return None
    types = output_types(facts, masks or (None,) * len(facts.outputs or ()), view.catalog)
    return CopyOut(facts.copy, types, _forced(facts.copy, facts.outputs or ()))


def output_types(facts: Facts, masks: tuple[Mask | None, ...], catalog: Catalog) -> tuple[int, ...]:
    """The type OIDs of masked columns, and 0 for the others."""
    pairs = zip(facts.outputs or (), masks, strict=False)
    return tuple(0 if mask is None else _output_type(output, catalog) for output, mask in pairs)


def _output_type(output: OutputColumn, catalog: Catalog) -> int:
    """Certain for a column that is returned as it is; where it comes from several columns they must agree."""
    if not output.direct:
        return 0
    found = {_column_type(source, catalog) for source in output.sources}
    if len(found) == 1:
        return found.pop()
    return TEXT if all(_is_text(oid, catalog) for oid in found) else 0


def _column_type(column: ColumnId, catalog: Catalog) -> int:
    relation = catalog.by_name.get(column.table_id)
    known = relation.column(column.column) if relation else None
    oid = known.type_oid if known else 0
    for _ in range(_DEEPEST):
        found = catalog.type_by_oid.get(oid)
        if found is None or found.kind != "d":
            return oid
        oid = found.element
    return 0


def _is_text(oid: int, catalog: Catalog) -> bool:
    found = catalog.type_by_oid.get(oid)
    return found is not None and found.schema == "pg_catalog" and family(found.name) is Family.TEXT


def _forced(written: CopyFormat, outputs: tuple[OutputColumn, ...]) -> tuple[int, ...]:
    """FORCE_QUOTE by index; of several columns of one name the server takes the first."""
    if written.force_quote is None:
        return tuple(range(len(outputs)))
    names = [output.name for output in outputs]
    return tuple(sorted({names.index(name) for name in written.force_quote if name in names}))
