"""Datasets of vectors that are in one array, in memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle.contracts.dataset import Index
from disentangle.contracts.vectors import Vectors
from disentangle.data.factor_values import FactorValues

if TYPE_CHECKING:
    from torch import Tensor


class VectorTable(Vectors):
    """Vectors in an array, with the values of their factors.

    Args:
        vectors: the vectors, [N, D].
        factors: the factors of each, as from `read_factors`.
        source: where the vectors came from, for the record.
        fingerprint: 64 hex digits that change when the vectors or their order do.
        nuisance: factors that are not scored.
        dependence: why the factors are not independent of one another; empty if they are.
    """

    def __init__(
        self,
        vectors: NDArray[np.floating],
        factors: FactorValues,
        *,
        source: str,
        fingerprint: str,
        nuisance: Sequence[str] = (),
        dependence: str = "",
    ) -> None:
        self._vectors = np.ascontiguousarray(vectors, np.float32)
        self._labels = factors.labels
        self.image_shape = (self._vectors.shape[1], 1, 1)
        self.values = {name: names for name, names in factors.values.items() if names}
        self.numbers, self.kinds, self.real = factors.numbers, factors.kinds, factors.real
        self.every_factor, self.nuisance = factors.sizes, frozenset(nuisance)
        self.source, self.fingerprint, self.dependence = source, fingerprint, dependence

    def __len__(self) -> int:
        return len(self._vectors)

    def vectors(self, index: ArrayLike) -> "Tensor":
        """Return the vectors at `index`, float32 [N, D]."""
        from torch import from_numpy

        return from_numpy(self._vectors[self._index(index)])

    def every_label(self, index: ArrayLike) -> Index:
        """Return the labels of all factors, [N, number of factors]."""
        return self._labels[self._index(index)]
