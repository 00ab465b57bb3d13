"""`disentangle runs`: list runs with their state, name them, and remove them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from disentangle._utils.console import output_width
from disentangle.cli.help import App, Group
from disentangle.cli.output import fail_if_any, print_aligned
from disentangle.cli.parameters import RESULTS, AsJson, Results, RunPath, as_example, print_json
from disentangle.cli.run_choice import ChosenStudy, Where, choose_scored, open_each
from disentangle.errors import UsageError, suggestion, true_name

if TYPE_CHECKING:
    from disentangle.runs.external import External
    from disentangle.runs.overview import Overview
    from disentangle.runs.run import Run

SHOWN = ("mig", "sap")
"""The scores that are listed by default."""
DISPENSABLE = ("folder", "equal settings", "note", "age")
"""What is left out first if the terminal is too narrow, in this order."""
THEN = ("dataset", "settings", "seed")
"""What is left out next, after columns that are the same for all runs."""
GAP = 2


class RunsGroup(Group):
    """The group `runs`, which lists runs without a command."""

    takes = "[COMMAND ...]"


runs = App(
    cls=RunsGroup,
    help="List runs with their state, settings and scores; name or remove one.",
    invoke_without_command=True,
)


@runs.callback()
def list_runs(
    context: typer.Context,
    study: ChosenStudy = None,
    where: Where = None,
    score: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="score to list; repeatable", show_default=" and ".join(SHOWN)
        ),
    ] = None,
    as_json: AsJson = False,
    results: Results = RESULTS,
) -> None:
    """List runs with their state, settings and scores, the latest last.

    External encoders that were scored with a name are listed too. Every command accepts a run's
    folder, its name or the first characters of its id.
    """
    if context.invoked_subcommand is not None:
        if any((study, where, score, as_json, results != RESULTS)):
            raise UsageError(f"give options after `runs {context.invoked_subcommand}`")
        return
    from disentangle.runs.overview import overview

    chosen = choose_scored(None, results, study, where)
    every = [*map(overview, chosen.runs), *map(overview, chosen.externals)]
    overviews = sorted(every, key=lambda one: one.started)
    scores = [score_called(name, overviews) for name in score or ()] or SHOWN
    if as_json:
        print_json([one.as_dict() for one in overviews])
    elif overviews:
        show(overviews, scores)
    fail_if_any(chosen.problems)


def score_called(name: str, overviews: Sequence["Overview"]) -> str:
    """The score of runs that has a name, in any case.

    Raises:
        UsageError: runs have scores, but none with this name.
    """
    from disentangle._utils.console import say

    names = {score for one in overviews for score in one.scores}
    exact = true_name(name, names)
    if not names:
        say(f"'{name}' is not shown, as no run has a score yet; run `disentangle score`")
    elif exact not in names:
        hint = suggestion(name, names, option="--score")
        raise UsageError(f"--score: no run has the score '{name}'{hint}")
    return exact


def show(overviews: Sequence["Overview"], scores: Sequence[str]) -> None:
    """Print a line for each run; a terminal that is too narrow gets fewer columns, and is told."""
    from disentangle._utils.console import say

    columns = {name: cells for name, cells in table(overviews, scores).items() if any(cells)}
    left_out = []
    if room := output_width():
        same = [
            name
            for name in ("dataset", "state", "model", "seed")
            if len(overviews) > 1 and len(set(columns[name])) == 1
        ]
        for name in dict.fromkeys([*DISPENSABLE, *same, *THEN]):
            if total(columns) <= room:
                break
            if name == "equal settings":
                columns["settings"] = differing(overviews)
                if not any(columns["settings"]):
                    del columns["settings"]
                left_out.append(name)
            elif columns.pop(name, None):
                left_out.append(name)
    rows = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    print_aligned(rows)
    if left_out:
        say(f"not shown at this width: {', '.join(left_out)}; `--json` prints all")


def table(overviews: Sequence["Overview"], scores: Sequence[str]) -> dict[str, list[str]]:
    """The columns of the list, by name."""
    from disentangle._utils.text import duration
    from disentangle.runs.records import describe

    columns = {
        "run": [one.id for one in overviews],
        "name": [one.name for one in overviews],
        "state": [one.progress for one in overviews],
        "model": [one.model for one in overviews],
        "settings": [describe(one.settings) for one in overviews],
        "dataset": [one.dataset for one in overviews],
        "seed": ["" if one.seed is None else str(one.seed) for one in overviews],
    }
    for score in scores:
        values = [one.scores.get(score) for one in overviews]
        columns[score] = ["" if value is None else f"{value:.3f}" for value in values]
    days = [one.age / 86_400 for one in overviews]
    columns["age"] = [
        duration(one.age) if age < 2 else f"{age:,.0f} days"
        for one, age in zip(overviews, days, strict=True)
    ]
    columns["note"] = [one.note for one in overviews]
    columns["folder"] = [one.folder for one in overviews]
    return columns


def differing(overviews: Sequence["Overview"]) -> list[str]:
    """The settings of each run that are not equal in all runs of its model, as text."""
    from disentangle.score_tables.observations import names_of

    named = names_of({i: (one.model, one.settings) for i, one in enumerate(overviews)})
    return [named[i].removeprefix(one.model).strip() for i, one in enumerate(overviews)]


def total(columns: dict[str, list[str]]) -> int:
    """The width of aligned columns."""
    widest = [max(map(len, [name, *cells])) for name, cells in columns.items()]
    return sum(widest) + GAP * (len(widest) - 1)


@runs.command("name", epilog=as_example("runs name 3f2a8c91d0 first-try --note 'beta too low'"))
def name_run(
    run: RunPath,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="new name of the run", show_default="kept"),
    ] = None,
    note: Annotated[
        str | None, typer.Option(metavar="TEXT", help="note on the run", show_default="kept")
    ] = None,
    results: Results = RESULTS,
) -> None:
    """Give a run or an external encoder a name or a note.

    Neither changes the id or the numbers. An empty text removes it from a run. The name of external
    encoders of several seeds is changed for all of them.
    """
    from disentangle.runs.external import External
    from disentangle.runs.labels import rename_external, write_label

    if name is None and note is None:
        raise UsageError("give a NAME, or --note TEXT")
    for loaded in open_each([run], results):
        if isinstance(loaded, External):
            rename_external(loaded, results, name=name, note=note)
            given, said = loaded.record.name, loaded.record.note
        else:
            label = write_label(loaded.path, name=name, note=note, results=results)
            given, said = label.name, label.note
        typer.echo("  ".join(filter(None, (loaded.record.id, given, said, str(loaded.path)))))


@runs.command(epilog=as_example("runs remove 3f2a8c91d0"))
def remove(
    run: Annotated[list[Path], typer.Argument(metavar="RUN", help="folders, names or ids of runs")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask for confirmation")] = False,
    results: Results = RESULTS,
) -> None:
    """Delete runs with all their files: records, weights, scores and figures.

    Of external encoders only records and scores are kept; the name of several seeds deletes all.
    """
    from disentangle.errors import Busy
    from disentangle.runs.removal import remove_run

    loaded = open_each(run, results)
    for each in loaded:
        if each.busy():
            raise Busy(f"{each.path}: another process is {each.activity}")
        typer.echo(what_goes(each), err=True)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("nothing is deleted without confirmation; give --yes")
        typer.confirm(f"Delete {'this run' if len(loaded) == 1 else 'these runs'}?", abort=True)
    for each in loaded:
        remove_run(each, results)
        typer.echo(each.path)


def what_goes(run: "Run | External") -> str:
    """What the removal of a run deletes, as text."""
    from disentangle._utils.text import count
    from disentangle.runs.overview import overview
    from disentangle.runs.removal import size_of

    one, (files, size) = overview(run), size_of(run)
    name = f" '{one.name}'" if one.name else ""
    seed = "" if one.seed is None else f", seed {one.seed}"
    return (
        f"{run.path}{name}: {one.model} on {one.dataset}{seed}, {one.progress}; "
        f"{count(files, 'file')}, {size / 1e6:,.1f} MB"
    )
