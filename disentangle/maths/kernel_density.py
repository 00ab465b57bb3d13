"""Kernel estimates of the densities of a batch of latents, as in Hsu et al. (2024).

https://arxiv.org/abs/2404.10282
"""

import math

from torch import Tensor

from disentangle.maths.aggregate_posterior import log_normal


def kernel_multi_information(z: Tensor, scale: Tensor) -> Tensor:
    """Estimate log q(z) - sum_d log q(z_d) of each row by Gaussian kernels on all rows, [N].

    Its mean over rows estimates the multi-information (total correlation) of the latents, in nats.
    Both densities are smoothed: q(z) by kernels of `silverman` times the scale, each q(z_d) by
    kernels of the scale itself, as in the authors' code. So the mean is biased upwards, for
    Gaussian latents by (ln 2 - 1/2) / 2 = 0.1 nats per latent: read it as a penalty.

    Args:
        z: latents, [N, D].
        scale: the standard deviation of each latent, [D], above 0.
    """
    # [i, j, d] = log of the kernel of z_j,d at z_i,d
    n, latents = z.shape
    log_variance = 2 * scale.log()
    bandwidth = log_variance + 2 * math.log(silverman(n, latents))
    joint = log_normal(z[:, None], z[None], bandwidth).sum(2).logsumexp(1) - math.log(n)
    marginal = log_normal(z[:, None], z[None], log_variance).logsumexp(1) - math.log(n)
    return joint - marginal.sum(1)


def silverman(n: int, dimensions: int) -> float:
    """Silverman's factor: the bandwidth for n points of a Gaussian, in standard deviations."""
    return float((4 / (dimensions + 2) / n) ** (1 / (dimensions + 4)))
