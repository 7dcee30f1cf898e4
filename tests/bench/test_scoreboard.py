"""The scoreboard's own code over the corpus of the tests: nothing is refused, nothing is wrong."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import scoreboard
from bench.oracle import readings
from bench.scoreboard import differences, ours, run, score, sources, summary, tell
from rules.postgres import read
from rules.tree import Statement
from tests.rules.postgres.corpora import cases

CORPUS = cases()


def test_the_corpus_is_complete() -> None:
    scores = [each for case in CORPUS for each in score(case.sql, readings(case.sql))]
    assert [each for each in scores if each.outcome != "complete"] == []
    assert len(scores) == len(CORPUS) >= 470


def statement(text: str) -> Statement:
    found = read(text)
    assert isinstance(found, tuple)
    return found[0]


@pytest.mark.parametrize(
    ("text", "other", "words"),
    [
        ("select 1", "insert into t values (1)", "kind select, not insert"),
        ("select * from t", "select * from u", "read: t too much, u missing"),
        ("insert into t select 1", "insert into u select 1", "written: t too much, u missing"),
        ("select f(1)", "select g(1)", "functions: f too much, g missing"),
        ("with t as (select 1) select * from t", "select * from t", "read: nothing too much, t missing"),
    ],
)
def test_a_difference_is_told(text: str, other: str, words: str) -> None:
    assert words in "; ".join(differences(ours(statement(text)), readings(other)[0]))


def test_a_name_too_much_is_no_fault_only_where_names_are_not_resolved() -> None:
    text = "create rule r as on insert to t do instead with x as (select 1) select * from x"
    mine, theirs = ours(statement(text)), readings(text)[0]
    assert not list(differences(replace(mine, read=mine.read | {("x",)}), theirs))
    assert list(differences(replace(mine, read=mine.read | {("y",)}), theirs))
    assert list(differences(replace(mine, read=mine.read - {("t",)}), theirs))


def test_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.sql"
    file.write_text("select 1; select 1; select from from; select * from t tablesample mine (1);\n\\d\ndrop table t;")
    found = summary(*run(sources([tmp_path])))
    assert found["statements"] == {"SelectStmt": {"complete": 1, "refused": 1}, "DropStmt": {"complete": 1}}
    assert found["data"] == {"complete": 1, "refused": 1, "wrong": 0, "percent": 50.0}
    assert found["not_sql"] == 1
    assert any("a TABLESAMPLE method" in line for line in tell(found))
    for arguments, code in ((["--json", str(file)], 0), ([str(file)], 0)):
        monkeypatch.setattr(sys, "argv", ["scoreboard", *arguments])
        with pytest.raises(SystemExit) as left:
            scoreboard.main()
        assert left.value.code == code
        said = capsys.readouterr().out
        assert (json.loads(said) == {**found} if arguments[0] == "--json" else "SELECT ... MERGE" in said) is True


def test_what_is_wrong_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("select * from t;")
    monkeypatch.setattr(scoreboard, "readings", lambda text: readings("select * from u"))
    monkeypatch.setattr(sys, "argv", ["scoreboard", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        scoreboard.main()
    assert left.value.code == 1
