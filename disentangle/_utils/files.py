"""Atomic file writes: files are written beside their target, then moved into place."""

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
from filelock import FileLock

from disentangle.errors import DisentangleError, UsageError


def data_folder(given: str | Path | None = None) -> Path:
    """Return the data folder: as given, else DISENTANGLE_DATA, else in the user's cache.

    Raises:
        DisentangleError: it is a file.
    """
    path = given or os.environ.get("DISENTANGLE_DATA") or cache_folder() / "data"
    folder = Path(path).expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise DisentangleError(f"{folder} is not a folder: choose another one with --data-dir")
    return folder


def cache_folder() -> Path:
    """Return the folder of recreatable files: DISENTANGLE_CACHE, else the user's cache."""
    path = os.environ.get("DISENTANGLE_CACHE") or platformdirs.user_cache_dir("disentangle")
    return Path(path).expanduser().resolve()


class Stamp(NamedTuple):
    """A file's identity, which changes if it is replaced; times in nanoseconds since the epoch."""

    inode: int
    modified: int
    changed: int
    size: int


def stamp(path: Path) -> Stamp | None:
    """Return the stamp of a file; None if it does not exist."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Stamp(status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`, which becomes `path` if the block succeeds.

    The block creates the file and closes it. A reader sees the old file or the new one, never a
    part of either, even after a power cut; a block that fails leaves the old one unchanged.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)  # the path that the user knows
        raise
    _sync_folder(path.parent)


def check_new(path: Path, force: bool) -> None:
    """Raise unless a file of this name can be made: there is none, or `force` allows to replace it.

    Raises:
        DisentangleError: the file exists.
        UsageError: it is a folder.
    """
    if path.is_dir():
        raise UsageError(f"{path}: expected the name of a file, got a folder")
    if path.exists() and not force:
        raise DisentangleError(
            f"{path} already exists and is not overwritten: give another name, or add `--force`"
        )


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically as UTF-8, with line ends unchanged.

    File names that are not UTF-8 become escapes, such as the `\\udce9` of JSON.
    """
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` atomically as indented JSON; raise first if it is not valid JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def drop_oldest(kept: Path, pattern: str, *, number: float = inf, size: float = inf) -> None:
    """Remove the oldest files of a cache's folder, beyond a number or a size in bytes of all.

    Args:
        kept: a file in that folder, which stays.
        pattern: of the names of the folder's files.
        number: how many stay.
        size: of those that stay.
    """
    stamps = {path: about for path in kept.parent.glob(pattern) if (about := stamp(path))}
    newest = sorted(stamps, key=lambda path: stamps[path].modified, reverse=True)
    total = 0
    for place, path in enumerate(newest, 1):
        total += stamps[path].size
        if path != kept and (place > number or total > size):
            with suppress(OSError):
                path.unlink()


def _sync_folder(folder: Path) -> None:
    # Without this the new name may not survive a power cut. Windows cannot and need not do this.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_empty(folders: Sequence[Path]) -> None:
    """Remove the folders that are empty, but for a lock that is free, from the innermost on."""
    with suppress(OSError):  # also if another process holds the lock, and prepares the same
        for folder in folders:
            if [path.name for path in folder.iterdir()] == [".lock"]:
                with FileLock(folder / ".lock", timeout=0):
                    (folder / ".lock").unlink()
            folder.rmdir()
