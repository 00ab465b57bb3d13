"""`disentangle import`: take the runs of an archive, or make a run of weights trained elsewhere."""

from pathlib import Path
from typing import Annotated, Any

import typer

from disentangle.cli import completion
from disentangle.cli.parameters import RESULTS, DataDir, File, Results
from disentangle.errors import UsageError

WEIGHTS = "Weights trained elsewhere"


def import_command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="archive of runs that `disentangle export` wrote; or, with --model and --dataset, "
            "a state dict, saved by torch or as safetensors",
        ),
    ],
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="replace runs of the same settings that were trained to other weights than the "
            "archive's",
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=WEIGHTS,
            help="model, such as beta-vae",
            autocompletion=completion.models,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=WEIGHTS,
            help="dataset that it was trained on",
            autocompletion=completion.datasets,
        ),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            metavar="own|disentangling-vae",
            rich_help_panel=WEIGHTS,
            help="layout of the state dict",
        ),
    ] = "own",
    network: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            rich_help_panel=WEIGHTS,
            help="encoder and decoder",
            autocompletion=completion.networks,
        ),
    ] = "burgess",
    knob: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            rich_help_panel=WEIGHTS,
            help="hyper-parameter or training option, such as beta=4 or steps=345600; repeatable",
        ),
    ] = None,
    results: Results = RESULTS,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Import runs from another machine, or weights trained elsewhere as a run.

    Nothing in the file is executed. Runs of an archive get the place that they had in their results
    folder; those that are already there get the scores that they lack. Weights become a run that
    you can score and traverse like any other.
    """
    options = {"--layout": layout != "own", "--network": network != "burgess", "--set": bool(knob)}
    options |= {"--data-dir": data_dir is not None, "--file": file is not None}
    if model is None and dataset is None:
        given = [option for option, value in options.items() if value]
        if given:
            raise UsageError(f"{given[0]} requires --model NAME and --dataset NAME")
        import_archived(source, results, force)
        return
    from disentangle.exports.unarchive import is_archive

    if is_archive(source):
        raise UsageError(f"{source} is an archive of runs: `disentangle import {source}`")
    if model is None or dataset is None:
        given_one, lacking = ("--model", "--dataset") if model else ("--dataset", "--model")
        raise UsageError(f"{given_one} requires {lacking} NAME")
    if force:
        raise UsageError("--force is for archives; weights never replace a run")
    import_state(source, model, dataset, knob, layout, network, results, data_dir, file)


def import_archived(source: Path, results: Path, force: bool) -> None:
    """Import the runs of an archive, and print their folders.

    Raises:
        DisentangleError: some of them cannot be imported.
    """
    from disentangle._utils.console import say, working
    from disentangle._utils.progress_line import CountLine
    from disentangle.cli.output import fail_if_any
    from disentangle.exports.import_runs import import_archive

    with working(CountLine("{done:,} of {total:,} files", f"archive {source}")) as progress:
        imported = import_archive(source, results=results, force=force, say=say, progress=progress)
    for folder in imported.folders:
        typer.echo(folder)
    fail_if_any(imported.problems)


def import_state(
    source: Path,
    model: str,
    dataset: str,
    knob: list[str] | None,
    layout: str,
    network: str,
    results: Path,
    data_dir: Path | None,
    file: Path | None,
) -> None:
    """Make a run of a state dict, and print its folder."""
    from disentangle._utils.console import say, working
    from disentangle._utils.progress_line import CountLine
    from disentangle.contracts import registry
    from disentangle.contracts.common_options import Training
    from disentangle.contracts.plugin import knobs
    from disentangle.contracts.settings import parse_given, parse_spec
    from disentangle.training.import_weights import import_weights

    _, given = parse_spec(f"{model}:{','.join(knob or ())}")
    for_trainer = {k: v for k, v in given.items() if k in knobs(Training)}
    for_model = {k: v for k, v in given.items() if k not in for_trainer}
    options: dict[str, Any] = {
        "network": network,
        **parse_given(registry.models.load(model), for_model),
        **parse_given(Training, for_trainer),
    }
    with working(CountLine(label=f"dataset {dataset}")) as preparing:
        run = import_weights(
            source,
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
