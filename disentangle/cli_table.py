"""Runs and their tables, as `score` and `table` read, show and write them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from disentangle.errors import DisentangleError

if TYPE_CHECKING:
    from disentangle.measure import ScoreMapping
    from disentangle.record import Score
    from disentangle.run import Run


def load(paths: list[Path] | None, results: Path) -> tuple[list["Run"], list[str]]:
    """Return the runs named, or all that can be read, and why the others cannot."""
    from disentangle import table
    from disentangle.run import load_run

    if paths:
        return [load_run(path) for path in paths], []
    return table.load_all(results)


def report(problems: list[str]) -> None:
    """Say all that went wrong, and fail if anything did."""
    if problems:
        raise DisentangleError("; ".join(problems))


def show_tables(
    runs: list["Run"], baselines: Mapping[str, Sequence["Score"]] | None = None, **options: bool
) -> None:
    """Print the tables of these runs; see `table.make_tables`."""
    from disentangle import table

    console = Console(emoji=False)
    for made in table.make_tables(runs, baselines or {}, **options):
        if console.is_terminal:
            grid = RichTable(title=escape(made.dataset), caption=escape(made.caption))
            for heading in made.head:
                grid.add_column(escape(heading), overflow="fold")
            for row in made.body:
                grid.add_row(*map(escape, row))
            console.print(grid)
        else:
            typer.echo(f"{made.dataset}\n\n{made.markdown()}")


def write_tables(runs: list["Run"], results: Path) -> None:
    """Write the table of the results folder, and beside a run that lies elsewhere, its own."""
    from disentangle import export, table

    root = results.resolve()
    folders = {root if root in run.path.resolve().parents else run.path.parent for run in runs}
    for folder in sorted(folders):
        every, _ = table.load_all(folder)
        tables = table.make_tables(every)
        typer.echo(export.write_markdown(tables, folder / "scores.md"))
        typer.echo(export.write_csv(every, folder / "scores.csv"))


def show_baselines(found: Mapping[str, "ScoreMapping"]) -> None:
    """Print the scores of baselines: a line each, and below them why some are missing."""
    scores = list(dict.fromkeys(name for mapping in found.values() for name in mapping))
    lines = [["", *scores]]
    for name, mapping in found.items():
        lines.append([name, *(f"{mapping[s]:.3f}" if s in mapping else "n/a" for s in scores)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        typer.echo("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())
    reasons: dict[str, list[str]] = {}
    for name, mapping in found.items():
        for metric, reason in mapping.unavailable.items():
            reasons.setdefault(f"{metric}: n/a: {reason}", []).append(name)
    for reason, names in reasons.items():
        typer.echo(f"{', '.join(names)}: {reason}")
