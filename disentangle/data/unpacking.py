"""Archives and compressed files, unpacked for a library that reads only plain ones."""

import gzip
import lzma
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from disentangle.data.location import Location
from disentangle.errors import DisentangleError

COMPRESSED: Mapping[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
"""Ending of a compressed file -> the function that opens it."""


def temporary_folder(location: Location, name: str, stack: ExitStack) -> Path:
    """An empty folder beside the prepared files that exists until the stack is exited."""
    folder = location.folder / f".{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def given_folder(given: Path, location: Location, stack: ExitStack) -> Path:
    """The user's folder, or a temporary one with the files of the user's archive.

    Raises:
        DisentangleError: there is no such folder, or the file cannot be unpacked.
    """
    if not given.exists():
        raise DisentangleError(f"{given}: no such file or folder")
    if given.is_file():
        return unpack_archive(given, temporary_folder(location, "unpacked", stack))
    return given


def unpack_archive(archive: Path, folder: Path) -> Path:
    """Unpack a zip or tar into a folder, and return the folder.

    Raises:
        DisentangleError: the file is no archive, or a damaged one.
    """
    endings = [ending for _, several, _ in shutil.get_unpack_formats() for ending in several]
    if not archive.name.endswith(tuple(endings)):
        raise DisentangleError(
            f"{archive}: expected a folder, or an archive ({', '.join(endings)})"
        )
    safe = {} if archive.suffix == ".zip" else {"filter": "data"}
    try:
        shutil.unpack_archive(archive, folder, **safe)  # type: ignore[arg-type]
    except Exception as error:  # a damaged file can raise anything
        raise DisentangleError(f"{archive} cannot be unpacked: {error}") from error
    return folder


def unpack_file(path: Path, target: Path) -> None:
    """Copy a file, decompressed if its ending is one of `COMPRESSED`.

    Raises:
        DisentangleError: the file cannot be read, or the copy cannot be written.
    """
    try:
        opener = COMPRESSED.get(path.suffix, open)
        with opener(path, "rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise DisentangleError(f"{path} cannot be unpacked: {error}; get it again") from error
