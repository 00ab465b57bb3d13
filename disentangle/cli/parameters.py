"""Parameters that several commands share."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from disentangle.cli import completion

RESULTS = Path("results")
DatasetName = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="a dataset's name, or the path of images of your own",
        autocompletion=completion.datasets,
    ),
]
Results = Annotated[Path, typer.Option(help="folder of all runs")]
StudyName = Annotated[
    str,
    typer.Option("--study", metavar="NAME", help="folder, in that, of runs that belong together"),
]
DATA = "Data"
DataDir = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=DATA,
        help="folder for prepared datasets (else DISENTANGLE_DATA, else the cache)",
    ),
]
File = Annotated[
    Path | None,
    typer.Option(rich_help_panel=DATA, help="the dataset's own file, where you have it"),
]
Download = Annotated[
    bool, typer.Option("--download", rich_help_panel=DATA, help="let the dataset be downloaded")
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        rich_help_panel=DATA,
        help="of images of your own: their side in pixels",
        show_default="64, or theirs",
    ),
]
Channels = Annotated[
    int | None,
    typer.Option(
        rich_help_panel=DATA,
        help="of images of your own: 1 (grey) or 3 (RGB)",
        show_default="theirs",
    ),
]
Split = Annotated[str | None, typer.Option(metavar="NAME", help="a split of the dataset")]
Factors = Annotated[
    str | None, typer.Option(metavar="NAME,...", help="the factors to score, not the usual ones")
]
HoldOut = Annotated[
    list[str] | None,
    typer.Option(
        "--hold-out",
        "--holdout",
        metavar="SHARE|FACTOR=VALUE,...",
        help="what not to train on: 0.2, or shape=heart,scale=0.5, or identity=20%; repeatable",
    ),
]
HoldOutSeed = Annotated[int, typer.Option(min=0, help="of a share that is held out")]


def names(text: str | None) -> list[str] | None:
    """Return the names in a list with commas; None if there is no list."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu")]
Every = Annotated[
    int | None, typer.Option(min=1, help="steps between checkpoints", show_default="auto")
]
Keep = Annotated[
    str | None,
    typer.Option(metavar="every:STEPS", help="keep the weights after every so many steps for good"),
]
ScoreEvery = Annotated[
    int | None, typer.Option(min=1, help="steps between scores, which go to the log")
]
DrawFigures = Annotated[
    bool,
    typer.Option("--figures/--no-figures", help="whether to draw the run's figures at the end"),
]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="a run's folder")]
RunPaths = Annotated[
    list[Path] | None, typer.Argument(metavar="[RUN]...", help="runs' folders; all unless given")
]
MetricNames = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME[:knob=value,...]",
        help="a metric, or 'all'; may be repeated",
        autocompletion=completion.metrics,
        show_default="the default ones",
    ),
]
ProtocolName = Annotated[
    str,
    typer.Option(
        metavar="NAME|TOML",
        help="locatello2019, disjoint, or a file of your own",
        autocompletion=completion.protocols,
    ),
]
ScoreSeed = Annotated[int, typer.Option("--seed", min=0, help="of the metrics' sampling")]
PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="a paper's settings: `disentangle list` names them",
        autocompletion=completion.presets,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]


def print_json(found: Any) -> None:
    """Print what was found for a program that reads standard output."""
    typer.echo(json.dumps(found, indent=2))


def as_example(words: str) -> str:
    """Format a command, without `disentangle`, as the last line of a help text."""
    return f"Example: [bold]disentangle {escape(words)}[/bold]"
