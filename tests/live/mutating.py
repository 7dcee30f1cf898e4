"""Statements that leak, written another way: wrapped, carried by something else, or spelled differently.

A mutation takes the last step of an attempt. One that does not fit the statement gives a text that the server refuses,
or that shows nothing any more: the caller finds out by running it directly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, NamedTuple

Steps = tuple[str, ...]


class Keeps(Enum):
    """What a mutation does with the columns of the query."""

    COLUMNS = "columns"  # the same, each in its place
    GATHERED = "gathered"  # all in one
    NOTHING = "nothing"  # nothing that a decision about the text could tell


class Mutation(NamedTuple):
    name: str
    keeps: Keeps
    change: Callable[[str], Steps]


# ---------------------------------------------------------------- wrapped and carried

_GATHERED: Final = "SELECT string_agg(m::text, ',') AS t FROM ({q}) m"
_WRAPPED: Final[dict[str, str]] = {
    "cte": "WITH m AS ({q}) SELECT * FROM m",
    "materialized cte": "WITH m AS MATERIALIZED ({q}) SELECT m.* FROM m",
    "inlined cte": "WITH m AS NOT MATERIALIZED ({q}) TABLE m",
    "cte of cte": "WITH a AS ({q}), b AS (TABLE a), m AS (SELECT * FROM b) SELECT * FROM m",
    "recursive cte": "WITH RECURSIVE m AS (SELECT * FROM ({q}) a UNION ALL SELECT * FROM m WHERE false) TABLE m",
    "beside a write": "WITH w AS (UPDATE notes SET body = body WHERE id = 1 RETURNING 1), m AS ({q}) SELECT * FROM m",
    "derived": "SELECT * FROM ({q}) m",
    "derived five deep": "SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (({q})) a) b) c) m",
    "lateral": "SELECT m.* FROM (SELECT 1) a, LATERAL ({q}) m",
    "left join lateral": "SELECT m.* FROM (VALUES (1)) aa (zz) LEFT JOIN LATERAL ({q}) m ON true",
    "in parentheses": "(({q}))",
    "union arm": "({q}) UNION ALL ({q})",
    "empty union arm": "SELECT * FROM ({q}) a WHERE false UNION ALL ({q})",
    "fields of the row": "SELECT (m).* FROM ({q}) m",
    "with offset": "SELECT * FROM ({q}) m OFFSET 0",
    "copied": "COPY ({q}) TO STDOUT",
    "copied as csv": "COPY ({q}) TO STDOUT (FORMAT csv, HEADER)",
    "copied as binary": "COPY ({q}) TO STDOUT WITH (FORMAT binary)",
}
_GATHERING: Final[dict[str, str]] = {
    "whole row": "SELECT m FROM ({q}) m",
    "row as text": "SELECT m::text FROM ({q}) m",
    "row as json": "SELECT to_jsonb(m), row_to_json(m.*) FROM ({q}) m",
    "aggregated": _GATHERED,
    "json aggregate": "SELECT json_agg(m) FROM ({q}) m",
    "scalar subquery": "SELECT (SELECT string_agg(m::text, ',') FROM ({q}) m)",
    "array subquery": "SELECT ARRAY(SELECT m::text FROM ({q}) m)",
    "values": "VALUES ((SELECT array_agg(m::text) FROM ({q}) m))",
    "hash": "SELECT md5(string_agg(m::text, ',')) FROM ({q}) m",
    "case": "SELECT CASE WHEN true THEN (SELECT string_agg(m::text, ',') FROM ({q}) m) END",
    "update from": "UPDATE notes SET body = 'x' FROM ({q}) m WHERE notes.id = 1 RETURNING m",
    "delete using": "DELETE FROM notes USING ({q}) m WHERE notes.id = 1 RETURNING m",
    "insert select": "INSERT INTO notes (body) SELECT m::text FROM ({q}) m RETURNING body",
    "insert returning": "INSERT INTO notes (body) VALUES ('x') RETURNING (" + _GATHERED + ")",
    "update set": "UPDATE notes SET body = (" + _GATHERED + ") WHERE id = 1 RETURNING body",
}
_CARRIED: Final[dict[str, str]] = {
    "merge": "MERGE INTO notes n USING (" + _GATHERED + ") s ON n.id = 1 WHEN MATCHED THEN UPDATE SET body = s.t"
    " ;; SELECT body FROM notes WHERE id = 1",
    "cursor": "DECLARE mc CURSOR FOR {q} ;; FETCH FORWARD ALL FROM mc",
    "scroll cursor": "DECLARE mc SCROLL CURSOR FOR {q} ;; FETCH LAST FROM mc ;; FETCH BACKWARD ALL FROM mc"
    " ;; FETCH ABSOLUTE 1 FROM mc",
    "binary cursor": "DECLARE mc BINARY CURSOR FOR {q} ;; FETCH 3 mc ;; FETCH RELATIVE 1 mc",
    "held cursor": "DECLARE mc CURSOR WITH HOLD FOR {q} ;; MOVE 1 IN mc ;; FETCH ALL mc",
    "prepared": "PREPARE mp AS {q} ;; EXECUTE mp ;; EXECUTE mp",
    "prepared again": "PREPARE mp AS SELECT 1 ;; DEALLOCATE mp ;; PREPARE mp AS {q} ;; EXECUTE mp",
    "explained": "EXPLAIN (ANALYZE, VERBOSE, COSTS off, TIMING off, SUMMARY off, BUFFERS off, FORMAT json) {q}",
    "temporary table": "CREATE TEMP TABLE mt AS {q} ;; TABLE mt",
    "select into": "CREATE TABLE mt AS SELECT * FROM ({q}) m ;; SELECT mt FROM mt",
    "temporary view": "CREATE TEMP VIEW mv AS {q} ;; SELECT * FROM mv",
    "view over view": "CREATE TEMP VIEW mv AS {q} ;; CREATE TEMP VIEW mw AS TABLE mv ;; SELECT mw FROM mw",
    "do": "DO $m$ DECLARE r record; BEGIN FOR r IN {q} LOOP RAISE NOTICE '%', r; END LOOP; END $m$",
    "search path": "SET search_path = hr, public ;; {q}",
    "catalog last": "SET search_path = public, pg_catalog ;; {q}",
    "savepoint": "SAVEPOINT m ;; SET search_path = hr ;; ROLLBACK TO m ;; {q}",
    "second statement": "SELECT 1; {q}",
    "first statement": "{q}; SELECT 1",
    "semicolons": " ; {q} ;;",
}  # fmt: skip


def _template(text: str) -> Callable[[str], Steps]:
    return lambda q: tuple(step.strip() for step in text.replace("{q}", q).split(" ;; "))


# ---------------------------------------------------------------- spelled differently

_TOKEN: Final = re.compile(
    r"""(?:[eEbBxXnN]|[uU]&)?'(?:[^']|'')*' | (?:[uU]&)?"(?:[^"]|"")*" | (\$\w*\$).*?\1 | --[^\n]* | /\*.*?\*/
    | \$\d+ | \w+ (?:\.\d+)? | [-+*/<>=~!@\#%^&|`?:]+ | \s+ | .""",
    re.VERBOSE | re.DOTALL,
)
_NAMES: Final = frozenset(
    "customers employees orders notes events patients people email ssn phone card_number salary iban profile id".split()  # noqa: SIM905
)
_SHADOWED: Final = re.compile(r"\b(customers|orders) (\(\w+\) )?AS ")
_TABLES: Final = re.compile(r"(?<=FROM |JOIN )(customers|employees|events|patients|orders|notes)\b")


def tokens(text: str) -> list[str]:
    return [found[0] for found in _TOKEN.finditer(text)]


def _respelled(change: Callable[[str], str]) -> Callable[[str], Steps]:
    return lambda q: ("".join(map(change, tokens(q))),)


def _is_word(token: str) -> bool:
    return token.isidentifier()


def _alternating(token: str) -> str:
    swapped = "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(token))
    return swapped if _is_word(token) else token


def _quoted(token: str) -> str:
    return f'"{token}"' if token in _NAMES else token


def _escaped(token: str) -> str:
    return f'U&"\\{ord(token[0]):04x}{token[1:]}"' if token in _NAMES else token


def _spaced(space: str) -> Callable[[str], Steps]:
    def change(q: str) -> Steps:
        return (space.join(t for t in tokens(q) if not t.isspace()),)

    return change


def _renamed(name: str) -> Callable[[str], Steps]:
    """Every table under another name, unless a common table goes by its own."""
    return lambda q: (q if _SHADOWED.search(q) else _TABLES.sub(name, q),)


def _commented_out(q: str) -> Steps:
    return (f"/* ' /* \" */ $m$ */ {q} -- ; SELECT 1 '",)


_SPELLED: Final[dict[str, Callable[[str], Steps]]] = {
    "comments between all tokens": _spaced("/**/"),
    "nested comments": _spaced("/* /* ' */ \" */"),
    "line comments": _spaced(" --'\n"),
    "odd spaces": _spaced("\t\r\n\f\v"),
    "in comments": _commented_out,
    "upper case": _respelled(lambda t: t.upper() if _is_word(t) else t),
    "mixed case": _respelled(_alternating),
    "quoted names": _respelled(_quoted),
    "escaped names": _respelled(_escaped),
    "qualified tables": _renamed(r"public.\1"),
    "only": _renamed(r"ONLY public.\1"),
}

MUTATIONS: Final[tuple[Mutation, ...]] = (
    *(Mutation(name, Keeps.COLUMNS, _template(text)) for name, text in _WRAPPED.items()),
    *(Mutation(name, Keeps.GATHERED, _template(text)) for name, text in _GATHERING.items()),
    *(Mutation(name, Keeps.NOTHING, _template(text)) for name, text in _CARRIED.items()),
    *(Mutation(name, Keeps.COLUMNS, change) for name, change in _SPELLED.items()),
)
_QUERY: Final = re.compile(r"\s*(?:SELECT|WITH|TABLE|VALUES|\()", re.IGNORECASE)


def is_query(step: str) -> bool:
    """A single statement that returns rows and can stand in another."""
    return _QUERY.match(step) is not None and ";" not in step and " INTO " not in step


def mutants(steps: Steps) -> Iterator[tuple[Mutation, Steps]]:
    """The attempt in every other way, if its last step is a query."""
    *before, last = steps
    if not is_query(last):
        return
    for mutation in MUTATIONS:
        yield mutation, (*before, *mutation.change(last.split("-- ")[0]))
