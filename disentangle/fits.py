"""Small fits by scikit-learn, as the reference protocols make them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


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
