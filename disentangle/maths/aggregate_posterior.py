"""The aggregate posterior q(z) = E_p(x)[q(z|x)], estimated from one batch.

Chen et al. (2018), https://arxiv.org/abs/1802.04942, appendix C.
"""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from disentangle.contracts.model import Posterior

Estimator = Literal["mws", "mss", "mss-as-released"]


class Densities(NamedTuple):
    """Log densities, [N] each: log q(z|x), log q(z), and the log of the product of the q(z_d)."""

    posterior: Tensor
    joint: Tensor
    product: Tensor


def log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return log N(z; mean, exp(log_variance)), elementwise with broadcasting."""
    square = (z - mean).square() * (-log_variance).exp()
    return -0.5 * (square + log_variance + math.log(2 * math.pi))


def log_prior(z: Tensor) -> Tensor:
    """Return log p(z) = log N(z; 0, I) of z [N, D], [N]."""
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)


def log_densities(q: Posterior, z: Tensor, log_weights: Tensor) -> Densities:
    """Return the log densities of z ~ q(z|x), one row per image.

    q(z_i) is sum_j w_ij q(z_i|x_j); in the product of marginals the weights enter each dimension.

    Args:
        q: the posteriors of a batch of N images.
        z: one sample of each posterior, [N, D].
        log_weights: log w_ij, [N, N]; see `log_weights`.
    """
    # [i, j, d] = log q(z_i,d | x_j)
    pairs = log_normal(z[:, None], q.mean[None], q.log_variance[None])
    return Densities(
        posterior=pairs.diagonal().sum(0),
        joint=(pairs.sum(2) + log_weights).logsumexp(1),
        product=(pairs + log_weights[:, :, None]).logsumexp(1).sum(1),
    )


def log_weights(
    batch: int, dataset: int, estimator: Estimator, device: torch.device | str = "cpu"
) -> Tensor:
    """Return log w_ij, [batch, batch], the weight of image j in the estimate of q(z_i).

    `mws` gives each image the weight 1 / (N B), a lower bound of the expected log. `mss` gives the
    image itself 1 / N, one other (N - M) / (N M) and the rest 1 / M, with M = B - 1, so that rows
    sum to 1. `mss-as-released` follows the authors' code, which strides by B where the diagonal
    needs B + 1 and so puts these weights into the first two columns.

    Args:
        batch: B, images in the batch; with one image, every estimator is `mws`.
        dataset: N, images in the training set.
        estimator: `mws`, `mss` or `mss-as-released`.
        device: device of the result.
    """
    if estimator == "mws" or batch < 2:
        return torch.full((batch, batch), -math.log(dataset * batch), device=device)
    others = batch - 1
    rest = (dataset - others) / (dataset * others)
    w = torch.full((batch, batch), 1 / others, device=device)
    i = torch.arange(batch, device=device)
    if estimator == "mss":
        w[i, i], w[i, (i + 1) % batch] = 1 / dataset, rest
    else:
        w[:, 0], w[:, 1] = 1 / dataset, rest
        w[others - 1, 0] = rest
    return w.log()


def covariance(z: Tensor) -> Tensor:
    """Return E[z z^T] - E[z] E[z]^T of z [N, D] over the batch, [D, D]."""
    centred = z - z.mean(0)
    return centred.T @ centred / len(z)


def off_diagonal(matrix: Tensor) -> Tensor:
    """Return a matrix [D, D] with zeros on its diagonal."""
    return matrix - matrix.diagonal().diag()
