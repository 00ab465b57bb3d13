"""Factors without images, on which metrics are audited: grids, and rows with dependent factors."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle.contracts.dataset import Grid, Index, Labelled
from disentangle.errors import Unavailable

if TYPE_CHECKING:
    from torch import Tensor

FactorSet: TypeAlias = "FactorGrid | FactorRows"
"""Labelled data without images."""
GRIDS: Mapping[str, tuple[int, ...]] = {
    "large": (3, 6, 40, 32, 32),
    "uneven": (4, 24, 183),
    "small": (4, 6, 8, 10, 10),
}
"""Grids by name, the first two with the sizes of dSprites (737,280 images) and Cars3D (17,568)."""
FACTORS, VALUES = 5, 10
"""Numbers of factors, and of values of each, where the factors are not those of a grid."""


class NoImages:
    """A dataset of factors alone."""

    image_shape = (0, 0, 0)
    source = "drawn for an audit"

    def images(self, index: ArrayLike) -> "Tensor":
        """Raise `Unavailable`: there are no images."""
        raise Unavailable("an audit has factors and codes, but no images")


class FactorGrid(NoImages, Grid):
    """Every combination of some factors once.

    Args:
        sizes: the number of values of each factor.
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__({f"factor {k + 1}": size for k, size in enumerate(sizes)})
        self.name = f"a grid of {' x '.join(map(str, sizes))}"
        self.fingerprint = self.name


class FactorRows(NoImages, Labelled):
    """Some combinations of factors, each as often as it was drawn.

    Args:
        labels: the factors, [N, K].
        dependence: how they depend on one another, in words; empty if they do not.
    """

    def __init__(self, labels: Index, dependence: str = "") -> None:
        self._labels = labels
        self.every_factor = {
            f"factor {k + 1}": int(size) for k, size in enumerate(labels.max(axis=0) + 1)
        }
        self.name = f"{len(labels):,} rows"
        self.dependence = dependence
        self.fingerprint = self.name

    def __len__(self) -> int:
        return len(self._labels)

    def every_label(self, index: ArrayLike) -> Index:
        """The labels at `index`, [N, K]."""
        return self._labels[self._index(index)]

    def in_order(self) -> "FactorRows":
        """The same rows, sorted by their factors."""
        order = np.lexsort(self._labels.T[::-1])
        return FactorRows(self._labels[order], self.dependence)


class ContinuousRows(FactorRows):
    """Rows of continuous factors, whose labels are the ranks of their numbers.

    Args:
        reals: the numbers, [N, K].
        dependence: how the factors depend on one another, in words; empty if they do not.
    """

    def __init__(self, reals: NDArray[np.float64], dependence: str = "") -> None:
        super().__init__(reals.argsort(axis=0).argsort(axis=0), dependence)
        self.reals = reals
        self.name = f"{len(reals):,} rows of real numbers"
        self.kinds = dict.fromkeys(self.every_factor, "continuous")
        self.numbers = {
            name: tuple(np.sort(column).tolist())
            for name, column in zip(self.every_factor, reals.T, strict=True)
        }


def grid(name: str) -> FactorGrid:
    """A grid by name; see `GRIDS`."""
    return FactorGrid(GRIDS[name])


def correlated(rows: int, rho: float, rng: np.random.Generator) -> FactorRows:
    """Factors of equally frequent values, all pairs of which have a Gaussian copula.

    Args:
        rows: the number of rows.
        rho: the correlation of each pair of the underlying normal numbers, 0 to 1.
        rng: draws the rows.
    """
    words = f"every pair of factors is correlated with {rho:g}" if rho else ""
    return FactorRows(in_bins(correlated_numbers(rows, rho, rng)), words)


def correlated_numbers(rows: int, rho: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Normal numbers, all pairs of whose columns are correlated with `rho`, [rows, FACTORS]."""
    common = rng.standard_normal((rows, 1))
    own = rng.standard_normal((rows, FACTORS))
    numbers: NDArray[np.float64] = np.sqrt(rho) * common + np.sqrt(1 - rho) * own
    return numbers


def noisy_copy(rows: int, share: float, rng: np.random.Generator) -> FactorRows:
    """Independent factors, but for the last, which copies the first one in a share of the rows."""
    labels = independent_labels(rows, rng)
    copied = rng.random(rows) < share
    labels[copied, -1] = labels[copied, 0]
    return FactorRows(labels, f"the last factor copies the first in {share:.0%} of the rows")


def function_of_two(rows: int, rng: np.random.Generator) -> FactorRows:
    """Independent factors, but for the last, which is the sum of the first two."""
    labels = independent_labels(rows, rng)
    labels[:, -1] = (labels[:, 0] + labels[:, 1]) // 2
    return FactorRows(labels, "the last factor is a function of the first two")


def continuous(rows: int, rho: float, rng: np.random.Generator) -> ContinuousRows:
    """Normal factors, all pairs of which are correlated with `rho`, 0 to 1."""
    words = f"every pair of factors is correlated with {rho:g}" if rho else ""
    return ContinuousRows(correlated_numbers(rows, rho, rng), words)


def continuous_copy(rows: int, rho: float, rng: np.random.Generator) -> ContinuousRows:
    """Independent normal factors, but for the last, which is correlated with the first."""
    reals = rng.standard_normal((rows, FACTORS))
    reals[:, -1] = rho * reals[:, 0] + np.sqrt(1 - rho**2) * reals[:, -1]
    return ContinuousRows(reals, f"the last factor is correlated with the first with {rho:g}")


def continuous_function(rows: int, rng: np.random.Generator) -> ContinuousRows:
    """Independent normal factors, but for the last, which is the sum of the first two."""
    reals = rng.standard_normal((rows, FACTORS))
    reals[:, -1] = reals[:, 0] + reals[:, 1]
    return ContinuousRows(reals, "the last factor is the sum of the first two")


def repeated(rows: int, times: int, rng: np.random.Generator) -> FactorRows:
    """Independent factors, each row several times."""
    return FactorRows(np.repeat(independent_labels(rows, rng), times, axis=0))


def independent_labels(rows: int, rng: np.random.Generator) -> Index:
    """Labels of independent factors, [rows, FACTORS]."""
    return rng.integers(0, VALUES, (rows, FACTORS))


def in_bins(numbers: NDArray[np.float64]) -> Index:
    """Each column in bins with equally many rows, [N, K]."""
    ranks = numbers.argsort(axis=0).argsort(axis=0)
    return (ranks * VALUES // len(numbers)).astype(np.int64)


def standardised(labels: Index | NDArray[np.float64]) -> NDArray[np.float64]:
    """The factors with mean 0 and standard deviation 1, [N, K]."""
    numbers: NDArray[np.float64] = labels - labels.mean(axis=0)
    spread = numbers.std(axis=0)
    return numbers / np.where(spread > 0, spread, 1.0)
