"""`dbgate user verifier`: what it prints is what the settings take."""

from __future__ import annotations

from click.testing import CliRunner

from dbgate.cli import main
from protocols.mysql import native_password
from protocols.postgres.scram import Verifier


def printed(*options: str, password: str = "secret\n") -> str:
    done = CliRunner().invoke(main, ["user", "verifier", *options], input=password)
    assert done.exit_code == 0, done.output
    (line,) = done.output.splitlines()
    return line


def test_a_scram_verifier() -> None:
    verifier = Verifier.parse(printed("--iterations", "5000"))
    assert verifier.matches("secret")
    assert verifier.iterations == 5000


def test_a_native_verifier() -> None:
    digest = native_password.read_verifier(printed("--native"))
    nonce = b"n" * 20
    assert native_password.matches(native_password.respond("secret", nonce), nonce, digest)


def test_no_password_has_no_verifier() -> None:
    done = CliRunner().invoke(main, ["user", "verifier", "--native"], input="\n")
    assert done.exit_code == 2
    assert "the password is empty" in done.output
