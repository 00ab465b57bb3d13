"""Remove a run or an external encoder from the disk."""

import shutil
from pathlib import Path

from disentangle._utils.files import remove_empty
from disentangle.errors import DisentangleError
from disentangle.runs.scored_folder import ScoredFolder


def size_of(run: ScoredFolder) -> tuple[int, int]:
    """The number of files in a run's folder, and their bytes, without the lock."""
    files = [path for path in run.path.rglob("[!.]*") if path.is_file() and not path.is_symlink()]
    return len(files), sum(path.stat().st_size for path in files)


def remove_run(run: ScoredFolder, results: Path) -> None:
    """Delete the folder of a run or of an external encoder.

    The folders of its model and dataset in the results go too, if they are empty.

    The folder is renamed first: nothing of an interrupted removal is taken for a run, and a
    training of the same settings begins in a folder of its own.

    Raises:
        Busy: another process is training or scoring the run.
        DisentangleError: the folder cannot be deleted.
    """
    if run.path.is_symlink():
        raise DisentangleError(
            f"{run.path} is a link to a run; remove the link, or the run that it points to"
        )
    doomed = run.path.with_name(f".removed-{run.path.name}")
    try:
        with run.lock():
            shutil.rmtree(doomed, ignore_errors=True)  # left by an interrupted removal
            run.path.rename(doomed)
            (doomed / run.record_name).unlink()
        shutil.rmtree(doomed)
    except OSError as error:
        raise DisentangleError(
            f"{run.path}: cannot be deleted ({error.strerror or error})"
        ) from error
    root = results.resolve()
    above = (run.path.parent, run.path.parent.parent)
    remove_empty([folder for folder in above if root in folder.resolve().parents])
