"""`disentangle baselines`, `udr` and `advise`: what scores are worth, and what to expect."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from disentangle import completion
from disentangle.cli_table import load, report, show_baselines
from disentangle.errors import UsageError
from disentangle.parameters import (
    RESULTS,
    AsJson,
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
    print_json,
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
    as_json: AsJson = False,
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
    if as_json:
        print_json({name: scores.as_dict() for name, scores in found.items()})
    else:
        show_baselines(found)
    report(list(dict.fromkeys(why for scores in found.values() for why in scores.failed.values())))


def udr(
    runs: RunPaths = None,
    method: Annotated[
        Literal["lasso", "spearman"], typer.Option(help="what makes two latents similar")
    ] = "lasso",
    samples: Annotated[int, typer.Option(min=2, help="images to compare the codes of")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="of their draw")] = 0,
    device: Device = "auto",
    as_json: AsJson = False,
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
    told = []
    for group in [found] if runs else groups:
        with counting(f"encoding {group[0].record.dataset.name}") as progress:
            ranking = udr_of_runs(
                group, samples, seed, method=method, device=device, progress=progress
            )
        rows = zip(ranking.scores, ranking.reasons, group, strict=True)
        if as_json:
            told += [
                {"run": str(run.path), "dataset": run.record.dataset.name, "udr": v, "reason": why}
                for v, why, run in rows
            ]
            continue
        typer.echo(f"{group[0].record.dataset.name}, udr-dlib by {method}, {samples} images")
        for value, reason, run in sorted(rows, key=lambda row: -1 if row[0] is None else -row[0]):
            said = f"n/a: {reason}" if value is None else f"{value:.4f}"
            about = f"{run.record.model} {run.record.summary}, seed {run.record.seed}"
            typer.echo(f"  {said:8} {run.path}  {about}")
    if as_json:
        print_json(told)
    report(problems)


def import_command(
    weights: Annotated[
        Path, typer.Argument(metavar="FILE", help="a state dict, torch's or safetensors")
    ],
    model: Annotated[
        str,
        typer.Option(help="the model, such as beta-vae", autocompletion=completion.models),
    ],
    dataset: Annotated[
        str, typer.Option(help="what it was trained on", autocompletion=completion.datasets)
    ],
    layout: Annotated[str, typer.Option(help="own, or disentangling-vae")] = "own",
    network: Annotated[
        str,
        typer.Option(help="encoder and decoder, by name", autocompletion=completion.networks),
    ] = "burgess",
    knob: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="beta=4, latents=10, steps=345600; repeatable"),
    ] = None,
    results: Results = RESULTS,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Take up weights that were trained elsewhere, as a run that scores and traverses."""
    from disentangle import registry
    from disentangle.importing import import_weights
    from disentangle.options import parse_given, parse_spec
    from disentangle.plugin import knobs
    from disentangle.progress import say, working
    from disentangle.recipe import Training

    _, given = parse_spec(f"{model}:{','.join(knob or ())}")
    trainers = {k: v for k, v in given.items() if k in knobs(Training)}
    mine = {k: v for k, v in given.items() if k not in trainers}
    options = {
        "network": network,
        **parse_given(registry.models.load(model), mine),
        **parse_given(Training, trainers),
    }
    with working() as preparing:
        run = import_weights(
            weights,
            model=model,
            dataset=dataset,
            layout=layout,
            results=results,
            data_dir=data_dir,
            data_file=file,
            say=say,
            progress=preparing,
            **options,
        )
    typer.echo(run.path)


def advise(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="a model, such as beta-vae", autocompletion=completion.models
        ),
    ],
    dataset: DatasetName,
    beta: Annotated[
        float | None, typer.Option(min=0, help="weight of the KL term", show_default="the model's")
    ] = None,
    beta_norm: Annotated[
        float | None, typer.Option(min=0, help="beta times latents over pixels; instead of beta")
    ] = None,
    latents: Annotated[int | None, typer.Option(min=1, show_default="the model's")] = None,
    likelihood: Annotated[str | None, typer.Option(show_default="the dataset's")] = None,
    variance: Annotated[float | None, typer.Option(help="of the Gaussian", show_default="0.5")] = (
        None
    ),
    split: Split = None,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Say what the images' spectrum predicts of posterior collapse, before anything is trained."""
    from disentangle.advice import advise as ask
    from disentangle.data import load_dataset
    from disentangle.progress import say, working
    from disentangle.settle import kl_weight, settled, training_view

    given = {
        "beta": beta,
        "beta_norm": beta_norm,
        "latents": latents,
        "likelihood": likelihood,
        "variance": variance,
    }
    with working() as preparing:
        opened = load_dataset(dataset, data_dir=data_dir, file=file, say=say, progress=preparing)
    opened = training_view(opened, split, None, (), 0)
    values = settled(model, opened, {k: v for k, v in given.items() if v is not None})
    weight = kl_weight(model, values)
    if weight is None:
        typer.echo(f"'{model}' has no one weight of the whole KL term; a weight of 1 would mean:")
    for line in ask(
        opened,
        1.0 if weight is None else weight,
        values["latents"],
        values["likelihood"],
        values["variance"],
    ):
        typer.echo(line)
