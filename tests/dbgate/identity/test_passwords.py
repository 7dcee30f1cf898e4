"""Remembered digests: of whom, for how long, and never of those who were wrong."""

from __future__ import annotations

from dataclasses import replace

from dbgate.identity.passwords import PasswordMemory
from dbgate.identity.users import Account, Users
from dbgate.settings import User
from protocols.mysql import caching_sha2, native_password
from protocols.postgres.scram import Verifier


def verifier(password: str, salt: bytes = b"0123456789abcdef") -> Verifier:
    return Verifier.make(password, salt, 10)


def account(name: str = "ann", password: str = "right") -> Account:
    return Account(name, verifier(password))


def test_a_password_is_remembered_once_it_was_right() -> None:
    memory = PasswordMemory()
    assert memory.find(account()) is None
    assert not memory.check(account(), "wrong")
    assert memory.find(account()) is None
    assert memory.check(account(), "right")
    assert memory.find(account()) == caching_sha2.digest("right")
    assert memory.find(account("eve")) is None
    assert not memory.check(account(), "wrong")  # and that changes nothing
    assert memory.find(account()) == caching_sha2.digest("right")


def test_another_verifier_forgets() -> None:
    memory = PasswordMemory()
    memory.check(account(), "right")
    changed = replace(account(), verifier=verifier("right", b"another salt 123"))
    assert memory.find(changed) is None
    assert memory.find(account()) is None


def test_nothing_proves_a_doomed_account() -> None:
    memory = PasswordMemory()
    memory.check(account(), "right")
    doomed = replace(account(), doomed=True)
    assert memory.find(doomed) is None
    assert not memory.check(doomed, "right")


def test_no_password_is_never_right() -> None:
    memory = PasswordMemory()
    for password in (None, ""):
        assert not memory.check(Account("ann", verifier("")), password)
    assert memory.find(Account("ann", verifier(""))) is None


def test_memory_is_bounded_and_keeps_who_came_last() -> None:
    memory = PasswordMemory(most=2)
    for name in ("a", "b"):
        memory.check(account(name), "right")
    memory.find(account("a"))
    memory.check(account("c"), "right")
    assert [memory.find(account(name)) is not None for name in "abc"] == [True, False, True]


def test_native_verifiers_come_from_the_settings() -> None:
    made, text = verifier("right").encode(), native_password.verifier("right")
    users = Users(
        {"ann": User("ann", "dba", made, ()), "bob": User("bob", "dba", made, (), native_verifier=text)}, b"s" * 32
    )
    assert users.find("ann").native is None
    assert users.find("bob").native == bytes.fromhex(text[1:])
    assert users.find("nobody").native is None
    assert text[1:] not in repr(users.find("bob"))
