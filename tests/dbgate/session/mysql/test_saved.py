"""Settings put aside in user variables: what may set them again."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from dbgate.session.mysql import saved
from dbgate.session.mysql.registry import Names
from protocols.mysql.capabilities import Capability
from rules.decision import Decision, Verdict
from rules.tree import Setting

ALLOWED = Decision(Verdict.ALLOW, "session")
RESTORE = replace(ALLOWED, settings=(Setting("sql_mode", ("@v",)),))


def state(upstream: Capability = Capability.SESSION_TRACK) -> Any:
    made = SimpleNamespace(names=Names(), login=SimpleNamespace(upstream=upstream))
    saved.note_done(made, Setting("@v", ("@@sql_mode",)))  # type: ignore[arg-type]
    return made


def may(found: Any, decision: Decision = RESTORE) -> bool:
    setting = next(each for each in decision.settings if saved.restores(each))
    return saved.objection(found, decision, setting) is None


def test_what_was_put_aside_may_be_set_again() -> None:
    assert may(state())
    other = replace(ALLOWED, settings=(Setting("character_set_client", ("@v",)),))
    assert not may(state(), other)
    assert not may(state(), replace(ALLOWED, settings=(Setting("sql_mode", ("@w",)),)))
    assert not may(state(Capability(0)))


@pytest.mark.parametrize("first", [Setting("@v", ("ANSI",)), Setting("@w", ("1",)), Setting("time_zone", ())])
def test_not_beside_another_assignment(first: Setting) -> None:
    assert not may(state(), replace(RESTORE, settings=(first, *RESTORE.settings)))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("select", b"SELECT @v := 'ANSI'"),
        ("select", b"SELECT 'ANSI' INTO @v"),
        ("insert", b"INSERT INTO t VALUES (@v := 1)"),
        ("create", b"CREATE TABLE t SELECT @v := 1"),
        ("call", b"CALL p()"),
        ("maintenance", b"GET DIAGNOSTICS @v = NUMBER"),
    ],
)
def test_what_may_have_filled_the_variable(kind: str, text: bytes) -> None:
    found = state()
    saved.note_sent(found, text, [replace(ALLOWED, kind=kind)])
    assert not may(found)


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (replace(ALLOWED, kind="insert"), b"INSERT INTO t VALUES ('ada@example.com')"),
        (replace(ALLOWED, kind="create"), b"CREATE DEFINER=`root`@`localhost` VIEW v AS SELECT 1"),
        (
            replace(ALLOWED, settings=(Setting("@w", ("@@sql_mode",)), Setting("time_zone", ("+00:00",)))),
            b"SET @w = ...",
        ),
        (ALLOWED, b"LOCK TABLES t WRITE"),
    ],
)
def test_what_cannot(decision: Decision, text: bytes) -> None:
    found = state()
    saved.note_sent(found, text, [decision])
    assert may(found)


@pytest.mark.parametrize("value", [("ANSI",), (), None, ("@@time_zone",), ("@w",)])
def test_another_value(value: tuple[str, ...] | None) -> None:
    found = state()
    saved.note_sent(found, b"SET @v = ...", [replace(ALLOWED, settings=(Setting("@v", value),))])
    assert not may(found)
    saved.note_done(found, Setting("@v", value))
    assert not may(found)


def test_one_text_of_several() -> None:
    assert saved.in_order((RESTORE,)) == (RESTORE,)
    first, second = saved.in_order((ALLOWED, RESTORE))
    assert first.verdict is Verdict.ALLOW
    assert second.verdict is Verdict.REFUSE
