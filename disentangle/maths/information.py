"""Entropy, mutual information and gaps of discrete variables: plug-in estimates in nats."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle.contracts.dataset import Index
from disentangle.errors import Unavailable, UsageError

BLOCK = 2**18
"""Pairs of values counted at once, and cells of the tables that hold the counts: 2 MiB each."""


def discretise(codes: ArrayLike, bins: int) -> Index:
    """Discretise each column of `codes` [N, D] into equal-width bins, numbered from 0.

    The edges are NumPy's histogram edges, with the last bin closed on the right. A constant column
    c gets the range c - 0.5 to c + 0.5, and so a single bin.

    Raises:
        UsageError: `bins` is not a positive whole number.
        Unavailable: a column's range is not a finite number.
    """
    if bins < 1 or bins != int(bins):
        raise UsageError(f"bins must be a whole number, at least 1; got {bins}")
    codes = np.asarray(codes, dtype=np.float64)
    # Column by column in memory, as the result is read that way.
    binned = np.zeros(codes.shape[::-1], dtype=np.int64)
    for d, column in enumerate(codes.T):
        x = np.ascontiguousarray(column)
        low, high = x.min(), x.max()
        with np.errstate(over="ignore", invalid="ignore"):
            spread = high - low
        if not np.isfinite(spread):
            raise Unavailable(f"cannot bin z{d}: its range is not finite")
        if spread == 0:
            low, high = low - 0.5, high + 0.5
        edges = np.linspace(low, high, bins + 1)
        if not (edges[1:] > edges[:-1]).all():  # constant up to rounding
            continue
        # The quotient is at most one bin off; the edges correct it.
        bin_index = np.minimum((x - low) / (high - low) * bins, bins - 1).astype(np.int64)
        bin_index -= x < edges[bin_index]
        bin_index += (x >= edges[bin_index + 1]) & (bin_index < bins - 1)
        binned[d] = bin_index
    return binned.T


def joint(a: Index, b: Index) -> NDArray[np.int64]:
    """Return the table of counts of two variables [N], numbered from 0."""
    rows, columns = int(a.max()) + 1, int(b.max()) + 1
    counts: NDArray[np.int64] = np.bincount(a * columns + b, minlength=rows * columns)
    return counts.reshape(rows, columns)


def entropy(counts: ArrayLike) -> float:
    """Return the entropy of the distribution with these counts."""
    return float(_entropies(np.ravel(counts)))


def entropies(variables: Index) -> NDArray[np.float64]:
    """Return the entropy of each column of `variables` [N, K], [K]."""
    return np.array([entropy(np.bincount(column)) for column in variables.T])


def mutual_information(a: Index, b: Index) -> NDArray[np.float64]:
    """Return I(a_i; b_k) for all columns of `a` [N, D] and `b` [N, K], [D, K]."""
    information = entropies(a)[:, None] + entropies(b)[None, :] - _joint_entropies(a, b)
    return np.maximum(information, 0.0)


def gaps(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return the difference of the two largest entries of each column of `matrix` [D, K], [K].

    With a single row, the second largest entry counts as 0.
    """
    m = np.asarray(matrix, dtype=np.float64)
    m = np.sort(np.vstack([np.zeros_like(m[:1]), m]) if len(m) == 1 else m, axis=0)
    top: NDArray[np.float64] = m[-1] - m[-2]
    return top


def _joint_entropies(a: Index, b: Index) -> NDArray[np.float64]:
    """Return H(a_i, b_k) for all pairs of columns, [D, K], in memory independent of D and K.

    As many columns of `a` are counted at once as fit into a block.
    """
    n, size = len(a), int(a.max()) + 1
    columns = np.ascontiguousarray(a.T, dtype=np.int64)
    joint_entropy = np.empty((a.shape[1], b.shape[1]))
    for k, other in enumerate(np.ascontiguousarray(b.T, dtype=np.int64)):
        width = int(other.max()) + 1
        cells = size * width
        sparse = cells > BLOCK + 4 * n
        step = 1 if sparse else max(1, BLOCK // max(n, cells))
        offset = np.arange(min(step, len(columns)))[:, None] * cells
        for i in range(0, len(columns), step):
            pair = columns[i : i + step] * width  # [i, n]
            pair += other
            if sparse:
                joint_entropy[i, k] = entropy(np.unique(pair, return_counts=True)[1])
                continue
            pair += offset[: len(pair)]
            counts = np.bincount(pair.ravel(), minlength=len(pair) * cells)
            joint_entropy[i : i + step, k] = _entropies(counts.reshape(len(pair), cells))
    return joint_entropy


def _entropies(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the entropy of each row of counts, [..., cells] to [...]."""
    p = counts / counts.sum(axis=-1, keepdims=True)
    h: NDArray[np.float64] = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)
    return h
