"""The demo's judge: it must notice a leak, however the value is dressed, and every departure from the script."""

from __future__ import annotations

import pytest

from dbgate.demo.agent import Answer, Failure, Secrets, judge
from dbgate.demo.script import CHAPTERS, Outcome, Step

SECRETS = Secrets(frozenset({"901-17-7331", "Ada@mail.example"}))
ROWS = Answer(("ssn",), (("[redacted]",),), "SELECT 1")
TRUTH = Answer(("ssn",), (("901-17-7331",),), "SELECT 1")
SPENT = Failure("53400", "dbgate refused this statement", 'rule "budget" (r.yaml:9): rows_per_job: 5 per day', "wait")
TWO = Answer(("id",), (("1",), ("2",)), "SELECT 2")
ONE = Answer(("id",), (("2",),), "SELECT 1")
REFUSAL = Failure("42501", "dbgate refused this statement", 'rule "no-secrets" (rulebook.yaml:7): x', "ask")


def step(outcome: Outcome, because: str = "", runs: tuple[tuple[object, ...], ...] = ()) -> Step:
    return Step("a step", "SELECT 1", outcome, because, runs=runs)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(("x",), (("901-17-7331",),)),
        Answer(("x",), ((None, "1337-71-109"),)),
        Answer(("x",), (("<ADA@MAIL.EXAMPLE>",),)),
        Answer(("901-17-7331",), ()),
        Answer(failure=Failure("22P02", 'invalid input syntax for type integer: "901-17-7331"', "", "")),
        Answer(failure=Failure("23505", "duplicate key", "Key (email)=(ada@mail.example) already exists.", "")),
    ],
    ids=["plain", "reversed", "upper case", "column name", "error message", "error detail"],
)
def test_a_protected_value_is_found_wherever_it_is(answer: Answer) -> None:
    assert len(SECRETS.found_in(answer)) == 1


def test_what_the_agent_brought_itself_is_no_leak() -> None:
    answer = Answer(("email",), (("ada@mail.example",),))
    asked = step(Outcome.MASKED, runs=(("Ada@mail.example",),))
    assert judge(asked, answer, None, SECRETS) == ()


@pytest.mark.parametrize(
    ("asked", "answer", "truth"),
    [
        (step(Outcome.ALLOWED), ROWS, ROWS),
        (step(Outcome.ALLOWED), ROWS, None),
        (step(Outcome.MASKED), ROWS, TRUTH),
        (step(Outcome.REFUSED, "no-secrets"), Answer(failure=REFUSAL), None),
        (step(Outcome.FAILED, "42501"), Answer(failure=REFUSAL), None),
        (step(Outcome.FILTERED), ONE, TWO),
        (step(Outcome.LIMITED, "rows_per_job"), Answer(failure=SPENT), None),
    ],
)
def test_as_scripted(asked: Step, answer: Answer, truth: Answer | None) -> None:
    assert judge(asked, answer, truth, SECRETS) == ()


@pytest.mark.parametrize(
    ("asked", "answer", "truth", "problem"),
    [
        (step(Outcome.ALLOWED), ROWS, Answer(("ssn",), (("x",),)), "differs"),
        (step(Outcome.ALLOWED), Answer(failure=REFUSAL), None, "should have been allowed"),
        (step(Outcome.MASKED), ROWS, ROWS, "nothing was masked"),
        (step(Outcome.MASKED), Answer(("ssn",)), TRUTH, "no rows"),
        (step(Outcome.MASKED), Answer(failure=REFUSAL), TRUTH, "should have been masked"),
        (step(Outcome.MASKED), TRUTH, None, "protected value"),
        (step(Outcome.REFUSED), ROWS, None, "should have been refused"),
        (step(Outcome.REFUSED), Answer(failure=Failure("42P01", "", "", "")), None, "42P01"),
        (step(Outcome.REFUSED, "write-needs-where"), Answer(failure=REFUSAL), None, "does not name"),
        (step(Outcome.FILTERED), TWO, TWO, "not a part"),
        (step(Outcome.FILTERED), TWO, ONE, "not a part"),
        (step(Outcome.FILTERED), Answer(("id",)), TWO, "not a part"),
        (step(Outcome.FILTERED), Answer(failure=REFUSAL), TWO, "should have been filtered"),
        (step(Outcome.LIMITED, "rows_per_job"), TWO, None, "ended by a limit"),
        (step(Outcome.LIMITED, "rows_per_job"), Answer(failure=REFUSAL), None, "42501 instead of"),
        (step(Outcome.LIMITED, "bytes_per_job"), Answer(failure=SPENT), None, "does not name"),
        (step(Outcome.FAILED, "25P02"), ROWS, None, "success instead of 25P02"),
    ],
)
def test_not_as_scripted(asked: Step, answer: Answer, truth: Answer | None, problem: str) -> None:
    found = judge(asked, answer, truth, SECRETS)
    assert len(found) == 1
    assert problem in found[0]


def test_the_script_has_every_outcome_and_no_step_twice() -> None:
    steps = [step for chapter in CHAPTERS for step in chapter.steps]
    assert {step.outcome for step in steps} == set(Outcome)
    assert len({step.title for step in steps}) == len(steps)
