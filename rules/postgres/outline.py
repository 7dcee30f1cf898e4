"""Where the clauses of a statement stand in its text: what the parse tree does not tell.

The tree knows where a table's name begins, not where its query's WHERE begins or ends. The outline is made from the
tokens alone: for each table reference the query it stands in, the joins around it, and the borders of their
conditions. Whoever splices by it reads the result again and compares, so that a wrong outline is found, never sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rules.postgres.lexemes import Lexemes, OutlineError, identifier, words_of
from rules.tree import JoinKind

#: what ends a FROM or WHERE clause, all of them reserved
ENDERS: Final = words_of("where group having window union intersect except order limit offset fetch for returning into")
_HEADS: Final = words_of("update delete insert merge")
_QUERY_HEADS: Final = words_of("select with values table")
_AFTER_QUERY: Final = words_of("union intersect except order limit offset fetch for")
_BEFORE_HEAD: Final = words_of("as explain analyze analyse verbose )")
_JOIN_WORDS: Final = {
    b"join": JoinKind.INNER, b"inner": JoinKind.INNER, b"left": JoinKind.LEFT, b"right": JoinKind.RIGHT,
    b"full": JoinKind.FULL, b"cross": JoinKind.CROSS, b"natural": JoinKind.INNER,
}  # fmt: skip
_JOIN_NOISE: Final = words_of("join outer inner left right full")


@dataclass(slots=True)
class Condition:
    """The tokens after WHERE or ON: first and last."""

    first: int
    last: int


@dataclass(slots=True, eq=False)
class Core:
    """One SELECT, UPDATE, DELETE, INSERT, MERGE or ON CONFLICT. `sources_end`: the last token of its FROM clause, or of
    what stands before a WHERE that is not there. `on`: MERGE's condition. `insert`: the INSERT that it is a part of.
    `values`: each word VALUES of an INSERT or MERGE."""

    word: str
    head: int
    sources_end: int = -1
    has_sources: bool = False
    where: Condition | None = None
    on: Condition | None = None
    sets: list[Assigned] = field(default_factory=list)
    insert: Core | None = None
    values: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Assigned:
    """`name = value` of a SET list. `name` is empty for a list of columns or a part of one."""

    name: str
    first: int
    last: int


@dataclass(slots=True, eq=False)
class Joined:
    """`on` None: USING, NATURAL or CROSS. `hidden`: an alias of the join's own hides the names inside."""

    kind: JoinKind
    on: Condition | None = None
    hidden: bool = False


@dataclass(slots=True, eq=False)
class Leaf:
    """One table in FROM. `first`: ONLY or the name; `last`: the name's last token, with `*` or `)`; `alias`, `sample`:
    their first and last tokens. `joins`: from the inside out, with whether the table stands on the right."""

    core: Core
    first: int
    name: int
    last: int
    alias: tuple[int, int] | None = None
    sample: tuple[int, int] | None = None
    joins: list[tuple[Joined, bool]] = field(default_factory=list)


class Outline:
    """`leaves`: by the token index of the table's name; `cores`: in the order of their heads."""

    def __init__(self, text: bytes, start: int, end: int) -> None:
        self.lexemes = Lexemes(text, start, end)
        self.leaves: dict[int, Leaf] = {}
        self.cores: list[Core] = []
        self._read: set[int] = set()
        self._level(0, len(self.lexemes))

    # ------------------------------------------------------------ one bracket level

    def _level(self, start: int, end: int) -> None:
        if start in self._read or start >= end:
            return
        self._read.add(start)
        words, core, i = self.lexemes.words, None, start
        while i < end:
            if words[i] == b"(":
                self._level(i + 1, self.lexemes.partner[i])
                i = self.lexemes.partner[i] + 1
                continue
            if not self.lexemes.is_name(i):
                core = self._begins(i, start, core)
                if core is not None:
                    i = self._clause(i, end, core)
                    continue
            i += 1

    def _begins(self, i: int, start: int, core: Core | None) -> Core | None:
        word = self.lexemes.words[i]
        before = self.lexemes.words[i - 1] if i > start else b"as"
        if word == b"on" and self.lexemes.words[i + 1 : i + 2] == [b"conflict"]:
            pass
        elif word == b"select":
            if core is not None and before == b"as":
                return core  # a label
        elif not (word in _HEADS and core is None and before in _BEFORE_HEAD):
            return core
        made = Core("conflict" if word == b"on" else word.decode(), i)
        if core is not None:
            made.insert = core if core.word == "insert" else core.insert
        self.cores.append(made)
        return made

    def _clause(self, i: int, end: int, core: Core) -> int:
        """Reads the clause that begins at token i, if one does. Returns where to go on."""
        words = self.lexemes.words
        word, before = words[i], words[i - 1] if i else b""
        if before == b"as" and i != core.head:
            return i + 1
        if word == b"from" and not core.has_sources and core.word in ("select", "update") and before != b"distinct":
            return self._from(i + 1, end, core)
        if word == b"from" and core.word == "delete" and i == core.head + 1:
            return self._target(i + 1, end, core)
        if word == b"update" and i == core.head:
            return self._target(i + 1, end, core)
        if word == b"into" and core.word in ("insert", "merge") and i == core.head + 1:
            return self._target(i + 1, end, core)
        if word == b"using" and core.word in ("delete", "merge") and not core.has_sources:
            return self._from(i + 1, end, core)
        return self._condition_or_set(i, end, core)

    def _condition_or_set(self, i: int, end: int, core: Core) -> int:
        word = self.lexemes.words[i]
        if word == b"where" and core.where is None and (core.word != "conflict" or core.sets):
            core.where = self._condition(i + 1, end, ENDERS | {b"on"})
            return i + 1
        if word == b"on" and core.word == "merge" and core.on is None:
            core.on = self._condition(i + 1, end, frozenset({b"when", b"returning"}))
            return i + 1
        if word == b"values" and core.word in ("insert", "merge"):
            core.values.append(i)
        if word == b"set" and (core.word == "update" or self.lexemes.words[i - 1] == b"update"):
            return self._set(i + 1, end, core)
        return i + 1

    def _condition(self, start: int, end: int, enders: frozenset[bytes], join: bool = False) -> Condition:
        i, cases = start, 0
        while i < end and not (not cases and self._ends(i, end, enders, join)):
            word = self.lexemes.words[i]
            if word in (b"(", b"["):
                if join and word == b"(":
                    self._level(i + 1, self.lexemes.partner[i])
                i = self.lexemes.partner[i]
            elif not self.lexemes.is_name(i):
                cases += (word == b"case") - (word == b"end" and cases > 0)
            i += 1
        if i == start:
            raise OutlineError("a condition is empty")
        return Condition(start, i - 1)

    def _ends(self, i: int, end: int, enders: frozenset[bytes], join: bool = False) -> bool:
        word = self.lexemes.words[i]
        if word == b";" or (join and word == b","):
            return True
        if self.lexemes.is_name(i):
            return False
        if word == b"with":
            return i + 1 < end and self.lexemes.words[i + 1] in (b"no", b"data", b"check", b"local", b"cascaded")
        return word in enders or (join and (word in (b"on", b"using", b"when") or self._joins(i, end) is not None))

    # ------------------------------------------------------------ FROM

    def _from(self, i: int, end: int, core: Core) -> int:
        core.has_sources = True
        _, i = self._table(i, end, core)
        while i < end and self.lexemes.words[i] == b",":
            _, i = self._table(i + 1, end, core)
        core.sources_end = i - 1
        return i

    def _joins(self, i: int, end: int) -> tuple[JoinKind, bool, int] | None:
        """The join that begins at token i: its kind, whether it has a condition, where its right side begins."""
        words, first = self.lexemes.words, self.lexemes.words[i]
        if first not in _JOIN_WORDS or self.lexemes.is_name(i):
            return None
        kind, stop = _JOIN_WORDS[first], i
        while stop < end and words[stop] != b"join":
            if stop > i and words[stop] not in _JOIN_NOISE:
                return None
            kind = _JOIN_WORDS.get(words[stop], kind)
            stop += 1
        if stop == end or stop - i > 3:
            return None
        return kind, first not in (b"cross", b"natural"), stop + 1

    def _table(self, i: int, end: int, core: Core) -> tuple[list[Leaf], int]:
        """A FROM item with the joins that follow it."""
        leaves, i = self._primary(i, end, core)
        while i < end and (found := self._joins(i, end)) is not None:
            kind, conditional, i = found
            joined = Joined(kind)
            right, i = (self._table if conditional else self._primary)(i, end, core)
            if conditional:
                i = self._join_condition(i, end, joined)
            for side, members in enumerate((leaves, right)):
                for leaf in members:
                    leaf.joins.append((joined, bool(side)))
            leaves = leaves + right
        return leaves, i

    def _join_condition(self, i: int, end: int, joined: Joined) -> int:
        word = self.lexemes.words[i] if i < end else b""
        if word == b"on":
            joined.on = self._condition(i + 1, end, ENDERS, join=True)
            return joined.on.last + 1
        if word != b"using" or i + 1 >= end or self.lexemes.words[i + 1] != b"(":
            raise OutlineError("a join has no condition")
        i = self.lexemes.partner[i + 1] + 1
        return i + 2 if i < end and self.lexemes.words[i] == b"as" else i

    def _primary(self, i: int, end: int, core: Core) -> tuple[list[Leaf], int]:
        words = self.lexemes.words
        if i >= end:
            raise OutlineError("a FROM clause breaks off")
        if words[i] == b"(" and not self._holds_query(i):
            leaves, stop = self._table(i + 1, self.lexemes.partner[i], core)
            if stop != self.lexemes.partner[i]:
                raise OutlineError("a bracketed join does not end where its bracket does")
            return leaves, self._join_alias(stop + 1, end, leaves)
        if words[i] in (b"(", b"lateral", b"rows", b"xmltable", b"json_table") and not self._is_plain(i, end):
            return [], self._rest(i, end)
        leaf = self._leaf(i, end, core)
        if leaf is None:
            return [], self._rest(i, end)
        self.leaves[leaf.name] = leaf
        stop = self._rest(leaf.last + 1, end)
        self._suffix(leaf, stop)
        return [leaf], stop

    def _is_plain(self, i: int, end: int) -> bool:
        """A table may be called rows or xmltable."""
        return self.lexemes.words[i] not in (b"(", b"lateral") and (
            i + 1 >= end or self.lexemes.words[i + 1] not in (b"(", b"from")
        )

    def _holds_query(self, i: int) -> bool:
        """Whether a bracket in FROM holds a query; else it holds joined tables."""
        words, partner = self.lexemes.words, self.lexemes.partner
        if words[i + 1] != b"(":
            return words[i + 1] in _QUERY_HEADS
        after = partner[i + 1] + 1
        return self._holds_query(i + 1) and (after == partner[i] or words[after] in _AFTER_QUERY)

    def _join_alias(self, i: int, end: int, leaves: list[Leaf]) -> int:
        """`(a JOIN b ...) AS j`. Returns what follows it."""
        if i >= end or self._stops(i, end):
            return i
        for leaf in leaves:
            leaf.joins[-1][0].hidden = True
        return self._rest(i, end)

    def _rest(self, i: int, end: int) -> int:
        """Past the rest of a FROM item: brackets, aliases, samples."""
        while i < end and not self._stops(i, end):
            if self.lexemes.words[i] in (b"(", b"["):
                self._level(i + 1, self.lexemes.partner[i])
                i = self.lexemes.partner[i]
            i += 1
        return i

    def _stops(self, i: int, end: int) -> bool:
        if i and self.lexemes.words[i - 1] == b"rows" and self.lexemes.words[i] == b"from":
            return False
        return self._ends(i, end, ENDERS | {b"set"}, join=True)

    def _leaf(self, i: int, end: int, core: Core) -> Leaf | None:
        """A table's name with ONLY and `*`; None for a function."""
        words, first, bracketed = self.lexemes.words, i, False
        if words[i] == b"only":
            i += 1
            bracketed = i < end and words[i] == b"("
            i += bracketed
        name, last = i, i
        while last + 2 < end and words[last + 1] == b".":
            last += 2
        if last + 1 < end and words[last + 1] == b"(" and not bracketed:
            return None
        if last + 1 < end and words[last + 1] == (b")" if bracketed else b"*"):
            last += 1
        return Leaf(core, first, name, last)

    def _suffix(self, leaf: Leaf, stop: int) -> None:
        """The alias and TABLESAMPLE between the name and `stop`."""
        words = self.lexemes.words
        at = next((i for i in range(leaf.last + 1, stop) if words[i] == b"tablesample"), stop)
        if at > leaf.last + 1:
            leaf.alias = (leaf.last + 1, at - 1)
        if at < stop:
            leaf.sample = (at, stop - 1)

    # ------------------------------------------------------------ targets

    def _target(self, i: int, end: int, core: Core) -> int:
        """The table that UPDATE, DELETE, INSERT or MERGE names; a WHERE may follow at once."""
        leaf = self._leaf(i, end, core) if core.word != "insert" else Leaf(core, i, i, i)
        if leaf is None:
            raise OutlineError("the statement's target is no table")
        self.leaves[leaf.name] = leaf
        stop = leaf.last + 1
        if core.word in ("update", "delete", "merge"):
            while stop < end and not self._stops(stop, end):
                stop += 1
        core.sources_end = stop - 1
        return stop

    def _set(self, i: int, end: int, core: Core) -> int:
        """The assignments up to the next clause."""
        while True:
            target, (name, i) = i, self._assigned_name(i, end)
            first = i
            while i < end and not self._assignment_ends(i, end):
                i = self.lexemes.partner[i] + 1 if self.lexemes.words[i] in (b"(", b"[") else i + 1
            core.sets += [Assigned(name, first, i - 1)] if name else self._taken_apart(target, first, i - 1)
            self._brackets(first, i)
            if i >= end or self.lexemes.words[i] != b",":
                core.sources_end = i - 1 if core.word in ("update", "conflict") else core.sources_end
                return i
            i += 1

    def _taken_apart(self, target: int, first: int, last: int) -> list[Assigned]:
        """`(a, b) = (x, y)` as an assignment for each; one without a name for whatever else there is."""
        words, partner = self.lexemes.words, self.lexemes.partner
        row = first + (words[first] == b"row")
        if words[target] == b"(" and words[row] == b"(" and partner[row] == last and not self._holds_query(row):
            columns, values = self.lexemes.members(target + 1, partner[target]), self.lexemes.members(row + 1, last)
            if len(columns) == len(values):
                names = (identifier(self.lexemes.slice(*column)) for column in columns)
                return [Assigned(name, *value) for name, value in zip(names, values, strict=True)]
        return [Assigned("", first, last)]

    def _assignment_ends(self, i: int, end: int) -> bool:
        if self.lexemes.words[i] == b"from" and not self.lexemes.is_name(i):
            return self.lexemes.words[i - 1] != b"distinct"
        return self.lexemes.words[i] == b"," or self._ends(i, end, ENDERS | {b"when"})

    def _assigned_name(self, i: int, end: int) -> tuple[str, int]:
        name = identifier(self.lexemes.slice(i, i))
        if i + 1 >= end:
            raise OutlineError("an assignment breaks off")
        if self.lexemes.words[i + 1] == b"=" and self.lexemes.words[i] != b"(":
            return name, i + 2
        while i < end and self.lexemes.words[i] != b"=":
            i = self.lexemes.partner[i] + 1 if self.lexemes.words[i] in (b"(", b"[") else i + 1
        return "", i + 1

    def _brackets(self, start: int, end: int) -> None:
        i = start
        while i < end:
            if self.lexemes.words[i] == b"(":
                self._level(i + 1, self.lexemes.partner[i])
                i = self.lexemes.partner[i]
            i += 1
