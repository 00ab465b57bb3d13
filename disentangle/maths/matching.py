"""Matching of factors with latents, one to one, by information from bins of equal count."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from disentangle.contracts.dataset import Index
from disentangle.contracts.source import Codes
from disentangle.maths.information import mutual_information

Numbers = NDArray[np.float64]


def equal_count_bins(x: Numbers, test_x: Numbers, bins: int) -> tuple[Index, Index]:
    """Discretise `x` [N] into bins of about equal count, and `test_x` [M] into the same bins.

    Equal values share a bin, that of the middle of their ranks. If `x` has no more values than
    `bins`, each has a bin of its own. The bins are numbered from 0 in the order of the values.
    """
    values, counts = np.unique(x, return_counts=True)
    lowest = values[np.unique(bins_of_values(counts, bins), return_index=True)[1]]
    binned, test_binned = (
        np.maximum(np.searchsorted(lowest, column, side="right") - 1, 0) for column in (x, test_x)
    )
    return binned, test_binned


def bins_of_values(counts: Index, bins: int) -> Index:
    """Return the bin, 0 to bins - 1, of each of some ordered values that come so often."""
    if len(counts) <= bins:
        return np.arange(len(counts))
    middle = np.cumsum(counts) - counts / 2
    numbers: Index = (middle * bins / counts.sum()).astype(np.int64)
    return numbers


def information_in_equal_bins(z: Codes, v: Index) -> Numbers:
    """Return I(z_i; v_k) in nats, [D, K], with as many bins of equal count as v_k has values."""
    factors = [np.unique(column, return_inverse=True) for column in v.T]
    information = np.empty((z.shape[1], v.shape[1]))
    for i, x in enumerate(z.T):
        _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
        for k, (values, y) in enumerate(factors):
            binned = bins_of_values(counts, len(values))[place]
            information[i, k] = mutual_information(binned[:, None], y[:, None])[0, 0]
    return information


def matched_latents(matrix: Numbers) -> Numbers:
    """Return the latent that is matched with each factor, [K], for the largest total of `matrix`.

    No latent is matched with two factors. With fewer latents than factors, some factors have none:
    NaN.

    Args:
        matrix: how well each latent suits each factor, [D, K].
    """
    latents = np.full(matrix.shape[1], np.nan)
    latent, factor = linear_sum_assignment(matrix, maximize=True)
    latents[factor] = latent
    return latents
