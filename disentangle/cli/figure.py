"""`disentangle figure`: one command for each kind of figure."""

from collections.abc import Callable, Sequence
from functools import partial
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from disentangle.cli.help import App
from disentangle.cli.output import fail_if_any
from disentangle.cli.parameters import (
    RESULTS,
    DataDir,
    File,
    Results,
    RunPath,
    RunPaths,
    as_example,
)
from disentangle.cli.run_choice import (
    AllSeeds,
    ChosenStudy,
    Where,
    choose_scored,
    open_runs,
    study_folder,
)
from disentangle.errors import UsageError

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
NoCaption = Annotated[
    bool,
    typer.Option(
        "--no-caption",
        help="omit the caption and the provenance; the file's metadata keeps both",
    ),
]


@figure.callback()
def figure_group() -> None:
    """Draw a figure of one run or of several runs."""


@figure.command(
    rich_help_panel=ONE,
    epilog=as_example("figure traversals RUN --latents active --range posterior --output fig1.pdf"),
)
def traversals(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="folders, names or ids of runs"),
    ],
    all_seeds: AllSeeds = False,
    row: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FACTOR|LATENT",
            help="draw one row per run: its latent that is most informative of this factor, or "
            "that correlates most with this latent of the first run; repeatable",
        ),
    ] = None,
    base: Annotated[
        list[str] | None,
        typer.Option(
            metavar="random|first|prior[:COUNT]|NUMBER",
            help="base image or sample of the prior to start from; repeatable",
            show_default="random, first, prior:2; with --row: random",
        ),
    ] = None,
    span: Annotated[
        str,
        typer.Option(
            "--range",
            metavar="prior|posterior|NUMBER",
            help="range of each latent: -3 to 3 (prior), the 1st to the 99th percentile of the "
            "aggregate posterior (posterior), or 1.5 for -1.5 to 1.5",
        ),
    ] = "prior",
    latents: Annotated[
        str,
        typer.Option(
            metavar="all|active|NUMBER,...",
            help="latents to draw: all or active, sorted by KL, or their numbers, such as 3,0,7",
        ),
    ] = "all",
    columns: Annotated[int, typer.Option(help="number of images in a row, 2 to 25")] = 11,
    no_factor_names: Annotated[
        bool,
        typer.Option(
            "--no-factor-names",
            help="do not label each latent with the factor that it is most informative of",
        ),
    ] = False,
    no_caption: NoCaption = False,
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
    results: Results = RESULTS,
) -> None:
    """Draw latent traversals: a file for each run, or with --row one file with one row per run.

    Latents are sorted by KL. The file's name contains the options given.
    """
    from disentangle.figures.run_rows import draw_run_rows
    from disentangle.figures.traversals import TraversalStyle, draw_traversals

    style = TraversalStyle(
        span, latents, columns, factors=not no_factor_names, caption=not no_caption
    )
    if row and latents != "all":
        raise UsageError("give only one of --row and --latents")
    if row and len(base or ()) > 1:
        raise UsageError("--row requires a single --base")
    loaded = open_runs(runs, results, all_seeds=all_seeds, data_dir=data_dir, file=file)
    if row:
        typer.echo(draw_run_rows(loaded, row, (base or ["random"])[0], output, style))
        return
    check_output(output, loaded, "; --row draws one row per run into one file")
    for run in loaded:
        for path in draw_traversals(run, base, output, style):
            typer.echo(path)


def check_output(output: Path | None, runs: Sequence["Run"], remedy: str = "") -> None:
    """Raise `UsageError` if one file is to hold the figures of several runs."""
    if output is not None and len(runs) > 1:
        raise UsageError(
            f"--output requires a single run, got {len(runs)}: each has a file of its own{remedy}"
        )


def of_run(draw: Callable[..., Path]) -> Callable[..., None]:
    """Make a command from `draw(run, output, ...)`, which draws a figure of one run."""

    def command(
        run: RunPath,
        all_seeds: AllSeeds = False,
        output: Output = None,
        data_dir: DataDir = None,
        file: File = None,
        results: Results = RESULTS,
        **options: Any,
    ) -> None:
        runs = open_runs([run], results, all_seeds=all_seeds, data_dir=data_dir, file=file)
        check_output(output, runs)
        for each in runs:
            typer.echo(draw(each, output, **options))

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
def reconstructions(
    run: "Run", output: Path | None, count: Count = 16, no_caption: NoCaption = False
) -> Path:
    """Draw images above their reconstructions."""
    from disentangle.figures.reconstructions import draw_reconstructions

    return draw_reconstructions(run, count, output, caption=not no_caption)


@figure.command(rich_help_panel=ONE, epilog=as_example("figure samples RUN --output samples.svg"))
@of_run
def samples(
    run: "Run", output: Path | None, count: Count = 64, no_caption: NoCaption = False
) -> Path:
    """Draw decoded samples from the prior."""
    from disentangle.figures.reconstructions import draw_samples

    return draw_samples(run, count, output, caption=not no_caption)


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
    no_caption: NoCaption = False,
) -> Path:
    """Draw which latent encodes which factor.

    The matrices are those behind the scores of the run.
    """
    from disentangle.figures.matrices import draw_matrices

    return draw_matrices(run, detail, output, caption=not no_caption)


@figure.command(rich_help_panel=ONE, epilog=as_example("figure kl RUN --step-axis log"))
def kl(
    run: RunPath,
    all_seeds: AllSeeds = False,
    steps: Annotated[
        Literal["linear", "log"], typer.Option("--step-axis", help="scale of the step axis")
    ] = "linear",
    no_caption: NoCaption = False,
    output: Output = None,
    results: Results = RESULTS,
) -> None:
    """Draw the KL of each latent during training."""
    from disentangle.figures.kl_curves import draw_kl

    runs = open_runs([run], results, all_seeds=all_seeds)
    check_output(output, runs)
    for each in runs:
        typer.echo(draw_kl(each, output, steps=steps, caption=not no_caption))


NameFile = Callable[..., Path]
"""The file to write: the one given by `--output`, else one named by kind, scores and knob."""
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
    str | None,
    typer.Option(
        metavar="NAME",
        help="name of a score, or heading of its column; without it, the scores are listed",
    ),
]
Scores = Annotated[
    list[str] | None,
    typer.Option(
        "--score", metavar="NAME", help="score to include; repeatable", show_default="all"
    ),
]


def given(value: str | None, option: str, choices: Sequence[str]) -> str:
    """The value of an option that must be given.

    Raises:
        UsageError: it is not given; the message lists the values to choose from.
    """
    if value is None:
        raise UsageError(f"{option} NAME is missing; the runs have: {', '.join(choices) or 'none'}")
    return value


def of_runs(draw: Callable[..., Path], *, one_part: bool = True) -> Callable[..., None]:
    """Make a command from `draw(observations, target, ...)`, which draws a figure of several runs.

    `target(kind, scores, knob)` is the file to write; see `NameFile`. If the runs need not be on
    one part of a dataset, `draw` gets the runs in place of their observations.
    """

    def command(
        runs: RunPaths = None,
        all_seeds: AllSeeds = False,
        study: ChosenStudy = None,
        where: Where = None,
        output: Target = None,
        results: Results = RESULTS,
        **options: Any,
    ) -> None:
        from disentangle.figures.figure_names import figure_name
        from disentangle.score_tables.observations import data_name, observations_of

        folder = study_folder(results, study)
        loaded = choose_scored(runs, results, study, all_seeds=all_seeds)
        chosen = loaded.where(where, folder)
        data = data_name(chosen.runs, loaded.runs)

        def target(kind: str, scores: Sequence[str] | None = (), knob: str = "") -> Path:
            return output or folder / "figures" / f"{figure_name(kind, scores, knob, data)}.png"

        shown = observations_of(chosen.runs, chosen.externals) if one_part else chosen.runs
        typer.echo(draw(shown, target, **options))
        fail_if_any(loaded.problems)

    return with_options_of(draw, command)


@figure.command(rich_help_panel=MANY, epilog=as_example("figure effect --score mig --of beta"))
@of_runs
def effect(
    observations: "Observations",
    target: NameFile,
    score: Score = None,
    knob: Annotated[
        str | None,
        typer.Option(
            "--of",
            metavar="NAME",
            help="hyper-parameter, training option, or steps; without it, those that differ "
            "between runs are listed",
        ),
    ] = None,
    no_caption: NoCaption = False,
) -> Path:
    """Draw the effect of a hyper-parameter on a score, with every seed."""
    from disentangle.figures.sweeps import draw_sweep, numeric_settings

    score = given(score, "--score", observations.score_names)
    knob = given(knob, "--of", numeric_settings(observations))
    path = target("effect", [score], knob)
    return draw_sweep(observations, score, knob, path, caption=not no_caption)


@figure.command(
    "rate-distortion",
    rich_help_panel=MANY,
    epilog=as_example("figure rate-distortion --where model=beta-vae"),
)
@of_runs
def rate_distortion(
    observations: "Observations",
    target: NameFile,
    score: Annotated[
        str | None,
        typer.Option(
            help="column heading of the rate, such as 'elbo/kl [default]', if runs have several"
        ),
    ] = None,
    no_caption: NoCaption = False,
) -> Path:
    """Draw the rate and the distortion of each run.

    The runs need scores of both, for example by `elbo`.
    """
    from disentangle.figures.sweeps import draw_rate_distortion

    path = target("rate-distortion", [score] if score else [])
    return draw_rate_distortion(observations, path, score=score, caption=not no_caption)


@figure.command(rich_help_panel=MANY, epilog=as_example("figure protocols --score mig"))
@of_runs
def protocols(
    observations: "Observations",
    target: NameFile,
    score: Score = None,
    no_caption: NoCaption = False,
) -> Path:
    """Draw the rank of each method under each protocol."""
    from disentangle.figures.agreement import draw_protocols, scores_of_protocols

    score = given(score, "--score", scores_of_protocols(observations))
    return draw_protocols(observations, score, target("protocols", [score]), caption=not no_caption)


@figure.command(rich_help_panel=MANY, epilog=as_example("figure shift --score r2"))
@of_runs
def shift(
    observations: "Observations",
    target: NameFile,
    score: Score = None,
    no_caption: NoCaption = False,
) -> Path:
    """Draw a score of held-out images against that of images trained on, a point per run.

    The runs need the score of both, for example by `score --metric r2 --split train,test`.
    """
    from disentangle.figures.shift import draw_shift, scores_of_both

    score = given(score, "--score", scores_of_both(observations))
    return draw_shift(observations, score, target("shift", [score]), caption=not no_caption)


@figure.command(
    "trained-on",
    rich_help_panel=MANY,
    epilog=as_example("figure trained-on --score mig --where dataset=dsprites"),
)
@partial(of_runs, one_part=False)
def trained_on(
    runs: Sequence["Run"],
    target: NameFile,
    score: Score = None,
    no_caption: NoCaption = False,
) -> Path:
    """Draw a score by what was trained on: all images, or correlated factors.

    The score is one that all of them have on the same images.
    """
    from disentangle.figures.trained_on import draw_trained_on, scores_in_common

    score = given(score, "--score", scores_in_common(runs))
    return draw_trained_on(runs, score, target("trained-on", [score]), caption=not no_caption)


@figure.command(
    rich_help_panel=MANY,
    epilog=as_example("figure variance --score mig --score dci/disentanglement"),
)
@of_runs
def variance(
    observations: "Observations",
    target: NameFile,
    score: Scores = None,
    no_caption: NoCaption = False,
) -> Path:
    """Draw the sources of variance in scores.

    The sources are method, hyper-parameter, protocol and seed.
    """
    from disentangle.figures.agreement import draw_variance

    return draw_variance(observations, score, target("variance", score), caption=not no_caption)


@figure.command(rich_help_panel=MANY, epilog=as_example("figure agreement --output agreement.pdf"))
@of_runs
def agreement(
    observations: "Observations",
    target: NameFile,
    score: Scores = None,
    no_caption: NoCaption = False,
) -> Path:
    """Draw the rank correlations between scores."""
    from disentangle.figures.agreement import draw_agreement

    return draw_agreement(observations, score, target("agreement", score), caption=not no_caption)
