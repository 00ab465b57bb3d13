"""`disentangle encode`: write the codes of images, with their factors, to a file."""

from pathlib import Path
from typing import Annotated

import typer

from disentangle.cli import completion
from disentangle.cli.output import open_dataset
from disentangle.cli.parameters import (
    RESULTS,
    DataDir,
    Device,
    Download,
    Factors,
    File,
    Force,
    Results,
    RunPath,
    ScoredSplit,
    names,
)
from disentangle.cli.run_choice import open_run
from disentangle.errors import UsageError


def encode_command(
    run: RunPath,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="file to write: .npz, .csv or .parquet"
        ),
    ],
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATASET]",
            help="name of a dataset, or path of your own images",
            show_default="the run's dataset",
            autocompletion=completion.datasets,
        ),
    ] = None,
    split: ScoredSplit = None,
    factors: Factors = None,
    force: Force = False,
    device: Device = "auto",
    results: Results = RESULTS,
    data_dir: DataDir = None,
    file: File = None,
    download: Download = False,
) -> None:
    """Write the codes of images, with their factors, to a file.

    The file holds means, scales if the model has a posterior, the factors' values and names, and
    what made them. `disentangle score --codes` reads the npz and the CSV.
    """
    from disentangle._utils.console import counting
    from disentangle.data.names import is_path, reference_of
    from disentangle.scoring.encode import check_output, encode

    check_output(output, force)
    if dataset is None and download:
        raise UsageError("--download requires DATASET, the dataset to encode")
    opening = {"data_dir": data_dir, "file": file}
    opened = open_run(run, results, **({} if dataset else opening))
    other = None
    if dataset is not None:
        channels, side, _ = opened.record.dataset.image_shape
        resizes = is_path(dataset) or reference_of(dataset) is not None
        fitted = {"image_size": side, "channels": channels} if resizes else {}
        other = open_dataset(dataset, **opening, **fitted, download=download)
    with counting(f"encoding {(other or opened.dataset).name}") as progress:
        for path in encode(
            opened,
            output,
            dataset=other,
            split=split,
            factors=names(factors),
            force=force,
            device=device,
            progress=progress,
        ):
            typer.echo(path)
