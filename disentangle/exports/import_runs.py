"""The verb `import_runs`: take the runs of an archive into a results folder."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import filelock

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle.errors import Busy, DisentangleError
from disentangle.exports.placing import Placing
from disentangle.exports.unarchive import unpack
from disentangle.runs.external import External, load_external
from disentangle.runs.layout import ENCODER, IMPORTING
from disentangle.runs.run import Run, read_run


@dataclass
class Imported:
    """What became of the runs of an archive.

    Attributes:
        folders: the folders of the runs and external encoders that are now in the results folder.
        problems: messages on what was not imported.
    """

    folders: list[Path]
    problems: list[str]


def import_runs(
    file: str | Path,
    *,
    results: str | Path = "results",
    force: bool = False,
    say: Say = silent,
    progress: Progress = silent,
) -> list[Run | External]:
    """Import the runs of an archive that `export` wrote; return them.

    Each gets the place in the results folder that it had: study, dataset, model and id. All files
    are checked before any is put in place, and nothing in them is executed. A run that is already
    there gets the scores and files that it lacks; if it is unfinished and the archive's was trained
    further, that one replaces it.

    Args:
        file: the archive.
        results: the results folder.
        force: True to replace runs of the same settings that were trained to other weights.
        say: called with lines of text on what was changed.
        progress: called with the number of unpacked files and the total.

    Raises:
        UsageError: the file is no archive of runs.
        DisentangleError: the archive is damaged or unsafe, so that nothing is imported; or some of
            its runs cannot be imported, and the others are.
    """
    imported = import_archive(file, results=results, force=force, say=say, progress=progress)
    if imported.problems:
        raise DisentangleError("; ".join(imported.problems))
    return [
        load_external(path) if (path / ENCODER).exists() else read_run(path)
        for path in imported.folders
    ]


def import_archive(
    file: str | Path,
    *,
    results: str | Path = "results",
    force: bool = False,
    say: Say = silent,
    progress: Progress = silent,
) -> Imported:
    """Import the runs of an archive as far as possible; see `import_runs`."""
    imported, target = Imported([], []), Path(results).expanduser()
    outcomes: Counter[str] = Counter()
    with unpacking(target) as folder:
        unpacked = unpack(Path(file).expanduser(), folder, progress)
        if hasattr(os, "sync"):
            os.sync()  # once for all files, so that a power cut leaves no empty ones in place
        placing = Placing(target, force, say)
        for one in unpacked:
            try:
                outcomes[placing.put(one)] += 1
            except DisentangleError as error:
                imported.problems.append(f"not imported: {error}")
                continue
            if one.place.kind in ("run", "external"):
                imported.folders.append(target.joinpath(*one.place.name.split("/")))
    if outcomes:
        say(f"{target}: {', '.join(f'{number:,} {what}' for what, number in outcomes.items())}")
    return imported


@contextmanager
def unpacking(results: Path) -> Iterator[Path]:
    """Yield an empty folder in the results folder, for this process alone, and remove it.

    Raises:
        Busy: another import into the results folder is running.
        DisentangleError: the results folder cannot be written to.
    """
    folder, new = results / IMPORTING, not results.exists()
    lock = filelock.FileLock(folder / ".lock")
    try:
        if folder.is_symlink():
            raise DisentangleError(f"{folder}: expected a folder, got a link; remove it")
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise Busy(f"{results}: another import into it is running; wait until it ends") from None
    except OSError as error:
        raise DisentangleError(
            f"{results}: cannot write to this folder ({error.strerror or error}); choose another "
            "one with --results"
        ) from error
    try:
        empty(folder)  # of what an interrupted import has left
        yield folder
    except OSError as error:
        raise DisentangleError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error})"
        ) from error
    finally:
        with suppress(OSError):
            empty(folder)
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)
        if new:
            with suppress(OSError):
                results.rmdir()  # if nothing was imported


def empty(folder: Path) -> None:
    """Remove all but the lock from a folder."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()
