"""The record beside prepared images, which tells whether they are still what they were."""

import hashlib
import json
import os
from pathlib import Path

from pydantic import Field, ValidationError

from disentangle._utils.files import write_json
from disentangle._utils.strict import Strict


class Manifest(Strict):
    """The record beside prepared images, which shows whether they are still what they were."""

    version: int
    """Of the preparation: another one makes the images anew."""
    source: str
    """Where the images came from, as a run's record says it."""
    shape: tuple[int, ...]
    sha256: str
    """Of the images, so that equal pixels have equal fingerprints."""
    modified: int
    """When the images' file was written, in ns: as long as it stands, they are not read again."""
    files: dict[str, str] = Field(default={})
    """The checksums of the files that the images were read from."""
    stamp: str | None = None
    """Of the user's file or folder: path, size and time."""
    factors: dict[str, tuple[str, ...]] = Field(default={})
    """The factors, and what their values are called."""
    grid: bool = False
    """Whether the images are every combination of the factors once, in row-major order."""
    splits: tuple[str, ...] = ()
    """The names of the splits; the last column of the labels says in which an image is."""
    labels: str | None = None
    """The digest of the labels, where they are kept."""
    mark: str = Field(default="", pattern="^(-[0-9a-f]{8})?$")
    """In the names of the arrays' files, so that new ones lie beside old ones until they are good.
    """

    def file(self, array: str) -> str:
        """Return the name of the file that holds the images, or the labels."""
        return f"{array}{self.mark}.npy"

    @property
    def fingerprint(self) -> str:
        """Return 64 hex digits that change when the images, their order or their labels do."""
        if not self.factors and not self.splits:
            return self.sha256
        said = [self.sha256, self.labels, self.factors, self.splits]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def modified_at(folder: Path, manifest: Manifest) -> int:
    """Return when the prepared images were written, in ns."""
    return (folder / manifest.file("images")).stat().st_mtime_ns


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of prepared images."""
    write_json(folder / "prepared.json", manifest.model_dump())


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of prepared images.

    Raises:
        FileNotFoundError: none is there.
        ValueError: it is damaged, or of another version of this program.
    """
    content = (folder / "prepared.json").read_bytes()
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise ValueError("prepared.json is damaged, or of another version") from error


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
