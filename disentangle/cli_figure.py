"""`disentangle figure`: the figures of a run, one command a kind."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from disentangle.parameters import DataDir, File, RunPath

if TYPE_CHECKING:
    from disentangle.run import Run

figure = typer.Typer(help="Draw a figure of a run, or of many.", no_args_is_help=True)

Output = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="where to write it: a .png, .pdf or .svg",
        show_default="a PNG among the run's figures",
    ),
]
Count = Annotated[int, typer.Option(min=1, max=1024, help="number of images")]


@figure.callback()
def figure_group() -> None:
    """Draw a figure of a run, or of many."""


@figure.command()
def traversals(
    run: RunPath,
    base: Annotated[
        list[str] | None,
        typer.Option(
            metavar="seed|first|prior[:COUNT]|NUMBER",
            help="where the traversals start; may be repeated",
        ),
    ] = None,
    span: Annotated[
        Literal["prior", "posterior"],
        typer.Option(
            "--range",
            help="from -3 to 3; or from the 1st to the 99th percentile of the aggregate posterior",
        ),
    ] = "prior",
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="where to write them: a .png, .pdf, .svg, .gif or .webp",
            show_default="a PNG and a GIF among the run's figures",
        ),
    ] = None,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Draw a run's latent traversals: a row a latent, by KL, from -3 to 3."""
    from disentangle.figures import draw_traversals

    for path in draw_traversals(opened(run, data_dir, file), base, output, span=span):
        typer.echo(path)


@figure.command()
def reconstructions(
    run: RunPath,
    count: Count = 16,
    output: Output = None,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Draw images over their reconstructions."""
    from disentangle.figures import draw_reconstructions

    typer.echo(draw_reconstructions(opened(run, data_dir, file), count, output))


@figure.command()
def samples(
    run: RunPath,
    count: Count = 64,
    output: Output = None,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Draw decoded samples of the prior."""
    from disentangle.figures import draw_samples

    typer.echo(draw_samples(opened(run, data_dir, file), count, output))


@figure.command()
def matrices(
    run: RunPath,
    detail: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="what is behind a score, by latent and factor; may be repeated",
            show_default="all",
        ),
    ] = None,
    output: Output = None,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Draw which latent knows which factor: matrices from a run's scores."""
    from disentangle.figures import draw_matrices

    typer.echo(draw_matrices(opened(run, data_dir, file), detail, output))


@figure.command()
def kl(
    run: RunPath,
    steps: Annotated[
        Literal["linear", "log"], typer.Option("--step-axis", help="the axis of the steps")
    ] = "linear",
    output: Output = None,
) -> None:
    """Draw the KL of each latent over training, from the run's log."""
    from disentangle.figures import draw_kl

    typer.echo(draw_kl(opened(run), output, steps=steps))


def opened(run: Path, data_dir: Path | None = None, file: Path | None = None) -> "Run":
    """Return the run in a folder."""
    from disentangle.run import load_run

    return load_run(run, data_dir=data_dir, file=file)
