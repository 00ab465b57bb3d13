"""A source for metrics made of plain arrays of codes and factors, from any origin."""

import copy
import hashlib
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle.contracts.dataset import Index, Labelled
from disentangle.contracts.source import Codes, Source, Values
from disentangle.data.factor_values import FactorValues, read_factors
from disentangle.errors import InputWarning, Unavailable, UsageError
from disentangle.scoring.reduction import in_parts

if TYPE_CHECKING:
    from torch import Tensor


SHAPES = "[N, D], or [N, B, M] in blocks"
FARTHEST = 1e100
"""Largest magnitude of codes (its inverse: the smallest) that can be squared without overflow."""


class ArrayDataset(Labelled):
    """A dataset of labels without images, for codes given as arrays."""

    image_shape = (0, 0, 0)
    source = "arrays"
    name = "the arrays"

    def __init__(self, factors: FactorValues, rows: slice = slice(None)) -> None:
        self._labels = factors.labels[rows]
        self.fingerprint = digest_of(factors, rows)
        self.values = {name: names for name, names in factors.values.items() if names}
        self.numbers, self.kinds, self.real = factors.numbers, factors.kinds, factors.real
        self.every_factor = factors.sizes

    def __len__(self) -> int:
        return len(self._labels)

    def images(self, index: ArrayLike) -> "Tensor":
        """Raise `Unavailable`: there are no images."""
        raise Unavailable("codes given as arrays have no images")

    def every_label(self, index: ArrayLike) -> Index:
        """The labels at `index`, [N, K]."""
        return self._labels[self._index(index)]


def digest_of(factors: FactorValues, rows: slice) -> str:
    """A digest of all rows of the factors, and of which rows are the dataset's."""
    sha256 = hashlib.sha256(repr((factors.labels.shape, rows)).encode())
    numbers = digestible(factors.numbers, factors.real)
    sha256.update(repr((dict(factors.values), numbers)).encode())
    if factors.kinds:
        sha256.update(repr(sorted(factors.kinds.items())).encode())
    sha256.update(np.ascontiguousarray(factors.labels).data)
    return sha256.hexdigest()


def digestible(
    numbers: Mapping[str, Sequence[float]], real: Collection[str]
) -> dict[str, Sequence[float] | str]:
    """The numbers of factors, and the digest of real ones, as their text would take seconds."""
    return {
        name: hashlib.sha256(np.asarray(of, np.float64).data).hexdigest() if name in real else of
        for name, of in numbers.items()
    }


class ArraySource(Source[Labelled]):
    """Plain arrays of codes and factors, with an optional test set."""

    dataset: Labelled
    reducible = True

    def __init__(self, codes: Codes, dataset: Labelled, test: "ArraySource | None" = None) -> None:
        self._codes, self.dataset, self.test = codes, dataset, test
        self.given: NDArray[Any] = codes
        """The codes before they were reduced, by which they are recognised."""
        self.takes_values = False

    def relabelled(self: Any, view: Callable[[Labelled], Labelled]) -> "ArraySource":
        """The same codes with the labels of a view of all rows, also of the test set."""
        source: ArraySource = copy.copy(self)
        source.dataset = view(self.dataset)
        source.test = None if self.test is None else self.test.relabelled(view)
        return source

    @property
    def discrete(self) -> bool:
        """True if the codes are numbers of values; whole numbers alone do not say so."""
        return self.takes_values

    @property
    def latents(self) -> int:
        """The number of columns of the codes."""
        return int(self._codes.shape[1])

    @property
    def every_code(self) -> Codes:
        """The codes of all rows, [N, D]."""
        return self._codes

    @property
    def digest(self) -> str:
        """A digest of the arrays, which identifies them in records."""
        sha256 = hashlib.sha256()
        sources = [self, *([self.test] if self.test else [])]
        arrays = [(s.given, s.dataset.every_label(np.arange(len(s)))) for s in sources]
        for array in [array for pair in arrays for array in pair]:
            sha256.update(f"{array.shape} {array.dtype}".encode())
            for part in in_parts(array):
                sha256.update(np.ascontiguousarray(part).data)
        if self.dataset.numbers:
            numbers = digestible(self.dataset.numbers, self.dataset.real)
            sha256.update(repr(sorted(numbers.items())).encode())
        if self.dataset.kinds:
            sha256.update(repr(sorted(self.dataset.kinds.items())).encode())
        return f"codes {sha256.hexdigest()[:16]}"

    def codes(self, index: Index) -> Codes:
        """The codes at `index`, [N, D]."""
        return self._codes[index]

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Raise `Unavailable`: codes given as arrays have no posterior."""
        raise Unavailable("codes given as arrays have no posterior")

    def fit_test(
        self, n: int, m: int, rng: np.random.Generator, *, distinct: bool = False
    ) -> tuple[Source[Labelled], Source[Labelled]]:
        """The rows to fit on and the test set; without a test set, the same rows."""
        if self.test is not None and m:
            return ArraySource(self._codes, self.dataset), self.test
        return super().fit_test(n, m, rng, distinct=distinct)

    def train_test(
        self: Any, n: int, m: int, rng: np.random.Generator, *, distinct: bool = False
    ) -> tuple[Codes, Index, Codes, Index]:
        """The rows unchanged, each once; a random subset if there are more than n + m.

        Without a test set, the rows are split at random in the ratio n : m. If `distinct`, a
        warning says how many rows seem to show an image that another row shows too.
        """
        if self.test is not None and m:
            fit = ArraySource(self._codes, self.dataset)
            z, v, _, _ = fit.train_test(n, 0, rng, distinct=distinct)
            test_z, test_v, _, _ = self.test.train_test(m, 0, rng)
            self.drawn = min(len(z), len(test_z))
            return z, v, test_z, test_v
        rows = self._rows(n, m, rng)
        first = min(n, len(rows) if not m else max(1, round(len(rows) * n / (n + m))))
        if m and first == len(rows):
            raise Unavailable(f"{len(rows)} rows are too few to split into training and test rows")
        train, test = np.sort(rows[:first]), np.sort(rows[first:])
        self.drawn = min(len(train), len(test)) if m else len(train)
        if distinct:
            warn_of_repeats(self.codes(train), self.labels(train))
        return self.codes(train), self.labels(train), self.codes(test), self.labels(test)

    def codes_and_values(self: Any, n: int, rng: np.random.Generator) -> tuple[Codes, Values]:
        """The rows of `train_test(n, 0, rng)`, with the factors' values as numbers."""
        rows = np.sort(self._rows(n, 0, rng))
        self.drawn = len(rows)
        return self.codes(rows), self.values(rows)

    def _rows(self, n: int, m: int, rng: np.random.Generator) -> Index:
        """All rows in order; in random order and at most n + m of them if any must be chosen."""
        rows = np.arange(len(self))
        if len(rows) > n + m or m:
            rows = rng.permutation(rows)[: n + m]
        return rows


def warn_of_repeats(codes: Codes, labels: Index) -> None:
    """Warn if real-valued codes [N, D] with their labels [N, K] repeat in several rows.

    Whole numbers are codes of few values, which repeat rightly, as constant codes do.
    """
    if (codes == np.rint(codes)).all() or not np.ptp(codes, axis=0).any():
        return
    repeats = len(codes) - len(np.unique(np.hstack([codes, labels]), axis=0))
    if repeats:
        warnings.warn(
            f"{repeats:,} of {len(codes):,} rows repeat the codes and factors of another row. "
            "Repeats make estimates by nearest neighbours (`infomec`) too high. Leave out rows of "
            "the same image. If the codes are discrete, give whole numbers and use "
            "`infomec:codes=integer`.",
            InputWarning,
            stacklevel=2,
        )


def array_source(
    codes: ArrayLike,
    factors: ArrayLike,
    test_codes: ArrayLike | None = None,
    test_factors: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    kinds: Mapping[str, str] = MappingProxyType({}),
) -> ArraySource:
    """Validate arrays and make a source of them: finite codes [N, D], factors [N, K].

    Warns with `InputWarning` if words are values of a factor, as their order is the alphabet's, and
    if numbers are taken as continuous.

    Raises:
        UsageError: shapes do not match, codes are not finite, words have too few rows per value, or
            a kind is none or of no factor.
    """
    z = _codes(codes, "codes")
    every = _factors(factors, "factors", len(z))
    columns, test_z = every.shape[1], None
    if (test_codes is None) != (test_factors is None):
        raise UsageError("give test_codes and test_factors together, or neither")
    if test_codes is not None and test_factors is not None:
        test_z = _codes(test_codes, "test_codes")
        test_v = _factors(test_factors, "test_factors", len(test_z))
        if test_z.shape[1] != z.shape[1] or test_v.shape[1] != columns:
            raise UsageError(
                "test_codes and test_factors must have as many columns as codes and factors"
            )
        every = _joined(every, test_v)
    names = list(map(str, names)) if names is not None else factor_names(columns)
    if len(names) != columns or len(set(names)) != len(names):
        raise UsageError(f"expected {columns} different names of factors, got {list(names)}")
    try:
        values = read_factors(every, names, kinds=kinds, real=True)
    except ValueError as error:
        raise UsageError(f"factors: {error}") from None
    if values.remark:
        warnings.warn(f"factors: {values.remark}", InputWarning, stacklevel=2)
    test = None
    if test_z is not None:
        test = ArraySource(test_z, ArrayDataset(values, slice(len(z), None)))
    return ArraySource(z, ArrayDataset(values, slice(len(z))), test)


def factor_names(columns: int) -> list[str]:
    """The names of factors without names."""
    return [f"factor {k + 1}" for k in range(columns)]


def _codes(array: ArrayLike, name: str) -> Codes:
    try:
        if np.iscomplexobj(detached(array)):
            raise ValueError("got complex numbers")
        z = np.asarray(detached(array), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} must be numbers {SHAPES}: {error}") from error
    if z.ndim != 2 or 0 in z.shape:
        raise UsageError(f"{name} must have shape {SHAPES}, got {list(z.shape)}")
    bad = np.flatnonzero(~np.isfinite(z).all(axis=1))
    if len(bad):
        raise UsageError(f"{name} are not finite in {len(bad)} rows, starting with row {bad[0]}")
    largest = np.abs(z).max()
    if largest and not 1 / FARTHEST < largest < FARTHEST:
        raise UsageError(
            f"the largest magnitude of {name} is {largest:.3g}: rescale them to avoid overflow"
        )
    return z


def detached(array: ArrayLike) -> ArrayLike:
    """A torch tensor detached and on the CPU; anything else unchanged."""
    return array.detach().cpu() if hasattr(array, "detach") else array


def _factors(array: ArrayLike, name: str, rows: int) -> NDArray[Any]:
    v = np.asarray(detached(array))
    if v.ndim != 2 or v.shape[1] == 0:
        hint = f"; for one factor use `{name}[:, None]`" if v.ndim == 1 else ""
        raise UsageError(f"{name} must have shape [N, K], got {list(v.shape)}{hint}")
    if len(v) != rows:
        raise UsageError(f"{name} must have {rows} rows, as the codes have, got {len(v)}")
    return v


def _joined(v: NDArray[Any], test_v: NDArray[Any]) -> NDArray[Any]:
    """The rows of both; NumPy would turn numbers beside text into text of another form."""
    if v.dtype.kind != test_v.dtype.kind:
        return np.concatenate([v.astype(object), test_v.astype(object)])
    return np.concatenate([v, test_v])
