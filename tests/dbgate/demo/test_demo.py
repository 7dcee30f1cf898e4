"""`dbgate demo --once` as a user runs it: everything as scripted, quick, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbgate.settings import load_settings

pytestmark = [pytest.mark.live, pytest.mark.slow]

COMMAND = [sys.executable, "-m", "dbgate", "demo"]


def start(*options: str, temporary: Path, **more: str) -> subprocess.Popen[str]:
    """The demo with its temporary files in a folder of the test's own. `more`: further environment variables."""
    environment = {**os.environ, "TMPDIR": str(temporary), **more}
    return subprocess.Popen(
        [*COMMAND, *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def processes_that_mention(word: str) -> list[str]:
    """Command lines of running processes that hold `word`."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_text().replace("\0", " "))
        except OSError:  # it ended meanwhile
            continue
    return [line for line in lines if word in line]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder that the embedded server's own user may enter. pytest's own would not do: each run of pytest
    closes the folder above them to all others again, under the feet of those that run at the same time."""
    with tempfile.TemporaryDirectory(prefix="dbgate-test-demo-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_once_goes_as_scripted_and_leaves_nothing_behind(temporary: Path) -> None:
    demo = start("--once", temporary=temporary)
    printed, _ = demo.communicate(timeout=90)
    assert demo.returncode == 0, printed
    assert "all as scripted" in printed
    assert ("PostgreSQL only" in printed) != ("the same masks, whatever the road" in printed)
    assert list(temporary.iterdir()) == []
    assert processes_that_mention(str(temporary)) == []


def test_without_mysql_it_says_so_and_goes_on(temporary: Path) -> None:
    demo = start("--once", temporary=temporary, DBGATE_DEMO_MYSQL="mysql://root@127.0.0.1:1")
    printed, _ = demo.communicate(timeout=90)
    assert demo.returncode == 0, printed
    assert printed.count("PostgreSQL only: the server that DBGATE_DEMO_MYSQL names cannot be used") == 1
    assert "44 statements" in printed
    assert list(temporary.iterdir()) == []


def test_a_directory_keeps_the_files(temporary: Path) -> None:
    kept = temporary / "kept"
    demo = start("--once", "--directory", str(kept), temporary=temporary)
    printed, _ = demo.communicate(timeout=90)
    assert demo.returncode == 0, printed
    assert {path.name for path in kept.iterdir()} >= {"dbgate.yaml", "rulebook.yaml", "dbgate-data"}
    assert load_settings(kept / "dbgate.yaml").databases.keys() - {"shop_mysql"} == {"shop"}
    assert [path.name for path in temporary.iterdir()] == ["kept"]


@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_it_stays_open_until_it_is_told_to_end(temporary: Path, word: signal.Signals) -> None:
    demo = start(temporary=temporary)
    assert demo.stdout is not None
    printed = []
    for line in demo.stdout:
        printed.append(line)
        if "its log" in line:
            break
    assert demo.poll() is None, "".join(printed)
    demo.send_signal(word)
    rest, _ = demo.communicate(timeout=30)
    assert demo.returncode == 0, "".join([*printed, rest])
    assert list(temporary.iterdir()) == []
    assert processes_that_mention(str(temporary)) == []
