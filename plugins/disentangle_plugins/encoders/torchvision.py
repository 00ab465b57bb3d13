"""Classifiers of torchvision, up to their last layer.

https://docs.pytorch.org/vision/stable/models.html#classification
"""

import warnings
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import nn

from disentangle import DisentangleError, ExternalEncoder, Reference, UsageError
from disentangle.data import read_state
from disentangle.errors import suggestion
from disentangle.nn import (
    FrozenEncoder,
    Preprocessing,
    load_weights,
    random_weights,
    weights_digest,
)

PAGE = "https://docs.pytorch.org/vision/stable/models.html#classification"
"""The page that lists the networks."""


def load(reference: Reference, *, download: bool) -> ExternalEncoder:
    """Load `torchvision:NAME`, the features before the classifier, [N, D].

    Options: `weights` (the name of weights [default: DEFAULT], a file, or `none`), `seed` of
    random weights, `size` of the images.
    """
    reference.check_options("weights", "seed", "size")
    try:
        import torchvision
        from torchvision import models
    except ImportError as error:
        raise DisentangleError(
            f"'{reference.typed}' needs the package torchvision. Run `pip install torchvision`."
        ) from error
    names = models.list_models(module=models)
    if reference.name not in names:
        hint = suggestion(reference.name, names, page=PAGE)
        raise UsageError(f"torchvision has no classifier '{reference.name}'{hint}")
    weights = models.get_model_weights(reference.name)
    use, file = reference.options.get("weights", "DEFAULT"), None
    published = use in weights.__members__
    named = weights[use] if published else weights.DEFAULT
    if use != "none":
        file = _published(reference, named, download) if published else Path(use).expanduser()
        if not file.exists():
            choices = ", ".join([*weights.__members__, "none"])
            raise UsageError(
                f"'{reference.typed}': no weights '{use}', and no such file; known: {choices}"
            )
    network, words = random_weights(
        lambda: _untrained(reference.name), reference.whole_number("seed", least=0)
    )
    classifier = _remove_classifier(network)
    if file is not None:
        load_weights(network, read_state(file), str(file), without=[classifier])
        words = f"{named.name if published else file.name} {weights_digest(network)}"
        if hasattr(network, "transform_input"):
            network.transform_input = True  # as torchvision sets it for its weights of Inception
    preset: Any = named.transforms()
    side = reference.whole_number("size", preset.crop_size[0])
    preprocessing = Preprocessing(
        (side, side), preset.mean, preset.std, interpolation=preset.interpolation.value
    )
    origin = {
        "library": f"torchvision {torchvision.__version__}",
        "weights": words,
        "preprocessing": str(preprocessing),
    }
    return ExternalEncoder(FrozenEncoder(network, preprocessing), origin)


def _untrained(name: str) -> Any:
    """The network of this name with random weights."""
    from torchvision import models

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the initialisation of two networks
        return models.get_model(name, weights=None)


def _remove_classifier(network: nn.Module) -> str:
    """Replace the last layer, which maps features to classes, by the identity; return its name."""
    layers = (nn.Linear, nn.Conv2d)
    last: str = [name for name, layer in network.named_modules() if isinstance(layer, layers)][-1]
    parent, _, name = last.rpartition(".")
    setattr(network.get_submodule(parent), name, nn.Identity())
    return last


def _published(reference: Reference, weights: Any, download: bool) -> Path:
    """The file of torchvision's weights in its cache, downloaded if allowed."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / Path(weights.url).name
    if file.exists():
        return file
    if not download:
        size = weights.meta.get("_file_size", 0)
        raise DisentangleError(
            f"the weights {weights.name} of '{reference.typed}' are not in {folder}. Add "
            f"`--download` ({size:,.0f} MB), or give a file: "
            f"`{reference.prefix}:{reference.name}:weights=FILE`"
        )
    try:
        torch.hub.load_state_dict_from_url(
            weights.url, str(folder), map_location="cpu", progress=False, check_hash=True
        )
    except (URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", error)
        raise DisentangleError(f"cannot download {weights.url}: {reason}") from error
    return file
