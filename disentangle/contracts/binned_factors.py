"""Factors of real numbers in bins, for metrics that need labels."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from disentangle.contracts.dataset import Index, Labelled
from disentangle.contracts.views import LabelledSubset


class BinnedFactors(LabelledSubset):
    """All images of a dataset; the labels of its scored factors of real numbers are bins.

    The bins have equal width, from the least to the largest number of the factor, or over a period;
    or equally many images each.

    Args:
        base: the dataset.
        bins: the number of bins.
        equal: what is equal in all bins of a factor.
        like: the dataset whose numbers and images set the bins, with the same numbers behind its
            labels, such as the training rows for test rows [default: `base`].
    """

    def __init__(
        self,
        base: Labelled,
        bins: int,
        equal: Literal["width", "count"] = "width",
        like: Labelled | None = None,
    ) -> None:
        bin_of = bin_of_value if equal == "width" else quantile_of_value
        self.bins: Mapping[str, Index] = {
            name: bin_of(like or base, name, bins) for name in base.real_factors
        }
        super().__init__(base, np.arange(len(base)), base.view_record, base.nuisance)
        sizes = dict.fromkeys(self.bins, bins)
        self.every_factor = {**base.every_factor, **sizes}
        self.kinds = {**base.kinds, **dict.fromkeys(self.bins, "ordinal")}
        self.nuisance, self.real = base.nuisance, base.real - self.bins.keys()
        self.values = {name: v for name, v in base.values.items() if name not in self.bins}
        self.numbers = {name: v for name, v in base.numbers.items() if name not in self.bins}

    def every_label(self, index: ArrayLike) -> Index:
        """Return the labels of all factors, [N, number of factors]."""
        labels = super().every_label(index)
        for name, table in self.bins.items():
            column = self.column(name)
            labels[:, column] = table[labels[:, column]]
        return labels


def binned(dataset: Labelled, bins: int) -> Labelled:
    """Return a dataset with the factors of real numbers in bins; itself if it has none."""
    return BinnedFactors(dataset, bins) if dataset.real_factors else dataset


def bin_of_value(dataset: Labelled, factor: str, bins: int) -> Index:
    """Return the bin of equal width of each value of a factor, 0 to `bins` - 1, [values]."""
    kind = dataset.kind(factor)
    numbers = np.asarray(dataset.every_number[factor], np.float64)
    ends = (numbers.min(), numbers.max())
    if kind.name == "cyclic":
        numbers, ends = numbers % kind.period, (0.0, kind.period)
    edges = np.linspace(*ends, bins + 1)
    index: Index = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, bins - 1)
    return index.astype(np.int64)


def quantile_of_value(dataset: Labelled, factor: str, bins: int) -> Index:
    """Return the bin of equally many images of each value of a factor, 0 to `bins` - 1, [values].

    Images of the same number share a bin. Those of a cyclic factor are counted from 0 on.
    """
    kind = dataset.kind(factor)
    numbers = np.asarray(dataset.every_number[factor], np.float64)
    if kind.name == "cyclic":
        numbers = numbers % kind.period
    labels = dataset.every_label(np.arange(len(dataset)))[:, dataset.column(factor)]
    of_images = np.sort(numbers[labels])
    below = np.searchsorted(of_images, numbers)
    index: Index = np.minimum(below * bins // len(of_images), bins - 1)
    return index.astype(np.int64)
