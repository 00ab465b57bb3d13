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
    As a(z) does not change a variance over draws, it is not needed.

    Evaluate the functions at all `probes` in one batch, then call the penalty on their values:

        probes = penalty.probes(z, scale, rng)
        loss = penalty([a(probes)])

    Attributes:
        draws: k, the directions over which a variance is taken, at least 2; there are 4 k probes of
            each row of z, or 2 k if not normalised.
        epsilon: the size of steps, in scales.
        normalised: divide by the whole Hessian.
    """

    draws: int = 2
    epsilon: float = 0.1
    normalised: bool = True

    def probes(self, z: Tensor, scale: Tensor, rng: torch.Generator) -> Tensor:
        """The points z + h and z - h at which to evaluate functions, [P * N, D].

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
        return torch.cat([part for h in steps for part in (z + h, z - h)]).flatten(0, 1)

    def __call__(self, values: Iterable[Tensor]) -> Tensor:
        """The penalty of each row of z, summed over functions and averaged over units, [N].

        Args:
            values: of each function, [P * N, ...], at the probes.
        """
        return torch.stack([self._of_one(value) for value in values]).sum(0)

    def _of_one(self, values: Tensor) -> Tensor:
        """The penalty of one function, [N]."""
        # [kind of direction, +h or -h, draw, n, ...]; torch.var over few draws is very slow
        kinds = 2 if self.normalised else 1
        parts = values.reshape(kinds, 2, self.draws, -1, *values.shape[1:])
        sums = parts.sum(1)
        squares = (sums - sums.mean(1, keepdim=True)).square()
        variance: Tensor = squares.mean((1, *range(3, squares.ndim))) / self.epsilon**4
        return variance[0] / (variance[1] + TINY) if self.normalised else variance[0]
