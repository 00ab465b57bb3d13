"""Parameters shared by several commands."""

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
        help="name of a dataset, reference (torchvision:MNIST), or path of your own images",
        autocompletion=completion.datasets,
    ),
]
Results = Annotated[Path, typer.Option(help="results folder, which holds all runs")]
StudyName = Annotated[
    str,
    typer.Option("--study", metavar="NAME", help="study of the run, a subfolder of the results"),
]
RunName = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="name of the run, which commands accept instead of its folder",
    ),
]
RunNote = Annotated[
    str | None, typer.Option("--note", metavar="TEXT", help="note that is kept with the run")
]
DATA = "Data"
DataDir = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=DATA,
        help="folder of prepared datasets",
        show_default="$DISENTANGLE_DATA, else the user cache",
    ),
]
File = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=DATA, help="original file or folder of the dataset, if you have it"
    ),
]
Download = Annotated[
    bool,
    typer.Option(
        "--download", rich_help_panel=DATA, help="download the dataset if it is not prepared"
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        rich_help_panel=DATA,
        help="side of the images of a path or reference, in pixels, 8 to 1024",
        show_default="kept if 32, 64 or 128; else 64",
    ),
]
Channels = Annotated[
    int | None,
    typer.Option(
        rich_help_panel=DATA,
        help="channels of the images of a path or reference: 1 (grey) or 3 (RGB)",
        show_default="as in the files",
    ),
]
TrainingSplit = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="split to train on, of the dataset or of a paper (`disentangle data splits DATASET`)",
        show_default="train if there is one, else all",
    ),
]
ScoredSplit = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="split to score, of the dataset or of a paper",
        show_default="the test images if there are any, else all",
    ),
]
ScoredSplits = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME,...",
        help="split to score, of the dataset or of a paper; of runs several, such as train,test",
        show_default="the test images if there are any, else all",
    ),
]
Factors = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...", help="factors to score", show_default="the dataset's own choice"
    ),
]
HoldOut = Annotated[
    list[str] | None,
    typer.Option(
        "--hold-out",
        "--holdout",
        metavar="SHARE|FACTOR=VALUE,...",
        help="images to leave out of training: a share (0.2), a combination (shape=heart|ellipse,"
        "scale>=0.8; 'x in 0..9'; label scale#>3) or a share of a factor's values (identity=20%); "
        "repeatable",
    ),
]
HoldOutSeed = Annotated[int, typer.Option(min=0, help="seed for drawing a held-out share")]
Correlate = Annotated[
    list[str] | None,
    typer.Option(
        "--correlate",
        metavar="FACTOR,FACTOR=SIGMA|NAME",
        help="factors that are correlated in training (floor_hue,wall_hue=0.2), or a setting that "
        "`disentangle data show DATASET` lists; repeatable",
    ),
]


def names(text: str | None) -> list[str] | None:
    """Split a comma-separated list of names; None stays None."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


Device = Annotated[str, typer.Option(metavar="NAME", help="device: auto, cuda, mps or cpu")]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="FIRST..LAST|N,...",
        rich_help_panel="Training",
        help="several seeds, such as 0..4 or 0,3,7: one run each, several at a time; runs that are "
        "finished are kept",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        rich_help_panel="Training",
        help="number of trainings at a time with --seeds",
        show_default="one per core or GPU",
    ),
]
CheckpointEvery = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="steps between checkpoints",
        show_default="a tenth of the steps, at most 5000",
    ),
]
Keep = Annotated[
    str | None,
    typer.Option(metavar="every:STEPS", help="keep a permanent checkpoint every STEPS steps"),
]
ScoreEvery = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="steps between scores during training; the log keeps the scores",
        show_default="never",
    ),
]
DrawFigures = Annotated[
    bool,
    typer.Option("--figures/--no-figures", help="draw the run's figures at the end"),
]
Track = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        metavar="NAME[:SETTING=VALUE,...]",
        help="tracker that shows the run, as listed by `disentangle list trackers`, with optional "
        "settings; repeatable",
        autocompletion=completion.trackers,
    ),
]
TimeLimit = Annotated[
    str | None,
    typer.Option(
        "--time-limit",
        metavar="DURATION",
        help="stop in time, with checkpoints, and exit with 75: 90s, 12m, 1h30m or 2d from the "
        "start of this command; the same command continues",
        show_default="none",
    ),
]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="folder, name or id of a run")]
RunPaths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[RUN]...",
        help="folders, names or ids of runs",
        show_default="all runs of the results folder",
    ),
]
MetricNames = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME[:SETTING=VALUE,...]",
        help="metric, with optional hyper-parameters, or 'all'; repeatable",
        autocompletion=completion.metrics,
        show_default="those marked * by `disentangle list metrics`",
    ),
]
ProtocolName = Annotated[
    str,
    typer.Option(
        metavar="NAME|TOML",
        help="protocol, as listed by `disentangle list protocols`, or a TOML file of your own",
        autocompletion=completion.protocols,
    ),
]
ScoreSeed = Annotated[int, typer.Option("--seed", min=0, help="seed of the metrics' sampling")]
PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="preset with a paper's settings, as listed by `disentangle list presets`",
        autocompletion=completion.presets,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="replace existing files")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for scripts")]


def print_json(value: Any) -> None:
    """Print a value as JSON to standard output."""
    typer.echo(json.dumps(value, indent=2))


def as_example(words: str) -> str:
    """Format the words after `disentangle` as the example that ends a help text."""
    return f"Example: [bold]disentangle {escape(words)}[/bold]"
