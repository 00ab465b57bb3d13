"""Prepared images: made once, kept as one memory-mapped array with a manifest, checked on load."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from disentangle.errors import DisentangleError
from disentangle.files import atomic, write_json

Rows = NDArray[np.uint8]


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
    origin: str | None = None
    """The digest of the file that they were read from."""


@dataclass(frozen=True)
class Prepared:
    """Images that were prepared: rows [N, ...] of bytes, memory-mapped, and their manifest."""

    rows: Rows
    manifest: Manifest


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How a dataset prepares its images: in which folder, in what shape, and which are good.

    Attributes:
        folder: the dataset's own folder; nothing else is written there at the same time.
        version: raise it when the same source gives other images.
        shape: of the array, [N, ...].
        wanted: says whether prepared images are those that were asked for.
        say: tells the user what takes long.
    """

    folder: Path
    version: int
    shape: tuple[int, ...]
    wanted: Callable[[Manifest], bool] = lambda manifest: True
    say: Callable[[str], None] = lambda text: None

    def get(self, make: Callable[[], tuple[Iterable[Rows], str, str | None]]) -> Prepared:
        """Return the prepared images, made first where they are missing, damaged or not wanted.

        A second process waits for the first. An interruption leaves nothing half made.

        Args:
            make: returns the blocks of rows in order, their source, and the origin's digest.

        Raises:
            DisentangleError: the folder cannot be written.
        """
        found = self.load()
        if found is not None:  # without the lock, so that the folder may be read-only
            return found
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock"):
                # Another process may have prepared the images while this one waited.
                found = self.load(self.say)
                if found is None:
                    self._write(*make())
                    found = self.load()
        except OSError as error:
            size = np.prod(self.shape) / 1e6
            raise DisentangleError(
                f"cannot prepare images in {self.folder}: {error.strerror or error}; "
                f"make {size:.0f} MB of room there, or choose another data folder"
            ) from error
        if found is None:
            raise DisentangleError(
                f"{self.folder} does not return what was written: choose another data folder"
            )
        return found

    def load(self, say: Callable[[str], None] = lambda text: None) -> Prepared | None:
        """Return the prepared images if they are there, whole and wanted."""
        try:
            content = (self.folder / "prepared.json").read_bytes()
            manifest = Manifest.model_validate_json(content)
            if manifest.version != self.version or manifest.shape != self.shape:
                raise ValueError("of another version")
            if not self.wanted(manifest):
                return None
            mapped = np.lib.format.open_memmap(self.folder / "images.npy", mode="r")
            rows: Rows = mapped.view(np.ndarray)
            if rows.shape != self.shape or hashlib.sha256(rows.data).hexdigest() != manifest.sha256:
                raise ValueError("other content")
        except FileNotFoundError:
            return None
        except Exception:  # damage shows in any way: numpy parses a header as Python
            say(f"the images in {self.folder} are damaged or of another version: making them again")
            return None
        return Prepared(rows, manifest)

    def _write(self, blocks: Iterable[Rows], source: str, origin: str | None) -> None:
        sha256 = hashlib.sha256()
        header = {"descr": "|u1", "fortran_order": False, "shape": self.shape}
        with atomic(self.folder / "images.npy") as path, path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for block in blocks:
                content = np.ascontiguousarray(block).data
                file.write(content)
                sha256.update(content)
        manifest = Manifest(
            version=self.version,
            source=source,
            shape=self.shape,
            sha256=sha256.hexdigest(),
            origin=origin,
        )
        # Last, so that a manifest never goes before its images.
        write_json(self.folder / "prepared.json", manifest.model_dump())
