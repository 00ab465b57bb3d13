"""Codes and factors as bare arrays, made by anybody: a source that metrics read like a run's."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle.contracts.dataset import Index, Labelled
from disentangle.contracts.source import Codes, Source
from disentangle.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from torch import Tensor


FARTHEST = 1e100
"""Codes up to this, and down to its inverse, can be squared without overflow."""


class ArrayDataset(Labelled):
    """Labels without images, for codes that somebody else made."""

    image_shape = (0, 0, 0)
    fingerprint = ""
    source = "arrays"
    name = "the arrays"

    def __init__(self, labels: Index, names: Sequence[str], sizes: Sequence[int]) -> None:
        self._labels = labels
        self.every_factor = dict(zip(names, sizes, strict=True))

    def __len__(self) -> int:
        return len(self._labels)

    def images(self, index: ArrayLike) -> "Tensor":
        """Refuse: there are no images."""
        raise Unavailable("bare codes come without images")

    def every_label(self, index: ArrayLike) -> Index:
        """Return the labels at `index`, [N, K]."""
        return self._labels[self._index(index)]


class ArraySource(Source[Labelled]):
    """Bare arrays of codes and factors; a test set of its own where one is given."""

    dataset: ArrayDataset

    def __init__(
        self, codes: Codes, dataset: ArrayDataset, test: "ArraySource | None" = None
    ) -> None:
        self._codes, self.dataset, self.test = codes, dataset, test

    @property
    def latents(self) -> int:
        """Return the number of columns of the codes."""
        return int(self._codes.shape[1])

    @property
    def digest(self) -> str:
        """Return what tells these arrays from others, for a record."""
        sha256 = hashlib.sha256()
        rows = [self, *([self.test] if self.test else [])]
        for array in [a for source in rows for a in (source._codes, source.dataset._labels)]:
            sha256.update(f"{array.shape} {array.dtype}".encode())
            sha256.update(np.ascontiguousarray(array).data)
        return f"codes {sha256.hexdigest()[:16]}"

    def codes(self, index: Index) -> Codes:
        """Return the codes at `index`, [N, D]."""
        return self._codes[index]

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Refuse: bare codes have no posterior."""
        raise Unavailable("bare codes come without a posterior")

    def fit_test(
        self, n: int, m: int, rng: np.random.Generator
    ) -> tuple[Source[Labelled], Source[Labelled]]:
        """Return the rows to fit on, and the test set, which is these rows where none was given."""
        if self.test is not None and m:
            return ArraySource(self._codes, self.dataset), self.test
        return super().fit_test(n, m, rng)

    def train_test(
        self: Any, n: int, m: int, rng: np.random.Generator
    ) -> tuple[Codes, Index, Codes, Index]:
        """Return rows as they are, each once; a random part of them where more than n + m are.

        Without a test set, rows that are to serve for both are dealt out in the ratio n : m.
        """
        if self.test is not None and m:
            z, v, _, _ = ArraySource(self._codes, self.dataset).train_test(n, 0, rng)
            test_z, test_v, _, _ = self.test.train_test(m, 0, rng)
            return z, v, test_z, test_v
        rows = np.arange(len(self))
        if len(rows) > n + m or m:
            rows = rng.permutation(rows)[: n + m]
        first = min(n, len(rows) if not m else max(1, round(len(rows) * n / (n + m))))
        if m and first == len(rows):
            raise Unavailable(f"{len(rows)} rows are too few to fit on some and test on others")
        train, test = np.sort(rows[:first]), np.sort(rows[first:])
        return self.codes(train), self.labels(train), self.codes(test), self.labels(test)


def array_source(
    codes: ArrayLike,
    factors: ArrayLike,
    test_codes: ArrayLike | None = None,
    test_factors: ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> ArraySource:
    """Return a source of arrays, checked: codes [N, D] finite, factors [N, K] discrete.

    Raises:
        UsageError: shapes that do not match, codes that are not finite, factors with almost as
            many values as rows.
    """
    z = _codes(codes, "codes")
    v = _factors(factors, "factors", len(z))
    test_z, test_v = None, None
    if (test_codes is None) != (test_factors is None):
        raise UsageError("give test_codes and test_factors together, or neither")
    if test_codes is not None and test_factors is not None:
        test_z = _codes(test_codes, "test_codes")
        test_v = _factors(test_factors, "test_factors", len(test_z))
        if test_z.shape[1] != z.shape[1] or test_v.shape[1] != v.shape[1]:
            raise UsageError("test arrays need as many latents and factors as the others")
    names = (
        list(map(str, names))
        if names is not None
        else [f"factor {k + 1}" for k in range(v.shape[1])]
    )
    if len(names) != v.shape[1] or len(set(names)) != len(names):
        raise UsageError(f"{v.shape[1]} factors need as many different names; got {list(names)}")
    every = v if test_v is None else np.concatenate([v, test_v])
    labels = np.empty(every.shape, np.int64)
    for k in range(every.shape[1]):
        labels[:, k] = np.unique(every[:, k], return_inverse=True)[1]
    sizes = [int(size) for size in labels.max(axis=0) + 1]
    test = None
    if test_z is not None:
        test = ArraySource(test_z, ArrayDataset(labels[len(v) :], names, sizes))
    return ArraySource(z, ArrayDataset(labels[: len(v)], names, sizes), test)


def _codes(array: ArrayLike, name: str) -> Codes:
    try:
        if np.iscomplexobj(_detached(array)):
            raise ValueError("these are complex")
        z = np.asarray(_detached(array), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} are numbers [N, D]: {error}") from error
    if z.ndim != 2 or 0 in z.shape:
        raise UsageError(f"{name} are [N, D], not {list(z.shape)}")
    bad = np.flatnonzero(~np.isfinite(z).all(axis=1))
    if len(bad):
        raise UsageError(f"{name} are not finite in {len(bad)} rows, the first of them {bad[0]}")
    largest = np.abs(z).max()
    if largest and not 1 / FARTHEST < largest < FARTHEST:
        raise UsageError(f"{name} are as large as {largest:.3g}: scale them to ordinary numbers")
    return z


def _detached(array: ArrayLike) -> ArrayLike:
    """Return a torch tensor without its gradient and on the CPU; anything else as it is."""
    return array.detach().cpu() if hasattr(array, "detach") else array


def _factors(array: ArrayLike, name: str, rows: int) -> NDArray[Any]:
    v = np.asarray(_detached(array))
    if v.ndim != 2 or v.shape[1] == 0:
        raise UsageError(f"{name} are [N, K], not {list(v.shape)}")
    if len(v) != rows:
        raise UsageError(f"{name} have {len(v)} rows, the codes {rows}")
    if v.dtype.kind == "f":
        if not np.isfinite(v).all():
            raise UsageError(f"{name} are not finite everywhere")
        for k in range(v.shape[1]):
            if len(np.unique(v[:, k])) > max(2, rows // 2):
                raise UsageError(
                    f"{name}: column {k} looks continuous ({rows} rows, nearly as many values); "
                    "metrics take discrete factors: bin it first"
                )
    elif v.dtype.kind not in "iub":
        raise UsageError(f"{name} are whole numbers, not {v.dtype}")
    return v
