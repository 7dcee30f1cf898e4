"""EXPLAIN and its synonyms, of a table and of a statement; MariaDB's ANALYZE. MySQL 9 manual, 15.8.2."""

from __future__ import annotations

from typing import Final

from rules.mysql.utility.forms import MARIADB, Form, Notes, admin, form, plain, rule
from rules.tree import Delete, Insert, JoinedDelete, JoinedUpdate, Query, Setting, Statement, Update, Write

KIND_OF_WRITE: Final[dict[type[object], str]] = {
    Insert: "insert",
    Update: "update",
    JoinedUpdate: "update",
    Delete: "delete",
    JoinedDelete: "delete",
}


def kind_of(body: Query | Write) -> str:
    """The taxonomy's word for a query or a data change."""
    return KIND_OF_WRITE.get(type(body), "select")


rule("format", 'FORMAT "=" <word_or_string>')
rule("explain_type", "[EXTENDED | PARTITIONS] [<format>]")
rule("explain_into", "INTO <uservar:into>")
rule("explained", "<body>")


def _explain(found: Notes, made: Form) -> Statement:
    """The plan may be put in a user variable (INTO @x)."""
    body = found.first("body")
    return Statement(
        "explain",
        body,
        executes="ANALYZE" in made.detail,
        returns_body=False,
        settings=tuple(Setting(name, ()) for name in found.texts("into")),
        detail=f"{made.detail} {kind_of(body).upper()}",
    )


form("show", "DESCRIBE", "(EXPLAIN | DESCRIBE | DESC) <table:OTHER> [<column> | <string>]", make=plain)
form(
    "explain",
    "EXPLAIN ANALYZE",
    "(EXPLAIN | DESCRIBE | DESC) ANALYZE [<format>] [<explain_into>] <explained>",
    make=_explain,
)
form("explain", "EXPLAIN", "(EXPLAIN | DESCRIBE | DESC) <explain_type> [<explain_into>] <explained>", make=_explain)
form("explain", "ANALYZE", "ANALYZE [<format>] <explained>", MARIADB, make=_explain)
admin("EXPLAIN FOR CONNECTION", "(EXPLAIN | DESCRIBE | DESC) [<format>] [<explain_into>] FOR CONNECTION <number>")
