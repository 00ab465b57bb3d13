"""`disentangle udr`: rank runs without labels."""

from typing import Annotated, Literal

import typer

from disentangle._utils.console import tell
from disentangle.cli.output import fail_if_any, print_aligned
from disentangle.cli.parameters import RESULTS, AsJson, Device, Results, RunPaths, print_json
from disentangle.cli.run_choice import AllSeeds, ChosenStudy, Where, choose_runs
from disentangle.errors import UsageError


def udr(
    runs: RunPaths = None,
    all_seeds: AllSeeds = False,
    study: ChosenStudy = None,
    where: Where = None,
    method: Annotated[
        Literal["lasso", "spearman"], typer.Option(help="measure of similarity between latents")
    ] = "lasso",
    samples: Annotated[int, typer.Option(min=2, help="number of images to encode")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="seed for sampling the images")] = 0,
    device: Device = "auto",
    as_json: AsJson = False,
    results: Results = RESULTS,
) -> None:
    """Rank runs without labels, by UDR.

    UDR is how well each run's latents are matched in the other runs on the same images.
    """
    from disentangle._utils.console import counting
    from disentangle.scoring.udr import group_runs, udr_of_runs

    loaded, problems = choose_runs(runs, results, study, where, all_seeds=all_seeds)
    groups = group_runs([run for run in loaded if run.finished or runs])
    if not runs:
        groups = [group for group in groups if len(group) > 1]
        if not groups:
            raise UsageError(f"{results}: UDR needs at least two finished runs on the same images")
    ranked = []
    for group in [loaded] if runs else groups:
        with counting(f"encoding {group[0].record.dataset.name}") as progress:
            ranking = udr_of_runs(
                group, samples, seed, method=method, device=device, progress=progress
            )
        rows = zip(ranking.scores, ranking.reasons, group, strict=True)
        if as_json:
            ranked += [
                {"run": str(run.path), "dataset": run.record.dataset.name, "udr": v, "reason": why}
                for v, why, run in rows
            ]
            continue
        tell(f"{group[0].record.dataset.name}, udr-dlib by {method}, {samples} images")
        lines = [("  udr", "run", "folder")]
        for value, reason, run in sorted(rows, key=lambda row: -1 if row[0] is None else -row[0]):
            score = f"n/a: {reason}" if value is None else f"{value:.4f}"
            settings = f"{run.record.model} {run.record.summary}, seed {run.record.seed}"
            lines.append((f"  {score}", settings, str(run.path)))
        print_aligned(lines)
    if as_json:
        print_json(ranked)
    fail_if_any(problems)
