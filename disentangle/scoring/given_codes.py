"""Given codes as those of a dataset's images: the user says so, and the factors must fit."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from disentangle.contracts.dataset import Dataset, Labelled
from disentangle.errors import UsageError
from disentangle.scoring.arrays import ArraySource, detached

Factors: TypeAlias = tuple[ArrayLike, ArrayLike | None, Sequence[str] | None]
"""Factors, those of a test set, and their names."""
OTHERWISE = "leave out the dataset if the codes are of other images"


def of_dataset(
    dataset: Dataset,
    factors: ArrayLike,
    test_factors: ArrayLike | None,
    names: Sequence[str] | None,
) -> Factors:
    """The columns of given factors that are a dataset's scored factors, in its order.

    Args:
        dataset: the dataset or view that the codes are of.
        factors: the given factors, [N, K].
        test_factors: those of the test set.
        names: the names of the columns; without names they must be the factors in order.

    Raises:
        UsageError: the dataset has no factors, or the columns are not its factors.
    """
    if not isinstance(dataset, Labelled):
        raise UsageError(f"dataset '{dataset.name}' has no factors; {OTHERWISE}")
    expected = list(dataset.factors)
    array = np.asarray(detached(factors))
    test = None if test_factors is None else np.asarray(detached(test_factors))
    columns = array.shape[1:]
    if names is None and columns == (len(expected),):
        names = expected
    given = list(map(str, names or ()))
    malformed = len(columns) != 1 or (test is not None and test.shape[1:] != columns)
    if malformed or (given and (len(given),) != columns):
        return factors, test_factors, names  # `array_source` refuses them
    if not set(expected) <= set(given):
        got = ", ".join(given) or f"{columns[0]} columns without names"
        raise UsageError(
            f"expected the factors of '{dataset.name}' ({', '.join(expected)}), got {got}; "
            f"{OTHERWISE}"
        )
    order = [given.index(name) for name in expected]
    return array[:, order], None if test is None else test[:, order], expected


def check_sizes(source: ArraySource, dataset: Dataset) -> None:
    """Raise a UsageError if a given factor has more values than the dataset's."""
    assert isinstance(dataset, Labelled)
    for name, values in source.dataset.values.items():
        if len(values) > dataset.factors[name]:
            raise UsageError(
                f"expected at most {dataset.factors[name]} values of '{name}', as in "
                f"'{dataset.name}', got {len(values)}; {OTHERWISE}"
            )
