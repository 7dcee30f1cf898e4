"""pgbench: initialisation and every query mode with several clients."""

from __future__ import annotations

import re

import pytest

from tests.live.places import Place
from tests.live.programs import client_program, run


@pytest.fixture(scope="module")
def program() -> str:
    return client_program("pgbench")


def check(place: Place, command: list[str]) -> str:
    done = run(place, command)
    assert done.returncode == 0, done.stderr
    assert "aborted" not in done.stderr
    return done.stdout


def test_initialise(place: Place, program: str) -> None:
    check(place, [program, "-i", "-s", "1", "-q"])
    check(place, [program, "-i", "-s", "1", "-q", "-I", "dtGvp", "--partitions=2"])
    check(place, [program, "-i", "-s", "1", "-q", "--foreign-keys"])


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_modes(place: Place, program: str, mode: str) -> None:
    check(place, [program, "-i", "-s", "1", "-q"])
    done = check(place, [program, "-n", "-M", mode, "-c", "4", "-j", "2", "-t", "50"])
    assert re.search(r"number of transactions actually processed: 200/200", done)
    assert "number of failed transactions: 0 (0.000%)" in done


@pytest.mark.parametrize("mode", ["extended", "prepared"])
def test_pipeline(place: Place, program: str, mode: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    script = tmp_path_factory.mktemp("pgbench") / "pipeline.sql"
    lines = "".join(f"SELECT {n} + :aid;\n" for n in range(10))
    script.write_text(f"\\set aid random(1, 1000)\n\\startpipeline\n{lines}\\endpipeline\n")
    done = check(place, [program, "-n", "-M", mode, "-c", "4", "-t", "50", "-f", str(script)])
    assert "number of transactions actually processed: 200/200" in done


def test_tls(tls_place: Place, program: str) -> None:
    check(tls_place, [program, "-i", "-s", "1", "-q"])
    done = check(tls_place, [program, "-n", "-S", "-c", "2", "-t", "20"])
    assert "actually processed" in done
