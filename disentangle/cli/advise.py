"""`disentangle advise`: predict posterior collapse from the spectrum of the images."""

from typing import Annotated

import typer

from disentangle._utils.console import tell
from disentangle.cli import completion
from disentangle.cli.output import open_dataset
from disentangle.cli.parameters import DataDir, DatasetName, File, TrainingSplit


def advise(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="model, such as beta-vae", autocompletion=completion.models
        ),
    ],
    dataset: DatasetName,
    beta: Annotated[
        float | None, typer.Option(min=0, help="weight of the KL term", show_default="the model's")
    ] = None,
    beta_norm: Annotated[
        float | None, typer.Option(min=0, help="beta * latents / pixels, instead of --beta")
    ] = None,
    latents: Annotated[
        int | None, typer.Option(min=1, help="number of latents", show_default="the model's")
    ] = None,
    likelihood: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="likelihood of the pixels", show_default="the dataset's"),
    ] = None,
    variance: Annotated[
        float | None,
        typer.Option(help="variance of the Gaussian likelihood, per pixel", show_default="0.5"),
    ] = None,
    split: TrainingSplit = None,
    data_dir: DataDir = None,
    file: File = None,
) -> None:
    """Predict posterior collapse without training.

    The prediction comes from the spectrum of the images.
    """
    from disentangle.data.request import DatasetRequest
    from disentangle.training.collapse import advise as predict
    from disentangle.training.configuration import ModelRequest, kl_weight

    given = {
        "beta": beta,
        "beta_norm": beta_norm,
        "latents": latents,
        "likelihood": likelihood,
        "variance": variance,
    }
    request = ModelRequest.of(model, {k: v for k, v in given.items() if v is not None})
    whole = open_dataset(dataset, data_dir=data_dir, file=file)
    opened = DatasetRequest.of(dataset, split=split).training_part(whole)
    values = {name: setting.value for name, setting in request.settings_on(opened).items()}
    weight = kl_weight(request.kind, values)
    if weight is None:
        tell(
            f"No prediction for '{model}': its loss is not a reconstruction and a KL term of "
            "Gaussian latents with a weight. For a VAE, whose KL term has the weight 1, run "
            f"`disentangle advise vae {dataset}`."
        )
        return
    for line in predict(
        opened, weight, values["latents"], values["likelihood"], values["variance"]
    ):
        tell(line)
