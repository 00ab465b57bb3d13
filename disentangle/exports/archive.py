"""Write an archive of runs: one file with their records, weights, scores, logs and figures."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.files import atomic, check_new
from disentangle._utils.text import count
from disentangle._utils.versions import __version__
from disentangle.errors import Busy, DisentangleError, UsageError
from disentangle.exports.archive_format import (
    FILES,
    GIB,
    MANIFEST,
    MIB,
    SUFFIX,
    FileRecord,
    Kind,
    Manifest,
    by_place,
    check_safe,
    files_in,
    limit_of,
)
from disentangle.exports.select import Selection
from disentangle.runs.external import External
from disentangle.runs.run import Run
from disentangle.runs.scored_folder import locked_if_writable

COMPRESSED = (".safetensors", ".png", ".gif", ".webp")
"""Suffixes of files that are stored as they are, as they would hardly become smaller."""
DATE = (1980, 1, 1, 0, 0, 0)
"""The time of all files, so that the same runs always make the same archive."""


class Archive(NamedTuple):
    """An archive of runs that was written."""

    path: Path
    sha256: str
    """The SHA-256 of the file, as `sha256sum` prints it."""
    problems: list[str]
    """Messages on runs that were left out."""


def write_archive(
    selection: Selection,
    path: Path,
    *,
    force: bool = False,
    say: Say = silent,
    progress: Progress = silent,
) -> Archive:
    """Write an archive; runs that another process is training or scoring are left out.

    Raises:
        UsageError: the file's name does not end with `.zip`, or is that of a folder.
        DisentangleError: the file exists, cannot be written, or there is nothing to write.
    """
    if path.is_dir() or path.suffix.lower() != SUFFIX:
        got = "a folder" if path.is_dir() else path.name
        raise UsageError(f"{path}: expected a file for the archive, as in runs{SUFFIX}; got {got}")
    check_new(path, force)
    try:
        with atomic(path) as temporary:
            with ZipFile(temporary, "w") as archive:
                writer = Writer(archive)
                problems = [*selection.problems, *writer.add_all(selection, progress)]
                writer.finish(problems)
            with temporary.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DisentangleError(
            f"{error.filename or path}: cannot be written: {error.strerror or error}"
        ) from error
    say(f"{path}: {writer.summary}, {path.stat().st_size / 1e6:,.1f} MB, SHA-256 {digest}")
    if writer.left_out:
        names = ", ".join(writer.left_out[:3]) + (", ..." if len(writer.left_out) > 3 else "")
        say(f"{count(len(writer.left_out), 'file')} left out, as no file of a run: {names}")
    return Archive(path, digest, problems)


class Writer:
    """An archive that is being written.

    Attributes:
        files: the records of the files so far.
        left_out: the files in the folders of runs that an archive does not hold.
    """

    def __init__(self, archive: ZipFile) -> None:
        self.archive = archive
        self.files: dict[str, FileRecord] = {}
        self.left_out: list[str] = []

    @property
    def summary(self) -> str:
        """What is in the archive, in words."""
        kinds = [place.kind for place in by_place(self.files)]
        nouns = {"run": "run", "external": "external encoder", "baseline": "baseline"}
        counts = [count(kinds.count(kind), noun) for kind, noun in nouns.items() if kind in kinds]
        return ", ".join([*counts, count(len(self.files), "file")])

    def add_all(self, selection: Selection, progress: Progress) -> Iterator[str]:
        """Add all that was selected; yield a message on each run that another process uses."""
        total = len(selection.folders)
        for number, (place, one) in enumerate(selection.folders.items(), 1):
            try:
                with locked_if_writable(one):
                    self.add_folder(place, one)
            except Busy as error:
                yield f"not exported: {error}"
            progress(number, total)
        for name, file in selection.files.items():
            (limit,) = next(iter(by_place([name]).values())).values()
            self.add(name, file, limit)

    def add_folder(self, place: str, one: Run | External) -> None:
        """Add the files of a run or an external encoder."""
        kind: Kind = "external" if isinstance(one, External) else "run"
        for name in files_in(one.path):
            limit = limit_of(name, kind)
            if limit is None:
                self.left_out.append(str(one.path / name))
            else:
                self.add(f"{place}/{name}", one.path / name, limit)

    def add(self, name: str, file: Path, limit: int) -> None:
        """Add a file.

        Raises:
            DisentangleError: it is larger than the format allows, or its name cannot be written.
        """
        size, digest = 0, hashlib.sha256()
        info = self.member(name)
        with file.open("rb") as source:
            large = file.stat().st_size > GIB
            with self.archive.open(info, "w", force_zip64=large) as target:
                while content := source.read(MIB):
                    digest.update(content)
                    target.write(content)
                    size += len(content)
        if size > limit:
            raise DisentangleError(
                f"{file}: expected at most {limit:,} bytes, got {size:,}; an archive holds no "
                "larger file of this name"
            )
        self.files[name] = FileRecord(size=size, sha256=digest.hexdigest())

    def member(self, name: str) -> ZipInfo:
        """The entry of a file.

        Raises:
            DisentangleError: the format does not allow this name.
        """
        try:
            check_safe(name)
        except ValueError as error:
            raise DisentangleError(f"cannot be exported: {error}; rename its folder") from None
        info = ZipInfo(name, DATE)
        info.create_system = 3  # Unix, on every system
        info.external_attr = 0o100644 << 16
        info.compress_type = ZIP_STORED if name.endswith(COMPRESSED) else ZIP_DEFLATED
        return info

    def finish(self, problems: list[str]) -> None:
        """Write the manifest.

        Raises:
            DisentangleError: the archive holds nothing, or more files than the format allows.
        """
        if not self.files:
            raise DisentangleError("; ".join(problems) or "nothing to export: no runs")
        if len(self.files) > FILES:
            raise DisentangleError(
                f"expected at most {FILES:,} files, got {len(self.files):,}; export the studies "
                "one by one"
            )
        manifest = Manifest(version=__version__, files=self.files)
        self.archive.writestr(self.member(MANIFEST), manifest.model_dump_json(indent=1))
