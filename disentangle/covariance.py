"""Covariances of latents over a batch."""

from torch import Tensor


def covariance(z: Tensor) -> Tensor:
    """Return E[z z^T] - E[z] E[z]^T of z [N, D] over the batch, [D, D]."""
    centred = z - z.mean(0)
    return centred.T @ centred / len(z)


def off_diagonal(matrix: Tensor) -> Tensor:
    """Return a matrix [D, D] with zeros on its diagonal."""
    return matrix - matrix.diagonal().diag()
