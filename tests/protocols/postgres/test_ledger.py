"""Which request each reply answers."""

from __future__ import annotations

import pytest

from protocols.errors import PeerError
from protocols.postgres.ledger import Answer, Ask, Ledger, Step


def ledger(*asks: Ask) -> Ledger[str]:
    made: Ledger[str] = Ledger()
    for ask in asks:
        made.expect(ask, Answer.FORWARD, ask.value)
    return made


def test_replies_are_matched_in_order() -> None:
    book = ledger(Ask.PARSE, Ask.BIND, Ask.EXECUTE, Ask.SYNC)
    answered = [book.step(kind)[0].ask for kind in b"12DCZ"]
    assert answered == [Ask.PARSE, Ask.BIND, Ask.EXECUTE, Ask.EXECUTE, Ask.SYNC]
    assert not book.entries


@pytest.mark.parametrize("ask", [a for a in Ask if a is not Ask.COPY_END])
def test_a_reply_that_cannot_answer_breaks_the_protocol(ask: Ask) -> None:
    with pytest.raises(PeerError):
        ledger(ask).step(ord("W"))


def test_a_reply_to_nothing_breaks_the_protocol() -> None:
    with pytest.raises(PeerError, match="nothing"):
        ledger().step(ord("C"))


def test_a_query_ends_with_its_ready() -> None:
    book = ledger(Ask.QUERY)
    assert [book.step(kind)[1] for kind in b"TDCE"] == [Step.GOES_ON] * 4
    assert book.step(ord("Z"))[1] is Step.ENDS


def test_an_error_drops_everything_up_to_sync() -> None:
    book = ledger(Ask.PARSE, Ask.BIND, Ask.QUERY, Ask.SYNC, Ask.QUERY)
    dropped = book.fail()
    assert [entry.ask for entry in dropped] == [Ask.PARSE, Ask.BIND, Ask.QUERY]
    assert not book.skipping
    assert book.step(ord("Z"))[0].ask is Ask.SYNC


def test_an_error_before_the_sync_is_sent_skips_until_it_comes() -> None:
    book = ledger(Ask.PARSE)
    book.fail()
    assert book.skipping
    book.expect(Ask.BIND, Answer.FORWARD, "")
    assert not book.entries
    book.expect_sync("")
    assert [entry.ask for entry in book.entries] == [Ask.SYNC]
    assert not book.skipping


def test_copy_ignores_the_syncs_that_are_under_way() -> None:
    book = ledger(Ask.EXECUTE, Ask.SYNC)
    book.start_copy()
    assert book.copying
    book.expect_sync("")
    assert [entry.ask for entry in book.entries] == [Ask.EXECUTE]
    book.end_copy("")
    book.expect_sync("")
    book.step(ord("C"))
    book.stop_copy()
    assert [entry.ask for entry in book.entries] == [Ask.SYNC]


def test_a_copy_whose_data_was_sent_ahead() -> None:
    book = ledger(Ask.EXECUTE, Ask.SYNC)
    book.end_copy("")
    book.expect_sync("")
    book.start_copy()
    assert not book.copying
    assert [entry.ask for entry in book.entries] == [Ask.EXECUTE, Ask.SYNC]


def test_anything_else_sent_ahead_of_a_copy_is_an_error() -> None:
    with pytest.raises(PeerError, match="COPY FROM STDIN"):
        ledger(Ask.EXECUTE, Ask.PARSE).start_copy()


def test_a_copy_that_fails_before_it_reads_answers_each_sync() -> None:
    book = ledger(Ask.EXECUTE, Ask.SYNC)
    book.start_copy()
    book.fail()
    assert book.ready_unasked()
    assert not book.ready_unasked()


def test_a_copy_end_that_nobody_waits_for_is_dropped() -> None:
    book = ledger(Ask.QUERY)
    book.end_copy("")
    book.step(ord("Z"))
    assert not book.entries
