"""Arrays or tensors in, floats out: what the functions of metrics accept and return."""

import math
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle.contracts.dataset import Index
from disentangle.contracts.metric import Detail, Scores
from disentangle.contracts.source import Codes
from disentangle.errors import Unavailable, UsageError


@overload
def codes_and_labels(z: ArrayLike, v: ArrayLike, /) -> tuple[Codes, Index]: ...


@overload
def codes_and_labels(
    z: ArrayLike, v: ArrayLike, test_z: ArrayLike, test_v: ArrayLike, /
) -> tuple[Codes, Index, Codes, Index]: ...


def codes_and_labels(*arrays: ArrayLike) -> Any:
    """Convert codes [N, D] and labels [N, K], and another such pair, from arrays or tensors.

    The labels of a factor are numbered from 0 in their order, in both pairs alike.

    Raises:
        UsageError: an array has another shape, codes are not finite, or labels are not whole
            numbers.
    """
    converted: list[NDArray[Any]] = []
    for z, v in zip(arrays[::2], arrays[1::2], strict=True):
        codes, values = codes_and_values(z, v)
        labels = np.rint(values).astype(np.int64)
        if (values != labels).any():
            raise UsageError(
                "labels must be whole numbers: number the values of a factor by "
                "`numpy.unique(values, return_inverse=True)[1]`"
            )
        converted += [codes, labels]
    converted[1::2] = numbered(*converted[1::2])
    return tuple(converted)


def numbered(*labels: Index) -> list[Index]:
    """Number the values of each factor of labels [N, K], [M, K], ... from 0, in their order."""
    every = np.concatenate(labels)
    numbers = [np.unique(column, return_inverse=True)[1] for column in every.T]
    sections = np.cumsum([len(part) for part in labels])[:-1]
    return np.split(np.stack(numbers, axis=1), sections)


def codes_and_values(z: ArrayLike, v: ArrayLike) -> tuple[Codes, NDArray[np.float64]]:
    """Convert codes [N, D] and the values of factors [N, K] from arrays or tensors.

    Raises:
        UsageError: an array has another shape or is not finite.
    """
    codes, values = finite_array(z), finite_array(v)
    if len(codes) != len(values):
        raise UsageError(
            f"expected as many rows of factors as of codes, {len(codes)}, got {len(values)}"
        )
    return codes, values


def floats(scores: Scores) -> dict[str, float]:
    """The values of scores, without details; NaN for a score that cannot be computed."""
    return {
        name: math.nan if isinstance(score, Unavailable) else float(score)
        for name, score in scores.items()
        if not isinstance(score, Detail)
    }


def finite_array(array: Any, expected: str = "codes [N, D] and factors [N, K]") -> Codes:
    """Convert an array or tensor of two axes to float64.

    Args:
        array: the array or tensor.
        expected: what it is, for the message.

    Raises:
        UsageError: it has another shape, or does not consist of finite numbers.
    """
    if hasattr(array, "detach"):
        array = array.detach().cpu()
    x = np.asarray(array)
    if x.ndim != 2 or 0 in x.shape:
        raise UsageError(f"expected {expected}, got {list(x.shape)}")
    if x.dtype.kind not in "fiub":
        hint = ""
        if x.dtype.kind in "UOS":
            hint = ": number words by `numpy.unique(values, return_inverse=True)[1]`"
        raise UsageError(f"expected numbers, got {x.dtype}{hint}")
    x = x.astype(np.float64)
    if not np.isfinite(x).all():
        raise UsageError("expected finite numbers, got NaN or infinity")
    return x
