"""Read an archive of runs: all of it is checked before any of it is put in place.

Archives come from strangers. Nothing in them is executed; a file is refused if its name is not one
that a run may hold, or if its size or digest differs from the manifest's.
"""

import hashlib
import io
import shutil
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from pydantic import ValidationError
from pydantic_core import from_json

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.strict import first_error
from disentangle.errors import DisentangleError, UsageError
from disentangle.exports.archive_format import (
    FILES,
    FORMAT,
    GIB,
    LISTING,
    MANIFEST,
    MIB,
    Manifest,
    Place,
    by_place,
)
from disentangle.runs.external import External, load_external
from disentangle.runs.labels import LABEL, NAME, read_label
from disentangle.runs.layout import ENCODER, EXTERNAL, folder_name
from disentangle.runs.records import read_record
from disentangle.runs.run import Run, read_run
from disentangle.runs.score_records import ScoreFile
from disentangle.runs.scores import read_scores
from disentangle.runs.tracker_records import FOLDER as TRACKERS
from disentangle.runs.tracker_records import TrackerRecord

ENCRYPTED = 0x1
"""The flag of an encrypted file in a zip."""
SPARE = GIB
"""Bytes of the disk that stay free."""


class Unpacked(NamedTuple):
    """What an archive holds for one place, unpacked and checked."""

    place: Place
    path: Path
    content: Run | External | ScoreFile | None
    """None for a study file."""


class Bounded(io.BufferedReader):
    """A file of which no more is read at once than a list of files may take."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read the next bytes; raise a ValueError if they are too many."""
        most = LISTING + 1
        content = super().read(most if size is None or size < 0 else min(size, most))
        if len(content) == most:
            raise ValueError("its list of files is too long")
        return content


@contextmanager
def opened(path: Path) -> Iterator[ZipFile]:
    """Open a zip; what is read of it at once is bounded."""
    with Bounded(io.FileIO(path)) as file, ZipFile(file) as archive:
        yield archive


def is_archive(path: Path) -> bool:
    """True if a file is a zip with a manifest, as `export` writes it."""
    try:
        with opened(path) as archive:
            return MANIFEST in archive.namelist()
    except (OSError, BadZipFile, ValueError, NotImplementedError):
        return False


def unpack(path: Path, folder: Path, progress: Progress = silent) -> list[Unpacked]:
    """Unpack an archive into an empty folder, and check all of it.

    Args:
        path: the archive.
        folder: the folder, in which each file gets its place.
        progress: called with the number of files unpacked so far and the total.

    Raises:
        UsageError: the file is no archive of runs.
        DisentangleError: it is damaged or unsafe, or too large for the disk.
    """
    if not path.exists():
        raise DisentangleError(f"{path}: no such file")
    if not path.is_file() or not is_archive(path):
        raise UsageError(
            f"{path}: expected an archive that `disentangle export` wrote. For weights trained "
            "elsewhere give `--model NAME --dataset NAME`"
        )
    with refusing(path), opened(path) as archive:
        manifest = read_manifest(archive)
        places = check(archive, manifest)
        free = shutil.disk_usage(folder).free - SPARE
        size = sum(file.size for file in manifest.files.values())
        if size > free:
            raise ValueError(f"it unpacks to {size:,} bytes, and {max(free, 0):,} are free")
        for number, (name, file) in enumerate(manifest.files.items(), 1):
            extract(archive, name, folder.joinpath(*name.split("/")), file.sha256)
            progress(number, len(manifest.files))
        return [read_place(place, folder) for place in places]


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn whatever is wrong with an archive into an error that names it."""
    try:
        yield
    except (BadZipFile, EOFError, zlib.error) as error:
        raise DisentangleError(
            f"{path}: damaged, so that nothing is imported ({error}); get it again"
        ) from error
    except (ValueError, NotImplementedError, RuntimeError) as error:
        raise DisentangleError(f"{path}: nothing is imported: {error}") from error


def read_manifest(archive: ZipFile) -> Manifest:
    """Read the manifest of an archive; raise a ValueError if it is not valid."""
    if archive.getinfo(MANIFEST).file_size > LISTING:
        raise ValueError(f"{MANIFEST} is larger than {LISTING:,} bytes")
    text = archive.read(MANIFEST)
    content = from_json(text)
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise ValueError(
            f"expected format {FORMAT}, got {version}, of disentangle "
            f"{str(content.get('version', 'unknown'))[:20]!r}; run `pip install -U "
            "disentangle-bench`"
        )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(f"{MANIFEST} is not valid: {first_error(error)}") from error


def check(archive: ZipFile, manifest: Manifest) -> list[Place]:
    """Check the files of an archive before they are unpacked; return their places.

    Raises:
        ValueError: a file is not in the manifest, has another size, is too large, is no plain file,
            or has a name that no file of a run has.
    """
    entries = archive.infolist()
    if len(entries) > FILES + 1:
        raise ValueError(f"expected at most {FILES:,} files, got {len(entries) - 1:,}")
    names = {entry.filename for entry in entries}
    if len(names) < len(entries):
        raise ValueError("two of its files have the same name")
    if missing := {*manifest.files, MANIFEST} - names:
        raise ValueError(f"{min(missing)!r} is missing")
    limits = by_place(names - {MANIFEST})
    most = {name: limit for files in limits.values() for name, limit in files.items()}
    for entry in entries:
        name = entry.filename
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ValueError(f"{name!r} is a link or a device")
        if entry.flag_bits & ENCRYPTED:
            raise ValueError(f"{name!r} is encrypted")
        if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise ValueError(f"{name!r} is compressed with another method than deflate")
        if name == MANIFEST:
            continue
        if name not in manifest.files:
            raise ValueError(f"{name!r} is not in its manifest")
        if entry.file_size != manifest.files[name].size:
            raise ValueError(
                f"{name!r}: expected {manifest.files[name].size:,} bytes, got {entry.file_size:,}"
            )
        if entry.file_size > most[name]:
            raise ValueError(f"{name!r} is larger than {most[name]:,} bytes")
    return sorted(limits)


def extract(archive: ZipFile, name: str, target: Path, sha256: str) -> None:
    """Write a file of an archive to a new path; raise a ValueError if its digest is another."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with archive.open(name) as source, target.open("xb") as file:
        while content := source.read(MIB):
            digest.update(content)
            file.write(content)
    if digest.hexdigest() != sha256:
        raise ValueError(f"{name!r} is damaged: its SHA-256 is not that of the manifest")


def read_place(place: Place, folder: Path) -> Unpacked:
    """Read the records of what was unpacked for a place; raise a ValueError if one is not valid."""
    path = folder / place.name
    try:
        return Unpacked(place, path, read_content(place, path))
    except (DisentangleError, RecursionError) as error:
        raise ValueError(str(error).replace(f"{folder}/", "")) from error


def read_content(place: Place, path: Path) -> Run | External | ScoreFile | None:
    """Read the records of what was unpacked for a place."""
    if place.kind == "study":
        path.read_text(encoding="utf-8")
        return None
    if place.kind == "baseline":
        return read_record(ScoreFile, path)
    one = read_run(path) if place.kind == "run" else load_external(path)
    kind = folder_name(one.record.model) if isinstance(one, Run) else EXTERNAL
    below = (folder_name(one.record.dataset.name), kind, one.record.id)
    if path.parts[-3:] != below:
        raise DisentangleError(f"{place.name}: expected the folder of {'/'.join(below)}")
    read_scores(one)
    name = read_label(path).name if isinstance(one, Run) else one.record.name
    if (name or isinstance(one, External)) and not NAME.fullmatch(name):
        file = LABEL if isinstance(one, Run) else ENCODER
        raise DisentangleError(f"{place.name}/{file}: {name!r} is no name of a run or encoder")
    for tracker in path.glob(f"{TRACKERS}/*.json"):
        read_record(TrackerRecord, tracker)
    return one
