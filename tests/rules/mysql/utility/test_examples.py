"""Every statement of the manuals' lists: its kind, its words, and the relations that it touches."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.mysql.utility.forms import FORMS
from rules.taxonomy import BASELINE, KINDS
from rules.tree import Unparsable
from tests.rules.mysql.utility.examples import EXAMPLES, Example
from tests.rules.mysql.utility.reading import read_text, refusal, statement

IDS = [f"{each.brand}: {each.sql[:60]}" for each in EXAMPLES]
#: what needs no rule, of which nothing else may be
WITHOUT_A_RULE = {
    "SHOW", "DESCRIBE", "HELP", "USE", "SET", "START", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "UNLOCK",
    "EXECUTE", "DEALLOCATE", "KILL", "SIGNAL", "RESIGNAL", "GET",
}  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
def test_kind_words_and_tables(example: Example) -> None:
    made = statement(example.sql, example.brand)
    touched = frozenset(".".join(each.name) + ":" + each.access.value for each in made.touched)
    assert (made.kind, made.detail, touched) == (example.kind, example.detail, example.touched)


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
def test_a_tail_that_means_nothing_is_refused(example: Example) -> None:
    for tail in (" 17 'x'", " )", " zzz = = 1", " @@x @y"):
        assert refusal(example.sql + tail, example.brand).reason


def test_every_kind_is_of_the_taxonomy() -> None:
    assert {form.kind for forms in FORMS.values() for form in forms} <= KINDS.keys()


def test_what_needs_no_rule() -> None:
    found = {e.detail.split()[0] for e in EXAMPLES if e.kind in BASELINE}
    assert found == WITHOUT_A_RULE


def test_what_needs_no_rule_names_no_table_but_to_show_it() -> None:
    for example in EXAMPLES:
        if example.kind in BASELINE and example.kind != "show":
            assert not example.touched, example


def test_a_semicolon_ends_a_statement_and_a_second_one_is_seen() -> None:
    found = read_text("SHOW TABLES; DROP TABLE t; BEGIN;")
    assert not isinstance(found, Unparsable)
    assert [each.kind for each in found] == ["show", "drop", "transaction"]


def test_a_body_ends_where_the_server_ends_it() -> None:
    found = read_text("CREATE PROCEDURE p() SELECT 1; DELETE FROM t")
    assert not isinstance(found, Unparsable)
    assert [each.kind for each in found] == ["create", "delete"]
    block = "CREATE PROCEDURE p() BEGIN IF 1 THEN DO 1; END IF; END; DELETE FROM t; CREATE PROCEDURE q() BEGIN END"
    found = read_text(block)
    assert not isinstance(found, Unparsable)
    assert [each.kind for each in found] == ["create", "delete", "create"]


def test_places_in_the_text_are_of_this_statement() -> None:
    found = read_text("DO 1; SHOW TABLES ; BEGIN")
    assert not isinstance(found, Unparsable)
    assert [(each.start, each.end) for each in found] == [(0, 4), (6, 17), (20, 25)]


PIECES = sorted({word for example in EXAMPLES for word in example.sql.split()})


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(EXAMPLES), st.data())
def test_changed_statements_are_read_or_refused(example: Example, data: st.DataObject) -> None:
    """Words left out, doubled, or put in from elsewhere: never an exception, never a kind that there is not."""
    words = example.sql.split()
    at = data.draw(st.integers(0, len(words) - 1))
    piece = data.draw(st.sampled_from([[], [words[at]] * 2, [words[at], data.draw(st.sampled_from(PIECES))]]))
    found = read_text(" ".join([*words[:at], *piece, *words[at + 1 :]]), example.brand)
    if not isinstance(found, Unparsable):
        assert all(each.kind in KINDS for each in found)


@pytest.mark.parametrize("brand", ["mysql", "mariadb"])
def test_deep_nesting_is_refused_at_once(brand: str) -> None:
    for opening in ("IF 1 THEN ", "BEGIN ", "CASE WHEN 1 THEN ", "l: LOOP "):
        assert refusal("CREATE PROCEDURE p() " + opening * 400 + "x", brand).code
    assert refusal("ALTER TABLE t ADD PARTITION (PARTITION p VALUES IN " + "(" * 3000 + "1", brand).code
    assert refusal("IF 1 THEN " * 400, brand).code
