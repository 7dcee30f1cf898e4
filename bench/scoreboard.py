"""The scoreboard: how much of a corpus of real statements is read, refused as unknown, or read wrongly.

`python -m bench.scoreboard PATH...` takes *.sql files (psql scripts too) and folders of them. The oracle is
libpg_query's own tree: kind of statement, relations read and written, functions. Exit code 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from bench.oracle import Name, NotSql, Reading, readings
from dbgate.psql_scripts import texts
from rules.postgres import read
from rules.tree import Access, Call, CommonTable, Delete, Insert, Merge, Relation, Statement, Unparsable, Update

#: the statements that agents live by: their share has a goal of its own
DATA: Final = ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt")
_WRITING: Final = frozenset({Access.INSERT, Access.TRUNCATE})


@dataclass(frozen=True, slots=True)
class Score:
    """One statement. `outcome`: complete, refused or wrong; `reason`: the refusal's, or what differs."""

    root: str
    outcome: str
    reason: str = ""
    text: str = ""
    place: str = ""


# ---------------------------------------------------------------- ours, in the oracle's terms


@dataclass(frozen=True, slots=True)
class _Names:
    read: set[Name]
    written: set[Name]
    functions: set[Name]


def ours(statement: Statement) -> Reading:
    """What the product's tree says, CTEs left out by their scopes."""
    names = _Names(set(), set(), set())
    _walk(statement.body, frozenset(), names)
    for call in statement.calls:
        _walk(call, frozenset(), names)
    for touched in statement.touched:
        (names.written if touched.access in _WRITING else names.read).add(touched.name)
    if statement.creates is not None:
        names.read.discard(statement.creates)
        names.written.add(statement.creates)
        _walk(statement.body, frozenset(), names)  # the new name may be read as well
    return Reading("", statement.kind, frozenset(names.read), frozenset(names.written), frozenset(names.functions))


def _walk(value: Any, visible: frozenset[str], names: _Names) -> None:
    if isinstance(value, tuple):
        for member in value:
            _walk(member, visible, names)
    elif isinstance(value, Relation):
        if len(value.name) > 1 or value.name[0] not in visible:
            names.read.add(value.name)
        _walk(value.sample, visible, names)
    elif is_dataclass(value):
        _walk_node(value, visible, names)


def _walk_node(node: Any, visible: frozenset[str], names: _Names) -> None:
    tables: tuple[CommonTable, ...] = getattr(node, "common_tables", ())
    if tables and node.recursive:
        visible |= {table.name for table in tables}
    for table in tables:
        _walk(table.body, visible, names)
        visible |= {table.name}
    if isinstance(node, Call):
        names.functions.add(node.name)
    writes = isinstance(node, Insert | Update | Delete | Merge)
    if writes:
        names.written.add(node.target.name)
    for each in fields(node):
        if each.name != "common_tables" and not (writes and each.name == "target"):
            _walk(getattr(node, each.name), visible, names)


# ---------------------------------------------------------------- scoring


def score(text: str, expected: Sequence[Reading]) -> Iterator[Score]:
    """A score for each statement of one text."""
    found = read(text)
    if isinstance(found, Unparsable):
        yield from (Score(each.root, "refused", f"{found.code}: {found.reason}", text) for each in expected)
    elif len(found) != len(expected):
        yield Score("text", "wrong", f"{len(expected)} statements, read as {len(found)}", text)
    else:
        for statement, each in zip(found, expected, strict=True):
            reason = "; ".join(differences(ours(statement), each))
            yield Score(each.root, "wrong" if reason else "complete", reason, text)


def differences(mine: Reading, theirs: Reading) -> Iterator[str]:
    """What differs. Where relations are only named (DDL), a CTE's name may stand among them: it asks for more rights,
    never for fewer."""
    if mine.kind != theirs.kind:
        yield f"kind {mine.kind}, not {theirs.kind}"
    for what in ("read", "written", "functions"):
        one, other = getattr(mine, what), getattr(theirs, what)
        if what == "read" and theirs.root not in DATA:
            one -= theirs.common - other
        if one != other:
            yield f"{what}: {_named(one - other) or 'nothing'} too much, {_named(other - one) or 'nothing'} missing"


def _named(names: Iterable[Name]) -> str:
    return ", ".join(sorted(".".join(name) for name in names))


def run(sources: Iterable[tuple[str, str]]) -> tuple[list[Score], int]:
    """(scores, texts that are no SQL) of files: (name, text). A text counts once."""
    scores: list[Score] = []
    seen: set[str] = set()
    not_sql = 0
    for name, script in sources:
        for versions in texts(script):
            if versions[0].strip() in seen:
                continue
            seen.add(versions[0].strip())
            found = _oracle(versions)
            if found is None:
                not_sql += 1
                continue
            text, expected = found
            scores += [Score(s.root, s.outcome, s.reason, s.text, name) for s in score(text, expected)]
    return scores, not_sql


def _oracle(versions: Iterable[str]) -> tuple[str, tuple[Reading, ...]] | None:
    """The first version that the grammar takes."""
    for text in versions:
        try:
            return text, readings(text)
        except NotSql:
            continue
    return None


# ---------------------------------------------------------------- telling


def sources(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        for file in sorted(path.rglob("*.sql")) if path.is_dir() else [path]:
            yield str(file), file.read_bytes().decode("utf-8", "replace")


def summary(scores: Sequence[Score], not_sql: int) -> dict[str, Any]:
    """For JSON: counts by kind of statement, totals, the refusals' reasons, all that is wrong."""
    by_root: dict[str, Counter[str]] = defaultdict(Counter)
    for each in scores:
        by_root[each.root][each.outcome] += 1
    data = sum((by_root[root] for root in DATA if root in by_root), Counter())
    every = sum(by_root.values(), Counter())
    return {
        "statements": {root: dict(by_root[root]) for root in sorted(by_root, key=lambda r: -by_root[r].total())},
        "data": _total(data),
        "all": _total(every),
        "not_sql": not_sql,
        "refusals": dict(Counter(s.reason for s in scores if s.outcome == "refused").most_common()),
        "wrong": [{"file": s.place, "reason": s.reason, "text": s.text} for s in scores if s.outcome == "wrong"],
        "refused": [{"file": s.place, "reason": s.reason, "text": s.text} for s in scores if s.outcome == "refused"],
    }


def _total(counts: Counter[str]) -> dict[str, float]:
    whole = counts.total()
    share = round(100 * counts["complete"] / whole, 3) if whole else 0.0
    return {**{word: counts[word] for word in ("complete", "refused", "wrong")}, "percent": share}


def tell(found: dict[str, Any]) -> Iterator[str]:
    """The summary as lines of text."""
    form = "{:30} {:>9} {:>9} {:>9} {:>9}".format
    yield form("statement", "complete", "refused", "wrong", "percent")
    for root, counts in found["statements"].items():
        yield form(root, *_total(Counter(counts)).values())
    yield form("SELECT ... MERGE", *found["data"].values())
    yield form("everything", *found["all"].values())
    yield f"{found['not_sql']} texts are no SQL for the server's grammar either"
    for reason, count in found["refusals"].items():
        yield f"refused {count:5}  {reason}"
    for each in found["wrong"]:
        yield f"WRONG  {each['file']}: {each['reason']}\n       {' '.join(each['text'].split())[:200]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path, help="*.sql files, or folders of them")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    scores, not_sql = run(sources(options.paths))
    if not scores:
        raise SystemExit("there is no statement in these files")
    found = summary(scores, not_sql)
    sys.stdout.write(json.dumps(found, indent=1) + "\n" if options.json else "\n".join(tell(found)) + "\n")
    raise SystemExit(bool(found["wrong"]))


if __name__ == "__main__":
    main()
