"""Where the parts of a statement stand in its text, for those who splice something into it.

The parser notes them when it is asked to; a text that is only decided is read without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Block:
    """The tables of one SELECT, UPDATE or DELETE, and its WHERE. `first`/`last`: where the tables begin and end;
    `condition_first`/`condition_last`: WHERE's condition, -1 without one, and `open`: where a WHERE may stand then."""

    first: int
    last: int
    open: int
    condition_first: int = -1
    condition_last: int = -1


@dataclass(frozen=True, slots=True)
class Named:
    """An output that the server names by its own text."""

    first: int
    last: int
    name: str


@dataclass(slots=True)
class Places:
    """All offsets are bytes. `factors`: where a table's name begins -> where its partitions, alias and index hints end;
    `table_words`: the same -> where the word of `TABLE t` begins; `named`: where every table is named."""

    blocks: list[Block] = field(default_factory=list)
    factors: dict[int, int] = field(default_factory=dict)
    table_words: dict[int, int] = field(default_factory=dict)
    outputs: list[Named] = field(default_factory=list)
    named: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)

    def block_of(self, at: int) -> Block | None:
        """The innermost block among whose tables the offset lies."""
        around = [b for b in self.blocks if b.first <= at < b.last]
        return min(around, key=lambda b: b.last - b.first, default=None)

    def add_block(self, starts: Sequence[int], ends: Sequence[int], words: Sequence[str], tables: tuple[int, int],
                  rest: tuple[int, int]) -> None:  # fmt: skip
        """`tables`: the tokens from the first of the tables to the one behind them; `rest`: from WHERE, where there is
        one, to the one behind the condition."""
        behind, over = rest
        place = (starts[tables[0]], ends[tables[1] - 1], ends[behind - 1])
        if tables[0] >= tables[1]:
            return
        if over == behind or words[behind] != "where":
            self.blocks.append(Block(*place))
        else:
            self.blocks.append(Block(*place, starts[behind + 1], ends[over - 1]))
