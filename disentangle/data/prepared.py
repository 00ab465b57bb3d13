"""Prepared images: made once, kept as one memory-mapped array with a manifest, checked on load."""

import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain
from math import prod
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from disentangle._utils.callbacks import Say, silent
from disentangle._utils.files import atomic
from disentangle.data.manifest import Manifest, modified_at, read_manifest, stamp_of, write_manifest
from disentangle.errors import DisentangleError

Rows = NDArray[np.uint8]
"""Images as bytes, uint8 [n, ...]."""
Labels = NDArray[np.int32]

BLOCK = 64 * 2**20
"""Bytes that are read at once where images are put in another order."""
UNFINISHED = (".*.tmp", ".*.unpacked")
WRITTEN = ("images*.npy", "labels*.npy")


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
        given: the user's file or folder, or all that are read; images prepared from others are made
            again.
        wanted: says whether prepared images are those that were asked for.
        say: tells the user what takes long.
    """

    folder: Path
    version: int
    given: Path | Sequence[Path] | None = None
    wanted: Callable[[Manifest], bool] = lambda manifest: True
    say: Say = silent

    def get(self, make: Callable[[ExitStack], Content]) -> Prepared:
        """Return the prepared images, made first where they are missing, damaged or not wanted.

        A second process waits for the first. An interruption leaves nothing half made, and images
        that were good stay so until others are.

        Args:
            make: returns the content; what it enters into the stack is left when all is written.

        Raises:
            DisentangleError: the folder cannot be written, or has no room.
        """
        given = [self.given] if isinstance(self.given, Path) else self.given or ()
        stamp = "\n".join(map(stamp_of, given)) or None
        found = self.load(stamp)
        if found is not None:  # without the lock, so that the folder may be read-only
            self._tidy(found.manifest)
            return found
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock"):
                # Another process may have prepared the images while this one waited.
                found = self.load(stamp, self.say)
                if found is None:
                    self._clear()
                    with ExitStack() as stack:
                        self._write(make(stack), stamp)
                    self._clear()
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

    def load(self, stamp: str | None = None, say: Say = silent) -> Prepared | None:
        """Return the prepared images if they are there, whole and wanted."""
        try:
            manifest = read_manifest(self.folder)
            if manifest.version != self.version:
                raise ValueError("of another version")
            if stamp not in (None, manifest.stamp) or not self.wanted(manifest):
                return None
            found = read_prepared(self.folder, manifest)
            modified = modified_at(self.folder, manifest)
            if modified != manifest.modified:
                # Copied, say, and found good: not to be read through every time from now on.
                with suppress(OSError):
                    changed = manifest.model_copy(update={"modified": modified})
                    write_manifest(self.folder, changed)
            return found
        except FileNotFoundError:
            return None
        except Exception:  # damage shows in any way
            say(f"the images in {self.folder} are damaged or of another version: making them again")
            return None

    def _tidy(self, manifest: Manifest) -> None:
        """Clear away what is stale, unless another process is at work or the folder read-only."""
        if self._stale(manifest):
            with suppress(OSError), FileLock(self.folder / ".lock", timeout=0):
                self._clear()

    def _clear(self) -> None:
        """Delete what is stale; whoever calls this holds the lock."""
        manifest = None
        with suppress(OSError, ValueError):
            manifest = read_manifest(self.folder)
        for path in self._stale(manifest):
            with suppress(OSError):  # in use by another process, where systems mind that
                path.unlink()

    def _stale(self, manifest: Manifest | None) -> list[Path]:
        """Return what processes that were killed left, and what is not the manifest's."""
        unfinished = chain.from_iterable(map(self.folder.glob, UNFINISHED))
        if manifest is None:  # it may be that of another version: nothing tells which are its files
            return list(unfinished)
        written = chain.from_iterable(map(self.folder.glob, WRITTEN))
        names = manifest.file("images"), manifest.file("labels")
        return [*unfinished, *(path for path in written if path.name not in names)]

    def _write(self, content: Content, stamp: str | None) -> None:
        room, need = shutil.disk_usage(self.folder).free, prod(content.shape)
        if need > room:
            raise DisentangleError(
                f"{self.folder} has {room / 1e6:,.0f} MB left, and the images need "
                f"{need / 1e6:,.0f} MB: make room, or choose another data folder"
            )
        sha256, written = hashlib.sha256(), 0
        header = {"descr": "|u1", "fortran_order": False, "shape": content.shape}
        mark = f"-{uuid.uuid4().hex[:8]}"
        images, kept = self.folder / f"images{mark}.npy", None
        with atomic(images) as path, path.open("wb") as file:
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
            with atomic(self.folder / f"labels{mark}.npy") as path, path.open("wb") as file:
                np.save(file, table)
        manifest = Manifest(
            version=self.version,
            source=content.source,
            shape=content.shape,
            sha256=sha256.hexdigest(),
            modified=images.stat().st_mtime_ns,
            files=dict(content.files),
            stamp=stamp,
            factors={name: tuple(map(str, v)) for name, v in content.factors.items()},
            grid=bool(content.factors) and content.labels is None,
            splits=tuple(content.splits),
            labels=kept,
            mark=mark,
        )
        # Last, so that a manifest never goes before its images.
        write_manifest(self.folder, manifest)


def read_images(folder: Path, manifest: Manifest) -> Rows:
    """Return prepared images, memory-mapped and not read: only their number and size are checked.

    Raises:
        FileNotFoundError, ValueError: they are not there, or of another shape.
    """
    path = folder / manifest.file("images")
    try:
        rows: Rows = np.lib.format.open_memmap(path, mode="r").view(np.ndarray)
    except FileNotFoundError:
        raise
    except Exception as error:  # numpy parses a header as Python
        raise ValueError(f"{path.name} is damaged or cut short") from error
    if rows.shape != manifest.shape or rows.dtype != np.uint8:
        raise ValueError("the images have another shape")
    return rows


def read_prepared(folder: Path, manifest: Manifest, *, thorough: bool = False) -> Prepared:
    """Return prepared images, read through only if their file changed since they were written.

    Args:
        folder: where they are.
        manifest: what they should be.
        thorough: read them through in any case.

    Raises:
        FileNotFoundError, ValueError: they are not what the manifest says.
    """
    rows = read_images(folder, manifest)
    if thorough or modified_at(folder, manifest) != manifest.modified:
        if hashlib.sha256(rows.data).hexdigest() != manifest.sha256:
            raise ValueError("the images have changed")
    labels = None
    if manifest.labels is not None:
        labels = np.load(folder / manifest.file("labels"), allow_pickle=False)
        if hashlib.sha256(labels.data).hexdigest() != manifest.labels:
            raise ValueError("the labels have changed")
    return Prepared(rows, manifest, labels)


def reordered(
    blocks: Iterable[Rows], place: NDArray[np.integer[Any]], shape: Sequence[int], folder: Path
) -> Iterator[Rows]:
    """Yield images in another order, by way of a file in `folder`: they may not fit into memory.

    Args:
        blocks: the images, [n, ...] each.
        place: where each of them goes, [N].
        shape: of all of them, [N, ...].
        folder: for the file, which is gone afterwards.
    """
    size, done = prod(shape[1:]), 0
    with TemporaryFile(dir=folder) as file:
        for block in blocks:
            for image, to in zip(block, place[done:], strict=False):
                file.seek(int(to) * size)
                file.write(np.ascontiguousarray(image).data)
            done += len(block)
        file.seek(0)
        while content := file.read(max(1, BLOCK // size) * size):
            yield np.frombuffer(content, np.uint8).reshape(-1, *shape[1:])
