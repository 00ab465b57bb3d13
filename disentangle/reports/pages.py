"""The pages that show what was learnt: one HTML file each, whole in itself, without a network."""

from collections.abc import Sequence
from pathlib import Path

from disentangle._utils.callbacks import Say, silent
from disentangle._utils.files import write_text
from disentangle.errors import DisentangleError
from disentangle.reports.html import render
from disentangle.reports.run_page import about_run
from disentangle.reports.study_page import about_study
from disentangle.runs.collection import find_runs
from disentangle.runs.layout import RECORD
from disentangle.runs.run import Run, load_run
from disentangle.score_tables.table import Table

NAME = "report.html"


def report(
    where: Run | str | Path,
    output: str | Path | None = None,
    *,
    runs: bool = False,
    bases: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
    say: Say = silent,
) -> Path:
    """Write the page of a run, or of a folder of runs; return the file.

    Args:
        where: a run, its folder, or a folder with runs below it.
        output: the file; `report.html` in that folder unless given.
        runs: of a folder: also write the page of each run, `report.html` in its own folder.
        bases: of a run: where the traversals start; see `figures.find_bases`.
        data_dir: where the dataset's prepared files are now, if not where they were.
        file: where the dataset's own file is now, if not where it was.
        say: called with each further page that was written, or why it could not be.

    Raises:
        DisentangleError: no run is there, or the run has no weights, or its dataset cannot be had.
    """
    folder = where.path if isinstance(where, Run) else Path(where).expanduser()
    single = isinstance(where, Run) or (folder / RECORD).exists()
    if not single and not find_runs(folder):
        raise DisentangleError(f"{folder}: no run is there; train one first, or name its folder")
    path = Path(output).expanduser() if output is not None else folder / NAME
    if not path.parent.is_dir():
        raise DisentangleError(f"{path.parent}: no such folder; make it first")
    if single:
        run = where if isinstance(where, Run) else load_run(folder, data_dir=data_dir, file=file)
        write_text(path, run_page(run, bases))
        return path
    problems = write_runs(folder, data_dir, file, say) if runs else []
    write_text(path, study_page(folder, path.parent, problems))
    return path


def write_runs(
    folder: Path, data_dir: str | Path | None, file: str | Path | None, say: Say
) -> list[str]:
    """Write the page of each run below a folder; return of those that have none, why."""
    problems = []
    for path in find_runs(folder):
        try:
            say(str(report(path, data_dir=data_dir, file=file)))
        except DisentangleError as error:
            problems.append(f"No page: {error}")
    return problems


def run_page(run: Run, bases: Sequence[str] | None = None) -> str:
    """Return the page of a run.

    Raises:
        DisentangleError: it has no weights, or its dataset cannot be had.
    """
    if not run.checkpoint_path.exists():
        raise DisentangleError(
            f"{run.path}: no checkpoint is there, and so nothing to show: put it back, or "
            f"{'train it again' if run.finished else f'disentangle resume {run.path}'}"
        )
    return render("run", about_run(run, bases), "run.js")


def study_page(
    folder: Path,
    beside: Path,
    problems: Sequence[str] = (),
    only: Sequence[Run] | None = None,
    tables: Sequence[Table] | None = None,
    pictures: Sequence[Path] = (),
) -> str:
    """Return the page of a folder of runs to lie in the folder `beside`; see `about_study`."""
    about = about_study(folder, beside, NAME, problems, only, tables, pictures)
    return render("study", about, "study.js")
