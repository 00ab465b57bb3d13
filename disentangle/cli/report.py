"""`disentangle report`: a self-contained HTML page on one run or on several runs."""

from pathlib import Path
from typing import Annotated

import typer

from disentangle.cli.parameters import RESULTS, DataDir, File, Results
from disentangle.cli.run_choice import AllSeeds, ChosenStudy, open_runs, study_folder
from disentangle.errors import UsageError

ALL_SEEDS = "report-all-seeds.html"
"""The report of a run's configuration, in the folder of the run."""


def report(
    where: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN|FOLDER]",
            help="folder, name or id of a run, or folder of several runs",
            show_default=False,
        ),
    ] = None,
    all_seeds: AllSeeds = False,
    study: ChosenStudy = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="file to write",
            show_default="report.html in that folder; also index.html, a gallery, if it holds "
            "several studies",
        ),
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="also write a report of each run in the folder")
    ] = False,
    gallery: Annotated[
        bool,
        typer.Option(
            "--gallery", help="write only the gallery of a folder: its runs as cards, in index.html"
        ),
    ] = False,
    base: Annotated[
        list[str] | None,
        typer.Option(
            metavar="random|first|prior[:COUNT]|NUMBER",
            help="base image or sample of the prior where the traversals of a run start; "
            "repeatable",
            show_default="random, first, prior:2",
        ),
    ] = None,
    network_limit: Annotated[
        float | None,
        typer.Option(
            metavar="MB",
            min=0,
            help="largest size of the networks inside the page of a run, in MB; 0: pictures alone",
            show_default="3",
        ),
    ] = None,
    data_dir: DataDir = None,
    results: Results = RESULTS,
    file: File = None,
) -> None:
    """Write a self-contained HTML report of a run, or of several runs."""
    from disentangle.cli.output import fail_if_any
    from disentangle.reports import pages
    from disentangle.reports.network_data import LIMIT
    from disentangle.runs.external import load_externals
    from disentangle.runs.layout import RECORD
    from disentangle.studies.study_runs import load_study

    if output is not None and output.suffix not in (".html", ".htm"):
        raise UsageError(f"--output {output}: expected a file name that ends with .html")
    folder = find_folder(where, study, results)
    single = (folder / RECORD).exists()
    if runs and single:
        raise UsageError("--runs requires a folder of runs, got a single run")
    if gallery and single:
        raise UsageError("--gallery requires a folder of runs, got a single run")
    if base and not single:
        raise UsageError("--base requires a single run, got a folder of runs")
    if network_limit is not None and (all_seeds or not (single or runs)):
        raise UsageError("--network-limit requires the page of a run: a single RUN, or --runs")
    if all_seeds and not single:
        raise UsageError("--all-seeds requires a single run, got a folder of runs")
    loaded = None if single else load_study(folder)
    if all_seeds:
        loaded = open_runs([folder], results, all_seeds=True), []
        output = output or folder / ALL_SEEDS
        folder = folder.resolve().parent
    typer.echo(
        pages.report(
            folder,
            output,
            runs=runs,
            gallery=gallery,
            bases=base,
            network_limit=LIMIT if network_limit is None else network_limit,
            loaded=loaded,
            data_dir=data_dir,
            file=file,
            say=typer.echo,
        )
    )
    unread = [] if single else load_externals(folder)[1]
    fail_if_any([*(loaded[1] if loaded else []), *unread])


def find_folder(where: Path | None, study: str | None, results: Path) -> Path:
    """The folder to report on: of a run, of a study, or as given.

    Raises:
        UsageError: none is given, or there is no such study.
        DisentangleError: there is no such folder or run.
    """
    from disentangle.runs.labels import find_run

    if study is not None:
        return study_folder(results, study, [where] if where else None)
    if where is None:
        raise UsageError(
            "give a RUN, a FOLDER or --study NAME, such as `disentangle report results`"
        )
    return where if where.expanduser().is_dir() else find_run(where, results)
