"""`disentangle figure`: one command for each kind of figure."""

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from disentangle.cli.help import App
from disentangle.cli.output import fail_if_any, load_runs
from disentangle.cli.parameters import (
    RESULTS,
    DataDir,
    File,
    Results,
    RunPath,
    RunPaths,
    as_example,
)

if TYPE_CHECKING:
    from disentangle.runs.run import Run
    from disentangle.score_tables.observations import Observations


ONE, MANY = "Of one run", "Of several runs"

figure = App(help="Draw a figure of one run or of several runs.")

Output = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="file to write: .png, .pdf or .svg",
        show_default="a PNG in the run's figures",
    ),
]
Count = Annotated[int, typer.Option(min=1, max=1024, help="number of images")]


@figure.callback()
def figure_group() -> None:
    """Draw a figure of one run or of several runs."""


@figure.command(
    rich_help_panel=ONE,
    epilog=as_example("figure traversals RUN --range posterior --output fig1.pdf"),
)
def traversals(
    run: RunPath,
    base: Annotated[
        list[str] | None,
        typer.Option(
            metavar="random|first|prior[:COUNT]|NUMBER",
            help="base image or sample of the prior to start from; repeatable",
            show_default="random, first, prior:2",
        ),
    ] = None,
    span: Annotated[
        Literal["prior", "posterior"],
        typer.Option(
            "--range",
            help="range of each latent: -3 to 3 (prior), or the 1st to the 99th percentile of the "
            "aggregate posterior (posterior)",
        ),
    ] = "prior",
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="file to write: .png, .pdf, .svg, .gif or .webp",
            show_default="a PNG and a GIF in the run's figures",
        ),
    ] = None,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Draw latent traversals of a run: one row per latent.

    The latents are sorted by their KL.
    """
    from disentangle.figures.traversals import draw_traversals

    for path in draw_traversals(open_run(run, data_dir, file), base, output, span=span):
        typer.echo(path)


def of_run(draw: Callable[..., Path]) -> Callable[..., None]:
    """Make a command from `draw(run, output, ...)`, which draws a figure of one run."""

    def command(
        run: RunPath,
        output: Output = None,
        data_dir: DataDir = None,
        file: File = None,
        **options: Any,
    ) -> None:
        typer.echo(draw(open_run(run, data_dir, file), output, **options))

    return with_options_of(draw, command)


def with_options_of(draw: Callable[..., Path], command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the docstring of `draw`, and its parameters after the second as options.

    The options are inserted after the command's first parameter.
    """
    first, *others = list(signature(command).parameters.values())[:-1]  # without **options
    own = list(signature(draw).parameters.values())[2:]
    options = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in (*own, *others)]
    command.__doc__ = draw.__doc__
    command.__signature__ = Signature([first, *options])  # type: ignore[attr-defined]
    command.__name__ = draw.__name__
    return command


@figure.command(rich_help_panel=ONE, epilog=as_example("figure reconstructions RUN --count 8"))
@of_run
def reconstructions(run: "Run", output: Path | None, count: Count = 16) -> Path:
    """Draw images above their reconstructions."""
    from disentangle.figures.reconstructions import draw_reconstructions

    return draw_reconstructions(run, count, output)


@figure.command(rich_help_panel=ONE, epilog=as_example("figure samples RUN --output samples.svg"))
@of_run
def samples(run: "Run", output: Path | None, count: Count = 64) -> Path:
    """Draw decoded samples from the prior."""
    from disentangle.figures.reconstructions import draw_samples

    return draw_samples(run, count, output)


@figure.command(rich_help_panel=ONE, epilog=as_example("figure matrices RUN --detail sap/accuracy"))
@of_run
def matrices(
    run: "Run",
    output: Path | None,
    detail: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="matrix to draw, such as sap/accuracy; repeatable",
            show_default="all",
        ),
    ] = None,
) -> Path:
    """Draw which latent encodes which factor.

    The matrices are those behind the scores of the run.
    """
    from disentangle.figures.matrices import draw_matrices

    return draw_matrices(run, detail, output)


@figure.command(rich_help_panel=ONE, epilog=as_example("figure kl RUN --step-axis log"))
def kl(
    run: RunPath,
    steps: Annotated[
        Literal["linear", "log"], typer.Option("--step-axis", help="scale of the step axis")
    ] = "linear",
    output: Output = None,
) -> None:
    """Draw the KL of each latent during training."""
    from disentangle.figures.kl_curves import draw_kl

    typer.echo(draw_kl(open_run(run), output, steps=steps))


def open_run(run: Path, data_dir: Path | None = None, file: Path | None = None) -> "Run":
    """Load a run."""
    from disentangle.runs.run import load_run

    return load_run(run, data_dir=data_dir, file=file)


Name = Callable[[str], Path]
Where = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME>=VALUE", help="condition on the runs, such as beta>=4; repeatable"),
]
Target = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FILE",
        help="file to write: .png, .pdf or .svg",
        show_default="a PNG in the figures of the results folder",
    ),
]
Score = Annotated[
    str, typer.Option(metavar="NAME", help="name of a score, or heading of its column")
]
Scores = Annotated[
    list[str] | None,
    typer.Option(
        "--score", metavar="NAME", help="score to include; repeatable", show_default="all"
    ),
]


def of_runs(draw: Callable[..., Path]) -> Callable[..., None]:
    """Make a command from `draw(observations, target, ...)`, which draws a figure of several runs.

    `target(name)` is the file to write: the one given by `--output`, else a file of this name.
    """

    def command(
        runs: RunPaths = None,
        where: Where = None,
        output: Target = None,
        results: Results = RESULTS,
        **options: Any,
    ) -> None:
        from disentangle.runs.filters import where as select_runs
        from disentangle.score_tables.observations import observations_of

        def target(name: str) -> Path:
            return output or results / "figures" / f"{name.replace('/', '-')}.png"

        all_runs, problems = load_runs(runs, results)
        selected = select_runs(all_runs, where or ())
        typer.echo(draw(observations_of(selected), target, **options))
        fail_if_any(problems)

    return with_options_of(draw, command)


@figure.command(rich_help_panel=MANY, epilog=as_example("figure effect --score mig --of beta"))
@of_runs
def effect(
    observations: "Observations",
    target: Name,
    score: Score,
    knob: Annotated[
        str,
        typer.Option("--of", metavar="NAME", help="hyper-parameter, training option, or steps"),
    ],
) -> Path:
    """Draw the effect of a hyper-parameter on a score, with every seed."""
    from disentangle.figures.sweeps import draw_sweep

    return draw_sweep(observations, score, knob, target(f"{score}-against-{knob}"))


@figure.command(
    "rate-distortion",
    rich_help_panel=MANY,
    epilog=as_example("figure rate-distortion --where model=beta-vae"),
)
@of_runs
def rate_distortion(observations: "Observations", target: Name) -> Path:
    """Draw the rate and the distortion of each run.

    The runs need scores of both, for example by `elbo`.
    """
    from disentangle.figures.sweeps import draw_rate_distortion

    return draw_rate_distortion(observations, target("rate-distortion"))


@figure.command(rich_help_panel=MANY, epilog=as_example("figure protocols --score mig"))
@of_runs
def protocols(observations: "Observations", target: Name, score: Score) -> Path:
    """Draw the rank of each method under each protocol."""
    from disentangle.figures.agreement import draw_protocols

    return draw_protocols(observations, score, target(f"protocols-of-{score}"))


@figure.command(
    rich_help_panel=MANY,
    epilog=as_example("figure variance --score mig --score dci/disentanglement"),
)
@of_runs
def variance(observations: "Observations", target: Name, score: Scores = None) -> Path:
    """Draw the sources of variance in scores.

    The sources are method, hyper-parameter, protocol and seed.
    """
    from disentangle.figures.agreement import draw_variance

    return draw_variance(observations, score, target("variance"))


@figure.command(rich_help_panel=MANY, epilog=as_example("figure agreement --output agreement.pdf"))
@of_runs
def agreement(observations: "Observations", target: Name, score: Scores = None) -> Path:
    """Draw the rank correlations between scores."""
    from disentangle.figures.agreement import draw_agreement

    return draw_agreement(observations, score, target("agreement"))
