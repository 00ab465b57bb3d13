"""Predictors of each latent from all others: Yeats et al. (2022), https://arxiv.org/abs/2209.10677."""

import torch
from torch import Tensor, nn

UNITS = 40
"""Units of each hidden layer."""


class LatentPredictors(nn.Module):
    """Predicts each latent from all others by a network of its own, all in one computation.

    Each network has two hidden linear layers of 40 units with SELUs, and one output.

    Args:
        latents: D, the number of latents and of networks.
    """

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.networks = nn.Sequential(
            ParallelLinear(latents, latents, UNITS),
            nn.SELU(),
            ParallelLinear(latents, UNITS, UNITS),
            nn.SELU(),
            ParallelLinear(latents, UNITS, 1),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Return the predictions of latents z [N, D], [N, D]."""
        others = 1 - torch.eye(z.shape[1], device=z.device, dtype=z.dtype)
        predicted: Tensor = self.networks(z * others[:, None])  # [D, N, D] -> [D, N, 1]
        return predicted.squeeze(2).T.float()


class ParallelLinear(nn.Module):
    """Linear layers side by side, each on an input of its own: [K, N, inputs] -> [K, N, outputs].

    The weights are initialised with the variance 1 / `inputs`, as SELUs need.
    """

    def __init__(self, layers: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(layers, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(layers, 1, outputs))
        nn.init.normal_(self.weight, std=bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of all layers."""
        return torch.baddbmm(self.bias, x, self.weight)
