"""Prepared images: made once, kept as one memory-mapped array with a manifest, checked on load."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from disentangle.errors import DisentangleError
from disentangle.files import atomic, write_json

Rows = NDArray[np.uint8]
Labels = NDArray[np.int32]


class Manifest(BaseModel):
    """The record beside prepared images, which shows whether they are still what they were."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int
    """Of the preparation: another one makes the images anew."""
    source: str
    """Where the images came from, as a run's record says it."""
    shape: tuple[int, ...]
    sha256: str
    """Of the images, so that equal pixels have equal fingerprints."""
    modified: int
    """When the images' file was written, in ns: as long as it stands, they are not read again."""
    files: dict[str, str] = {}
    """The checksums of the files that the images were read from."""
    stamp: str | None = None
    """Of the user's file or folder: path, size and time."""
    factors: dict[str, tuple[str, ...]] = {}
    """The factors, and what their values are called."""
    grid: bool = False
    """Whether the images are every combination of the factors once, in row-major order."""
    splits: tuple[str, ...] = ()
    """The names of the splits; the last column of the labels says in which an image is."""
    labels: str | None = None
    """The digest of the labels, where they are kept."""

    @property
    def fingerprint(self) -> str:
        """Return 64 hex digits that change when the images, their order or their labels do."""
        if not self.factors and not self.splits:
            return self.sha256
        said = [self.sha256, self.labels, self.factors, self.splits]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Content:
    """Images to be prepared, and what is known of them.

    Attributes:
        blocks: the images, in order: [n, ...] each.
        shape: of all of them, [N, ...].
        source: where they came from, as a run's record says it.
        files: name -> checksum of the files that were read.
        factors: factor -> what its values are called.
        labels: int [N, number of factors], or None for a grid, whose order says it all.
        splits: the names of the parts.
        part: int [N], in which split each image is.
    """

    blocks: Iterable[Rows]
    shape: tuple[int, ...]
    source: str
    files: Mapping[str, str] = field(default_factory=dict)
    factors: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    labels: NDArray[np.integer[Any]] | None = None
    splits: Sequence[str] = ()
    part: NDArray[np.integer[Any]] | None = None


@dataclass(frozen=True)
class Prepared:
    """Images that were prepared: rows [N, ...] of bytes, memory-mapped, labels and manifest."""

    rows: Rows
    manifest: Manifest
    labels: Labels | None = None


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How a dataset prepares its images: in which folder, and which are good.

    Attributes:
        folder: the dataset's own folder; nothing else is written there at the same time.
        version: raise it when the same source gives other images.
        given: the user's file or folder; images prepared from another are made again.
        wanted: says whether prepared images are those that were asked for.
        say: tells the user what takes long.
    """

    folder: Path
    version: int
    given: Path | None = None
    wanted: Callable[[Manifest], bool] = lambda manifest: True
    say: Callable[[str], None] = lambda text: None

    def get(self, make: Callable[[ExitStack], Content]) -> Prepared:
        """Return the prepared images, made first where they are missing, damaged or not wanted.

        A second process waits for the first. An interruption leaves nothing half made.

        Args:
            make: returns the content; what it enters into the stack is left when all is written.

        Raises:
            DisentangleError: the folder cannot be written, or has no room.
        """
        stamp = None if self.given is None else stamp_of(self.given)
        found = self.load(stamp)
        if found is not None:  # without the lock, so that the folder may be read-only
            return found
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock"):
                # Another process may have prepared the images while this one waited.
                found = self.load(stamp, self.say)
                if found is None:
                    for pattern in (".*.tmp", ".*.unpacked"):  # of a process that was killed
                        for stale in self.folder.glob(pattern):
                            stale.unlink()
                    with ExitStack() as stack:
                        self._write(make(stack), stamp)
                    found = self.load(stamp)
        except OSError as error:
            raise DisentangleError(
                f"cannot prepare images in {self.folder}: {error.strerror or error}; "
                "make room there, or choose another data folder"
            ) from error
        if found is None:
            raise DisentangleError(
                f"{self.folder} does not return what was written: choose another data folder"
            )
        return found

    def load(
        self, stamp: str | None = None, say: Callable[[str], None] = lambda text: None
    ) -> Prepared | None:
        """Return the prepared images if they are there, whole and wanted."""
        try:
            manifest = read_manifest(self.folder)
            if manifest.version != self.version:
                raise ValueError("of another version")
            if stamp not in (None, manifest.stamp) or not self.wanted(manifest):
                return None
            found = read_prepared(self.folder, manifest)
            if modified_at(self.folder) != manifest.modified:
                # Copied, say, and found good: not to be read through every time from now on.
                with suppress(OSError):
                    update = {"modified": modified_at(self.folder)}
                    write_manifest(self.folder, manifest.model_copy(update=update))
            return found
        except FileNotFoundError:
            return None
        except Exception:  # damage shows in any way: numpy parses a header as Python
            say(f"the images in {self.folder} are damaged or of another version: making them again")
            return None

    def _write(self, content: Content, stamp: str | None) -> None:
        room, need = shutil.disk_usage(self.folder).free, int(np.prod(content.shape))
        if need > room:
            raise DisentangleError(
                f"{self.folder} has {room / 1e6:,.0f} MB left, and the images need "
                f"{need / 1e6:,.0f} MB: make room, or choose another data folder"
            )
        sha256, written = hashlib.sha256(), 0
        header = {"descr": "|u1", "fortran_order": False, "shape": content.shape}
        kept = None
        with atomic(self.folder / "images.npy") as path, path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for block in content.blocks:
                data = np.ascontiguousarray(block).data
                file.write(data)
                sha256.update(data)
                written += data.nbytes
            if written != need:
                raise DisentangleError(
                    f"the images of {self.folder.name} came as {written:,} bytes, not {need:,}"
                )
        columns = [part for part in (content.labels, content.part) if part is not None]
        if columns:
            table = np.column_stack(columns).astype(np.int32)
            kept = hashlib.sha256(table.data).hexdigest()
            with atomic(self.folder / "labels.npy") as path, path.open("wb") as file:
                np.save(file, table)
        manifest = Manifest(
            version=self.version,
            source=content.source,
            shape=content.shape,
            sha256=sha256.hexdigest(),
            modified=modified_at(self.folder),
            files=dict(content.files),
            stamp=stamp,
            factors={name: tuple(map(str, v)) for name, v in content.factors.items()},
            grid=bool(content.factors) and content.labels is None,
            splits=tuple(content.splits),
            labels=kept,
        )
        # Last, so that a manifest never goes before its images.
        write_manifest(self.folder, manifest)


def modified_at(folder: Path) -> int:
    """Return when the prepared images were written, in ns."""
    return (folder / "images.npy").stat().st_mtime_ns


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of prepared images."""
    write_json(folder / "prepared.json", manifest.model_dump())


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of prepared images.

    Raises:
        FileNotFoundError: none is there.
        ValueError: it is damaged, or of another version of this program.
    """
    return Manifest.model_validate_json((folder / "prepared.json").read_bytes())


def read_prepared(folder: Path, manifest: Manifest, *, thorough: bool = False) -> Prepared:
    """Return prepared images, read through only if their file changed since they were written.

    Args:
        folder: where they are.
        manifest: what they should be.
        thorough: read them through in any case.

    Raises:
        FileNotFoundError, ValueError: they are not what the manifest says.
    """
    mapped = np.lib.format.open_memmap(folder / "images.npy", mode="r")
    rows: Rows = mapped.view(np.ndarray)
    if rows.shape != manifest.shape or rows.dtype != np.uint8:
        raise ValueError("the images have another shape")
    if thorough or modified_at(folder) != manifest.modified:
        if hashlib.sha256(rows.data).hexdigest() != manifest.sha256:
            raise ValueError("the images have changed")
    labels = None
    if manifest.labels is not None:
        labels = np.load(folder / "labels.npy", allow_pickle=False)
        if hashlib.sha256(labels.data).hexdigest() != manifest.labels:
            raise ValueError("the labels have changed")
    return Prepared(rows, manifest, labels)


def stamp_of(path: Path) -> str:
    """Return what changes when a file, or any file in a folder, is replaced or edited."""
    if path.is_file():
        about = path.stat()
        return f"{path.resolve()} {about.st_size} {about.st_mtime_ns}"
    sha256 = hashlib.sha256()
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            about = os.lstat(os.path.join(folder, name))
            said = f"{folder}/{name} {about.st_size} {about.st_mtime_ns}\n"
            sha256.update(said.encode(errors="surrogateescape"))
    return f"{path.resolve()} {sha256.hexdigest()}"
