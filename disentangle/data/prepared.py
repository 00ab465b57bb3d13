"""Prepared images: made once, stored as a memory-mapped array with a manifest, checked on load."""

import hashlib
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
Numbers = NDArray[np.float64]

BLOCK = 64 * 2**20
"""Bytes read at once when images are reordered."""
UNFINISHED = (".*.tmp", ".*.unpacked")
ARRAYS = ("images", "labels", "numbers")
"""The arrays of prepared images, each a file."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """Images to be prepared, with their labels and splits.

    Attributes:
        blocks: the images in order, in blocks [n, ...].
        shape: the shape of all images, [N, ...].
        source: where the images came from, for a run's record.
        files: name -> checksum of the files that were read.
        factors: factor -> names of its values; none for a factor of real numbers.
        numbers: factor -> the numbers behind its values, if these are unevenly spaced or real.
        kinds: factor -> what its values mean, if not `"categorical"`; see `Labelled.kinds`.
        real: the factors of real numbers; their labels are the positions among their `numbers`,
            which are sorted. `read_factors(table, names, real=True)` makes all this of a table.
        labels: int [N, number of factors], or None for a grid, whose order implies the labels.
        splits: the names of the splits.
        part: int [N], the split of each image.
    """

    blocks: Iterable[Rows]
    shape: tuple[int, ...]
    source: str
    files: Mapping[str, str] = field(default_factory=dict)
    factors: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    numbers: Mapping[str, Sequence[float]] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    real: Collection[str] = ()
    labels: NDArray[np.integer[Any]] | None = None
    splits: Sequence[str] = ()
    part: NDArray[np.integer[Any]] | None = None

    def __post_init__(self) -> None:
        if self.real and self.labels is None:
            raise ValueError("expected labels of factors of real numbers, which make no grid")


@dataclass(frozen=True)
class Prepared:
    """Prepared images: memory-mapped rows [N, ...] of bytes, labels and manifest.

    The `numbers` are those of the factors of real numbers.
    """

    rows: Rows
    manifest: Manifest
    labels: Labels | None = None
    numbers: Mapping[str, Numbers] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How a dataset prepares its images: into which folder, and when they are up to date.

    Attributes:
        folder: the dataset's own folder; nothing else is written there at the same time.
        version: increase it when the same source results in other images.
        given: the user's file or folder, or all files read; images from other files are prepared
            again.
        wanted: a function of the manifest; True if the prepared images are acceptable.
        say: called with a message before a long operation.
    """

    folder: Path
    version: int
    given: Path | Sequence[Path] | None = None
    wanted: Callable[[Manifest], bool] = lambda manifest: True
    say: Say = silent

    def get(self, make: Callable[[ExitStack], Content]) -> Prepared:
        """Return the prepared images; make them first if missing, damaged or not `wanted`.

        A second process waits for the first. An interruption leaves nothing half-written, and good
        images are kept until new ones are complete.

        Args:
            make: returns the content; contexts entered into its stack are exited after writing.

        Raises:
            DisentangleError: the folder is not writable, or the disk is full.
        """
        given = [self.given] if isinstance(self.given, Path) else self.given or ()
        stamp = "\n".join(map(stamp_of, given)) or None
        prepared = self.load(stamp)
        if prepared is not None:  # without the lock, so that the folder may be read-only
            self._tidy(prepared.manifest)
            return prepared
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock"):
                # Another process may have prepared the images while this one waited.
                prepared = self.load(stamp, self.say)
                if prepared is None:
                    self._clear()
                    with ExitStack() as stack:
                        self._write(make(stack), stamp)
                    self._clear()
                    prepared = self.load(stamp)
        except OSError as error:
            problem = f"cannot prepare images in {self.folder}: {error.strerror or error}"
            file = Path(error.filename or self.folder)
            if not (file.is_relative_to(self.folder) or self.folder.is_relative_to(file)):
                raise DisentangleError(f"{problem}: {file}") from error
            raise DisentangleError(
                f"{problem}; free some space, or choose another data folder"
            ) from error
        if prepared is None:
            raise DisentangleError(
                f"images written to {self.folder} cannot be read back: choose another data folder"
            )
        return prepared

    def load(self, stamp: str | None = None, say: Say = silent) -> Prepared | None:
        """Return the prepared images if they exist, are intact and are `wanted`; else None."""
        try:
            manifest = read_manifest(self.folder)
            if manifest.version != self.version:
                raise ValueError("they were prepared by another version")
            if stamp not in (None, manifest.stamp) or not self.wanted(manifest):
                return None
            prepared = read_prepared(self.folder, manifest)
            modified = modified_at(self.folder, manifest)
            if modified != manifest.modified:
                # For example copied. They are good, so do not read them through every time.
                with suppress(OSError):
                    changed = manifest.model_copy(update={"modified": modified})
                    write_manifest(self.folder, changed)
            return prepared
        except FileNotFoundError:
            return None
        except Exception:  # a damaged file can raise anything
            say(f"the images in {self.folder} are damaged or outdated: preparing them again")
            return None

    def _tidy(self, manifest: Manifest) -> None:
        """Delete stale files, unless another process is at work or the folder is read-only."""
        if self._stale(manifest):
            with suppress(OSError), FileLock(self.folder / ".lock", timeout=0):
                self._clear()

    def _clear(self) -> None:
        """Delete stale files; the caller holds the lock."""
        manifest = None
        with suppress(OSError, ValueError):
            manifest = read_manifest(self.folder)
        for path in self._stale(manifest):
            with suppress(OSError):  # some systems cannot delete files in use
                path.unlink()

    def _stale(self, manifest: Manifest | None) -> list[Path]:
        """Return files left by killed processes, and arrays that the manifest does not name."""
        unfinished = chain.from_iterable(map(self.folder.glob, UNFINISHED))
        if manifest is None:  # it may be from another version, so its files are unknown
            return list(unfinished)
        written = chain.from_iterable(self.folder.glob(f"{array}*.npy") for array in ARRAYS)
        names = set(map(manifest.file, ARRAYS))
        return [*unfinished, *(path for path in written if path.name not in names)]

    def _write(self, content: Content, stamp: str | None) -> None:
        room, need = shutil.disk_usage(self.folder).free, prod(content.shape)
        if need > room:
            raise DisentangleError(
                f"the images need {need / 1e6:,.0f} MB, but {self.folder} has only "
                f"{room / 1e6:,.0f} MB left: free some space, or choose another data folder"
            )
        sha256, written = hashlib.sha256(), 0
        header = {"descr": "|u1", "fortran_order": False, "shape": content.shape}
        mark = f"-{uuid.uuid4().hex[:8]}"
        images, kept, real_numbers = self.folder / f"images{mark}.npy", None, None
        with atomic(images) as path, path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for block in content.blocks:
                data = np.ascontiguousarray(block).data
                file.write(data)
                sha256.update(data)
                written += data.nbytes
            if written != need:
                raise DisentangleError(
                    f"expected {need:,} bytes of images of {self.folder.name}, got {written:,}"
                )
        columns = [part for part in (content.labels, content.part) if part is not None]
        if columns:
            labels = np.column_stack(columns).astype(np.int32)
            kept = save_array(self.folder / f"labels{mark}.npy", labels)
        real = {
            name: np.asarray(content.numbers[name], np.float64)
            for name in content.factors
            if name in content.real
        }
        if real:
            together = np.concatenate(list(real.values()))
            real_numbers = save_array(self.folder / f"numbers{mark}.npy", together)
        manifest = Manifest(
            version=self.version,
            source=content.source,
            shape=content.shape,
            sha256=sha256.hexdigest(),
            modified=images.stat().st_mtime_ns,
            files=dict(content.files),
            stamp=stamp,
            factors={name: tuple(map(str, v)) for name, v in content.factors.items()},
            numbers={k: tuple(v) for k, v in content.numbers.items() if k not in content.real},
            kinds=dict(content.kinds),
            real={name: len(numbers) for name, numbers in real.items()},
            real_numbers=real_numbers,
            grid=bool(content.factors) and content.labels is None,
            splits=tuple(content.splits),
            labels=kept,
            mark=mark,
        )
        # Written last, so that a manifest never exists before its images.
        write_manifest(self.folder, manifest)


def read_images(folder: Path, manifest: Manifest) -> Rows:
    """Return prepared images, memory-mapped; only their number and size are checked.

    Raises:
        FileNotFoundError, ValueError: they do not exist, or have another shape.
    """
    path = folder / manifest.file("images")
    try:
        rows: Rows = np.lib.format.open_memmap(path, mode="r").view(np.ndarray)
    except FileNotFoundError:
        raise
    except Exception as error:  # numpy parses a header as Python
        raise ValueError(f"{path.name} is damaged or truncated") from error
    if rows.shape != manifest.shape or rows.dtype != np.uint8:
        raise ValueError("the images have a different shape")
    return rows


def read_prepared(folder: Path, manifest: Manifest, *, thorough: bool = False) -> Prepared:
    """Return prepared images; verify their checksum if their file's modification time changed.

    Args:
        folder: the folder of the images.
        manifest: their manifest.
        thorough: verify the checksum in any case.

    Raises:
        FileNotFoundError, ValueError: they do not match the manifest.
    """
    rows = read_images(folder, manifest)
    if thorough or modified_at(folder, manifest) != manifest.modified:
        if hashlib.sha256(rows.data).hexdigest() != manifest.sha256:
            raise ValueError("the images have changed")
    labels = None
    if manifest.labels is not None:
        labels = load_array(folder / manifest.file("labels"), manifest.labels, "labels")
    numbers = {}
    if manifest.real_numbers is not None:
        file = folder / manifest.file("numbers")
        together = load_array(file, manifest.real_numbers, "numbers of factors")
        parts = np.split(together, np.cumsum(list(manifest.real.values())))
        numbers = dict(zip(manifest.real, parts, strict=False))
    return Prepared(rows, manifest, labels, numbers)


def save_array(file: Path, array: NDArray[Any]) -> str:
    """Write an array, and return the digest by which it is checked when it is read."""
    with atomic(file) as path, path.open("wb") as stream:
        np.save(stream, array)
    return hashlib.sha256(array.data).hexdigest()


def load_array(file: Path, digest: str, what: str) -> NDArray[Any]:
    """Read an array that `save_array` wrote.

    Raises:
        FileNotFoundError, ValueError: it is missing, or has another digest.
    """
    array: NDArray[Any] = np.load(file, allow_pickle=False)
    if hashlib.sha256(array.data).hexdigest() != digest:
        raise ValueError(f"the {what} have changed")
    return array


def reordered(
    blocks: Iterable[Rows], place: NDArray[np.integer[Any]], shape: Sequence[int], folder: Path
) -> Iterator[Rows]:
    """Yield images in another order, through a temporary file, as they may not fit into memory.

    Args:
        blocks: the images, in blocks [n, ...].
        place: the new position of each image, [N].
        shape: the shape of all images, [N, ...].
        folder: folder of the temporary file.
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
