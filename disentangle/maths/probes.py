"""What metrics share that fit a classifier to each factor."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.device import cores
from disentangle.contracts.dataset import Index
from disentangle.contracts.source import Codes
from disentangle.errors import Unavailable

Numbers = NDArray[np.float64]


@contextmanager
def small_fit() -> Iterator[None]:
    """Fit within the block on one thread, and take what there is after the iterations allowed.

    Fits this small gain little from a second thread, and beside another busy process its waiting
    makes them nine times slower. The references stop early too, and scores are compared with
    theirs.
    """
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        yield


def standardised(z: Codes, test_z: Codes) -> tuple[Numbers, Numbers]:
    """Return codes shifted and scaled to mean 0 and deviation 1 over `z`; constant ones are 0."""
    middle, scale = z.mean(axis=0), z.std(axis=0)
    scale = np.where((np.ptp(z, axis=0) > 0) & (scale > 0), scale, np.inf)
    return (z - middle) / scale, (test_z - middle) / scale


def varying_factors(*labels: Index) -> Index:
    """Return the factors that vary in each of several arrays of labels [N, K], by column.

    Raises:
        Unavailable: none does.
    """
    varying = np.flatnonzero(np.all([np.ptp(v, axis=0) > 0 for v in labels], axis=0))
    if not len(varying):
        raise Unavailable("every factor is constant in these samples")
    return varying


def threads() -> ThreadPoolExecutor:
    """Make a pool of one thread for each core that this process may use."""
    return ThreadPoolExecutor(cores())


def each_varying_factor(fit: Callable[[int], object], *labels: Index) -> None:
    """Call `fit(k)` for each factor k that varies, in threads, those with most values first.

    Args:
        fit: fits to one factor, and keeps what it finds.
        labels: [N, K]; a factor is to vary in each. The first has the values that are fitted to.

    Raises:
        Unavailable: every factor is constant.
    """
    varying = varying_factors(*labels)
    values = {int(k): len(np.unique(labels[0][:, k])) for k in varying}
    with threads() as pool:
        list(pool.map(fit, sorted(values, key=lambda k: -values[k])))
