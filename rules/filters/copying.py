"""COPY t TO -> COPY (SELECT its columns FROM t WHERE filter) TO."""

from __future__ import annotations

from rules.decision import Edit, Rewrite
from rules.filters.proof import UnprovenError, alike
from rules.filters.references import Reference
from rules.filters.refusals import NotSpliced
from rules.filters.splicing import Splicer, conditions, predicates, qualified, together
from rules.lineage.reader import Reader
from rules.postgres import read
from rules.postgres.predicates import condition_of, quoted
from rules.tree import Column, Relation, Select, Statement, Unparsable


def spliced(
    text: bytes, statement: Statement, splicer: Splicer, reader: Reader
) -> tuple[tuple[Edit, ...], tuple[str, ...]]:
    """The edits and the rules' ids. Raises NotSpliced or UnprovenError."""
    name = statement.touched[0].name
    stored = reader.find(name)
    reference = Reference(Relation(name, only=True), stored)
    found = predicates(reference, splicer.view)
    if stored.kind != "r" or not found:
        raise NotSpliced(found[0][0] if found else None, f"COPY of {stored.name} cannot be filtered",
                         "use COPY (SELECT ...) TO STDOUT")  # fmt: skip
    listed = [column for _, column in statement.columns] or [c.name for c in stored.columns if not c.generated]
    where = together(conditions(found, qualified(reference)))
    _splice(splicer, len(name), bool(statement.columns), listed, where)
    edits = splicer.edits.ordered()
    _prove(Rewrite(edits).apply(text), len(text), statement, reader, listed, where)
    return edits, tuple(sorted(rule.id for rule, _ in found))


def _splice(splicer: Splicer, parts: int, has_list: bool, columns: list[str], where: str) -> None:
    lexemes = splicer.lexemes
    if lexemes.words[0] != b"copy" or lexemes.words[1] == b"binary":
        raise NotSpliced(None, "this spelling of COPY is not understood", "write COPY table TO STDOUT")
    last = 1 + 2 * (parts - 1)
    end = lexemes.ends[last]
    splicer.edits.insert(lexemes.starts[1], f"(SELECT {', '.join(map(quoted, columns))} FROM ONLY ")  # noqa: S608 - what it is spliced from is quoted, and the result is read again
    splicer.edits.insert(end, f" WHERE {where})")
    if has_list:
        splicer.edits.cut(lexemes.starts[last + 1], lexemes.ends[lexemes.partner[last + 1]])


def _prove(whole: bytes, length: int, statement: Statement, reader: Reader, columns: list[str], where: str) -> None:
    made = read(whole[statement.start : len(whole) - (length - statement.end)].decode())
    if isinstance(made, Unparsable) or len(made) != 1 or not isinstance(made[0].body, Select):
        raise UnprovenError("the result is not one COPY")
    body, source = made[0].body, made[0].body.sources[0]
    if (made[0].kind, made[0].options, made[0].detail) != (statement.kind, statement.options, statement.detail):
        raise UnprovenError("COPY was changed")
    if (
        not isinstance(source, Relation)
        or not source.only
        or reader.find(source.name) is not reader.find(statement.touched[0].name)
    ):
        raise UnprovenError("another table is copied")
    listed = [o.expression.path[0] for o in body.outputs if isinstance(o.expression, Column)]
    plain = Select(body.outputs, body.sources, body.where)
    if listed != columns or body != plain or len(body.sources) != 1 or not alike(body.where, condition_of(where)):
        raise UnprovenError("COPY's query is not what it should be")
