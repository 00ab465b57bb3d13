"""Entropy and mutual information of discrete variables, plug-in estimates in nats; and gaps."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle.contracts.dataset import Index
from disentangle.errors import Unavailable

BLOCK = 2**18
"""Pairs of values that are counted at once, and cells that are counted into: about 2 MiB each."""


def discretise(codes: ArrayLike, bins: int) -> Index:
    """Return each column of `codes` [N, D] cut into equal-width bins, numbered from 0.

    The edges are NumPy's histogram edges, the last bin closed on the right; a constant column gets
    the range c - 0.5 to c + 0.5, and falls into one bin.

    Raises:
        Unavailable: a column's range is not a finite number.
    """
    codes = np.asarray(codes, dtype=np.float64)
    # The result lies column by column, which is how it is read.
    binned = np.zeros(codes.shape[::-1], dtype=np.int64)
    for d, column in enumerate(codes.T):
        x = np.ascontiguousarray(column)
        low, high = x.min(), x.max()
        with np.errstate(over="ignore", invalid="ignore"):
            spread = high - low
        if not np.isfinite(spread):
            raise Unavailable(f"latent {d} spreads too far to be cut into bins")
        if spread == 0:
            low, high = low - 0.5, high + 0.5
        edges = np.linspace(low, high, bins + 1)
        if not (edges[1:] > edges[:-1]).all():  # constant, but for rounding
            continue
        # The quotient is at most one bin off, which the edges then tell.
        place = np.minimum((x - low) / (high - low) * bins, bins - 1).astype(np.int64)
        place -= x < edges[place]
        place += (x >= edges[place + 1]) & (place < bins - 1)
        binned[d] = place
    return binned.T


def joint(a: Index, b: Index) -> NDArray[np.int64]:
    """Return the table of counts of two variables [N], numbered from 0."""
    rows, columns = int(a.max()) + 1, int(b.max()) + 1
    counts: NDArray[np.int64] = np.bincount(a * columns + b, minlength=rows * columns)
    return counts.reshape(rows, columns)


def entropy(counts: ArrayLike) -> float:
    """Return the entropy of the distribution that these counts make."""
    return float(_entropies(np.ravel(counts)))


def entropies(variables: Index) -> NDArray[np.float64]:
    """Return the entropy of each column of `variables` [N, K], [K]."""
    return np.array([entropy(np.bincount(column)) for column in variables.T])


def mutual_information(a: Index, b: Index) -> NDArray[np.float64]:
    """Return I(a_i; b_k) for all columns of `a` [N, D] and `b` [N, K], as [D, K]."""
    information = entropies(a)[:, None] + entropies(b)[None, :] - _joint_entropies(a, b)
    return np.maximum(information, 0.0)


def gaps(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return by how much the largest entry of each column of [D, K] exceeds the next, [K].

    Where there is one row, the next counts as 0.
    """
    m = np.asarray(matrix, dtype=np.float64)
    m = np.sort(np.vstack([np.zeros_like(m[:1]), m]) if len(m) == 1 else m, axis=0)
    top: NDArray[np.float64] = m[-1] - m[-2]
    return top


def _joint_entropies(a: Index, b: Index) -> NDArray[np.float64]:
    """Return H(a_i, b_k) for all pairs of columns, [D, K], in memory that does not grow with D K.

    One count serves as many columns of `a` as fit into a block.
    """
    n, size = len(a), int(a.max()) + 1
    columns = np.ascontiguousarray(a.T, dtype=np.int64)
    found = np.empty((a.shape[1], b.shape[1]))
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
                found[i, k] = entropy(np.unique(pair, return_counts=True)[1])
                continue
            pair += offset[: len(pair)]
            counts = np.bincount(pair.ravel(), minlength=len(pair) * cells)
            found[i : i + step, k] = _entropies(counts.reshape(len(pair), cells))
    return found


def _entropies(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the entropy of each row of counts, [..., cells] to [...]."""
    p = counts / counts.sum(axis=-1, keepdims=True)
    h: NDArray[np.float64] = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)
    return h
