"""`disentangle table`: show or export the score tables of runs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from disentangle.cli.output import fail_if_any, show_tables, write_result
from disentangle.cli.parameters import RESULTS, AsJson, Device, Results, RunPaths
from disentangle.cli.run_choice import AllSeeds, ChosenStudy, Where, choose_scored
from disentangle.errors import DisentangleError, UsageError


def table(
    runs: RunPaths = None,
    all_seeds: AllSeeds = False,
    study: ChosenStudy = None,
    where: Where = None,
    choose: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="rule that selects the settings of each model to show: all, default, udr, "
            "labels:N:METRIC or oracle:SCORE",
        ),
    ] = "all",
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="column to show: a score such as mig or 'dci/*', a heading, or one of model, "
            "settings, chosen, steps and seeds; repeatable",
            show_default="all",
        ),
    ] = None,
    sort: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="sort key of the rows: a score, a hyper-parameter, model or steps; repeatable",
        ),
    ] = None,
    statistic: Annotated[
        Literal["mean", "median", "iqm"], typer.Option(help="statistic over seeds")
    ] = "mean",
    every_seed: Annotated[
        bool,
        typer.Option("--seeds", help="show the value of each seed in place of the deviation"),
    ] = False,
    with_baselines: Annotated[
        bool,
        typer.Option("--baselines", help="also show the baselines that have been scored"),
    ] = False,
    corrected: Annotated[
        bool,
        typer.Option(
            "--corrected",
            help="add chance-corrected columns, (score - noise) / (oracle - noise); implies "
            "--baselines",
        ),
    ] = False,
    published: Annotated[
        bool, typer.Option("--published", help="also show published results on the dataset")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="fail if a score has more than one column")
    ] = False,
    output_format: Annotated[
        Literal["terminal", "markdown", "latex", "html", "csv", "csv-long", "json"],
        typer.Option("--format", help="output format"),
    ] = "terminal",
    caption: Annotated[
        bool, typer.Option("--caption/--no-caption", help="caption and label of a LaTeX table")
    ] = True,
    as_json: AsJson = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="file to write instead of printing; .md, .tex, .html, .csv or .json sets the "
            "format",
        ),
    ] = None,
    device: Device = "auto",
    results: Results = RESULTS,
) -> None:
    """Show the score table: one row per configuration, over its seeds.

    Encoders and codes that were scored by `disentangle score --name` have rows of their own, marked
    as external.
    """
    from disentangle._utils.console import counting
    from disentangle.score_tables import export, sorting
    from disentangle.score_tables.build import make_tables
    from disentangle.score_tables.published import papers_on
    from disentangle.score_tables.selection import select
    from disentangle.scoring.baselines import read_baselines

    if as_json and output_format not in ("terminal", "json"):
        raise UsageError(f"give only one of --json and --format {output_format}")
    output_format = "json" if as_json else output_format
    if output is not None and output_format == "terminal":
        output_format = export.format_of(output)  # type: ignore[assignment]
    if not caption and output_format != "latex":
        raise UsageError("--no-caption requires LaTeX: --format latex or --output FILE.tex")
    rows = choose_scored(runs, results, study, where, all_seeds=all_seeds)
    selected, problems = rows.runs, rows.problems
    baselines = read_baselines(results) if with_baselines or corrected else {}
    if not baselines and (with_baselines or corrected):
        raise DisentangleError(
            f"{results}: no scores of baselines. Run `disentangle baselines DATASET` first."
        )
    with counting("encoding") as progress:
        selection = select(selected, choose, device=device, progress=progress)
    tables = make_tables(
        selected,
        baselines,
        corrected=corrected,
        statistic=statistic,
        selection=selection,
        columns=columns or (),
        externals=rows.externals,
    )
    sorting.sort_rows(tables, sort or ())
    if strict:
        sorting.check_strictly(tables)
    for each in tables:
        each.every_seed = every_seed
        if published:
            each.papers = tuple(papers_on(each.trained[0]))
    if output_format == "terminal":
        show_tables(tables)
    else:
        if output_format == "csv-long":
            shown = [run for run in selected if selection.shows(run)]
            drawn = {c for table in tables for c in table.columns}
            text = export.as_long_csv([*shown, *rows.externals], drawn)
        elif output_format == "html":
            from disentangle.reports.html import tables_page

            text = tables_page(tables)
        elif output_format == "latex":
            text = export.as_latex(tables, caption=caption)
        else:
            text = export.FORMATS[output_format](tables)
        if output is None:
            typer.echo(text, nl=False)
        else:
            unwritten = write_result(output, text)
            typer.echo(text if unwritten else output, nl=not unwritten)
            problems += unwritten
    fail_if_any(problems)
