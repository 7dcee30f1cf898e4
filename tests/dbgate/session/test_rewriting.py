"""Positions that the server counts in a spliced text, told in the client's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbgate.session.postgres.rewriting import original_position, parameter_types, rewrite_of, rewrite_of_piece
from dbgate.session.postgres.steady import is_plain
from rules.decision import Decision, Edit, Rewrite, Verdict

TEXT = "SELECT ü FROM t WHERE x"
EDITS = (Edit(15, 15, b"(SELECT * FROM "), Edit(16, 16, b" WHERE ok)"))


def test_the_spliced_text() -> None:
    assert Rewrite(EDITS).apply(TEXT.encode()).decode() == "SELECT ü FROM (SELECT * FROM t WHERE ok) WHERE x"


@pytest.mark.parametrize(
    ("found", "place"),
    [("SELECT ü", 1), ("ü", 8), ("FROM (", 10), ("(SELECT", 0), ("WHERE ok", 0), ("WHERE x", 17), ("t WHERE ok", 15)],
)
def test_positions(found: str, place: int) -> None:
    spliced = Rewrite(EDITS).apply(TEXT.encode()).decode()
    assert original_position(TEXT.encode(), EDITS, spliced.index(found) + 1) == place


@st.composite
def spliced_texts(draw: st.DrawFn) -> tuple[str, tuple[Edit, ...]]:
    """A text cut into pieces, of which every second may be replaced by something long that it does not hold."""
    pieces = draw(st.lists(st.text("abü€𝄞 ", max_size=5), min_size=1, max_size=7))
    edits, at = [], 0
    for number, piece in enumerate(pieces):
        end = at + len(piece.encode())
        if number % 2:
            edits.append(Edit(at, end, draw(st.text("XY€", max_size=6)).encode()))
        at = end
    return "".join(pieces), tuple(edits)


@given(spliced_texts())
def test_every_character_that_was_kept_is_found_again(case: tuple[str, tuple[Edit, ...]]) -> None:
    text, edits = case
    spliced = Rewrite(edits).apply(text.encode()).decode()
    for index, character in enumerate(spliced):
        place = original_position(text.encode(), edits, index + 1)
        assert place == 0 or text[place - 1] == character
        assert place or character in "XY€"


def test_the_splices_of_a_statement_among_several() -> None:
    whole = b"SELECT 1;  PREPARE p AS SELECT t ; SELECT 2"
    rewrite = Rewrite((Edit(31, 32, b"u"),))
    decision = Decision(Verdict.ALLOW, "prepared", rewrite=rewrite, start=9, end=33)
    piece = b"PREPARE p AS SELECT t"
    own = rewrite_of_piece(whole, piece, decision)
    assert own is not None
    assert own.apply(piece) == b"PREPARE p AS SELECT u"
    assert rewrite_of((Decision(Verdict.ALLOW, "select"), decision)) == Rewrite(rewrite.edits)
    assert rewrite_of((Decision(Verdict.ALLOW, "select"),)) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b"SELECT $1, $2", (25, 23)),
        (b"SELECT $1::int, $2", (0, 23)),
        (b"SELECT ($1) ::int", (0, 23)),
        (b"SELECT cast( $2 AS int), $1", (25, 0)),
        (b"SELECT CAST(($1) AS int), $12::int", (0, 23)),
    ],
)
def test_declared_types_give_way_to_casts_in_the_text(text: bytes, kept: tuple[int, ...]) -> None:
    assert parameter_types(text, (25, 23)) == kept


def test_a_spliced_statement_never_goes_as_the_client_sent_it() -> None:
    assert is_plain(Decision(Verdict.ALLOW, "select"))
    assert not is_plain(Decision(Verdict.ALLOW, "select", rewrite=Rewrite(EDITS)))
