"""Texts through the front end of both brands, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rules.mysql import read
from rules.tree import (
    Column,
    Expression,
    Literal,
    Operation,
    Parameter,
    Query,
    Select,
    Statement,
    Unparsable,
    Write,
)

#: brand -> version, as executable comments count it
VERSIONS: Final = {"mysql": 90704, "mariadb": 101119}
BRANDS: Final = sorted(VERSIONS)
CORPUS: Final = Path(__file__).parent / "corpus"

_WORDS: Final = {"is_not_distinct": "<=>"}


def everyday() -> list[str]:
    """Statements of drivers, ORMs, tools and people; lines with -- alone are headings."""
    lines = (CORPUS / "everyday.sql").read_text("utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("-- "))
    return [part.strip() for part in text.split(";\n") if part.strip()]


def one(text: str, brand: str = "mysql") -> Statement:
    """The only statement of a text that must be read."""
    found = read(text, brand, VERSIONS[brand])
    assert not isinstance(found, Unparsable), f"{text}: {found.reason}"
    (statement,) = found
    return statement


def body(text: str, brand: str = "mysql") -> Query | Write:
    found = one(text, brand).body
    assert found is not None
    return found


def select(text: str, brand: str = "mysql") -> Select:
    found = body(text, brand)
    assert isinstance(found, Select)
    return found


def value(text: str, brand: str = "mysql") -> Expression:
    """An expression as the only output."""
    (output,) = select(f"SELECT {text} FROM t x", brand).outputs
    return output.expression


def refused(text: str, brand: str = "mysql") -> Unparsable:
    found = read(text, brand, VERSIONS[brand])
    assert isinstance(found, Unparsable), text
    assert found.reason
    return found


def bracketed(e: Expression) -> str:
    """An expression of operators as SQL again, with brackets around each: what precedence made of it."""
    if isinstance(e, Literal):
        return "NULL" if e.value is None else f"'{e.value}'" if e.text else e.value
    if isinstance(e, Column):
        return ".".join(e.path)
    if isinstance(e, Parameter):
        return "?"
    assert isinstance(e, Operation), e
    parts = [bracketed(operand) for operand in e.operands]
    words = _WORDS.get(e.operator, e.operator.replace("_", " "))
    if e.operator.startswith("is_") and len(parts) == 1:
        return f"({parts[0]} {words})"
    if e.operator in ("in", "not_in"):
        return f"({parts[0]} {words} ({', '.join(parts[1:])}))"
    if e.operator in ("between", "not_between"):
        return f"({parts[0]} {words} {parts[1]} and {parts[2]})"
    if len(parts) == 1:
        return f"({words} {parts[0]})"
    return "(" + f" {words} ".join(parts) + ")"
