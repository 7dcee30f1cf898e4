"""Users: who is known, who isn't, and that nobody can tell which."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgate.identity.secret import gate_secret
from dbgate.identity.users import Users
from dbgate.settings import User
from protocols.postgres.scram import Verifier

SECRET = b"s" * 32


def users(iterations: int = 5000) -> Users:
    verifier = Verifier.make("right", b"0123456789abcdef", iterations).encode()
    return Users({"ann": User("ann", "dba", verifier, ("shop",), job="nightly")}, SECRET)


def test_a_known_user() -> None:
    ann = users().find("ann")
    assert (ann.role, ann.job, ann.doomed) == ("dba", "nightly", False)
    assert ann.verifier.matches("right")
    assert not ann.verifier.matches("wrong")
    assert ann.may_open("shop")
    assert not ann.may_open("other")


def test_an_unknown_user_looks_like_a_known_one() -> None:
    one, again, other = users().find("bob"), users().find("bob"), users().find("eve")
    assert one.doomed
    assert not one.may_open("shop")
    assert one.verifier.salt == again.verifier.salt
    assert one.verifier.salt != other.verifier.salt
    assert one.verifier.iterations == users().find("ann").verifier.iterations == 5000
    assert len(one.verifier.salt) == 16


def test_the_gates_secret_is_made_once(tmp_path: Path) -> None:
    first = gate_secret(tmp_path)
    assert len(first) == 32
    assert gate_secret(tmp_path) == first
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_torn_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"short")
    with pytest.raises(OSError, match="delete it"):
        gate_secret(tmp_path)
