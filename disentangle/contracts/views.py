"""Views of datasets: some of their images or factors, with a record of the choice."""

import copy
import re
from collections.abc import Mapping, Sequence
from math import isclose, prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.dataset import Dataset, Grid, Index, Labelled, ViewRecord
from disentangle.errors import UsageError, suggestion

if TYPE_CHECKING:
    from torch import Tensor


Mask = NDArray[np.bool_]


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


class LabelledSubset(Subset, Labelled):
    """Some images of a labelled dataset, or some of its factors, or both."""

    base: Labelled

    def __init__(
        self, base: Labelled, index: Index, record: ViewRecord, nuisance: frozenset[str]
    ) -> None:
        super().__init__(base, index, record)
        self.every_factor, self.dependence = base.every_factor, base.dependence
        self.values, self.numbers = base.values, base.numbers
        labels = base.every_label(index)
        constant = (labels == labels[:1]).all(0)
        # A factor that does not vary among these images is a nuisance, like any constant factor.
        self.nuisance = nuisance | {
            name
            for name, is_constant in zip(base.every_factor, constant, strict=True)
            if is_constant
        }

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
        self.dependence = base.dependence
        self.values, self.numbers = (
            {
                name: [table[name][i] for i in kept[k]]
                for k, name in enumerate(axes)
                if name in table
            }
            for table in (base.values, base.numbers)
        )
        take_over(self, base)

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


def make_view(
    dataset: Dataset,
    split: str | None,
    factors: Sequence[str] | None,
    hold_out: tuple[str, ...],
    seed: int,
) -> Dataset:
    """Return a view of a dataset; see `Dataset.view`."""
    record = dict(dataset.view_record)
    splits = dataset.splits
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
    name = split or ("train" if hold_out else "all")
    if hold_out and name not in splits:
        raise UsageError(f"with --hold-out, expected --split train, test or all, got '{name}'")
    if name not in splits:
        raise UsageError(f"{dataset.name} has no split '{name}'{suggestion(name, splits)}")
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


def left_out(dataset: Labelled, factors: Sequence[str] | None) -> frozenset[str]:
    """Return the factors that are not scored, if `factors` are."""
    if factors is None:
        return dataset.nuisance
    if not factors:
        raise UsageError("the list of factors is empty; omit it to score the dataset's defaults")
    for name in factors:
        dataset.column(name)
    return frozenset(dataset.every_factor) - frozenset(factors)


def is_share(spec: str) -> bool:
    """Return True if a hold-out is a random share, which depends on the seed."""
    return "=" not in spec or spec.endswith("%")


def held_out(dataset: Dataset, specs: Sequence[str], seed: int) -> Mapping[str, Index]:
    """Return the splits `all`, `train` and `test` made by these hold-out specifications.

    If the dataset has its own splits, `train` is the part of its training split that is not held
    out, and `test` the held-out part of its test split.

    Raises:
        UsageError: a specification is invalid, or `train` or `test` is empty.
    """
    option = f"--hold-out {' '.join(specs)}"
    if dataset.train_split != "all" and any("=" not in spec for spec in specs):
        names = ", ".join(name for name in dataset.splits if name != "all")
        raise UsageError(
            f"{option}: {dataset.name} has its own splits ({names}): choose one with --split"
        )
    mask = np.zeros(len(dataset), bool)
    for spec in specs:
        mask |= matches(dataset, spec, seed)
    train, test = (dataset.splits[name] for name in (dataset.train_split, dataset.test_split))
    splits = {
        "all": np.arange(len(dataset)),
        "train": train[~mask[train]],
        "test": test[mask[test]],
    }
    for name, what, split, remedy in (
        ("train", "all images", dataset.train_split, "leave some to train on"),
        ("test", "no image", dataset.test_split, "hold out some to test on"),
    ):
        if not len(splits[name]):
            where = dataset.name if split == "all" else f"{dataset.name}'s split '{split}'"
            raise UsageError(f"{option}: holds out {what} of {where}; {remedy}")
    return splits


def matches(dataset: Dataset, spec: str, seed: int) -> Mask:
    """Return the mask of the images that a specification holds out, [N]."""
    if "=" not in spec:
        share = share_of(spec, spec)
        drawn = numpy_rng(seed, "hold out").permutation(len(dataset))
        mask = np.zeros(len(dataset), bool)
        mask[drawn[: round(share * len(dataset))]] = True
        return mask
    if not isinstance(dataset, Labelled):
        raise UsageError(
            f"--hold-out {spec}: {dataset.name} has no labels; hold out a share of its images, for "
            "example --hold-out 0.2"
        )
    labels = dataset.every_label(np.arange(len(dataset)))
    mask = np.ones(len(dataset), bool)
    for part in spec.split(","):
        factor, _, value = (text.strip() for text in part.partition("="))
        column = dataset.column(factor)
        if value.endswith("%"):
            size = dataset.every_factor[factor]
            count = round(share_of(value, spec) * size)
            drawn = numpy_rng(seed, f"hold out {factor}").permutation(size)[:count]
            mask &= np.isin(labels[:, column], drawn)
        else:
            mask &= labels[:, column] == value_of(dataset, factor, value)
    return mask


def share_of(text: str, spec: str) -> float:
    """Parse a share between 0 and 1, written as 0.2 or 20%."""
    if re.fullmatch(r"\d*\.?\d+%?", text):
        share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
        if 0 < share < 1:
            return share
    raise UsageError(
        f"--hold-out {spec}: expected a share between 0 and 1 (0.2 or 20%), or a combination "
        "factor=value,factor=value"
    )


def value_of(dataset: Labelled, factor: str, text: str) -> int:
    """Return the index of a factor's value, given by its name or as a number close to it.

    A number in four significant digits, as values are listed, is close enough to one value.
    """
    size = dataset.every_factor[factor]
    names = [str(name) for name in dataset.values.get(factor, range(size))]
    if text in names:
        return names.index(text)
    try:
        close = [i for i, name in enumerate(names) if isclose(float(name), float(text))]
        rounded = [i for i, name in enumerate(names) if f"{float(name):.4g}" == text]
    except ValueError:
        close = rounded = []
    if close or len(rounded) == 1:
        return (close or rounded)[0]
    shown = names if size <= 12 else [*names[:6], "...", *names[-2:]]
    raise UsageError(
        f"{dataset.name}: {factor} has no value '{text}'; its values are {', '.join(shown)}"
    )
