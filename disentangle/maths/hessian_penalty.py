"""The Hessian penalty of a function of latents, by finite differences.

Peebles et al. (2020), https://arxiv.org/abs/2008.10599; normalised as in Hsu et al. (2024),
https://arxiv.org/abs/2404.10282.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

TINY = 1e-10
"""Added to the denominator of the normalised penalty."""


@dataclass(frozen=True)
class HessianPenalty:
    """A penalty on second derivatives by two different latents: 0 for a sum of functions of one.

    The second difference of a function a along h is (a(z + h) - 2 a(z) + a(z - h)) / epsilon^2. For
    random signs, h_d = +-epsilon scale_d, its variance over draws is 2 sum_(i != j) H_ij^2, the
    off-diagonal part of the Hessian H (in units of the scales). For Gaussian h it is
    2 sum_ij H_ij^2, by which the normalised penalty divides, so that it does not shrink with a.

    Evaluate the functions at all `probes` in one batch, then call the penalty on their values:

        probes = penalty.probes(z, scale, rng)
        loss = penalty([a(probes.flatten(0, 1))])

    Attributes:
        draws: k, the directions over which a variance is taken, at least 2; there are 1 + 4 k
            probes of each latent code, or 1 + 2 k if not normalised.
        epsilon: the size of steps, in scales.
        normalised: divide by the whole Hessian.
    """

    draws: int = 2
    epsilon: float = 0.1
    normalised: bool = True

    def probes(self, z: Tensor, scale: Tensor, rng: torch.Generator) -> Tensor:
        """The points at which to evaluate functions, [P, N, D]; the first is z itself.

        Args:
            z: latents, [N, D].
            scale: the scale of each latent, [D], such as its standard deviation.
            rng: the source of directions, on the device of z.
        """
        shape = (self.draws, *z.shape)
        coins = torch.randint(2, shape, generator=rng, device=z.device)
        directions = [2 * coins.to(z.dtype) - 1]
        if self.normalised:
            directions.append(torch.randn(shape, generator=rng, device=z.device, dtype=z.dtype))
        steps = [self.epsilon * direction * scale for direction in directions]
        return torch.cat([z[None], *(part for h in steps for part in (z + h, z - h))])

    def __call__(self, values: Iterable[Tensor]) -> Tensor:
        """The penalty of each row of z, summed over functions and averaged over units, [N].

        Args:
            values: of each function, [P * N, ...], at the flattened probes.
        """
        return torch.stack([self._of_one(value) for value in values]).sum(0)

    def _of_one(self, values: Tensor) -> Tensor:
        """The penalty of one function, [N]."""
        signs = 2 if self.normalised else 1
        parts = values.unflatten(0, (1 + 2 * signs * self.draws, -1)).flatten(2)  # [P, N, unit]
        centre, around = parts[0], parts[1:].unflatten(0, (signs, 2, self.draws))
        curvature = (around[:, 0] - 2 * centre + around[:, 1]) / self.epsilon**2
        variance = curvature.var(1, correction=0).mean(2)  # [kind of direction, N]
        return variance[0] / (variance[1] + TINY) if self.normalised else variance[0]
