"""Helpers for metrics that fit a classifier to each factor."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.device import cores
from disentangle.contracts.dataset import Index
from disentangle.contracts.source import Codes
from disentangle.errors import Unavailable

Numbers = NDArray[np.float64]


@contextmanager
def small_fit() -> Iterator[None]:
    """Within the block, fit on one thread, and do not warn if a fit stops at its iteration limit.

    Small fits gain little from a second thread, which makes them nine times slower beside another
    busy process. The reference implementations stop early too, and scores should match theirs.
    """
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        yield


def standardised(z: Codes, test_z: Codes) -> tuple[Numbers, Numbers]:
    """Standardise `z` and `test_z` by the mean and deviation of `z`; constant latents become 0."""
    middle, scale = z.mean(axis=0), z.std(axis=0)
    scale = np.where((np.ptp(z, axis=0) > 0) & (scale > 0), scale, np.inf)
    return (z - middle) / scale, (test_z - middle) / scale


def prevalence(v: Index) -> NDArray[np.float64]:
    """Return the share of the most common value of each factor of labels v [N, K], [K]."""
    return np.array([np.unique(values, return_counts=True)[1].max() for values in v.T]) / len(v)


def varying_factors(*labels: NDArray[Any]) -> Index:
    """Return the columns of the factors that vary in each of several arrays [N, K].

    Raises:
        Unavailable: no factor varies.
    """
    varying = np.flatnonzero(np.all([np.ptp(v, axis=0) > 0 for v in labels], axis=0))
    if not len(varying):
        raise Unavailable("every factor is constant in these samples")
    return varying


def threads() -> ThreadPoolExecutor:
    """Make a pool with one thread per core that this process may use."""
    return ThreadPoolExecutor(cores())


def each_varying_factor(fit: Callable[[int], object], *labels: Index) -> None:
    """Call `fit(k)` for each varying factor k, in threads, factors with most values first.

    Args:
        fit: fits a probe to one factor and stores the result.
        labels: arrays [N, K]; a factor has to vary in each. The first one is fitted to.

    Raises:
        Unavailable: every factor is constant.
    """
    varying = varying_factors(*labels)
    values = {int(k): len(np.unique(labels[0][:, k])) for k in varying}
    with threads() as pool:
        list(pool.map(fit, sorted(values, key=lambda k: -values[k])))
