"""The encoder and the decoder of a run as plain torch modules, for code of one's own."""

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from disentangle.contracts.model import Posterior
from disentangle.nn.layers import plain

if TYPE_CHECKING:
    from disentangle.contracts.model import Model


class Encoding(NamedTuple):
    """The output of `Run.encoder`."""

    mean: Tensor
    """The means of q(z|x), or the codes of a model without a posterior, [N, D]."""
    scale: Tensor | None
    """The standard deviations of q(z|x), [N, D]; None for a model without a posterior."""


class EncoderModule(nn.Module):
    """Maps images, float32 [N, C, H, W] in [0, 1], to mean and scale."""

    def __init__(self, model: "Model[Any]", image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        x = torch.zeros(1, *image_shape)
        self.model = part_of(model, lambda copy: copy.encode(x))

    def forward(self, images: Tensor) -> Encoding:
        """Encode images."""
        code = self.model.encode(images)
        return Encoding(code.mean, code.scale if isinstance(code, Posterior) else None)


class DecoderModule(nn.Module):
    """Maps latents, float32 [N, D], to the expected images, float32 [N, C, H, W] in [0, 1]."""

    def __init__(self, model: "Model[Any]") -> None:
        super().__init__()
        z = torch.zeros(1, model.latents)
        self.model = part_of(model, lambda copy: copy.decode(z))

    def forward(self, latents: Tensor) -> Tensor:
        """Decode latents."""
        return self.model.observation.mean(self.model.decode(latents))


def part_of(model: "Model[Any]", call: "Callable[[Model[Any]], object]") -> "Model[Any]":
    """A copy of a model on the CPU, with torch's own layers and only the modules that it needs.

    Args:
        model: the model, which is left as it is.
        call: calls the model as the copy will be called.
    """
    copy = deepcopy(model).cpu()
    plain(copy)
    for name, child in dict(copy.named_children()).items():
        delattr(copy, name)
        try:
            with torch.no_grad():
                call(copy)
        except Exception:  # the model's own code misses its module
            setattr(copy, name, child)
    return copy
