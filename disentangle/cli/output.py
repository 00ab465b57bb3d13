"""Datasets opened and runs loaded for a command, and tables printed."""

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
"""Characters in a line of aligned text, which no terminal's width cuts."""
TRAIN_FIRST = "Run `disentangle train MODEL DATASET` first."


def load(paths: list[Path] | None, results: Path) -> tuple[list["Run"], list[str]]:
    """Return the runs named, or all that can be read, and why the others cannot."""
    from disentangle._utils.memory import uncollected
    from disentangle.runs.collection import load_all
    from disentangle.runs.index import MANY
    from disentangle.runs.run import load_run

    if paths:
        return [load_run(path) for path in paths], []
    if results.is_file():
        raise UsageError(f"{results}: expected a folder of runs, got a file")
    with uncollected():
        found = load_all(results)
        if len(found[0]) >= MANY:
            gc.freeze()  # for nothing of it is garbage before the command ends
    return found


def open_dataset(name: str, **opening: Any) -> "Dataset":
    """Open a dataset, and show how that goes; `opening` is passed on to `DatasetRequest.of`."""
    from disentangle._utils.console import say, working
    from disentangle.data.request import DatasetRequest

    with working() as progress:
        return DatasetRequest.of(name, **opening).open(say, progress)


def fail_if_any(problems: list[str]) -> None:
    """Say all that went wrong, and fail if anything did."""
    if problems:
        raise DisentangleError("; ".join(problems))


def show_tables(tables: Sequence["Table"]) -> None:
    """Print tables: drawn in a terminal, else in Markdown."""
    from disentangle._utils.versions import made_by
    from disentangle.score_tables.render import markdown

    console = Console(emoji=False)
    for sheet in (sheet for made in tables for sheet in made.sheets):
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
    """Write the table of the results folder, and beside a run that lies elsewhere, its own."""
    from disentangle.runs.collection import load_all
    from disentangle.score_tables import export
    from disentangle.score_tables.build import make_tables

    root = results.resolve()
    folders = {root if root in run.path.resolve().parents else run.path.parent for run in runs}
    written = []
    for folder in sorted(folders):
        every, _ = load_all(folder)
        written += export.write_scores(make_tables(every), every, folder)
    return written


def show_baselines(found: Mapping[str, "ScoreMapping"]) -> None:
    """Print the scores of baselines: a line each, and below them why some are missing."""
    scores = list(dict.fromkeys(name for mapping in found.values() for name in mapping))
    lines = [["", *scores]]
    for name, mapping in found.items():
        lines.append([name, *(f"{mapping[s]:.3f}" if s in mapping else "n/a" for s in scores)])
    print_aligned(lines, numbers=len(scores))
    reasons: dict[str, list[str]] = {}
    for name, mapping in found.items():
        for metric, reason in mapping.unavailable.items():
            reasons.setdefault(f"{metric}: n/a: {reason}", []).append(name)
    for reason, names in reasons.items():
        typer.echo(f"{', '.join(names)}: {reason}")


def print_aligned(rows: Sequence[Sequence[str]], numbers: int = 0) -> None:
    """Print rows of plain text, their columns aligned: the last `numbers` of them to the right."""
    if not rows:
        return
    columns = max(map(len, rows))
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    for place in range(columns):
        justify: JustifyMethod = "right" if place >= columns - numbers else "left"
        grid.add_column(justify=justify, no_wrap=True)
    for row in rows:
        grid.add_row(*map(Text, row))
    console = Console(width=WIDE, color_system=None)
    with console.capture() as captured:
        console.print(grid)
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())
