"""`disentangle compare`: two runs side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from disentangle._utils.console import tell
from disentangle.cli.output import print_aligned
from disentangle.cli.parameters import AsJson, DataDir, File, print_json
from disentangle.cli.run_choice import open_scored
from disentangle.errors import DisentangleError, UsageError

if TYPE_CHECKING:
    from disentangle.score_tables.comparison import Comparison


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
        bool, typer.Option("--all", help="also show equal settings; * marks those that differ")
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
) -> None:
    """Compare two runs: settings, scores and matched latents.

    Scores are means over the seeds that both configurations were trained with, and differences are
    tested over these seeds. With an external encoder, all seeds are averaged and nothing is tested.
    """
    from disentangle.runs.run import Run
    from disentangle.score_tables import comparison

    a, b = (open_scored(run, data_dir=data_dir, file=file) for run in (first, second))
    if a.path.resolve() == b.path.resolve():
        raise UsageError(f"both arguments are the run {a.path}; give two different runs")
    if as_json:
        print_json(comparison.as_json(a, b))
        return
    rows = [row for row in comparison.side_by_side(a, b) if row[3] or show_all]
    lines = [["", "A", "B"]]
    lines += [[("* " if differs and show_all else "") + name, x, y] for name, x, y, differs in rows]
    print_aligned(lines)
    if not rows:
        typer.echo("no setting differs")
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


def show_scores(compared: "Comparison", a: Path, b: Path) -> None:
    """Print the scores of two runs, and what their differences mean."""
    from disentangle.score_tables.cells import count, number
    from disentangle.score_tables.statistics import LEVEL
    from disentangle.scoring.metric_traits import counts

    lacking = [
        str(path)
        for path, values in (
            (a, [s.a for s in compared.scores]),
            (b, [s.b for s in compared.scores]),
        )
        if all(value is None for value in values)
    ]
    if compared.scores:
        tested = compared.least < LEVEL
        seeds = [] if compared.external else ["seeds"]
        lines = [["score", "A", "B", "B - A", *seeds, *(["p"] if tested else [])]]
        for score in compared.scores:
            like = score.shown[0] if score.shown[0] is not None else score.shown[1]
            whole = counts(score.name.partition(" ")[0])
            values = [
                "n/a" if v is None else count(v) if whole else number(v, like) for v in score.shown
            ]
            p = "" if score.p is None else "<0.001" if score.p < 0.001 else f"{score.p:.3f}"
            common = [str(score.seeds)] if seeds else []
            lines.append([score.name, *values, *common, *([p] if tested else [])])
        print_aligned(lines, numbers=len(lines[0]) - 1)
    if lacking:
        tell(f"No scores yet: {', '.join(lacking)}. Run `disentangle score {' '.join(lacking)}`.")
    else:
        tell(compared.verdict)
