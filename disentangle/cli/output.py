"""Open datasets, load runs and print tables for the commands."""

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from disentangle.errors import DisentangleError, UsageError

if TYPE_CHECKING:
    from disentangle.contracts.dataset import Dataset
    from disentangle.runs.run import Run
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
    from disentangle.runs.run import load_run

    if paths:
        return [load_run(find_run(path, results)) for path in paths], []
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
    from disentangle.data.request import DatasetRequest

    with working() as progress:
        return DatasetRequest.of(name, **opening).open(say, progress)


def fail_if_any(problems: list[str]) -> None:
    """Raise an error with all problems, if there are any."""
    if problems:
        raise DisentangleError("; ".join(problems))


def show_tables(tables: Sequence["Table"]) -> None:
    """Print tables: drawn in a terminal, as Markdown elsewhere."""
    from disentangle._utils.versions import made_by
    from disentangle.score_tables.render import markdown

    console = Console(emoji=False)
    for sheet in (sheet for table in tables for sheet in table.sheets):
        if not console.is_terminal:
            typer.echo(f"{sheet.title}\n\n{markdown(sheet)}")
            continue
        grid = RichTable(title=escape(sheet.title), caption=escape(sheet.caption))
        for heading, side in zip(sheet.head, sheet.align("left", "right"), strict=True):
            grid.add_column(escape(heading), overflow="fold", justify=side)  # type: ignore[arg-type]
        for row in sheet.body:
            grid.add_row(
                *(
                    escape(cell.text) if not cell.strong else f"[bold]{escape(cell.text)}[/]"
                    for cell in row
                ),
                style="dim" if any(cell.grey for cell in row) else "",
            )
        console.print(grid)
    typer.echo(made_by())


def write_tables(runs: list["Run"], results: Path) -> list[Path]:
    """Write the tables of the results folder, if any of these runs is in it."""
    from disentangle.runs.collection import load_all
    from disentangle.score_tables import export
    from disentangle.score_tables.build import make_tables

    root = results.resolve()
    if not any(root in run.path.resolve().parents for run in runs):
        return []
    all_runs, _ = load_all(results)
    return export.write_scores(make_tables(all_runs), all_runs, results)


def show_baselines(baselines: Mapping[str, "ScoreMapping"]) -> None:
    """Print the scores of baselines, one line each, then the reasons for missing scores."""
    scores = list(dict.fromkeys(name for mapping in baselines.values() for name in mapping))
    lines = [["", *scores]]
    for name, mapping in baselines.items():
        lines.append([name, *(f"{mapping[s]:.3f}" if s in mapping else "n/a" for s in scores)])
    print_aligned(lines, numbers=len(scores))
    reasons: dict[str, list[str]] = {}
    for name, mapping in baselines.items():
        for metric, reason in mapping.unavailable.items():
            reasons.setdefault(f"{metric}: n/a: {reason}", []).append(name)
    for reason, names in reasons.items():
        typer.echo(f"{', '.join(names)}: {reason}")


def print_aligned(rows: Sequence[Sequence[str]], numbers: int = 0) -> None:
    """Print rows as aligned columns of plain text, the last `numbers` columns right-aligned."""
    if not rows:
        return
    columns = max(map(len, rows))
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    for column in range(columns):
        justify: JustifyMethod = "right" if column >= columns - numbers else "left"
        grid.add_column(justify=justify, no_wrap=True)
    for row in rows:
        grid.add_row(*map(Text, row))
    console = Console(width=WIDE, color_system=None)
    with console.capture() as captured:
        console.print(grid)
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())
