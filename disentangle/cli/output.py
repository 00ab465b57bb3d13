"""Open datasets, load runs and print tables for the commands."""

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from disentangle._utils.columns import aligned
from disentangle._utils.console import output_width, tell
from disentangle._utils.text import beside
from disentangle.errors import DisentangleError, UsageError

if TYPE_CHECKING:
    from disentangle.contracts.dataset import Dataset
    from disentangle.runs.run import Run
    from disentangle.score_tables.render import Text
    from disentangle.score_tables.table import Table
    from disentangle.scoring.measure import ScoreMapping

WIDE = 100_000
"""Maximum characters per line of aligned text: independent of the terminal's width."""
TRAIN_FIRST = "Run `disentangle train MODEL DATASET` first."


def load_runs(paths: list[Path] | None, results: Path) -> tuple[list["Run"], list[str]]:
    """Load the given runs, or all in a folder; return them and messages on unreadable runs."""
    from disentangle._utils.memory import uncollected
    from disentangle.runs.collection import load_all
    from disentangle.runs.index import MANY
    from disentangle.runs.labels import find_run
    from disentangle.runs.run import read_run

    if paths:
        return [read_run(find_run(path, results)) for path in paths], []
    if results.is_file():
        raise UsageError(f"{results}: expected a folder of runs, got a file")
    with uncollected():
        runs, problems = load_all(results)
        if len(runs) >= MANY:
            gc.freeze()  # the runs stay in use until the command ends
    return runs, problems


def open_dataset(name: str, **opening: Any) -> "Dataset":
    """Open a dataset and show progress; `opening` is passed to `DatasetRequest.of`."""
    from disentangle._utils.console import say, working
    from disentangle._utils.progress_line import CountLine
    from disentangle.data.request import DatasetRequest

    with working(CountLine(label=f"dataset {name}")) as progress:
        return DatasetRequest.of(name, **opening).open(say, progress)


def fail_if_any(problems: list[str]) -> None:
    """Raise an error with all problems, if there are any."""
    if problems:
        raise DisentangleError("; ".join(problems))


def show_tables(tables: Sequence["Table"]) -> None:
    """Print tables: drawn in a terminal, as Markdown elsewhere."""
    from disentangle._utils.versions import made_by
    from disentangle.score_tables.render import markdown
    from disentangle.score_tables.terminal import lay_out

    width = output_width()
    for table in tables:
        if width is None:
            for sheet in table.sheets:
                typer.echo(f"{sheet.title}\n\n{markdown(sheet)}")
        else:
            for sheet in table.whole_sheets:
                typer.echo("\n".join(lay_out(sheet, width, styled)) + "\n")
    tell(made_by())


def write_result(path: Path, text: str) -> list[str]:
    """Write a file of results; return what went wrong, so that the results are shown all the same.

    Called before the results are printed: whoever reads them may stop early (`| head -1`).
    """
    from disentangle._utils.files import write_text

    try:
        write_text(path, text)
    except OSError as error:
        return [f"not written: {path}: {error.strerror or error}"]
    return []


def write_tables(
    results: Path, runs: Sequence["Run"] | None = None
) -> tuple[list[Path], list[str]]:
    """Write the tables of the results folder; if runs are given, only if any of them is in it.

    Returns:
        The files, and the reasons why others could not be written.
    """
    from disentangle.runs.collection import load_all
    from disentangle.runs.external import load_externals
    from disentangle.score_tables import export
    from disentangle.score_tables.build import make_tables

    root = results.resolve()
    if runs is not None and not any(root in run.path.resolve().parents for run in runs):
        return [], []
    all_runs, _ = load_all(results)
    externals, _ = load_externals(results)
    tables = make_tables(all_runs, externals=externals)
    try:
        return export.write_scores(tables, [*all_runs, *externals], results), []
    except OSError as error:
        return [], [f"not written: {error.filename or results}: {error.strerror or error}"]


def show_baselines(baselines: Mapping[str, "ScoreMapping"]) -> None:
    """Print the scores of baselines, one line each, then the reasons for missing scores."""
    scores = list(dict.fromkeys(name for mapping in baselines.values() for name in mapping))
    lines = [["", *scores]]
    for name, mapping in baselines.items():
        lines.append(
            [name, *(score_text(s, mapping[s]) if s in mapping else "n/a" for s in scores)]
        )
    print_aligned(lines, numbers=len(scores))
    for names, metrics, reason in missing(baselines):
        tell(f"{', '.join(names)}: {', '.join(metrics)}: n/a: {reason}")


def missing(baselines: Mapping[str, "ScoreMapping"]) -> list[tuple[list[str], list[str], str]]:
    """The baselines and metrics without a score, and why; those of the same reason together."""
    by_score: dict[tuple[str, str], list[str]] = {}
    for name, mapping in baselines.items():
        for metric, reason in mapping.unavailable.items():
            by_score.setdefault((metric, reason), []).append(name)
    by_names: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (metric, reason), names in by_score.items():
        by_names.setdefault((tuple(names), reason), []).append(metric)
    return [(list(names), metrics, reason) for (names, reason), metrics in by_names.items()]


def score_text(name: str, value: float, decimals: int = 3) -> str:
    """A score as text; a count without decimals."""
    from disentangle.score_tables.cells import count
    from disentangle.scoring.metric_traits import counts

    return count(value) if counts(name) else f"{value:.{decimals}f}"


def print_beside(rows: Sequence[tuple[str, str]]) -> None:
    """Print names with a text each, aligned, in lines that fit the terminal."""
    column = 2 + max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        for line in beside(name, text, column, output_width()):
            typer.echo(line)


def print_aligned(rows: Sequence[Sequence[str]], numbers: int = 0) -> None:
    """Print rows as aligned columns of plain text, the last `numbers` columns right-aligned.

    In a terminal words are wrapped and columns of numbers go below one another if they do not fit.
    """
    for line in aligned(rows, output_width() or WIDE, numbers):
        typer.echo(line)


def styled(cell: "Text") -> str:
    """The text of a table's cell as a terminal shows it."""
    if cell.strong:
        return typer.style(cell.text, bold=True)
    return typer.style(cell.text, dim=True) if cell.grey else cell.text
