"""MySQL's and MariaDB's DDL -> Catalog, for rule tests: the databases that the cases are decided against.

Every statement is read by the grammar that reads clients' texts, so that it ends where the server ends it; what it
makes is then taken from its tokens. What does not change which tables, columns or routines there are (indexes, rows,
grants, settings) is passed over; what this module does not know is an error, never a catalog with a hole.

The system databases' own tables are not in such a catalog.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from rules.catalog import Catalog
from rules.ddl import DdlError
from rules.lineage.output import output_names
from rules.mysql.column_types import is_known
from rules.mysql.ddl_alter import alter_table
from rules.mysql.ddl_builder import Builder, Draft, Drafted
from rules.mysql.ddl_columns import definitions
from rules.mysql.grammar import Grammar, grammar_of
from rules.mysql.lexemes import Lexemes
from rules.mysql.parser import Parser
from rules.mysql.refusal import Refused
from rules.mysql.statements import one_statement
from rules.tree import Access, Statement

#: where the DDL names no database
DEFAULT_DATABASE: Final = "test"
_DELIMITER: Final = re.compile(r"^[ \t]*delimiter[ \t]+[^\w\s]\S*[ \t]*$", re.I | re.M)


def catalog_from_ddl(text: str, brand: str, version: int, database: str = "") -> Catalog:
    """The catalog that a server would have after running `text`. `brand` and `version` as `rules.mysql.read` has them;
    `database`: the one in use at the beginning, else the first that the text uses. Raises DdlError naming the line."""
    _check_delimiter(text)
    grammar = grammar_of(brand, version)
    try:
        found = list(_statements(text, grammar))
    except Refused as refused:
        told = refused.unparsable
        raise DdlError(_line(text, told.at), f"{told.reason}; {told.mend}" if told.mend else told.reason) from refused
    used = (name for each, _, _ in found if each.detail == "USE" for name in each.settings[0].value or ())
    builder = Builder(grammar, database or next(used, DEFAULT_DATABASE))
    for statement, parser, end in found:
        builder.line = _line(text, statement.start)
        _run(builder, statement, parser, end)
    return builder.catalog("ddl:" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16])


def _check_delimiter(text: str) -> None:
    found = _DELIMITER.search(text)
    if found is not None:
        what = "DELIMITER is a command of the mysql client; leave it out and end every statement with a semicolon"
        raise DdlError(text.count("\n", 0, found.start()) + 1, what)


def _statements(text: str, grammar: Grammar) -> Iterator[tuple[Statement, Parser, int]]:
    """Each with a parser that stands at its beginning, and the token behind it. Raises Refused."""
    lexemes = Lexemes(text, grammar)
    reading = Parser(lexemes)
    while True:
        while reading.accept(";"):
            pass
        if reading.at_end():
            return
        again = Parser(lexemes)
        again.at = reading.at
        yield one_statement(reading), again, reading.at


def _line(text: str, at: int) -> int:
    return text.encode("utf-8", "surrogateescape").count(b"\n", 0, max(at, 0)) + 1


# ---------------------------------------------------------------- statements

_Handler = Callable[[Builder, Statement, Parser, int], None]
_PASSED_OVER_KINDS: Final = frozenset({"insert", "transaction", "lock", "maintenance", "show"})
_PASSED_OVER: Final = frozenset(
    {
        "SET", "CREATE INDEX", "DROP INDEX", "GRANT", "REVOKE", "CREATE USER", "ALTER USER", "DROP USER", "CREATE ROLE",
        "DROP ROLE", "SET DEFAULT ROLE",
        "CREATE EVENT", "ALTER EVENT", "DROP EVENT", "ALTER DATABASE", "ALTER SEQUENCE",
        "ALTER PROCEDURE", "ALTER FUNCTION", "DROP TRIGGER",
    }
)  # fmt: skip


def _run(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    if statement.kind in _PASSED_OVER_KINDS or statement.detail in _PASSED_OVER:
        return
    handler = _STATEMENTS.get(statement.detail)
    if handler is None:
        what = statement.detail or statement.kind.upper()
        raise builder.error(f"{what} is not understood in a test's schema; leave it out")
    if "temporary" in statement.options:
        raise builder.error("temporary tables belong to one session; leave it out of a test's schema")
    handler(builder, statement, p, end)


def _skip_to(p: Parser, *words: str) -> str:
    """Past the first of the words, which comes for sure. Returns it."""
    while p.word not in words:
        p.advance()
    word = p.word
    p.advance()
    return word


def _path(p: Parser) -> tuple[str, ...]:
    _ = p.accept("if", "not", "exists") or p.accept("if", "exists")
    return p.table_path()[0]


def _use(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    p.advance()
    builder.database = p.table_part()
    builder.databases.add(builder.database)


def _create_database(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    _skip_to(p, "database", "schema")
    p.accept("if", "not", "exists")
    builder.databases.add(p.table_part())


def _drop_database(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    _skip_to(p, "database", "schema")
    p.accept("if", "exists")
    builder.drop_database(p.table_part())


def _table(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    _skip_to(p, "table")
    name = builder.full(_path(p))
    if "if_not_exists" in statement.options and name in builder.relations:
        return
    draft = _like(builder, p) if p.accept("like") or p.accept("(", "like") else _filled(builder, statement, p, end)
    builder.add(name, draft, replaces="or_replace" in statement.options)


def _like(builder: Builder, p: Parser) -> Draft:
    other = builder.relation(p.table_path()[0])
    if other.kind != "r":
        raise builder.error("CREATE TABLE ... LIKE needs a table, not a view or sequence")
    return Draft("r", list(other.columns))


def _filled(builder: Builder, statement: Statement, p: Parser, end: int) -> Draft:
    """The columns that are defined, then those of the query that are not."""
    own = definitions(p) if p.word == "(" and _begins_columns(p) else []
    if statement.body is None:
        return Draft("r", own)
    names = {column.name for column in own}
    first = _query_at(p, end)
    selected = _selected(builder, p.written(first, end - 1))
    return Draft("r", [*own, *(column for column in selected if column.name not in names)])


_QUERY_WORDS: Final = frozenset({"select", "with", "values", "table", "("})


def _begins_columns(p: Parser) -> bool:
    return p.peek() not in _QUERY_WORDS


def _query_at(p: Parser, end: int) -> int:
    """The token where the query of CREATE TABLE ... SELECT begins: options and partitions, which hold none but in
    brackets, come before it."""
    at = p.at
    while at < end and p.words[at] not in _QUERY_WORDS - {"("}:
        if p.words[at] == "(" and (p.words[at + 1] in _QUERY_WORDS):
            return at
        at = p.partner(at) + 1 if p.words[at] == "(" else at + 1
    return at


def _view(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    _skip_to(p, "view")
    name = builder.full(_path(p))
    if "if_not_exists" in statement.options and name in builder.relations:
        return
    aliases = _aliases(p)
    p.expect("as")
    text = p.written(p.at, _before_check(p, end))
    selected = _selected(builder, text)
    if aliases and len(aliases) != len(selected):
        raise builder.error(f"the view names {len(aliases)} columns, its query has {len(selected)}")
    columns = [replace(c, name=alias) for c, alias in zip(selected, aliases or [c.name for c in selected], strict=True)]
    replaces = statement.detail == "ALTER VIEW" or "or_replace" in statement.options
    builder.add(name, Draft("v", columns, text, (builder.database,)), replaces)


def _aliases(p: Parser) -> list[str]:
    if not p.accept("("):
        return []
    found = [p.column_name()]
    while p.accept(","):
        found.append(p.column_name())
    p.expect(")")
    return found


def _before_check(p: Parser, end: int) -> int:
    """The last token before WITH CHECK OPTION."""
    words = p.words[max(end - 4, 0) : end]
    if words[-2:] != ["check", "option"]:
        return end - 1
    return end - 4 if words[-3] == "with" else end - 5


def _selected(builder: Builder, text: str) -> list[Drafted]:
    """The columns of a query, by the resolver's own rules."""
    found = output_names(text, builder.catalog("growing"), (builder.database,))
    if isinstance(found, str):
        raise builder.error(found)
    return [Drafted(name.lower(), of_type if of_type and is_known(of_type) else "text") for name, of_type in found]


def _routine(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    kind = "p" if _skip_to(p, "function", "procedure") == "procedure" else "f"
    database, name = builder.full(_path(p))
    builder.functions[database, name.lower()] = kind


def _drop_routine(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    _skip_to(p, "function", "procedure")
    database, name = builder.full(_path(p))
    if builder.functions.pop((database, name.lower()), None) is None and "if_exists" not in statement.options:
        raise builder.error(f'"{name}" does not exist; create it first')


def _trigger(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    builder.relation(statement.touched[0].name).triggers = True


_SEQUENCE: Final = (
    "next_not_cached_value minimum_value maximum_value start_value increment cache_size cycle_option cycle_count"
)
_COUNTED: Final = {"cache_size": "bigint unsigned", "cycle_option": "tinyint unsigned"}


def _sequence(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    name = builder.full(statement.touched[0].name)
    if "if_not_exists" in statement.options and name in builder.relations:
        return
    columns = (
        "next_not_cached_value minimum_value maximum_value start_value increment cache_size cycle_option cycle_count"
    )
    made = [Drafted(column, "tinyint unsigned" if column == "cycle_option" else "bigint") for column in columns.split()]
    builder.add(name, Draft("S", made), replaces="or_replace" in statement.options)


def _drop(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    for touched in statement.touched:
        if "if_exists" not in statement.options:
            builder.relation(touched.name)
        builder.relations.pop(builder.full(touched.name), None)


def _rename(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    names = [touched.name for touched in statement.touched]
    if [t.access for t in statement.touched] != [Access.ALTER, Access.CREATE] * (len(names) // 2):
        raise builder.error("a table is named twice; rename each in a statement of its own")
    for old, new in zip(names[::2], names[1::2], strict=True):
        draft = builder.relation(old)
        del builder.relations[builder.full(old)]
        builder.add(builder.full(new), draft)


_STATEMENTS: Final[dict[str, _Handler]] = {
    "USE": _use,
    "CREATE DATABASE": _create_database,
    "DROP DATABASE": _drop_database,
    "CREATE TABLE": _table,
    "CREATE TABLE AS": _table,
    "CREATE OR REPLACE TABLE": _table,
    "CREATE OR REPLACE TABLE AS": _table,
    "ALTER TABLE": alter_table,
    "RENAME TABLE": _rename,
    "DROP TABLE": _drop,
    "CREATE VIEW": _view,
    "ALTER VIEW": _view,
    "DROP VIEW": _drop,
    "CREATE SEQUENCE": _sequence,
    "DROP SEQUENCE": _drop,
    "CREATE FUNCTION": _routine,
    "CREATE PROCEDURE": _routine,
    "DROP FUNCTION": _drop_routine,
    "DROP PROCEDURE": _drop_routine,
    "CREATE TRIGGER": _trigger,
}
