"""`disentangle report`: a page that shows what a model learnt, or how the runs of a folder did."""

from pathlib import Path
from typing import Annotated

import typer

from disentangle.cli.parameters import DataDir, File
from disentangle.errors import UsageError


def report(
    where: Annotated[
        Path, typer.Argument(metavar="RUN|FOLDER", help="a run's folder, or one with runs below it")
    ],
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="the file; report.html in that folder unless given"),
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="of a folder: also write the page of each run")
    ] = False,
    base: Annotated[
        list[str] | None,
        typer.Option(
            metavar="seed|first|prior[:COUNT]|NUMBER",
            help="of a run: where the traversals start; may be repeated",
        ),
    ] = None,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Write a page, whole in itself, of what a model learnt or of how a folder's runs did."""
    from disentangle.cli.output import fail_if_any
    from disentangle.reports import pages
    from disentangle.runs.collection import load_all
    from disentangle.runs.layout import RECORD

    if output is not None and output.suffix not in (".html", ".htm"):
        raise UsageError(f"--output {output}: name a file that ends with .html")
    single = (where / RECORD).exists()
    if runs and single:
        raise UsageError("--runs is of a folder of runs, and this is a run")
    if base and not single:
        raise UsageError("--base is of a run's page: name a run")
    typer.echo(
        pages.report(
            where, output, runs=runs, bases=base, data_dir=data_dir, file=file, say=typer.echo
        )
    )
    if not single:
        fail_if_any(load_all(where)[1])
