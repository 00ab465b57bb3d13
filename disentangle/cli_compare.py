"""`disentangle baselines` and `disentangle udr`: what scores are worth, and runs without labels."""

from typing import Annotated, Literal

import typer

from disentangle.cli_table import load, report, show_baselines
from disentangle.errors import UsageError
from disentangle.parameters import (
    RESULTS,
    DataDir,
    DatasetName,
    Device,
    Factors,
    File,
    MetricNames,
    ProtocolName,
    Results,
    RunPaths,
    ScoreSeed,
    Split,
    names,
)


def baselines(
    dataset: DatasetName,
    metric: MetricNames = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="oracle, rotation, pca, ica, untrained, pixels or noise; may be repeated",
            show_default="all",
        ),
    ] = None,
    protocol: ProtocolName = "locatello2019",
    seed: ScoreSeed = 0,
    split: Split = None,
    factors: Factors = None,
    device: Device = "auto",
    results: Results = RESULTS,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Score the factors themselves, noise and untrained controls: what a model's score is worth."""
    from disentangle.baselines import baselines as score_them
    from disentangle.data import load_dataset
    from disentangle.progress import counting, say, working

    with working() as preparing:
        opened = load_dataset(dataset, data_dir=data_dir, file=file, say=say, progress=preparing)
    with counting(f"encoding {opened.name}") as progress:
        found = score_them(
            opened,
            metric,
            only=only,
            seed=seed,
            protocol=protocol,
            split=split,
            factors=names(factors),
            results=results,
            device=device,
            progress=progress,
            say=say,
        )
    show_baselines(found)


def udr(
    runs: RunPaths = None,
    method: Annotated[
        Literal["lasso", "spearman"], typer.Option(help="what makes two latents similar")
    ] = "lasso",
    samples: Annotated[int, typer.Option(min=2, help="images to compare the codes of")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="of their draw")] = 0,
    device: Device = "auto",
    results: Results = RESULTS,
) -> None:
    """Rank runs without labels: by how well each one's latents come back in the others (UDR).

    Runs are compared with those on the same images.
    """
    from disentangle.progress import counting
    from disentangle.udr import group_runs, udr_of_runs

    found, problems = load(runs, results)
    groups = group_runs([run for run in found if run.finished or runs])
    if not runs:
        groups = [group for group in groups if len(group) > 1]
        if not groups:
            raise UsageError(f"{results}: UDR takes two finished runs or more on the same images")
    for group in [found] if runs else groups:
        with counting(f"encoding {group[0].record.dataset.name}") as progress:
            ranking = udr_of_runs(
                group, samples, seed, method=method, device=device, progress=progress
            )
        typer.echo(f"{group[0].record.dataset.name}, udr-dlib by {method}, {samples} images")
        rows = zip(ranking.scores, ranking.reasons, group, strict=True)
        for value, reason, run in sorted(rows, key=lambda row: -1 if row[0] is None else -row[0]):
            said = f"n/a: {reason}" if value is None else f"{value:.4f}"
            about = f"{run.record.model} {run.record.summary}, seed {run.record.seed}"
            typer.echo(f"  {said:8} {run.path}  {about}")
    report(problems)
