"""Entropy and mutual information of discrete variables, plug-in estimates in nats; and gaps."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle.dataset import Index
from disentangle.errors import Unavailable


def discretise(codes: ArrayLike, bins: int) -> Index:
    """Return each column of `codes` [N, D] cut into equal-width bins, numbered from 0.

    The edges are NumPy's histogram edges, the last bin closed on the right; a constant column gets
    the range c - 0.5 to c + 0.5.

    Raises:
        Unavailable: a column's range is not a finite number.
    """
    codes = np.asarray(codes, dtype=np.float64)
    binned = np.empty(codes.shape, dtype=np.int64)
    for d in range(codes.shape[1]):
        with np.errstate(over="ignore"):
            spread = np.ptp(codes[:, d])
        if not np.isfinite(spread):
            raise Unavailable(f"latent {d} spreads too far to be cut into bins")
        try:
            edges = np.histogram_bin_edges(codes[:, d], bins)
        except ValueError:  # constant, but for rounding
            binned[:, d] = 0
            continue
        binned[:, d] = np.digitize(codes[:, d], edges[:-1]) - 1
    return binned


def joint(a: Index, b: Index) -> NDArray[np.int64]:
    """Return the table of counts of two variables [N], numbered from 0."""
    rows, columns = int(a.max()) + 1, int(b.max()) + 1
    counts: NDArray[np.int64] = np.bincount(a * columns + b, minlength=rows * columns)
    return counts.reshape(rows, columns)


def entropy(counts: ArrayLike) -> float:
    """Return the entropy of the distribution that these counts make."""
    p = np.asarray(counts, dtype=np.float64).ravel()
    p = p[p > 0] / p.sum()
    return float(-(p * np.log(p)).sum())


def entropies(variables: Index) -> NDArray[np.float64]:
    """Return the entropy of each column of `variables` [N, K], [K]."""
    return np.array([entropy(np.bincount(column)) for column in variables.T])


def mutual_information(a: Index, b: Index) -> NDArray[np.float64]:
    """Return I(a_i; b_k) for all columns of `a` [N, D] and `b` [N, K], as [D, K]."""
    h_a, h_b = entropies(a), entropies(b)
    h_ab = np.array([[entropy(joint(x, y)) for y in b.T] for x in a.T])
    information: NDArray[np.float64] = h_a[:, None] + h_b[None, :] - h_ab
    return np.maximum(information, 0.0)


def gaps(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return by how much the largest entry of each column of [D, K] exceeds the next, [K].

    Where there is one row, the next counts as 0.
    """
    m = np.asarray(matrix, dtype=np.float64)
    m = np.sort(np.vstack([np.zeros_like(m[:1]), m]) if len(m) == 1 else m, axis=0)
    top: NDArray[np.float64] = m[-1] - m[-2]
    return top
