"""Runs and their tables, as `score` and `table` read, show and write them."""

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from disentangle.errors import DisentangleError, UsageError
from disentangle.parameters import RESULTS, AsJson, Device, Results, RunPaths

if TYPE_CHECKING:
    from disentangle.measure import ScoreMapping
    from disentangle.run import Run
    from disentangle.table import Table


def load(paths: list[Path] | None, results: Path) -> tuple[list["Run"], list[str]]:
    """Return the runs named, or all that can be read, and why the others cannot."""
    from disentangle.index import MANY
    from disentangle.memory import uncollected
    from disentangle.run import load_run
    from disentangle.tabling import load_all

    if paths:
        return [load_run(path) for path in paths], []
    if results.is_file():
        raise UsageError(f"{results}: a file, where a folder of runs is looked for")
    with uncollected():
        found = load_all(results)
        if len(found[0]) >= MANY:
            gc.freeze()  # for nothing of it is garbage before the command ends
    return found


def report(problems: list[str]) -> None:
    """Say all that went wrong, and fail if anything did."""
    if problems:
        raise DisentangleError("; ".join(problems))


def table(
    runs: RunPaths = None,
    study: Annotated[
        str | None, typer.Option(metavar="NAME", help="only this folder of the results")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME>=VALUE", help="only such runs, as beta>=4; may be repeated"),
    ] = None,
    choose: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="which setting of each model: all, default, udr, labels:N:METRIC, oracle:SCORE",
        ),
    ] = "all",
    columns: Annotated[
        list[str] | None,
        typer.Option(metavar="SCORE", help="only these scores, as 'dci/*'; may be repeated"),
    ] = None,
    sort: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="order of rows: a score, a knob, model or steps"),
    ] = None,
    statistic: Annotated[
        Literal["mean", "median", "iqm"], typer.Option(help="what is shown of several seeds")
    ] = "mean",
    with_baselines: Annotated[
        bool, typer.Option("--baselines", help="also show what 'disentangle baselines' scored")
    ] = False,
    corrected: Annotated[
        bool,
        typer.Option("--corrected", help="also (score - noise) / (oracle - noise); with these"),
    ] = False,
    published: Annotated[
        bool, typer.Option("--published", help="also show what papers report of the dataset")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="refuse a score that comes in two columns")
    ] = False,
    output_format: Annotated[
        Literal["terminal", "markdown", "latex", "html", "csv", "csv-long", "json"],
        typer.Option("--format", help="what to print"),
    ] = "terminal",
    as_json: AsJson = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="write it, and print no table; a name that ends with .md, .tex, .html, .csv or "
            ".json says the format",
        ),
    ] = None,
    device: Device = "auto",
    results: Results = RESULTS,
) -> None:
    """Show the score table: one row a configuration, its seeds together."""
    from disentangle import arrange, export
    from disentangle.baselines import read_baselines
    from disentangle.files import write_text
    from disentangle.literature import papers_on
    from disentangle.progress import counting
    from disentangle.selection import select
    from disentangle.tabling import make_tables
    from disentangle.where import where as those

    if study is not None and runs:
        raise UsageError("--study names a folder of runs: name it, or name runs")
    if as_json and output_format not in ("terminal", "json"):
        raise UsageError(f"--json or --format {output_format}: one of them")
    output_format = "json" if as_json else output_format
    if output is not None and output_format == "terminal":
        output_format = export.format_of(output)  # type: ignore[assignment]
    folder = results if study is None else results / study
    if study is not None and (Path(study).name != study or not folder.is_dir()):
        raise UsageError(f"--study {study}: no folder of that name is in {results}")
    found, problems = load(runs, folder)
    if not found and not problems:
        raise DisentangleError(f"{folder}: no run is there; train one first")
    found = those(found, where or ())
    if not found and where:
        raise DisentangleError(f"{folder}: no run is left by --where {' --where '.join(where)}")
    shown = read_baselines(results) if with_baselines or corrected else {}
    if not shown and (with_baselines or corrected):
        raise DisentangleError(
            f"{results}: no baseline is there; first: disentangle baselines DATASET"
        )
    with counting("encoding") as progress:
        selection = select(found, choose, device=device, progress=progress)
    made = make_tables(
        found,
        shown,
        corrected=corrected,
        statistic=statistic,
        selection=selection,
        columns=columns or (),
    )
    arrange.sort_rows(made, sort or ())
    if strict:
        arrange.check_strictly(made)
    if published:
        for one in made:
            one.papers = tuple(papers_on(one.trained[0]))
    if output_format == "terminal":
        show_tables(made)
    else:
        long = output_format == "csv-long"
        chosen = [run for run in found if selection.shows(run)]
        text = (
            export.as_long_csv(chosen, columns or ())
            if long
            else export.FORMATS[output_format](made)
        )
        if output is None:
            typer.echo(text, nl=False)
        else:
            write_text(output, text)
            typer.echo(output)
    report(problems)


def show_tables(tables: Sequence["Table"]) -> None:
    """Print tables: drawn in a terminal, else in Markdown."""
    from disentangle.provenance import made_by
    from disentangle.sheet import markdown

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
    from disentangle import export
    from disentangle.tabling import load_all, make_tables

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
