"""Long texts are decided in another process, so that the other sessions of the worker go on meanwhile.

What both protocols' sessions know of them: which texts are long, and the answer that a session waits for. The waiting
itself is each session's own (`DecideElsewhere`, then `decided`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rules.decision import Decision
from rules.policy import PolicyContext
from rules.tree import Unparsable

#: bytes up to which a text is decided at once, whatever it holds
SHORT: Final = 1 << 10
#: bytes up to which a text is decided at once unless it has many statements: some 20 ms at the worst
LONGEST_AT_ONCE: Final = 8 << 10
MOST_SEMICOLONS: Final = 50
#: bytes of a text whose answer is kept for the next time; longer ones are decided each time
KEPT: Final = 128 << 10
#: how often one text is asked for, when the policy has changed each time before its answer came
MOST_TRIES: Final = 3

CHANGING: Final = Unparsable(
    "policy-changing", "rules or tables changed again and again while it was decided", "send the statement again"
)


class Waits(Exception):  # noqa: N818 - control flow, no error
    """The message at hand must wait: nothing of it has been noted."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The decisions that another process made on a long text, when asked for the `tries`-th time."""

    context: PolicyContext
    text: bytes
    decisions: tuple[Decision, ...]
    tries: int = 1


def is_long(context: PolicyContext, text: bytes) -> bool:
    """Would it keep the worker from its other sessions? A text beyond the hard limit is refused at once."""
    if len(text) <= LONGEST_AT_ONCE and text.count(b";") <= MOST_SEMICOLONS:
        return False
    return len(text) <= context.longest_text and not context.knows(text)
