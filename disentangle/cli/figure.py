"""`disentangle figure`: the figures of a run, one command a kind."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from disentangle.cli.output import fail_if_any, load
from disentangle.cli.parameters import RESULTS, DataDir, File, Results, RunPath, RunPaths

if TYPE_CHECKING:
    from disentangle.runs.run import Run
    from disentangle.score_tables.observations import Observations


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
    from disentangle.figures.traversals import draw_traversals

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
    from disentangle.figures.reconstructions import draw_reconstructions

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
    from disentangle.figures.reconstructions import draw_samples

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
    from disentangle.figures.matrices import draw_matrices

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
    from disentangle.figures.kl_curves import draw_kl

    typer.echo(draw_kl(opened(run), output, steps=steps))


def opened(run: Path, data_dir: Path | None = None, file: Path | None = None) -> "Run":
    """Return the run in a folder."""
    from disentangle.runs.run import load_run

    return load_run(run, data_dir=data_dir, file=file)


Where = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME>=VALUE", help="only such runs, as beta>=4; may be repeated"),
]
Target = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FILE",
        help="where to write it: a .png, .pdf or .svg",
        show_default="a PNG in the folder 'figures' of the results",
    ),
]
Score = Annotated[str, typer.Option(help="a score's name, or the heading of its column")]
Scores = Annotated[
    list[str] | None,
    typer.Option("--score", metavar="NAME", help="may be repeated", show_default="all"),
]


@figure.command(rich_help_panel="Of several runs")
def sweep(
    *,
    runs: RunPaths = None,
    score: Score,
    knob: Annotated[str, typer.Option(help="a knob, a trainer's option, or steps")],
    where: Where = None,
    output: Target = None,
    results: Results = RESULTS,
) -> None:
    """Draw a score against a hyper-parameter, with every seed."""
    from disentangle.figures.sweeps import draw_sweep

    study, problems = gathered(runs, where, results)
    name = f"{score}-against-{knob}".replace("/", "-")
    typer.echo(draw_sweep(study, score, knob, target(output, results, name)))
    fail_if_any(problems)


@figure.command("rate-distortion", rich_help_panel="Of several runs")
def rate_distortion(
    runs: RunPaths = None,
    where: Where = None,
    output: Target = None,
    results: Results = RESULTS,
) -> None:
    """Draw the rate and the distortion of each run, once it is scored by a metric of both."""
    from disentangle.figures.sweeps import draw_rate_distortion

    study, problems = gathered(runs, where, results)
    typer.echo(draw_rate_distortion(study, target(output, results, "rate-distortion")))
    fail_if_any(problems)


@figure.command(rich_help_panel="Of several runs")
def protocols(
    *,
    runs: RunPaths = None,
    score: Score,
    where: Where = None,
    output: Target = None,
    results: Results = RESULTS,
) -> None:
    """Draw the rank of each method under each protocol of a score: does it survive?"""
    from disentangle.figures.agreement import draw_protocols

    study, problems = gathered(runs, where, results)
    name = f"protocols-of-{score}".replace("/", "-")
    typer.echo(draw_protocols(study, score, target(output, results, name)))
    fail_if_any(problems)


@figure.command(rich_help_panel="Of several runs")
def variance(
    runs: RunPaths = None,
    score: Scores = None,
    where: Where = None,
    output: Target = None,
    results: Results = RESULTS,
) -> None:
    """Draw what each score's variance comes from: method, setting, protocol or seed."""
    from disentangle.figures.agreement import draw_variance

    study, problems = gathered(runs, where, results)
    typer.echo(draw_variance(study, score, target(output, results, "variance")))
    fail_if_any(problems)


@figure.command(rich_help_panel="Of several runs")
def agreement(
    runs: RunPaths = None,
    score: Scores = None,
    where: Where = None,
    output: Target = None,
    results: Results = RESULTS,
) -> None:
    """Draw how far the scores agree on the order of the runs."""
    from disentangle.figures.agreement import draw_agreement

    study, problems = gathered(runs, where, results)
    typer.echo(draw_agreement(study, score, target(output, results, "agreement")))
    fail_if_any(problems)


def gathered(
    runs: list[Path] | None, where: list[str] | None, results: Path
) -> tuple["Observations", list[str]]:
    """Return the scores of runs on one dataset, and why some runs cannot be read."""
    from disentangle.runs.filters import where as those
    from disentangle.score_tables.observations import observations_of

    found, problems = load(runs, results)
    return observations_of(those(found, where or ())), problems


def target(output: Path | None, results: Path, name: str) -> Path:
    """Return where a figure goes."""
    return output or results / "figures" / f"{name}.png"
