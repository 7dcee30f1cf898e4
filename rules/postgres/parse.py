"""Text -> statements."""

from __future__ import annotations

from typing import Final

# each module registers its node readers
from rules.postgres import json_nodes, keywords, second_opinion, statements, structure, utility
from rules.postgres.grammar import parse_tree, too_complex
from rules.postgres.lexical import encode, leading, significant_end
from rules.postgres.nodes import STATEMENTS, Node, Reader, Refused, unknown
from rules.tree import Statement, Unparsable

MOST_STATEMENTS: Final = 1000
_REGISTERED = (json_nodes, statements, structure, utility)


def read(text: str, *, alone: bool = False) -> tuple[Statement, ...] | Unparsable:
    """Every statement of `text` in order; `()` for an empty text. Never raises.

    `alone`: without the second opinion, for a text that the gate has made from one that has had it.

    `text` is what the client sent, decoded from UTF-8. Offsets in the result are byte offsets into its UTF-8 form.
    An Unparsable stands for the whole text: nothing of it may be forwarded.
    """
    try:
        raw = encode(text)
        nodes = parse_tree(raw)
        if len(nodes) > MOST_STATEMENTS:
            return too_many(len(nodes))
        return tuple([_statement(raw, node, alone) for node in nodes])
    except Refused as refused:
        return refused.unparsable
    except RecursionError:
        return too_complex().unparsable
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as shape:
        return unknown(f"the parse tree has an unexpected shape ({type(shape).__name__})").unparsable


def too_many(count: int) -> Unparsable:
    return Unparsable("length", f"the text has {count} statements, more than {MOST_STATEMENTS}", "send them in parts")


def _statement(text: bytes, node: Node, alone: bool) -> Statement:
    start, end = _borders(text, node)
    begin, word = leading(text, start)
    ((kind, body),) = node["stmt"].items()
    keywords.check(word, kind, begin)
    reader = Reader(text)
    made = STATEMENTS.read_body(reader, kind, body)
    _place(made, begin, significant_end(text, begin, end))
    if kind in _DOUBLE_CHECKED and not alone and made.body is not None:
        second_opinion.check(text[made.start : made.end].decode(), made.body, reader.relations)
    return made


def _place(made: Statement, start: int, end: int) -> None:
    """Give a fresh statement its borders; nobody else has seen it yet, and a copy of its 18 fields costs 5 us."""
    object.__setattr__(made, "start", start)
    object.__setattr__(made, "end", end)


_DOUBLE_CHECKED = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})


def _borders(text: bytes, node: Node) -> tuple[int, int]:
    start: int = node.get("stmt_location", 0)
    length = node.get("stmt_len", 0)
    return start, start + length if length else len(text)
