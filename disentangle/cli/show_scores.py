"""Show scores: their values, the reasons for missing ones, and their details."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from disentangle._utils.console import tell
from disentangle.cli.output import (
    fail_if_any,
    print_aligned,
    score_text,
    write_result,
    write_tables,
)
from disentangle.cli.parameters import print_json

if TYPE_CHECKING:
    from disentangle.scoring.keep_external import Keep
    from disentangle.scoring.measure import ScoreMapping


def show_scores(
    scores: "ScoreMapping", output: Path | None, detail: bool, as_json: bool, keep: "Keep | None"
) -> None:
    """Print scores, one per line, and write their records to `output` if given.

    If they are kept under a name, the tables of the results folder are written again.
    """
    from disentangle._utils.console import say
    from disentangle.runs.score_records import ScoreFile

    problems = [f"scores not written: {scores.unwritten}"] if scores.unwritten else []
    if output is not None:
        text = ScoreFile(scores=scores.records).model_dump_json(indent=2) + "\n"
        problems += write_result(output, text)
    if as_json:
        print_json(scores.as_dict())
    else:
        rows = [(name, score_text(name, value, 4)) for name, value in scores.items()]
        rows += [(name, f"n/a: {reason}") for name, reason in scores.unavailable.items()]
        print_aligned(rows)
    if detail:
        show_details(scores)
    written = [output] if output is not None and not problems else []
    if keep is None:
        say("The scores are not kept. Give --name NAME to keep them for tables.")
    elif not scores.unwritten:
        tables, unwritten = write_tables(keep.results)
        written, problems = [*tables, *written], [*problems, *unwritten]
    for path in written:
        if not as_json:
            typer.echo(path)
    fail_if_any([*scores.failed.values(), *problems, *no_score([scores])])


def no_score(scored: Sequence["ScoreMapping"]) -> list[str]:
    """The problem that not one score could be computed, with the reason if there is only one."""
    reasons = {why for scores in scored for why in scores.unavailable.values()}
    if any(scored) or not reasons or any(scores.failed for scores in scored):
        return []
    return [f"no score could be computed: {min(reasons) if len(reasons) == 1 else 'see above'}"]


def show_details(scores: "ScoreMapping") -> None:
    """Print the details of scores: one row per latent, one column per factor."""
    from disentangle.runs.records import describe
    from disentangle.score_tables.cells import whole

    for record in scores.records:
        for name, detail in record.detail.items():
            typer.echo("")
            knobs = f" [{describe(dict(record.key.knobs))}]" if record.key.knobs else ""
            axes = " and ".join(detail.axes)
            tell(f"{name}{knobs} ({record.representation} representation), by {axes}")
            if detail.about:
                tell(detail.about)
            values = [v if isinstance(v, list) else [v] for v in detail.values]
            decimals = 0 if whole(v for row in values for v in row) else 3
            if detail.axes == ("factor",):
                values = [[row[0] for row in values]]
            rows = [["", *record.factors]] if detail.axes[-1] == "factor" else []
            for number, row in enumerate(values):
                label = f"z{number}" if detail.axes[0] == "latent" else ""
                rows.append([label, *("n/a" if v is None else f"{v:.{decimals}f}" for v in row)])
            print_aligned(rows, numbers=len(rows[0]) - 1)
