"""Which function a call means, and how risky it is."""

from __future__ import annotations

from rules.catalog import Catalog, Function
from rules.facts import FunctionRisk, FunctionUse
from rules.lineage.dialect import dialect_of
from rules.lineage.reader import Reader
from rules.lineage.values import Refused
from rules.naming import POSTGRES
from rules.postgres.functions import extension_risk, result_columns, risk_of

BUILT_IN = "pg_catalog"


def used(reader: Reader, name: tuple[str, ...], at: int = -1) -> None:
    """Notes every function that a call of this name can reach, and where a name stands that means none."""
    key = ("function", name, reader.path if reader.catalog.dialect != POSTGRES else ())
    memory = reader.catalog.derived
    found = memory.get(key)
    if not isinstance(found, frozenset):
        found = candidates(reader.catalog, name, reader.path)
        if all(f.risk is not FunctionRisk.UNKNOWN for f in found):  # made-up names must not fill the memory
            memory[key] = found
        elif reader.at < 0:
            reader.at = at
    reader.functions |= found


def candidates(catalog: Catalog, name: tuple[str, ...], path: tuple[str, ...] = ()) -> frozenset[FunctionUse]:
    """All meanings of the name; `path`: as `Reader.path`."""
    return dialect_of(catalog).candidates(catalog, name, path)


def postgres_candidates(catalog: Catalog, name: tuple[str, ...]) -> frozenset[FunctionUse]:
    """All meanings of the name: overload resolution is the server's, so each of them counts."""
    schema, bare = (name[-2] if len(name) > 1 else None), name[-1]
    found = {FunctionUse(f.schema, bare, _risk(f)) for f in _user_functions(catalog, schema, bare)}
    built_in = risk_of(schema or BUILT_IN, bare)
    if built_in is not None:
        found.add(FunctionUse(schema or BUILT_IN, bare, built_in))
    return frozenset(found or {FunctionUse(schema or "", bare, FunctionRisk.UNKNOWN)})


def _risk(function: Function) -> FunctionRisk:
    return FunctionRisk.PURE if function.computes else extension_risk(function.name)


def is_built_in(reader: Reader, name: tuple[str, ...], bare: str) -> bool:
    """The call can mean only the built-in function `bare`."""
    if name[-1] != bare or (len(name) > 1 and name[-2] != BUILT_IN):
        return False
    return bare not in (reader.catalog.added if len(name) > 1 else reader.catalog.overloaded)


def exists(reader: Reader, bare: str) -> bool:
    return bare in reader.catalog.functions_by_name or risk_of(BUILT_IN, bare) is not None


def columns_of(reader: Reader, name: tuple[str, ...], arguments: int) -> tuple[str, ...]:
    """The column names of a function in FROM; empty for a function that returns one plain value.

    Raises Refused when overloads differ in them."""
    schema, bare = (name[-2] if len(name) > 1 else None), name[-1]
    own = _user_functions(reader.catalog, schema, bare)
    found = {f.result_columns for f in own if _takes(f, arguments)} or {f.result_columns for f in own}
    if schema in (None, BUILT_IN):
        found |= _built_in_columns(reader.catalog, bare)
    elif risk_of(schema, bare) is not None:
        found.add(result_columns(bare))
    if len(found) > 1:
        raise Refused("function", f'several functions "{bare}" return different columns', "qualify it with its schema")
    return next(iter(found), ())


def _built_in_columns(catalog: Catalog, bare: str) -> set[tuple[str, ...]]:
    """As the server's own catalog tells, else as our list does."""
    if bare == "unnest":  # of arrays; its overload for tsvector alone has columns of its own
        return {()}
    known = {f.result_columns for f in catalog.built_in_functions.get(bare, ())}
    if known or risk_of(BUILT_IN, bare) is None:
        return known
    return {result_columns(bare)}


def _takes(function: Function, arguments: int) -> bool:
    return len(function.argument_types) == arguments


def _user_functions(catalog: Catalog, schema: str | None, bare: str) -> tuple[Function, ...]:
    found = catalog.functions_by_name.get(bare, ())
    return found if schema is None else tuple(f for f in found if f.schema == schema)
