"""Modules for networks, and for the `page_layers` of modules, that torch does not have."""

import torch
from torch import Tensor, nn


class Residual(nn.Sequential):
    """x + f(x), where f is the layers of this module in order."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x to x + f(x), of the same shape."""
        y = x
        for layer in self:
            y = layer(y)
        return x + y


class Nearest(nn.Module):
    """Maps each latent to the nearest of its values, as quantisation does.

    Args:
        values: the values of each latent, [D, V].
    """

    values: Tensor

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("values", values.detach(), persistent=False)

    def forward(self, c: Tensor) -> Tensor:
        """Map c [N, D] to the nearest values, [N, D]."""
        nearest = (c[:, :, None] - self.values).abs().argmin(2)
        return self.values.expand(len(c), -1, -1).gather(2, nearest[:, :, None])[:, :, 0]


class MostProbable(nn.Module):
    """Maps the logits of each latent's values to the value with the largest logit.

    Args:
        values: the values of each latent, [D, V].
    """

    values: Tensor

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("values", values.detach(), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """Map logits [N, D V] to the values, [N, D]."""
        best = logits.view(len(logits), *self.values.shape).argmax(2, keepdim=True)
        return torch.gather(self.values.expand(len(logits), -1, -1), 2, best)[:, :, 0]
