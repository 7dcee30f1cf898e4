"""The files of the local audit log: `<directory>/audit/log/<stream>/NNNNNNNN.seg`, one stream per gate worker.

A segment is complete, and will never grow again, when one with a higher number exists. Files are 0600 and folders
0700: they hold statements.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_SUFFIX = ".seg"


def log_folder(directory: Path) -> Path:
    """Where the streams lie, in the gate's `directory`."""
    return directory / "audit" / "log"


def make_private(folder: Path) -> None:
    """Create `folder` and what is missing above it, each 0700."""
    for parent in [*reversed(folder.parents), folder]:
        if not parent.exists():
            parent.mkdir(mode=0o700, exist_ok=True)


def segment_path(folder: Path, number: int) -> Path:
    """The path of segment `number`."""
    return folder / f"{number:08d}{_SUFFIX}"


def segments(folder: Path) -> list[int]:
    """The numbers of a stream's segments, rising."""
    if not folder.is_dir():
        return []
    names = (entry.name for entry in os.scandir(folder))
    return sorted(int(name[: -len(_SUFFIX)]) for name in names if name.endswith(_SUFFIX) and name[:8].isdigit())


def streams(directory: Path) -> list[Path]:
    """The folders of all streams, by name."""
    folder = log_folder(directory)
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def used_bytes(folder: Path) -> int:
    """Bytes of all segments of a stream. One that is deleted meanwhile counts nothing."""
    return sum(_size(segment_path(folder, number)) for number in segments(folder))


def create_segment(folder: Path, number: int, head: bytes, *, durable: bool) -> int:
    """Create a segment that begins with `head`; a descriptor open for appending. OSError leaves no half segment:
    the file gets its name when the head is whole."""
    path = segment_path(folder, number)
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        write_whole(descriptor, head)
        if durable:
            os.fsync(descriptor)
        draft.rename(path)
        if durable:
            sync_folder(folder)
    except OSError:
        os.close(descriptor)
        draft.unlink(missing_ok=True)
        raise
    return descriptor


def write_whole(descriptor: int, data: bytes) -> None:
    """One write. OSError(ENOSPC) when the file system took only a part."""
    written = os.write(descriptor, data)
    if written != len(data):
        raise OSError(28, f"only {written} of {len(data)} bytes could be written")


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(folder: Path, name: str = "lock") -> int | None:
    """Take the lock that one process holds on `folder`; None when another has it. Close the descriptor to give it
    back; the system does so when the process dies."""
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(folder: Path, name: str = "lock") -> bool:
    """Whether some process holds the lock of `folder`."""
    if not (folder / name).exists():
        return False
    descriptor = lock(folder, name)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
