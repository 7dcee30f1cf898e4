"""The README knows every key, verb and mask, and its examples load."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules import testing
from rules.book import load
from rules.book.model import Predicates
from rules.book.reading import LATER_VERBS, MODES, RULE_KEYS, TOP_KEYS, VERBS
from rules.decision import MaskKind
from rules.denying import CONDITIONS
from rules.taxonomy import BASELINE

README = (Path(__file__).parents[2] / "rules" / "README.md").read_text("utf-8")
EXAMPLES = [part.split("```")[0] for part in README.split("```yaml\n")[1:]]


@pytest.mark.parametrize(
    "word",
    sorted({*TOP_KEYS, *RULE_KEYS, *MODES, *VERBS, *LATER_VERBS, *CONDITIONS, *BASELINE, *testing.TOP_KEYS[1:]}
           | {kind.value for kind in MaskKind} | {p.value for p in Predicates}),
)  # fmt: skip
def test_every_word_of_a_rule_file_is_explained(word: str) -> None:
    assert word in README


def test_the_examples_load() -> None:
    rulebook, tests = EXAMPLES
    assert load({"r.yaml": rulebook}).problems == ()
    suite, problems = testing.read_suite("r.test.yaml", tests)
    assert suite is not None, problems
    assert len(suite.cases) == 3
