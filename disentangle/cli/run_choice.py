"""Choose the runs of a command: by name, id or folder, by study, and by conditions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from disentangle.cli.output import TRAIN_FIRST, load_runs
from disentangle.errors import DisentangleError, UsageError

if TYPE_CHECKING:
    from disentangle.runs.run import Run


ChosenStudy = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="NAME",
        help="study whose runs to use, a subfolder of the results",
        show_default="all",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME>=VALUE", help="condition on the runs, such as beta>=4; repeatable"),
]

AllSeeds = Annotated[
    bool,
    typer.Option(
        "--all-seeds", help="also use the finished runs that differ from RUN only in the seed"
    ),
]


def open_run(
    given: Path,
    results: Path,
    *,
    data_dir: Path | None = None,
    file: Path | None = None,
) -> "Run":
    """Load a run that is given by its folder, or by its name or the start of its id in results."""
    from disentangle.runs.labels import find_run
    from disentangle.runs.run import load_run

    return load_run(find_run(given, results), data_dir=data_dir, file=file)


def open_runs(
    given: Sequence[Path],
    results: Path,
    *,
    all_seeds: bool = False,
    data_dir: Path | None = None,
    file: Path | None = None,
) -> list["Run"]:
    """Load runs as `open_run` does, with all seeds of their configurations if asked."""
    runs = [open_run(each, results, data_dir=data_dir, file=file) for each in given]
    if all_seeds:
        runs = with_all_seeds(runs)
    for run in runs:
        run.data_dir, run.file = data_dir or run.data_dir, file or run.file
    return runs


def with_all_seeds(runs: Sequence["Run"]) -> list["Run"]:
    """Runs, each with the finished runs beside it that differ only in the seed."""
    from disentangle._utils.console import say
    from disentangle.runs.siblings import siblings

    chosen: dict[Path, Run] = {}
    for run in runs:
        if run.path.resolve() in chosen:
            continue
        by_seed = siblings(run)
        for each in by_seed.values():
            chosen.setdefault(each.path.resolve(), each)
        seeds = ", ".join(map(str, by_seed))
        say(f"{run.path}: seed{'s' if len(by_seed) > 1 else ''} {seeds}")
    return list(chosen.values())


def study_folder(results: Path, study: str | None, runs: Sequence[Path] | None = None) -> Path:
    """The folder with the runs of a study, or with all runs if no study is named.

    Raises:
        UsageError: there is no such study, or runs are given as well.
    """
    if study is None:
        return results
    if runs:
        raise UsageError("give only one of --study and RUN")
    if Path(study).name != study or not (results / study).is_dir():
        studies = [path.name for path in results.glob("*") if path.is_dir()]
        among = f"; the studies there are {', '.join(sorted(studies))}" if studies else ""
        raise UsageError(f"--study {study}: no such folder in {results}{among}")
    return results / study


def choose_runs(
    runs: Sequence[Path] | None,
    results: Path,
    study: str | None = None,
    where: Sequence[str] | None = None,
    *,
    all_seeds: bool = False,
    included: bool = True,
) -> tuple[list["Run"], list[str]]:
    """Load the chosen runs; return them and messages on unreadable runs.

    Args:
        runs: the given runs; by default all runs of the study or of the results folder.
        results: the results folder.
        study: name of a study.
        where: conditions, such as `beta>=4`.
        all_seeds: True to add the finished runs that differ from the given ones only in the seed.
        included: True to load the runs of the studies in a study's `runs_of` too.

    Raises:
        UsageError: there is no such study, a condition is invalid, or `all_seeds` without runs.
        DisentangleError: there is no run, or none meets the conditions.
    """
    if all_seeds and not runs:
        raise UsageError("--all-seeds requires RUN; without one, the runs of all seeds are used")
    folder = study_folder(results, study, runs)
    if study is None or not included:
        loaded, problems = load_runs(list(runs or ()), folder)
    else:
        from disentangle.studies.study_runs import load_study

        loaded, problems = load_study(folder)
    if not loaded and not problems:
        raise DisentangleError(f"{folder}: no runs. {TRAIN_FIRST}")
    if all_seeds:
        loaded = with_all_seeds(loaded)
    return matching(loaded, where, folder), problems


def matching(runs: Sequence["Run"], where: Sequence[str] | None, folder: Path) -> list["Run"]:
    """The runs of a folder that meet conditions.

    Raises:
        UsageError: a condition is invalid.
        DisentangleError: no run meets them.
    """
    from disentangle.runs.filters import where as select_runs

    selected = select_runs(runs, where or ())
    if not selected and where:
        raise DisentangleError(f"{folder}: no run matches --where {' --where '.join(where)}")
    return selected
