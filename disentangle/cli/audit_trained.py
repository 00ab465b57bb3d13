"""`disentangle audit --run`: whether scores order the checkpoints of a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from disentangle._utils.text import count
from disentangle.cli.output import fail_if_any, print_aligned
from disentangle.cli.parameters import print_json
from disentangle.errors import UsageError

if TYPE_CHECKING:
    from disentangle.auditing.training_order import RunAudit, TrainingOrder


def audit_trained(
    run: Path,
    metrics: list[str] | None,
    *,
    seed: int,
    results: Path,
    device: str,
    strict: bool,
    as_json: bool,
) -> None:
    """Audit metrics on the checkpoints of a run, and print what they make of them."""
    from disentangle._utils.console import working
    from disentangle._utils.progress_line import CountLine
    from disentangle.auditing.training_order import audit_run
    from disentangle.cli.run_choice import open_run

    opened = open_run(run, results)
    with working(CountLine("{done:,} of {total:,} networks", "audit")) as progress:
        result = audit_run(opened, metrics, seed=seed, device=device, progress=progress)
    if as_json:
        print_json(result.as_dict())
    else:
        show(result)
    if strict and result.failures:
        fail_if_any([f"--strict: {count(len(result.failures), 'score')} with a failed expectation"])


def refuse_with_run(options: Mapping[str, object]) -> None:
    """Refuse options of an audit of codes with a known answer beside `--run`.

    Raises:
        UsageError: one is given.
    """
    for name, value in options.items():
        if value:
            raise UsageError(f"{name} is of codes with a known answer; leave it out with --run")


def show(result: "RunAudit") -> None:
    """Print a row for each score: its values by step, noise, the order, and what is wrong."""
    print_aligned(rows_of(result), numbers=4)
    typer.echo("\nOrder: Spearman's correlation of score and step.")
    for order in result.failures:
        typer.echo(f"{order.score}: {order.fault}")
    for name, why in result.missing.items():
        typer.echo(f"{name}: n/a: {why}")


def rows_of(result: "RunAudit") -> list[list[str]]:
    """The table: untrained and trained network, noise, and the order of all checkpoints."""
    rows = [["score", "steps", "untrained", "trained", "noise", "order"]]
    return [*rows, *map(row_of, result.orders)]


def row_of(order: "TrainingOrder") -> list[str]:
    """The cells of a score."""
    untrained, *_, trained = order.values.values()
    noise = "" if order.noise is None else f"{order.noise:.3f}"
    steps = f"{len(order.values)} of 0 to {max(order.values):,}"
    return [
        *(order.score, steps, f"{untrained:.3f}", f"{trained:.3f}"),
        *(noise, f"{order.correlation:.2f}"),
    ]
