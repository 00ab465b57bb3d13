"""Parameters that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

RESULTS = Path("results")
Results = Annotated[Path, typer.Option(help="folder of all runs")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="folder for prepared datasets (else DISENTANGLE_DATA, else the cache)"),
]
File = Annotated[Path | None, typer.Option(help="the dataset's own file, where you have it")]
Download = Annotated[bool, typer.Option("--download", help="let the dataset be downloaded")]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu")]
Every = Annotated[
    int | None, typer.Option(min=1, help="steps between checkpoints", show_default="auto")
]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="a run's folder")]
RunPaths = Annotated[
    list[Path] | None, typer.Argument(metavar="[RUN]...", help="runs' folders; all unless given")
]
