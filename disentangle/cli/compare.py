"""`disentangle compare`: two runs side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from disentangle._utils.console import tell
from disentangle.cli.output import print_aligned, print_beside
from disentangle.cli.parameters import RESULTS, AsJson, DataDir, File, Results, print_json
from disentangle.cli.run_choice import open_scored
from disentangle.errors import DisentangleError, UsageError

if TYPE_CHECKING:
    from disentangle.score_tables.comparison import Apart, Comparison, Difference, Setting


def compare(
    first: Annotated[
        Path,
        typer.Argument(
            metavar="RUN_A", help="folder, name or id of the first run, or an external encoder"
        ),
    ],
    second: Annotated[
        Path,
        typer.Argument(
            metavar="RUN_B", help="folder, name or id of the second run, or an external encoder"
        ),
    ],
    show_all: Annotated[
        bool, typer.Option("--all", help="show all settings; * marks those that differ")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG",
            help="file for the traversals, with latents matched by the correlation of their codes",
            show_default="in RUN_A's figures",
        ),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    file: File = None,
    results: Results = RESULTS,
) -> None:
    """Compare two runs: settings, scores and matched latents.

    Scores are means over the seeds that both configurations were trained with, and differences are
    tested over these seeds. With an external encoder, all seeds are averaged and nothing is tested.
    """
    from disentangle.runs.run import Run
    from disentangle.score_tables import comparison

    a, b = (open_scored(run, results, data_dir=data_dir, file=file) for run in (first, second))
    if a.path.resolve() == b.path.resolve():
        raise UsageError(f"both arguments are the run {a.path}; give two different runs")
    if as_json:
        print_json(comparison.as_json(a, b))
        return
    print_aligned([["A", str(a.path)], ["B", str(b.path)]])
    typer.echo("")
    if isinstance(a, Run) and isinstance(b, Run):
        show_settings(comparison.side_by_side(a, b), show_all)
    else:
        show_apart(comparison.apart(a, b, every=show_all), show_all)
    typer.echo("")
    show_scores(comparison.compare(a, b), a.path, b.path)
    if not (isinstance(a, Run) and isinstance(b, Run)):
        tell("No figure: an external encoder has no decoder to draw traversals with.")
        return
    from disentangle.figures.aligned import draw_aligned

    path = output or a.figures / f"compared-with-{b.record.id}.png"
    try:
        typer.echo(draw_aligned(a, b, path))
    except UsageError:
        raise
    except DisentangleError as error:
        tell(f"No figure: {error}")


def show_settings(settings: Sequence["Setting"], show_all: bool) -> None:
    """Print what was set otherwise in one run than in the other, or all settings."""
    if show_all:
        tell("Settings of the two runs; * marks those that differ")
        labels = {"set": "", "derived": " (derived)", "environment": ""}
        rows = [[("* " if s.differs else "") + s.name + labels[s.kind], s.a, s.b] for s in settings]
        print_aligned([["", "A", "B"], *rows])
        return
    rows = [[s.name, s.a, s.b] for s in settings if s.differs and s.kind == "set"]
    if rows:
        tell("Settings that differ between the two runs")
        print_aligned([["", "A", "B"], *rows])
    else:
        typer.echo("no setting differs")
    others = [s.name for s in settings if s.differs and s.kind == "environment"]
    if others:
        tell(f"Not set, but different (`--all` shows them): {', '.join(others)}")


def show_apart(compared: "Apart", show_all: bool) -> None:
    """Print what two have in common, and what each is."""
    parts = {"A and B": compared.both, "A": compared.a, "B": compared.b}
    for title, settings in parts.items():
        if settings:
            typer.echo(title)
            print_beside([(f"  {name}", value) for name, value in settings.items()])
    if not show_all:
        tell(
            "Settings at their defaults and versions of packages are left out; `--all` shows them."
        )


def show_scores(compared: "Comparison", a: Path, b: Path) -> None:
    """Print the scores of two configurations or runs, and what their differences mean."""
    from disentangle.score_tables.statistics import LEVEL

    lacking = [
        str(path)
        for path, values in (
            (a, [s.a for s in compared.scores]),
            (b, [s.b for s in compared.scores]),
        )
        if all(value is None for value in values)
    ]
    means = [score for score in compared.scores if score.seeds]
    single = [score for score in compared.scores if not score.seeds]
    if means:
        tell("Scores of the two configurations: means over the common seeds")
        print_scores(means, seeds=True, p=compared.least < LEVEL)
    if single:
        if means:
            typer.echo("")
        without = ", without a common seed" if means else ""
        tell("Mean scores" if compared.external else f"Scores of the two runs{without}")
        print_scores(single)
    if lacking:
        tell(f"No scores yet: {', '.join(lacking)}. Run `disentangle score {' '.join(lacking)}`.")
    else:
        tell(compared.verdict)


def print_scores(scores: Sequence["Difference"], *, seeds: bool = False, p: bool = False) -> None:
    """Print scores in aligned columns, with the number of seeds and the p-values if asked."""
    from disentangle.score_tables.cells import compared
    from disentangle.scoring.metric_traits import counts

    lines = [["score", "A", "B", "B - A", *(["seeds"] if seeds else []), *(["p"] if p else [])]]
    for score in scores:
        values = compared(*score.shown, counts=counts(score.name.partition(" ")[0]))
        chance = "" if score.p is None else "<0.001" if score.p < 0.001 else f"{score.p:.3f}"
        lines.append(
            [
                score.name,
                *values,
                *([str(score.seeds)] if seeds else []),
                *([chance] if p else []),
            ]
        )
    print_aligned(lines, numbers=len(lines[0]) - 1)
