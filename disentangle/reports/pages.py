"""Reports of runs: one self-contained HTML file each, readable offline."""

from collections.abc import Sequence
from pathlib import Path

from disentangle._utils.callbacks import Say, silent
from disentangle._utils.files import write_text
from disentangle.errors import DisentangleError
from disentangle.reports.gallery import about_gallery, holds_studies
from disentangle.reports.html import render
from disentangle.reports.network_data import LIMIT
from disentangle.reports.run_page import about_run
from disentangle.reports.study_page import about_study
from disentangle.runs.collection import find_folders, find_runs, load_all
from disentangle.runs.layout import RECORD
from disentangle.runs.run import Run, read_run
from disentangle.score_tables.table import Table

NAME, GALLERY = "report.html", "index.html"


def report(
    where: Run | str | Path,
    output: str | Path | None = None,
    *,
    runs: bool = False,
    gallery: bool = False,
    bases: Sequence[str] | None = None,
    network_limit: float = LIMIT,
    loaded: tuple[Sequence[Run], Sequence[str]] | None = None,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
    say: Say = silent,
) -> Path:
    """Write the report of a run, or of a folder of runs; see the verb `report` in `studies`.

    Args:
        where: a run, its folder, or a folder with runs below it.
        output: the file to write; by default `report.html` in that folder, and for a folder of
            several studies also `index.html`, their gallery.
        runs: for a folder: also write the report of each run, as `report.html` in its own folder.
        gallery: for a folder: write only the gallery, by default as `index.html`.
        loaded: for a folder: the runs to show, and messages on those that cannot be read; by
            default all below it.
        bases: for a run: the base images of the traversals; see `figures.bases.find_bases`.
        network_limit: the largest size of the networks in the page of a run, in MB.
        data_dir: folder of the prepared dataset, if it has moved since training.
        file: the dataset's own file, if it has moved since training.
        say: called with the path of each run's report and of a second page as it is written.

    Raises:
        DisentangleError: no run was found, the run has no checkpoint, or its dataset is not
            available.
    """
    folder = where.path if isinstance(where, Run) else Path(where).expanduser()
    single = isinstance(where, Run) or (folder / RECORD).exists()
    if not single and not (loaded and loaded[0]) and not any(find_folders(folder)):
        raise DisentangleError(f"{folder}: no runs. Run `disentangle train MODEL DATASET` first.")
    name = GALLERY if gallery and not single else NAME
    path = Path(output).expanduser() if output is not None else folder / name
    if not path.parent.is_dir():
        raise DisentangleError(f"{path.parent}: no such folder. Create it first.")
    if single:
        run = where if isinstance(where, Run) else read_run(folder, data_dir=data_dir, file=file)
        write_text(path, run_page(run, bases, network_limit))
        return path
    problems = write_runs(folder, network_limit, data_dir, file, say) if runs else []
    shown, unread = loaded or load_all(folder)
    problems = [*unread, *problems]
    if gallery:
        write_text(path, gallery_page(folder, path.parent, problems, shown))
        return path
    write_text(path, study_page(folder, path.parent, problems, shown))
    if output is None and holds_studies(folder, shown):
        write_text(folder / GALLERY, gallery_page(folder, folder, problems, shown))
        say(str(folder / GALLERY))
    return path


def write_runs(
    folder: Path,
    network_limit: float,
    data_dir: str | Path | None,
    file: str | Path | None,
    say: Say,
) -> list[str]:
    """Write the report of each run below a folder; return a message per run that failed."""
    problems = []
    for path in find_runs(folder):
        try:
            say(str(report(path, network_limit=network_limit, data_dir=data_dir, file=file)))
        except DisentangleError as error:
            problems.append(f"Report not written: {error}")
    return problems


def run_page(run: Run, bases: Sequence[str] | None = None, network_limit: float = LIMIT) -> str:
    """Render the report of a run.

    Raises:
        DisentangleError: the run has no checkpoint, or its dataset is not available.
    """
    if not run.checkpoint_path.exists():
        raise DisentangleError(
            f"{run.path}: no checkpoint found. Restore it, or "
            f"{'train the run again' if run.finished else f'run `disentangle resume {run.path}`'}."
        )
    return render("run", about_run(run, bases, network_limit), "run.js")


def study_page(
    folder: Path,
    beside: Path,
    problems: Sequence[str] = (),
    only: Sequence[Run] | None = None,
    tables: Sequence[Table] | None = None,
    pictures: Sequence[Path] = (),
) -> str:
    """Render the report of a folder of runs, to be written into `beside`; see `about_study`."""
    values = about_study(folder, beside, NAME, problems, only, tables, pictures)
    return render("study", values)


def gallery_page(
    folder: Path, beside: Path, problems: Sequence[str] = (), only: Sequence[Run] | None = None
) -> str:
    """Render the gallery of a folder, to be written into `beside`; see `about_gallery`."""
    return render("gallery", about_gallery(folder, beside, NAME, problems, only), "gallery.js")
