"""`disentangle compare`: two runs side by side."""

from pathlib import Path
from typing import Annotated

import typer

from disentangle.cli.output import print_aligned
from disentangle.cli.parameters import AsJson, DataDir, File, print_json
from disentangle.cli.run_choice import open_run
from disentangle.errors import DisentangleError, UsageError


def compare(
    first: Annotated[
        Path, typer.Argument(metavar="RUN_A", help="folder, name or id of the first run")
    ],
    second: Annotated[
        Path, typer.Argument(metavar="RUN_B", help="folder, name or id of the second run")
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

    Differences in scores are tested over all seeds that both configurations were trained with.
    """
    from disentangle.score_tables import comparison
    from disentangle.score_tables.cells import number

    a, b = (open_run(run, data_dir=data_dir, file=file) for run in (first, second))
    if as_json:
        print_json(comparison.as_json(a, b))
        return
    rows = [row for row in comparison.side_by_side(a, b) if row[3] or show_all]
    lines = [["", "A", "B"]]
    lines += [[("* " if differs and show_all else "") + name, x, y] for name, x, y, differs in rows]
    print_aligned(lines)
    if not rows:
        typer.echo("no setting differs")
    differences = comparison.score_differences(a, b)
    lines = [["score", "A", "B", "common seeds", "mean B - A", "p"]]
    for score in differences:
        value_a, value_b, mean = (
            "" if value is None else number(value) for value in (score.a, score.b, score.mean)
        )
        p = "" if score.p is None else "<0.001" if score.p < 0.001 else f"{score.p:.3f}"
        lines.append([score.name, value_a or "n/a", value_b or "n/a", str(score.seeds), mean, p])
    typer.echo("")
    print_aligned(lines, numbers=5)
    tested = [score for score in differences if score.p is not None]
    if tested:
        least = min(1.0, len(tested) * 2 / 2 ** max(score.seeds for score in tested))
        typer.echo(
            "p: permutation test over the common seeds, Holm-corrected for "
            f"{len(tested)} scores; the smallest possible p is {least:.2g}"
        )
    elif a.record.group == b.record.group:
        typer.echo("Not tested: A and B have the same configuration.")
    else:
        typer.echo("Not tested: at least two common seeds are needed.")
    from disentangle.figures.aligned import draw_aligned

    path = output or a.figures / f"compared-with-{b.record.id}.png"
    try:
        typer.echo(draw_aligned(a, b, path))
    except UsageError:
        raise
    except DisentangleError as error:
        typer.echo(f"No figure: {error}")
