"""Total correlation by a discriminator of codes: Kim and Mnih (2018), for several models."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

UNITS = 1000
"""Units of each hidden layer."""


class Discriminator(nn.Sequential):
    """Distinguishes codes z ~ q(z) from codes whose latents are permuted over the batch.

    Hidden linear layers of 1,000 units with leaky ReLUs (0.2) lead to two logits: D_0 of q(z), D_1
    of permuted codes.

    Args:
        inputs: the numbers of a code.
        layers: the number of hidden layers.
    """

    def __init__(self, inputs: int, layers: int = 6) -> None:
        hidden: list[nn.Module] = []
        for before in (inputs, *[UNITS] * (layers - 1)):
            hidden += [nn.Linear(before, UNITS), nn.LeakyReLU(0.2)]
        super().__init__(*hidden, nn.Linear(UNITS, 2))

    def total_correlation(self, z: Tensor) -> Tensor:
        """Estimate TC(z) as the mean of D_0 - D_1 over codes z [N, inputs], in nats."""
        logits: Tensor = self(z).float()
        return (logits[:, 0] - logits[:, 1]).mean()

    def loss(self, z: Tensor, permuted: Tensor) -> Tensor:
        """Return the mean cross entropy of both sorts of codes, [N, inputs]; detach them first."""
        real, false = self(z).float(), self(permuted).float()
        is_true = torch.zeros(len(real), dtype=torch.long, device=z.device)
        is_permuted = torch.ones(len(false), dtype=torch.long, device=z.device)
        return 0.5 * (F.cross_entropy(real, is_true) + F.cross_entropy(false, is_permuted))


def permute_latents(z: Tensor, rng: torch.Generator) -> Tensor:
    """Permute each latent of z [N, D] or [N, D, values] over the batch, algorithm 1."""
    order = torch.rand(z.shape[:2], generator=rng, device=z.device).argsort(0)
    return z.gather(0, order.view(*order.shape, *[1] * (z.ndim - 2)).expand_as(z))
