"""Runs loaded for a command, and tables printed."""

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from disentangle.errors import DisentangleError, UsageError

if TYPE_CHECKING:
    from disentangle.runs.run import Run
    from disentangle.score_tables.table import Table
    from disentangle.scoring.measure import ScoreMapping


def load(paths: list[Path] | None, results: Path) -> tuple[list["Run"], list[str]]:
    """Return the runs named, or all that can be read, and why the others cannot."""
    from disentangle._utils.memory import uncollected
    from disentangle.runs.collection import load_all
    from disentangle.runs.index import MANY
    from disentangle.runs.run import load_run

    if paths:
        return [load_run(path) for path in paths], []
    if results.is_file():
        raise UsageError(f"{results}: a file, where a folder of runs is looked for")
    with uncollected():
        found = load_all(results)
        if len(found[0]) >= MANY:
            gc.freeze()  # for nothing of it is garbage before the command ends
    return found


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
    for text in aligned(lines):
        typer.echo(text)
    reasons: dict[str, list[str]] = {}
    for name, mapping in found.items():
        for metric, reason in mapping.unavailable.items():
            reasons.setdefault(f"{metric}: n/a: {reason}", []).append(name)
    for reason, names in reasons.items():
        typer.echo(f"{', '.join(names)}: {reason}")


def aligned(lines: list[list[str]]) -> list[str]:
    """Return lines of text, their columns aligned."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
