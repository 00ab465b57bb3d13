"""Given codes as those of a dataset's images: the user says so, and the factors must fit."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle.contracts.dataset import Dataset, Labelled
from disentangle.data.factor_values import known_kinds
from disentangle.errors import UsageError
from disentangle.scoring.arrays import ArraySource, detached

Factors: TypeAlias = tuple[ArrayLike, ArrayLike | None, Sequence[str] | None]
"""Factors, those of a test set, and their names."""
Columns: TypeAlias = ArrayLike | Mapping[str, ArrayLike]
"""Factors as an array [N, K], or as named columns [N]: a mapping or a data frame."""
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


def kinds_of(
    dataset: Dataset, kinds: Mapping[str, str], names: Sequence[str] | None
) -> dict[str, str]:
    """The kinds of a dataset's scored factors: those given, else those of its real numbers.

    Given codes may be of few of the images, so a factor of real numbers is one for these too.

    Args:
        dataset: the dataset or view that the codes are of.
        kinds: the given kinds, also of factors that are not scored.
        names: the names of all given factors; None if they are the scored ones in order.

    Raises:
        UsageError: a kind is none or of no factor.
    """
    if not isinstance(dataset, Labelled):
        return {}  # `of_dataset` refuses it
    try:
        known_kinds(kinds, names or list(dataset.factors))
    except ValueError as error:
        raise UsageError(f"factors: {error}") from None
    own = {name: dataset.kinds[name] for name in dataset.real_factors}
    return own | {name: kind for name, kind in kinds.items() if name in dataset.factors}


def unframed(
    factors: Columns, test_factors: Columns | None, names: Sequence[str] | None
) -> Factors:
    """Factors as arrays [N, K], with the names of their columns if they come with names.

    Args:
        factors: an array, a mapping of names to columns, or a data frame.
        test_factors: those of a test set, of the same columns in any order.
        names: the names of an array's columns.

    Raises:
        UsageError: the columns differ in length, lack in the test set, or are named twice.
    """
    columns = named_columns(factors)
    if columns is None:
        test = None if test_factors is None else named_columns(test_factors)
        if test is not None:
            raise UsageError("test_factors have named columns, so name those of factors too")
        return factors, test_factors, names  # type: ignore[return-value]
    if names is not None:
        raise UsageError("the columns of factors have names; leave out names")
    chosen = list(columns)
    if test_factors is None:
        return stacked(columns, chosen, "factors"), None, chosen
    test = named_columns(test_factors)
    if test is None or set(test) != set(chosen):
        got = "an array" if test is None else ", ".join(test)
        raise UsageError(f"expected test_factors with columns {', '.join(chosen)}, got {got}")
    return (
        stacked(columns, chosen, "factors"),
        stacked(test, chosen, "test_factors"),
        chosen,
    )


def named_columns(factors: Any) -> dict[str, NDArray[Any]] | None:
    """The columns of a mapping or data frame by name; None for an array."""
    if isinstance(factors, Mapping):
        return {str(name): np.asarray(detached(column)) for name, column in factors.items()}
    if hasattr(factors, "columns") and hasattr(factors, "__getitem__"):
        return {str(name): np.asarray(factors[name]) for name in factors.columns}
    return None


def stacked(columns: Mapping[str, NDArray[Any]], names: Sequence[str], what: str) -> NDArray[Any]:
    """Columns as one array of objects [N, K], each entry as it was.

    Raises:
        UsageError: a column is no column, or has another length.
    """
    rows = {len(column) if column.ndim == 1 else -1 for column in columns.values()}
    if len(rows) != 1 or -1 in rows:
        shapes = ", ".join(f"{name} {list(column.shape)}" for name, column in columns.items())
        raise UsageError(f"expected columns [N] of {what}, all of the same length; got {shapes}")
    array = np.empty((rows.pop(), len(names)), object)
    for k, name in enumerate(names):
        array[:, k] = columns[name]
    return array


def check_sizes(source: ArraySource, dataset: Dataset) -> None:
    """Raise a UsageError if a given factor has more values than the dataset's."""
    assert isinstance(dataset, Labelled)
    for name, values in source.dataset.values.items():
        if name not in dataset.real_factors and len(values) > dataset.factors[name]:
            raise UsageError(
                f"expected at most {dataset.factors[name]} values of '{name}', as in "
                f"'{dataset.name}', got {len(values)}; {OTHERWISE}"
            )
