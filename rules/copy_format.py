"""How COPY ... TO STDOUT writes its rows, as values: what stands in the text, and what the masks need."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CopyFormat:
    """`name`: text, csv or binary; `delimiter`, `quote`, `escape`: one ASCII character each. `force_quote`: columns by
    name, None for all. `problem`: what the gate does not know of the format, which then is not to be relied on.
    `relation` and `columns`: what COPY names; no relation for COPY (query), no columns for all."""

    name: str = "text"
    delimiter: str = "\t"
    null: str = "\\N"
    quote: str = '"'
    escape: str = '"'
    header: bool = False
    force_quote: tuple[str, ...] | None = ()
    problem: str = ""
    relation: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyOut:
    """What masks the rows of a COPY. `types`: each masked column's type OID as RowDescription would name it, 0 where it
    is not certain; `force_quote`: columns by index."""

    format: CopyFormat
    types: tuple[int, ...]
    force_quote: tuple[int, ...] = ()
