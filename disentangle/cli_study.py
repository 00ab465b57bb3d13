"""`disentangle figure`: figures over several runs, added to those of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from disentangle.cli_figure import figure as figure
from disentangle.cli_table import load, report
from disentangle.parameters import RESULTS, Results, RunPaths

if TYPE_CHECKING:
    from disentangle.study import Study

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
    from disentangle.sweeps import draw_sweep

    study, problems = gathered(runs, where, results)
    name = f"{score}-against-{knob}".replace("/", "-")
    typer.echo(draw_sweep(study, score, knob, target(output, results, name)))
    report(problems)


@figure.command("rate-distortion", rich_help_panel="Of several runs")
def rate_distortion(
    runs: RunPaths = None,
    where: Where = None,
    output: Target = None,
    results: Results = RESULTS,
) -> None:
    """Draw the rate and the distortion of each run, once it is scored by a metric of both."""
    from disentangle.sweeps import draw_rate_distortion

    study, problems = gathered(runs, where, results)
    typer.echo(draw_rate_distortion(study, target(output, results, "rate-distortion")))
    report(problems)


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
    from disentangle.agreements import draw_protocols

    study, problems = gathered(runs, where, results)
    name = f"protocols-of-{score}".replace("/", "-")
    typer.echo(draw_protocols(study, score, target(output, results, name)))
    report(problems)


@figure.command(rich_help_panel="Of several runs")
def variance(
    runs: RunPaths = None,
    score: Scores = None,
    where: Where = None,
    output: Target = None,
    results: Results = RESULTS,
) -> None:
    """Draw what each score's variance comes from: method, setting, protocol or seed."""
    from disentangle.agreements import draw_variance

    study, problems = gathered(runs, where, results)
    typer.echo(draw_variance(study, score, target(output, results, "variance")))
    report(problems)


@figure.command(rich_help_panel="Of several runs")
def agreement(
    runs: RunPaths = None,
    score: Scores = None,
    where: Where = None,
    output: Target = None,
    results: Results = RESULTS,
) -> None:
    """Draw how far the scores agree on the order of the runs."""
    from disentangle.agreements import draw_agreement

    study, problems = gathered(runs, where, results)
    typer.echo(draw_agreement(study, score, target(output, results, "agreement")))
    report(problems)


def gathered(
    runs: list[Path] | None, where: list[str] | None, results: Path
) -> tuple["Study", list[str]]:
    """Return the scores of runs on one dataset, and why some runs cannot be read."""
    from disentangle.study import one_study
    from disentangle.where import where as those

    found, problems = load(runs, results)
    return one_study(those(found, where or ())), problems


def target(output: Path | None, results: Path, name: str) -> Path:
    """Return where a figure goes."""
    return output or results / "figures" / f"{name}.png"
