"""`disentangle export`: write the encoder and the decoder of a run for other programs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from disentangle.cli.parameters import RESULTS, DataDir, File, Force, Results, RunPath
from disentangle.cli.run_choice import open_run


def export_command(
    run: RunPath,
    format: Annotated[
        Literal["onnx", "pt2", "state-dict"],
        typer.Option(
            help="onnx, a program of torch.export (pt2), or the weights as safetensors (state-dict)"
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="folder for the files")
    ],
    part: Annotated[
        Literal["encoder", "decoder", "both"], typer.Option(help="part of the model to write")
    ] = "both",
    force: Force = False,
    results: Results = RESULTS,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Write the encoder and the decoder of a run for other programs.

    The encoder maps images, float32 [N, C, H, W] in [0, 1], to mean and scale. Each file is
    compared with the run on the same images, and a JSON file beside it says what it is.
    """
    from disentangle._utils.console import say
    from disentangle.exports.networks import export

    opened = open_run(run, results, data_dir=data_dir, file=file)
    for written in export(opened, output, format=format, part=part, force=force, say=say):
        differences = ", ".join(f"{name} {d:.1e}" for name, d in written.differences.items())
        say(f"{written.path}: largest difference from the run on the same images: {differences}")
        typer.echo(written.path)
