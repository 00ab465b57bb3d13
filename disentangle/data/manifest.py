"""The record stored beside prepared images, to check whether they are unchanged."""

import hashlib
import json
import os
from pathlib import Path

from pydantic import Field, ValidationError

from disentangle._utils.files import write_json
from disentangle._utils.strict import Strict


class Manifest(Strict):
    """The record stored beside prepared images, to check whether they are unchanged."""

    version: int
    """Version of the preparation; images of another version are prepared again."""
    source: str
    """Where the images came from, as stored in a run's record."""
    shape: tuple[int, ...]
    sha256: str
    """SHA-256 of the images, so that equal pixels have equal fingerprints."""
    modified: int
    """Modification time of the image file, in ns; while it is the same, they are not read again."""
    files: dict[str, str] = Field(default={})
    """Checksums of the files that the images were read from."""
    stamp: str | None = None
    """Path, size and time of the user's file or folder."""
    factors: dict[str, tuple[str, ...]] = Field(default={})
    """The factors and the names of their values; none for factors of real numbers."""
    numbers: dict[str, tuple[float, ...]] = Field(default={})
    """The numbers behind the values of factors, if these are unevenly spaced."""
    kinds: dict[str, str] = Field(default={})
    """The kinds of factors that are not categorical."""
    real: dict[str, int] = Field(default={})
    """The factors of real numbers, and how many numbers each has in the file `numbers`."""
    real_numbers: str | None = None
    """The digest of these numbers."""
    grid: bool = False
    """True if there is one image for every combination of the factors, in row-major order."""
    splits: tuple[str, ...] = ()
    """The names of the splits; the last column of the labels is the split of each image."""
    labels: str | None = None
    """The digest of the labels, if they are stored."""
    mark: str = Field(default="", pattern="^(-[0-9a-f]{8})?$")
    """A suffix of the array files' names, so that new files can be written beside the old ones."""

    def file(self, array: str) -> str:
        """Return the name of the file of an array, `images`, `labels` or `numbers`."""
        return f"{array}{self.mark}.npy"

    @property
    def fingerprint(self) -> str:
        """64 hex digits that change with the images, their order or their labels."""
        if not self.factors and not self.splits:
            return self.sha256
        content: list[object] = [self.sha256, self.labels, self.factors, self.splits]
        if self.numbers:
            content.append(self.numbers)
        if self.kinds:
            content.append([self.kinds, self.real, self.real_numbers])
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def modified_at(folder: Path, manifest: Manifest) -> int:
    """Return the modification time of the prepared images, in ns."""
    return (folder / manifest.file("images")).stat().st_mtime_ns


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of prepared images."""
    write_json(folder / "prepared.json", manifest.model_dump())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of prepared images.

    Raises:
        FileNotFoundError: there is no manifest.
        ValueError: it is damaged, or from another version of this program.
    """
    content = (folder / "prepared.json").read_bytes()
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise ValueError("prepared.json is damaged or from another version") from error


def stamp_of(path: Path) -> str:
    """Return a stamp that changes when a file, or any file in a folder, is replaced or edited."""
    if path.is_file():
        status = path.stat()
        return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    sha256 = hashlib.sha256()
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            status = os.lstat(os.path.join(folder, name))
            line = f"{folder}/{name} {status.st_size} {status.st_mtime_ns}\n"
            sha256.update(line.encode(errors="surrogateescape"))
    return f"{path.resolve()} {sha256.hexdigest()}"
