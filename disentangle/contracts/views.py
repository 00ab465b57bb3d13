"""Views of datasets: some of their images or factors, with a record of the choice."""

import copy
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from disentangle.contracts.correlation import lines_of
from disentangle.contracts.correlation_settings import with_settings
from disentangle.contracts.dataset import Dataset, Grid, Index, Labelled, ViewRecord
from disentangle.contracts.hold_out import held_out, is_share
from disentangle.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from disentangle.contracts.published_splits import PublishedSplit


class Subset(Dataset):
    """Some images of another dataset."""

    base: Dataset

    def __init__(self, base: Dataset, index: Index, record: ViewRecord) -> None:
        self.base, self.chosen, self.view_record = base, index, record
        take_over(self, base)

    def __len__(self) -> int:
        return len(self.chosen)

    def images(self, index: ArrayLike) -> "Tensor":
        """Return the images at `index`, uint8 [N, C, H, W]."""
        return self.base.images(self.chosen[self._index(index)])

    def origin(self, index: ArrayLike) -> Index:
        """Return the indices of the images in the whole dataset."""
        return self.base.origin(self.chosen[self._index(index)])

    def position(self, index: ArrayLike) -> Index:
        """Return the indices in this view of the whole dataset's images; -1 for those not in it."""
        if "_positions" not in self.__dict__:
            self._positions: Index = np.full(len(self.whole), -1)
            self._positions[self.origin(np.arange(len(self)))] = np.arange(len(self))
        return self._positions[self.whole._index(index)]


class LabelledSubset(Subset, Labelled):
    """Some images of a labelled dataset, or some of its factors, or both."""

    base: Labelled

    def __init__(
        self, base: Labelled, index: Index, record: ViewRecord, nuisance: frozenset[str]
    ) -> None:
        super().__init__(base, index, record)
        self.every_factor, self.dependence = base.every_factor, base.dependence
        self.values, self.numbers = base.values, base.numbers
        self.kinds, self.real = base.kinds, base.real
        labels = base.every_label(index)
        constant = (labels == labels[:1]).all(0)
        # A factor that does not vary among these images is a nuisance, like any constant factor.
        self.nuisance = nuisance | {
            name
            for name, is_constant in zip(base.every_factor, constant, strict=True)
            if is_constant
        }

    @property
    def every_number(self) -> dict[str, Sequence[float]]:
        """The number behind each label of all factors, which are those of the whole dataset."""
        return self.base.every_number

    def every_label(self, index: ArrayLike) -> Index:
        """Return the labels of all factors, [N, len(every_factor)]."""
        return self.base.every_label(self.chosen[self._index(index)])


class SubGrid(Grid):
    """The images of a grid at some values of each axis, which are a grid again."""

    base: Grid

    def __init__(
        self, base: Grid, kept: Sequence[Index], record: ViewRecord, nuisance: frozenset[str]
    ) -> None:
        axes = dict(zip(base.every_factor, map(len, kept), strict=True))
        super().__init__(axes, tuple(nuisance))
        self.base, self.kept, self.view_record = base, kept, record
        self.dependence, self.kinds = base.dependence, base.kinds
        self.values, self.numbers = (
            {
                name: [table[name][i] for i in kept[k]]
                for k, name in enumerate(axes)
                if name in table
            }
            for table in (base.values, base.numbers)
        )
        take_over(self, base)

    @property
    def every_number(self) -> dict[str, Sequence[float]]:
        """The numbers of the values that are kept."""
        numbers = self.base.every_number
        return {
            name: [numbers[name][i] for i in kept]
            for name, kept in zip(self.every_factor, self.kept, strict=True)
        }

    def images(self, index: ArrayLike) -> "Tensor":
        """Return the images at `index`, uint8 [N, C, H, W]."""
        return self.base.images(self._in_base(index))

    def origin(self, index: ArrayLike) -> Index:
        """Return the indices of the images in the whole dataset."""
        return self.base.origin(self._in_base(index))

    def _in_base(self, index: ArrayLike) -> Index:
        labels = self.every_label(index)
        base_labels = [values[labels[:, k]] for k, values in enumerate(self.kept)]
        return self.base.index(np.stack(base_labels, 1))


def take_over(view: Dataset, base: Dataset) -> None:
    """Copy the attributes that a view shares with its whole dataset."""
    view.image_shape, view.likelihood = base.image_shape, base.likelihood
    view.name, view.source, view.fingerprint = base.name, base.source, base.fingerprint
    view.correlation = base.correlation


def make_view(
    dataset: Dataset,
    split: str | None,
    factors: Sequence[str] | None,
    hold_out: tuple[str, ...],
    seed: int,
    hold_out_name: str = "",
) -> Dataset:
    """Return a view of a dataset; see `Dataset.view`."""
    record = dict(dataset.view_record)
    splits = dataset.splits
    published = None
    if split is not None and split not in splits and not hold_out:
        published, split = published_split(dataset, split)
        hold_out, hold_out_name = published.hold_out, published.name
    if hold_out:
        if record.keys() & {"split", "hold_out"}:
            raise UsageError(
                f"this view of {dataset.name} already has a split or hold-out; hold out from the "
                "whole dataset"
            )
        splits = held_out(dataset, hold_out, seed)
        record["hold_out"] = hold_out
        if any(spec for spec in hold_out if is_share(spec)):
            record["hold_out_seed"] = seed
        if hold_out_name:
            record["hold_out_name"] = hold_out_name
    if published:
        published.check_sizes(dataset.name, len(splits["train"]), len(splits["test"]))
    name = split or ("train" if hold_out else "all")
    if hold_out and name not in splits:
        raise UsageError(f"with --hold-out, expected --split train, test or all, got '{name}'")
    index = splits[name]
    if not len(index):
        raise UsageError(f"the split '{name}' of {dataset.name} has no images")
    if name != "all" or (split and dataset.train_split != "all") or hold_out:
        record["split"] = name
    if factors is not None:
        if not isinstance(dataset, Labelled):
            raise UsageError(f"{dataset.name} has no labels, so no factors to choose from")
        record["factors"] = tuple(factors)
    nuisance = left_out(dataset, factors) if isinstance(dataset, Labelled) else frozenset()
    if name == "all":  # the view keeps the dataset's splits
        view = copy.copy(dataset)
        view.base, view.view_record = dataset.base or dataset, record
        if isinstance(view, Labelled):
            view.nuisance = nuisance
        return view
    if not isinstance(dataset, Labelled):
        return Subset(dataset, index, record)
    if not isinstance(dataset, Grid):
        return LabelledSubset(dataset, index, record, nuisance)
    labels = dataset.every_label(index)
    kept = [np.unique(column) for column in labels.T]
    if prod(map(len, kept)) == len(index):
        return SubGrid(dataset, kept, record, nuisance)
    return LabelledSubset(dataset, index, record, nuisance)


def published_split(dataset: Dataset, text: str) -> "tuple[PublishedSplit, str]":
    """Return the published split, and its part, that a name that is no own split means.

    Raises:
        UsageError: the dataset has no such split.
    """
    from disentangle.contracts.published_splits import find_split, unknown_split

    split = find_split(dataset.name, text)
    if split is None:
        raise unknown_split(dataset.name, text, dataset.splits)
    return split[0], split[1] or "train"


def correlated(view: Dataset, specs: Sequence[str]) -> Dataset:
    """Correlate the factors of a new view; see `Dataset.view`.

    Raises:
        UsageError: the view's images have no labels or are correlated already, or a pair is
            invalid.
    """
    if view.correlation:
        raise UsageError(
            f"this view of {view.name} already has correlated factors; correlate those of the "
            "whole dataset"
        )
    whole = view.whole
    if not isinstance(whole, Labelled):
        raise UsageError(
            f"--correlate {' '.join(specs)}: {view.name} has no labels, so no factors to correlate"
        )
    pairs = with_settings(specs, view.name)
    texts, view.correlation = lines_of(pairs, whole.every_factor, view.name)
    for name in sorted(set().union(*(line.factors for line in view.correlation))):
        if whole.is_real(name):
            raise UsageError(
                f"--correlate {' '.join(specs)}: '{name}' of {view.name} has real numbers; only "
                "factors with a few values can be correlated"
            )
    view.view_record = {**view.view_record, "correlate": texts}
    return view


def left_out(dataset: Labelled, factors: Sequence[str] | None) -> frozenset[str]:
    """Return the factors that are not scored, if `factors` are."""
    if factors is None:
        return dataset.nuisance
    if not factors:
        raise UsageError("the list of factors is empty; omit it to score the dataset's defaults")
    for name in factors:
        dataset.column(name)
    return frozenset(dataset.every_factor) - frozenset(factors)
