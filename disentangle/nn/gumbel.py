"""The Gumbel-softmax: a differentiable sample of a categorical variable."""

import torch
from torch import Tensor


def gumbel_softmax(logits: Tensor, rng: torch.Generator, temperature: float | Tensor) -> Tensor:
    """Sample soft one-hot vectors, softmax((logits + g) / temperature), g ~ Gumbel(0, 1).

    Their largest entry is distributed as a draw from softmax(logits), at any temperature; towards a
    temperature of 0 the vectors become one-hot. Jang et al. (2017),
    https://arxiv.org/abs/1611.01144; Maddison et al. (2017), https://arxiv.org/abs/1611.00712.

    Args:
        logits: log probabilities up to a constant, [..., values]; they may have a gradient.
        rng: the source of noise, on the device of `logits`; in a model `batch.rng`.
        temperature: above 0; a number, or a scalar on a device.

    Returns:
        Weights of the values, [..., values], that sum to 1.

    Raises:
        ValueError: the temperature is a number that is not above 0.
    """
    if not isinstance(temperature, Tensor) and not temperature > 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    waits = torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
    gumbel = -waits.exponential_(generator=rng).log()  # the exponential is never 0
    return ((logits + gumbel) / temperature).softmax(-1)
