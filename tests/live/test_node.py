"""node's `pg` with its cursors and streams (pinned in node/package.json, installed once into pytest's cache)."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.live.places import Place
from tests.live.programs import run

SOURCE = Path(__file__).with_name("node")
NAMES = [
    "simple", "parameters", "prepared", "binary", "rowMode", "pipelined", "errors", "pipelinedErrors", "transaction",
    "cursor", "abandonedCursor", "stream", "copy", "notify", "notice", "large", "pool",
]  # fmt: skip


@pytest.fixture(scope="session")
def driver(request: pytest.FixtureRequest) -> Path:
    """The script, beside its installed packages."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    manifest = (SOURCE / "package.json").read_bytes()
    home = Path(request.config.cache.mkdir(f"node-{hashlib.sha256(manifest).hexdigest()[:12]}"))  # type: ignore[union-attr]
    if not (home / "node_modules" / "pg").is_dir():
        (home / "package.json").write_bytes(manifest)
        command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install the driver: {done.stderr[-500:]}")
    shutil.copy(SOURCE / "driver.mjs", home / "driver.mjs")
    return home / "driver.mjs"


def results(place: Place, driver: Path, *names: str) -> dict[str, Any]:
    done = run(place, ["node", driver, *names])
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert not [text for text in found.values() if isinstance(text, str) and text.startswith("failed:")], found
    return found


def check(found: dict[str, Any]) -> None:
    assert found["simple"] == [[{"a": 1}], [{"b": "x"}]]
    assert found["prepared"] == ["SKU-0001", "SKU-0002", "SKU-0003", "SKU-0004"]
    assert found["pipelined"] == list(range(30))
    assert [error["code"] for error in found["errors"][:3]] == ["22012", "23505", "42703"]
    assert found["pipelinedErrors"] == [[{"n": 1}], "22012", [{"n": 3}]]
    assert found["transaction"] == ["22012", "25P02", [{"n": 0}]]
    assert found["cursor"] == [[6, 7, 8, 9], 11]
    assert found["stream"] == 12502500
    assert found["copy"] == "8101\tone\n8102\ttwo\n"
    assert found["notify"] == ["node", "word"]
    assert found["large"] == [20000, 20000]


def test_plain(place: Place, driver: Path) -> None:
    check(results(place, driver, *NAMES))


def test_tls(tls_place: Place, driver: Path) -> None:
    check(results(tls_place, driver, *NAMES))


def test_equal_results(direct: Place, allow_all: Place, driver: Path) -> None:
    wanted, found = (results(place, driver, *NAMES) for place in (direct, allow_all))
    for words in (wanted, found):  # the text of an error in the statement itself is the gate's own
        words["errors"] = [error.get("code") for error in words["errors"][:3]]
    assert found == wanted


def test_masks_and_refusals(shop: Place, driver: Path) -> None:
    found = results(shop, driver, "masked", "refused")
    rows, prepared = found["masked"]
    assert rows[0]["email"].endswith(".example"[-4:])
    assert "kx" not in json.dumps(found["masked"])
    assert prepared[0] == rows[0]["email"]
    simple, extended, batch = found["refused"]
    assert simple["code"] == extended["code"] == "42501"
    assert "no-secrets" in simple["detail"]
    assert "platform team" in simple["hint"]
    assert batch == [[{"n": 1}], "42501", [{"n": 3}]]
