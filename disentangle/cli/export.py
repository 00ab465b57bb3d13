"""`disentangle export`: write runs to an archive, or the networks of a run for other programs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from disentangle.cli.parameters import RESULTS, DataDir, File, Force, Results
from disentangle.errors import UsageError

NETWORKS = "Encoder and decoder alone"


def export_command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="folders, names or ids of runs or external encoders; or a results folder, a study "
            "or a dataset's folder in one, for all runs in it",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.zip|FOLDER",
            help="file of the archive, or folder for the networks",
        ),
    ],
    format: Annotated[
        Literal["archive", "onnx", "pt2", "state-dict"],
        typer.Option(
            help="archive of runs; or the encoder and the decoder of one as onnx, as programs of "
            "torch.export (pt2), or their weights as safetensors (state-dict)"
        ),
    ] = "archive",
    force: Force = False,
    results: Results = RESULTS,
    part: Annotated[
        Literal["encoder", "decoder", "both"],
        typer.Option(rich_help_panel=NETWORKS, help="part of the model to write"),
    ] = "both",
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Write runs to an archive for another machine, or the networks of a run for other programs.

    An archive holds records, weights, scores, logs and figures; `disentangle import` reads it.

    With another --format, the encoder maps images, float32 [N, C, H, W] in [0, 1], to mean and
    scale. Each file is compared with the run on the same images, and a JSON file beside it says
    what it is.
    """
    from disentangle._utils.console import say
    from disentangle.cli.run_choice import open_run
    from disentangle.exports.export import check_single, check_whole

    if format == "archive":
        check_whole(part)
        for option, path in (("--data-dir", data_dir), ("--file", file)):
            if path is not None:
                raise UsageError(f"{option} requires --format onnx, pt2 or state-dict")
        export_archive(runs, output, results, force)
        return
    from disentangle.exports.networks import export_networks

    check_single(runs, format)
    run = open_run(runs[0], results, data_dir=data_dir, file=file)
    for written in export_networks(run, output, format=format, part=part, force=force, say=say):
        differences = ", ".join(f"{name} {d:.1e}" for name, d in written.differences.items())
        say(f"{written.path}: largest difference from the run on the same images: {differences}")
        typer.echo(written.path)


def export_archive(runs: list[Path], output: Path, results: Path, force: bool) -> None:
    """Write an archive.

    Raises:
        DisentangleError: some runs are not in it.
    """
    from disentangle._utils.console import say, working
    from disentangle._utils.progress_line import CountLine
    from disentangle.cli.output import fail_if_any
    from disentangle.exports.archive import write_archive
    from disentangle.exports.select import select

    selection = select(runs, results)
    with working(CountLine("{done:,} of {total:,} runs", f"archive {output}")) as progress:
        archive = write_archive(selection, output, force=force, say=say, progress=progress)
    typer.echo(archive.path)
    fail_if_any(archive.problems)
