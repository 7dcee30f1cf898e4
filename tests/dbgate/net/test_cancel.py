"""Cancel keys: ours, unguessable, and found by the worker that gave them out."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dbgate.net.cancel import CancelKeys, hand_on, open_post, socket_path, worker_of


@given(st.integers(0, 255), st.booleans())
def test_a_key_opens_its_own_session_only(worker: int, long: bool) -> None:
    keys: CancelKeys[str] = CancelKeys(worker)
    first, second = keys.issue("first", long), keys.issue("second", long)
    assert (keys.find(*first), keys.find(*second)) == ("first", "second")
    assert keys.find(first[0], second[1]) is None
    assert keys.find(first[0], b"") is None
    assert len(first[1]) == (32 if long else 4)
    assert 0 < first[0] < 1 << 31
    assert worker_of(first[0]) == worker
    keys.forget(first[0])
    assert keys.find(*first) is None
    assert keys.find(first[0], b"") is None


def test_a_request_is_handed_on_to_its_worker() -> None:
    async def main(directory: Path) -> list[tuple[int, bytes]]:
        received: list[tuple[int, bytes]] = []
        arrived = asyncio.Event()

        def take(process_id: int, key: bytes) -> None:
            received.append((process_id, key))
            arrived.set()

        post = await open_post(socket_path(directory, 3), take)
        hand_on(directory, (7 << 8) | 3, b"key!")
        hand_on(directory, (7 << 8) | 4, b"nobody")
        async with asyncio.timeout(5):
            await arrived.wait()
        post.close()
        await asyncio.sleep(0)
        return received

    with tempfile.TemporaryDirectory() as name:
        os.mkdir(Path(name) / "run")
        assert asyncio.run(main(Path(name))) == [((7 << 8) | 3, b"key!")]
