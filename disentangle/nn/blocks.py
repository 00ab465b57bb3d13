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


class Spread(nn.Module):
    """The running mean and standard deviation of latents that have no prior, for traversals.

    Call `update` in training.

    Args:
        latents: the number of latents, D.
        rate: the weight of a new batch.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, latents: int, rate: float = 0.01) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(latents))
        self.register_buffer("variance", torch.ones(latents))
        self.rate = rate

    @property
    def scale(self) -> Tensor:
        """The standard deviations, [D]."""
        return self.variance.sqrt()

    def around(self, latent: int, n: int) -> Tensor:
        """Return `n` values, up to three standard deviations from the mean of a latent."""
        return self.mean[latent] + self.scale[latent] * torch.linspace(-3, 3, n)

    @torch.no_grad()
    def update(self, z: Tensor) -> None:
        """Take the latents [N, D] of a batch into account."""
        self.mean.lerp_(z.mean(0), self.rate)
        self.variance.lerp_((z - self.mean).square().mean(0), self.rate)


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
