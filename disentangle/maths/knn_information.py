"""Mutual information of real and discrete variables, in nats, by nearest neighbours.

Ross (2014), https://doi.org/10.1371/journal.pone.0087357, for a real and a discrete variable, and
Kraskov et al. (2004), https://doi.org/10.1103/PhysRevE.69.066138, for two real ones, both as
implemented in scikit-learn.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.special import digamma

from disentangle.contracts.dataset import Index
from disentangle.contracts.source import Codes
from disentangle.maths.probes import standardised

Numbers = NDArray[np.float64]
NOISE = 1e-10
"""Standard deviation of the noise that tells equal values apart, in those of their column."""


def knn_mutual_information(
    z: Codes, v: Index, rng: np.random.Generator, neighbours: int = 3
) -> Numbers:
    """Return I(z_i; v_k) by nearest neighbours, [D, K], as in Ross (2014) and scikit-learn.

    The estimate is max(0, psi(N) + mean(psi(n) - psi(N_y) - psi(m))), where N_y is the number of
    images with the same label, and m the number of codes, including itself, that are nearer than
    the n-th nearest code with the same label.

    Args:
        z: codes, [N, D].
        v: labels, [N, K]; images with a unique label are left out.
        rng: draws noise of 1e-10 of each latent's standard deviation, so that no codes are equal.
        neighbours: n, or N_y - 1 if that is smaller.
    """
    x = standardised(z, z)[0]
    information = np.empty((z.shape[1], v.shape[1]))
    for k, y in enumerate(v.T):
        for i, column in enumerate(x.T):
            noisy = column + NOISE * rng.standard_normal(len(x))
            order = np.argsort(noisy)
            information[i, k] = _information(noisy[order], y[order], neighbours)
    return information


def ksg_mutual_information(
    z: Codes, v: Numbers, rng: np.random.Generator, neighbours: int = 3
) -> Numbers:
    """Return I(z_i; v_k) of real variables, [D, K]: Kraskov et al. (2004), first estimator.

    The estimate is max(0, psi(N) + psi(n) - mean(psi(m_z) + psi(m_v))), where m_z is the number of
    values of the latent, including itself, that are nearer than the n-th nearest point (z_i, v_k),
    by the larger of the two differences in units of standard deviations; and m_v that of values of
    the factor. It is never infinite: of a variable and itself it is psi(N) - psi(n + 1).

    Args:
        z: codes, [N, D].
        v: values, [N, K].
        rng: draws noise of 1e-10 of each column's standard deviation, so that no values are equal.
        neighbours: n, or N - 1 if that is smaller.
    """
    size, n = len(z), min(neighbours, len(z) - 1)
    latents, factors = (
        [Sorted(column + NOISE * rng.standard_normal(size)) for column in standardised(a, a)[0].T]
        for a in (z, v)
    )
    information = np.zeros((len(latents), len(factors)))
    if not n:
        return information
    for i, x in enumerate(latents):
        for k, y in enumerate(factors):
            points = np.column_stack([x.values, y.values])
            farthest = KDTree(points).query(points, k=n + 1, p=np.inf)[0][:, n]
            radius = np.nextafter(farthest, 0)
            nearer = digamma(x.nearer(radius)) + digamma(y.nearer(radius))
            information[i, k] = digamma(size) + digamma(n) - nearer.mean()
    return np.maximum(information, 0.0)


class Sorted:
    """Values of a variable [N], and their order."""

    def __init__(self, values: Numbers) -> None:
        self.values, self.order = values, np.argsort(values)
        self.ascending = values[self.order]

    def nearer(self, radius: Numbers) -> Index:
        """Count the values, each itself included, within the radius [N] of each, [N]."""
        counts = np.empty(len(radius), np.int64)
        counts[self.order] = _around(self.ascending, radius[self.order])
        return counts


def _information(x: Numbers, y: Index, neighbours: int) -> float:
    """Return the estimate for sorted x [N] and y [N]."""
    size = np.bincount(y)[y]
    x, y, size = x[size > 1], y[size > 1], size[size > 1]
    if not len(x):
        return 0.0
    by_label = np.argsort(y, kind="stable")
    same, label = x[by_label], y[by_label]
    n = np.minimum(neighbours, size[by_label] - 1)
    below = np.full((neighbours + 1, len(x)), np.inf)  # [j] = how far the j-th neighbour is
    above = below.copy()
    below[0] = above[0] = 0.0
    for j in range(1, neighbours + 1):
        step = np.where(label[j:] == label[:-j], same[j:] - same[:-j], np.inf)
        below[j, j:], above[j, : len(step)] = step, step
    radius = np.empty(len(x))
    for few in np.unique(n):  # of the nearest, j are below and the others above
        nearest = np.maximum(below[: few + 1], above[few::-1]).min(axis=0)
        radius[by_label[n == few]] = np.nextafter(nearest[n == few], 0)
    m = _around(x, radius)
    information = digamma(len(x)) + digamma(n).mean() - (digamma(size) + digamma(m)).mean()
    return max(0.0, float(information))


def _around(x: Numbers, radius: Numbers) -> Index:
    """Count the values, each itself included, within the radius [N] of each of sorted x [N]."""
    return 1 + _within(x, radius) + _within(-x[::-1], radius[::-1])[::-1]


def _within(x: Numbers, radius: Numbers) -> Index:
    """Count the values above each of sorted x [N] that are within its radius [N]."""
    rank = np.arange(len(x))
    last = np.maximum(np.searchsorted(x, x + radius, "right") - 1, rank)
    while (over := x[last] - x > radius).any():  # x + radius was rounded
        last -= over
    after = np.minimum(last + 1, len(x) - 1)
    while (short := (after > last) & (x[after] - x <= radius)).any():
        last += short
        after = np.minimum(last + 1, len(x) - 1)
    return last - rank
