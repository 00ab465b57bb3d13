"""`disentangle figure`: the figures of a run, one command a kind."""

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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


def of_run(draw: Callable[..., Path]) -> Callable[..., None]:
    """Make a command of `draw(run, output, ...)`, which draws a figure of one run."""

    def command(
        run: RunPath,
        output: Output = None,
        data_dir: DataDir = None,
        file: File = None,
        **options: Any,
    ) -> None:
        typer.echo(draw(opened(run, data_dir, file), output, **options))

    return with_options_of(draw, command)


def with_options_of(draw: Callable[..., Path], command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the documentation of `draw`, and as options its parameters after the second.

    They stand after the command's first parameter.
    """
    first, *others = list(signature(command).parameters.values())[:-1]  # without **options
    own = list(signature(draw).parameters.values())[2:]
    options = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in (*own, *others)]
    command.__doc__ = draw.__doc__
    command.__signature__ = Signature([first, *options])  # type: ignore[attr-defined]
    command.__name__ = draw.__name__
    return command


@figure.command()
@of_run
def reconstructions(run: "Run", output: Path | None, count: Count = 16) -> Path:
    """Draw images over their reconstructions."""
    from disentangle.figures.reconstructions import draw_reconstructions

    return draw_reconstructions(run, count, output)


@figure.command()
@of_run
def samples(run: "Run", output: Path | None, count: Count = 64) -> Path:
    """Draw decoded samples of the prior."""
    from disentangle.figures.reconstructions import draw_samples

    return draw_samples(run, count, output)


@figure.command()
@of_run
def matrices(
    run: "Run",
    output: Path | None,
    detail: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="what is behind a score, by latent and factor; may be repeated",
            show_default="all",
        ),
    ] = None,
) -> Path:
    """Draw which latent knows which factor: matrices from a run's scores."""
    from disentangle.figures.matrices import draw_matrices

    return draw_matrices(run, detail, output)


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


MANY = "Of several runs"
Name = Callable[[str], Path]
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


def of_runs(draw: Callable[..., Path]) -> Callable[..., None]:
    """Make a command of `draw(observations, target, ...)`, which draws a figure of many runs.

    `target(name)` is the file to draw: as the user gave it, else of this name.
    """

    def command(
        runs: RunPaths = None,
        where: Where = None,
        output: Target = None,
        results: Results = RESULTS,
        **options: Any,
    ) -> None:
        from disentangle.runs.filters import where as those
        from disentangle.score_tables.observations import observations_of

        def target(name: str) -> Path:
            return output or results / "figures" / f"{name.replace('/', '-')}.png"

        found, problems = load(runs, results)
        typer.echo(draw(observations_of(those(found, where or ())), target, **options))
        fail_if_any(problems)

    return with_options_of(draw, command)


@figure.command(rich_help_panel=MANY)
@of_runs
def sweep(
    observations: "Observations",
    target: Name,
    score: Score,
    knob: Annotated[str, typer.Option(help="a knob, a trainer's option, or steps")],
) -> Path:
    """Draw a score against a hyper-parameter, with every seed."""
    from disentangle.figures.sweeps import draw_sweep

    return draw_sweep(observations, score, knob, target(f"{score}-against-{knob}"))


@figure.command("rate-distortion", rich_help_panel=MANY)
@of_runs
def rate_distortion(observations: "Observations", target: Name) -> Path:
    """Draw the rate and the distortion of each run, once it is scored by a metric of both."""
    from disentangle.figures.sweeps import draw_rate_distortion

    return draw_rate_distortion(observations, target("rate-distortion"))


@figure.command(rich_help_panel=MANY)
@of_runs
def protocols(observations: "Observations", target: Name, score: Score) -> Path:
    """Draw the rank of each method under each protocol of a score: does it survive?"""
    from disentangle.figures.agreement import draw_protocols

    return draw_protocols(observations, score, target(f"protocols-of-{score}"))


@figure.command(rich_help_panel=MANY)
@of_runs
def variance(observations: "Observations", target: Name, score: Scores = None) -> Path:
    """Draw what each score's variance comes from: method, setting, protocol or seed."""
    from disentangle.figures.agreement import draw_variance

    return draw_variance(observations, score, target("variance"))


@figure.command(rich_help_panel=MANY)
@of_runs
def agreement(observations: "Observations", target: Name, score: Scores = None) -> Path:
    """Draw how far the scores agree on the order of the runs."""
    from disentangle.figures.agreement import draw_agreement

    return draw_agreement(observations, score, target("agreement"))
