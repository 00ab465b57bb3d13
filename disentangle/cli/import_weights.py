"""`disentangle import`: make a run from weights trained elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from disentangle.cli import completion
from disentangle.cli.parameters import RESULTS, DataDir, File, Results


def import_command(
    weights: Annotated[
        Path, typer.Argument(metavar="FILE", help="state dict, saved by torch or as safetensors")
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="model, such as beta-vae", autocompletion=completion.models
        ),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="dataset that it was trained on",
            autocompletion=completion.datasets,
        ),
    ],
    layout: Annotated[
        str, typer.Option(metavar="own|disentangling-vae", help="layout of the state dict")
    ] = "own",
    network: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="encoder and decoder", autocompletion=completion.networks
        ),
    ] = "burgess",
    knob: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="hyper-parameter or training option, such as beta=4 or steps=345600; repeatable",
        ),
    ] = None,
    results: Results = RESULTS,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Import weights trained elsewhere as a run.

    You can then score and traverse them like any other run.
    """
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
    options = {
        "network": network,
        **parse_given(registry.models.load(model), for_model),
        **parse_given(Training, for_trainer),
    }
    with working(CountLine(label=f"dataset {dataset}")) as preparing:
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
