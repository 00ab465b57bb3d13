"""Quantisation of latents: the values that they take, and gradients that pass through it."""

import torch
from torch import Tensor


def straight_through(z: Tensor, quantised: Tensor) -> Tensor:
    """The quantised latents, with the gradient of those before quantisation.

    The value is exactly the quantised one: z + (quantised - z) would leave rounding errors. No
    gradient reaches `quantised`.

    Args:
        z: latents before quantisation.
        quantised: their values, of the same shape.
    """
    return quantised.detach() + (z - z.detach())


def finite_scalar(z: Tensor, values: int) -> Tensor:
    """Finite scalar quantisation: each latent rounded to one of V evenly spaced values in [-1, 1].

    2 round((V - 1) (z + 1) / 2) / (V - 1) - 1, Mentzer et al. (2023),
    https://arxiv.org/abs/2309.15505, as in Tripod. Its gradient is 0: see `straight_through`.

    Args:
        z: latents in [-1, 1], such as those after a tanh; others are rounded to -1 or 1.
        values: V, the number of values, at least 2.
    """
    places = ((z + 1) / 2 * (values - 1)).round().clamp(0, values - 1)
    return 2 * places / (values - 1) - 1


def finite_scalar_values(values: int) -> Tensor:
    """The values of `finite_scalar` in order, [V]."""
    return 2 * torch.arange(values, dtype=torch.float32) / (values - 1) - 1


def nearest_values(z: Tensor, values: Tensor) -> Tensor:
    """The value nearest to each latent, [N, D]; its gradient reaches the values, but not z.

    It is a sum over [n, d, value], as a GPU sums the gradient of indexing in no fixed order.

    Args:
        z: latents, [N, D].
        values: the values of each latent, [D, V].
    """
    distance = (z.detach()[:, :, None] - values.detach()).abs()
    nearest = distance.argmin(2, keepdim=True)
    selected = nearest == torch.arange(values.shape[1], device=z.device)
    return torch.where(selected, values, 0.0).sum(2)
