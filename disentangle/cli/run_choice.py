"""Choose the runs of a command: by name, id or folder, by study, and by conditions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from disentangle.cli.output import TRAIN_FIRST, load_runs
from disentangle.errors import DisentangleError, UsageError

if TYPE_CHECKING:
    from disentangle.runs.external import External
    from disentangle.runs.filters import Scored
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
    from disentangle.runs.run import read_run

    return read_run(find_run(given, results), data_dir=data_dir, file=file)


def open_scored(given: Path, results: Path, **opening: Path | None) -> "Run | External":
    """Load a run, or an external encoder; of several seeds of one name, the first."""
    return open_each([given], results, **opening)[0]


def open_each(
    given: Sequence[Path], results: Path, **opening: Path | None
) -> list["Run | External"]:
    """Load runs and external encoders; a name of several seeds gives all of them."""
    from disentangle.runs.external import find_external

    opened: list[Run | External] = []
    for path in given:
        externals = find_external(path, results)
        if externals and not names_run(path, results):
            opened += externals
        else:
            opened.append(open_run(path, results, **opening))
    return opened


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
    check_all_seeds(runs, all_seeds)
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


def check_all_seeds(given: Sequence[Path] | None, all_seeds: bool) -> None:
    """Raise a UsageError if all seeds of the given runs are asked for and none is given."""
    if all_seeds and not given:
        raise UsageError("--all-seeds requires RUN; without one, the runs of all seeds are used")


def names_run(given: Path, results: Path) -> bool:
    """True if a folder, a name or the start of an id is that of a run."""
    from disentangle.runs.labels import find_run
    from disentangle.runs.layout import RECORD

    try:
        return (find_run(given, results) / RECORD).exists()
    except DisentangleError:
        return False


@dataclass(frozen=True)
class Chosen:
    """The chosen runs and external encoders, and messages on unreadable ones."""

    runs: list["Run"]
    externals: list["External"]
    problems: list[str]

    @classmethod
    def of(cls, scored: Iterable["Run | External"], problems: Sequence[str] = ()) -> "Chosen":
        """Tell runs from external encoders, of which copies are left out."""
        from disentangle.runs.external import External, without_copies

        every = list(scored)
        return cls(
            [one for one in every if not isinstance(one, External)],
            without_copies(one for one in every if isinstance(one, External)),
            list(problems),
        )

    def where(self, conditions: Sequence[str] | None, folder: Path) -> "Chosen":
        """Those that meet conditions; see `matching`."""
        every: list[Run | External] = [*self.runs, *self.externals]
        return Chosen.of(matching(every, conditions, folder), self.problems)


def choose_scored(
    given: Sequence[Path] | None,
    results: Path,
    study: str | None = None,
    where: Sequence[str] | None = None,
    *,
    all_seeds: bool = False,
) -> Chosen:
    """Load the chosen runs and external encoders; see `choose_runs`."""
    from disentangle.runs.external import load_externals

    check_all_seeds(given, all_seeds)
    folder = study_folder(results, study, given)
    if given:
        chosen = Chosen.of(open_each(given, results))
        if all_seeds:
            chosen = replace(chosen, runs=with_all_seeds(chosen.runs))
        return chosen.where(where, folder)
    if study is None:
        runs, problems = load_runs(None, folder)
    else:
        from disentangle.studies.study_runs import load_study

        runs, problems = load_study(folder)
    outside, unreadable = load_externals(folder)
    problems += unreadable
    if not runs and not outside and not problems:
        raise DisentangleError(f"{folder}: no runs. {TRAIN_FIRST}")
    return Chosen.of([*runs, *outside], problems).where(where, folder)


def matching(runs: Sequence["Scored"], where: Sequence[str] | None, folder: Path) -> list["Scored"]:
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
