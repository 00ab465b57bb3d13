"""The dataset contract: images by index, and, where known, their factors of variation.

Three strengths, as types, known once a dataset is opened: a `Dataset` has images, a `Labelled` one
also the values of its factors, and a `Grid` exactly one image for every combination of them.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle.errors import Unavailable, UsageError, suggestion

if TYPE_CHECKING:
    from torch import Tensor

Index: TypeAlias = NDArray[np.int64]
ViewRecord: TypeAlias = Mapping[str, str | tuple[str, ...]]
"""What a view chose: its split, if not all, and its factors, if not the dataset's own."""


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where a dataset's files may lie, and what may be done to get them.

    A dataset plugin is a function `open(location) -> Dataset`.
    """

    folder: Path
    """The data folder, for prepared files; a dataset writes below a folder of its own there."""
    file: Path | None = None
    """A file or folder of the user's, which goes before everything else."""
    download: bool = False
    """Whether the network may be used."""
    say: Callable[[str], None] = field(default=lambda _: None)
    """Tells the user what takes long."""


class Dataset(ABC):
    """Images by index.

    Attributes:
        image_shape: (channels, height, width).
        fingerprint: 64 hex digits that change when the images or their order do.
        source: where the images came from, for the record.
        likelihood: the likelihood that fits these images, unless the user names another.
        name: the registered name.
        view_record: what `view` chose; empty for the whole dataset.
    """

    image_shape: tuple[int, int, int]
    fingerprint: str
    source: str
    likelihood: str = "bernoulli"
    name: str = ""
    strength: ClassVar[str] = "images"
    view_record: ViewRecord = MappingProxyType({})

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def images(self, index: ArrayLike) -> "Tensor":
        """Return the images at `index` [N] as uint8 [N, C, H, W], 0 to 255."""

    @property
    def splits(self) -> Mapping[str, Index]:
        """Return the named parts of the dataset; every dataset has `all`."""
        return {"all": np.arange(len(self))}

    def view(self, *, split: str = "all", factors: Sequence[str] | None = None) -> "Dataset":
        """Return one split, or a choice of scored factors, which remembers what it is."""
        if factors is not None:
            raise UsageError(f"{self.name} has no labels, and so no factors to choose from")
        from disentangle.view import Subset

        return Subset(self, self._split(split), self._viewed(split, None))

    def _viewed(self, split: str, factors: Sequence[str] | None) -> ViewRecord:
        """Return the record of a view of this dataset, which may be a view itself."""
        record = dict(self.view_record)
        if split != "all":
            record["split"] = split
        if factors is not None:
            record["factors"] = tuple(factors)
        return record

    def _split(self, name: str) -> Index:
        if name not in self.splits:
            raise UsageError(f"{self.name} has no split '{name}'{suggestion(name, self.splits)}")
        return self.splits[name]

    def _index(self, index: ArrayLike) -> Index:
        """Return `index` as int64 [N], refusing what lies outside."""
        array = np.asarray(index)
        if array.size and array.dtype.kind not in "iu":
            raise UsageError(f"an index is made of whole numbers, not {array.dtype}")
        if array.ndim > 1:
            raise UsageError(f"an index is [N], not {list(array.shape)}")
        array = np.atleast_1d(array.astype(np.int64))
        if array.size and (array.min() < 0 or array.max() >= len(self)):
            raise UsageError(
                f"{self.name or 'the dataset'} has images 0 to {len(self) - 1}; "
                f"asked for {array.min()} to {array.max()}"
            )
        return array


class Labelled(Dataset):
    """A dataset that knows the factors of variation of each image.

    Attributes:
        every_factor: name -> number of values, scored or not, in the order of the labels.
        nuisance: the factors that are present but not scored; constant ones always are.
    """

    every_factor: Mapping[str, int]
    nuisance: frozenset[str] = frozenset()
    strength: ClassVar[str] = "labelled"

    @abstractmethod
    def every_label(self, index: ArrayLike) -> Index:
        """Return the labels of all factors, scored or not, [N, len(every_factor)]."""

    @property
    def factors(self) -> dict[str, int]:
        """Return the scored factors: name -> number of values."""
        return {
            name: size
            for name, size in self.every_factor.items()
            if size > 1 and name not in self.nuisance
        }

    def labels(self, index: ArrayLike) -> Index:
        """Return the labels of the scored factors, int64 [N, K], 0 to number of values - 1."""
        columns = [i for i, name in enumerate(self.every_factor) if name in self.factors]
        return self.every_label(index)[:, columns]

    def sharing(self, factor: str, index: ArrayLike, rng: np.random.Generator) -> Index:
        """Return for each image another, drawn uniformly among those with its value of `factor`.

        Raises:
            Unavailable: an image is the only one with its value.
        """
        order, rank, start, count = self._by_value(factor)
        index = self._index(index)
        first, size = start[index], count[index]
        if (size < 2).any():
            raise Unavailable(f"factor '{factor}' has values that only one image has")
        # An offset of 1 to size - 1 from the image's own place never comes back to it.
        offset = 1 + (rng.random(len(index)) * (size - 1)).astype(np.int64)
        return order[first + (rank[index] - first + offset) % size]

    def view(self, *, split: str = "all", factors: Sequence[str] | None = None) -> "Labelled":
        """Return one split, or a choice of scored factors, which remembers what it is."""
        from disentangle.view import LabelledSubset

        record = self._viewed(split, factors)
        return LabelledSubset(self, self._split(split), record, self._nuisance(factors))

    def _nuisance(self, factors: Sequence[str] | None) -> frozenset[str]:
        if factors is None:
            return self.nuisance
        for name in factors:
            self._column(name)
        return frozenset(self.every_factor) - frozenset(factors)

    def _column(self, factor: str) -> int:
        """Return the column of a factor among all labels."""
        if factor not in self.every_factor:
            known = suggestion(factor, self.every_factor)
            raise UsageError(f"{self.name} has no factor '{factor}'{known}")
        return list(self.every_factor).index(factor)

    def _by_value(self, factor: str) -> tuple[Index, Index, Index, Index]:
        """Return the images sorted by value, and of each image its rank, group start and size."""
        if "_groups" not in self.__dict__:
            self._groups: dict[str, tuple[Index, Index, Index, Index]] = {}
        if factor not in self._groups:
            value = self.every_label(np.arange(len(self)))[:, self._column(factor)]
            order = np.argsort(value, kind="stable")
            rank = np.empty_like(order)
            rank[order] = np.arange(len(order))
            counts = np.bincount(value)
            starts = np.cumsum(counts) - counts
            self._groups[factor] = (order, rank, starts[value], counts[value])
        return self._groups[factor]


class Grid(Labelled):
    """Exactly one image for every combination of factors, in row-major order of the axes."""

    strength: ClassVar[str] = "grid"

    def __init__(self, axes: Mapping[str, int], nuisance: Sequence[str] = ()) -> None:
        self.every_factor = dict(axes)
        self.nuisance = frozenset(nuisance)
        sizes = list(axes.values())
        self._strides = np.array([prod(sizes[i + 1 :]) for i in range(len(sizes))], np.int64)
        self._sizes = np.array(sizes, np.int64)

    def __len__(self) -> int:
        return prod(self.every_factor.values())

    def every_label(self, index: ArrayLike) -> Index:
        """Return the coordinates of the images, [N, number of axes]."""
        labels: Index = self._index(index)[:, None] // self._strides % self._sizes
        return labels

    def index(self, labels: ArrayLike) -> Index:
        """Return the index [N] of the images at `labels` [N, number of axes]: the inverse."""
        array = np.atleast_2d(np.asarray(labels))
        if array.dtype.kind not in "iu":
            raise UsageError(f"labels are whole numbers, not {array.dtype}")
        array = array.astype(np.int64)
        if array.shape[1] != len(self._sizes) or (array < 0).any() or (array >= self._sizes).any():
            raise UsageError(
                f"{self.name or 'the grid'} has axes {dict(self.every_factor)}; "
                f"labels of shape {array.shape} go outside it"
            )
        index: Index = array @ self._strides
        return index

    def sharing(self, factor: str, index: ArrayLike, rng: np.random.Generator) -> Index:
        """Return for each image another that shares its value of `factor`.

        Every other axis is drawn afresh, as the reference protocols do, so that an image may meet
        itself, with probability one over the number of combinations of the other axes.
        """
        axis = self._column(factor)
        labels = rng.integers(0, self._sizes, size=(np.size(index), len(self._sizes)))
        labels[:, axis] = self.every_label(index)[:, axis]
        return self.index(labels)

    def view(self, *, split: str = "all", factors: Sequence[str] | None = None) -> Labelled:
        """Return a view; with all images it is still a grid."""
        if split != "all":
            return super().view(split=split, factors=factors)
        view = copy.copy(self)
        view.nuisance = self._nuisance(factors)
        view.view_record = self._viewed(split, factors)
        return view
