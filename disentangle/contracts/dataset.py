"""The dataset contract: images by index and, if known, their factors of variation.

A dataset has one of three types, known once it is opened: a `Dataset` has images, a `Labelled` one
also the values of its factors, and a `Grid` exactly one image for every combination of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle._utils.html import heading, never_failing, picture, row_of_images, table
from disentangle.contracts.correlation import Floats, Line, chances, draw_distinct
from disentangle.contracts.kinds import Kind
from disentangle.contracts.value_texts import ValueTexts
from disentangle.errors import Unavailable, UsageError, suggestion

if TYPE_CHECKING:
    from torch import Tensor

SHOWN = 10
"""Images that a notebook shows of a dataset."""

Index: TypeAlias = NDArray[np.int64]
"""Indices of images, [N], or labels, [N, K]: int64."""
ViewRecord: TypeAlias = Mapping[str, str | int | tuple[str, ...]]
"""The choices of a view: split and factors, unless they are the default, the hold-out, and the
correlated factors."""


class Dataset(ABC):
    """Images by index.

    Attributes:
        image_shape: (channels, height, width).
        fingerprint: 64 hex digits that change when the images or their order do.
        source: where the images came from, for the record.
        likelihood: the default likelihood for these images.
        name: the registered name.
        train_split: the default split to train on.
        test_split: the default split to score.
        view_record: the choices made by `view`; empty for the whole dataset.
        correlation: the lines near which training draws more images; see `correlate` in `view`.
        whole: the dataset that this one is a view of, or itself.
        noun: what it is made of, in messages: `images` or `vectors`.
    """

    image_shape: tuple[int, int, int]
    fingerprint: str
    source: str
    likelihood: str = "bernoulli"
    name: str = ""
    train_split: str = "all"
    test_split: str = "all"
    strength: ClassVar[str] = "images"
    noun: ClassVar[str] = "images"
    view_record: ViewRecord = MappingProxyType({})
    correlation: tuple[Line, ...] = ()
    base: "Dataset | None" = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def images(self, index: ArrayLike) -> "Tensor":
        """Return the images at `index` [N] as uint8 [N, C, H, W], 0 to 255."""

    @never_failing
    def _repr_html_(self) -> str:
        """The dataset in a notebook: its size, its factors and a few images."""
        title = self.name or type(self).__name__
        rows = [(self.noun, f"{len(self):,} of {self.size_in_words}, {self.strength}")]
        rows += [(name, str(value)) for name, value in self.view_record.items()]
        if isinstance(self, Labelled):
            factors = [f"{name} ({self._values_in_words(name)})" for name in self.factors]
            rows.append(("factors (values)", ", ".join(factors)))
        rows.append(("source", f"{self.source}; fingerprint {self.fingerprint[:10]}"))
        return heading(title) + table(rows) + self._html_of_images(title)

    def _html_of_images(self, title: str) -> str:
        """A row of images, evenly spaced over the dataset; empty if it has none, as of arrays."""
        try:
            index = np.unique(np.linspace(0, len(self) - 1, SHOWN).astype(np.int64))
            return picture(row_of_images(self.images(index)), f"images of {title}")
        except Unavailable:
            return ""

    @property
    def size_in_words(self) -> str:
        """The size of one image: "3 x 64 x 64"."""
        return " x ".join(map(str, self.image_shape))

    @property
    def splits(self) -> Mapping[str, Index]:
        """The named splits of the dataset; every dataset has `all`."""
        return {"all": np.arange(len(self))}

    @property
    def whole(self) -> "Dataset":
        """The dataset that this one is a view of, or itself."""
        return self if self.base is None else self.base.whole

    def origin(self, index: ArrayLike) -> Index:
        """Return the indices of a view's images in the whole dataset."""
        return self._index(index)

    def view(
        self,
        *,
        split: str | None = None,
        factors: Sequence[str] | None = None,
        hold_out: Sequence[str] = (),
        hold_out_seed: int = 0,
        hold_out_name: str = "",
        correlate: str | Sequence[str] = (),
    ) -> "Dataset":
        """Return a view with some of the images or other scored factors; it records these choices.

        Args:
            split: the name of a split; by default all images, or with `hold_out` those not held
                out. The name of a published split of this dataset sets `hold_out`, and means the
                part to train on; `"NAME:test"` and `"NAME:all"` are its other parts.
            factors: names of the factors to score instead of the dataset's own choice.
            hold_out: the images of the split `test`; the others are `train`. A share of all images
                (`"0.2"`), combinations (`"shape=heart|ellipse,scale>=0.8"`; an image is held out if
                it matches one of them), or a share of a factor's values (`"identity=20%"`); one
                that begins with `drop` is in neither part. `scale#` is the label of a factor, from
                0, in place of its value. If the dataset has its own splits, `train` stays within
                its training split and `test` within its test split.
            hold_out_seed: the seed for drawing the shares.
            hold_out_name: a name for the hold-out, for the record; a published split sets it.
            correlate: pairs of factors that are correlated in training, which draws images by their
                weight (`"floor_hue,wall_hue=0.2"`), or names of the dataset's settings
                (`"pair-1"`). The images and their labels stay the same.

        Raises:
            UsageError: the dataset has no such split, factor or value.
        """
        from disentangle.contracts.views import correlated, make_view

        view = make_view(self, split, factors, tuple(hold_out), hold_out_seed, hold_out_name)
        pairs = (correlate,) if isinstance(correlate, str) else tuple(correlate)
        return correlated(view, pairs) if pairs else view

    def draw(self, n: int, rng: np.random.Generator) -> Index:
        """Draw the indices of `n` images independently: uniformly, or by their `chances`."""
        if not self.correlation:
            return rng.integers(0, len(self), n)
        if "_cumulative" not in self.__dict__:
            cumulative = np.cumsum(self.chances)
            self._cumulative: Floats = cumulative / cumulative[-1]
        return np.searchsorted(self._cumulative, rng.random(n), side="right").astype(np.int64)

    def draw_distinct(self, n: int, rng: np.random.Generator) -> Index:
        """Draw the indices of `n` different images, sorted: uniformly, or by their `chances`.

        There are fewer if the dataset is smaller, or if an image would have to be drawn twice for
        its share of them.
        """
        if not self.correlation:
            return np.sort(rng.permutation(len(self))[:n])
        return draw_distinct(self.chances, n, rng)

    @property
    def chances(self) -> Floats:
        """The chance of each image to be drawn in training, [N]; the sum is 1."""
        if not self.correlation:
            return np.full(len(self), 1 / len(self))
        whole = self.whole
        assert isinstance(whole, Labelled)
        labels = whole.every_label(self.origin(np.arange(len(self))))
        return chances(labels, whole.every_factor, self.correlation)

    def _index(self, index: ArrayLike) -> Index:
        """Return `index` as int64 [N]; raise a UsageError if it is out of range."""
        array = np.asarray(index)
        if array.size and array.dtype.kind not in "iu":
            raise UsageError(f"expected an index of whole numbers, got {array.dtype}")
        if array.ndim > 1:
            raise UsageError(f"expected an index [N], got {list(array.shape)}")
        array = np.atleast_1d(array.astype(np.int64))
        if array.size and (array.min() < 0 or array.max() >= len(self)):
            raise UsageError(
                f"{self.name or 'the dataset'} has images 0 to {len(self) - 1}, "
                f"got indices {array.min()} to {array.max()}"
            )
        return array


class Labelled(Dataset):
    """A dataset with the factors of variation of each image.

    Attributes:
        every_factor: name -> number of values of all factors, scored or not, in the order of the
            labels.
        nuisance: factors that are present but not scored; constant factors are never scored.
        values: factor -> names of its values, in order, for factors whose values have names.
        numbers: factor -> the number behind each of its values, in order, for factors of unevenly
            spaced numbers; the labels serve as the numbers of all others.
        kinds: factor -> what its values mean, such as `"ordinal"` or `"cyclic=360"`, with the
            period in the unit of the factor's numbers; all others are `"categorical"`. See `Kind`.
        real: cyclic factors of real numbers, of which most images have one of their own, as of
            continuous ones.
        dependence: why the factors are not independent of one another; empty if they are. If not
            empty, metrics that assume independent factors run only if named explicitly.
    """

    every_factor: Mapping[str, int]
    nuisance: frozenset[str] = frozenset()
    values: Mapping[str, Sequence[str]] = MappingProxyType({})
    numbers: Mapping[str, Sequence[float]] = MappingProxyType({})
    kinds: Mapping[str, str] = MappingProxyType({})
    real: frozenset[str] = frozenset()
    dependence: str = ""
    strength: ClassVar[str] = "labelled"

    @abstractmethod
    def every_label(self, index: ArrayLike) -> Index:
        """Return the labels of all factors, scored or not, [N, len(every_factor)]."""

    @property
    def every_number(self) -> dict[str, Sequence[float]]:
        """The number behind each label of all factors, as in the whole dataset.

        A view may number the values that it has from 0; these are their numbers in the dataset that
        it is a view of.
        """
        return {
            name: self.numbers.get(name, range(size)) for name, size in self.every_factor.items()
        }

    def kind(self, factor: str) -> Kind:
        """Return what the values of a factor mean."""
        self.column(factor)
        return Kind.parse(self.kinds.get(factor, "categorical"))

    @property
    def real_factors(self) -> tuple[str, ...]:
        """The scored factors of real numbers, of which most images have one of their own.

        These are the continuous ones, and those in `real`. Their label is the rank of the number
        among all numbers of the factor.
        """
        return tuple(name for name in self.factors if self.is_real(name))

    def is_real(self, factor: str) -> bool:
        """True for a factor of real numbers, scored or not; see `real_factors`."""
        return self.kinds.get(factor) == "continuous" or factor in self.real

    def angles(self, factor: str) -> Floats:
        """Return the angle of each value of a cyclic factor, in radians, [number of values].

        Raises:
            UsageError: the factor is not cyclic.
        """
        kind = self.kind(factor)
        if kind.name != "cyclic":
            raise UsageError(f"{self.name}: expected a cyclic factor, '{factor}' is {kind}")
        numbers = np.asarray(self.every_number[factor], np.float64)
        angles: Floats = 2 * np.pi * numbers / kind.period
        return angles

    def value_texts(self, factor: str) -> ValueTexts:
        """Return the values of a factor as text: degrees, short numbers or names."""
        names = self.values.get(factor, ())
        return ValueTexts(factor, self.kind(factor), names, self.every_number[factor])

    def _values_in_words(self, factor: str) -> str:
        """The number of values of a factor, or the range of its real numbers."""
        size = self.every_factor[factor]
        return self.value_texts(factor).range if self.is_real(factor) else f"{size:,}"

    @property
    def factors(self) -> dict[str, int]:
        """The scored factors: name -> number of values."""
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
        """Draw for each image another image with the same value of `factor`, uniformly.

        If factors are correlated, an image with this value is drawn by its `chances`; it may be the
        same one.

        Raises:
            Unavailable: an image is the only one with its value, or the factor has real numbers.
        """
        if self.is_real(factor):
            raise Unavailable(f"factor '{factor}' has real numbers, which no two images share")
        if self.correlation:
            return self._sharing_by_chance(factor, index, rng)
        order, rank, start, count = self._by_value(factor)
        index = self._index(index)
        first, size = start[index], count[index]
        if (size < 2).any():
            raise Unavailable(f"factor '{factor}' has values with only one image")
        # An offset of 1 to size - 1 from the image's own rank never returns to it.
        offset = 1 + (rng.random(len(index)) * (size - 1)).astype(np.int64)
        return order[first + (rank[index] - first + offset) % size]

    def _sharing_by_chance(self, factor: str, index: ArrayLike, rng: np.random.Generator) -> Index:
        order, _, start, count = self._by_value(factor)
        index = self._index(index)
        first, last = start[index], start[index] + count[index]
        ends = np.concatenate([[0.0], np.cumsum(self.chances[order])])
        points = ends[first] + rng.random(len(index)) * (ends[last] - ends[first])
        drawn = np.searchsorted(ends, points, side="right") - 1
        sharing: Index = order[np.clip(drawn, first, last - 1)]
        return sharing

    def column(self, factor: str) -> int:
        """Return the column of a factor among all labels."""
        if factor not in self.every_factor:
            hint = suggestion(factor, self.every_factor)
            raise UsageError(f"{self.name} has no factor '{factor}'{hint}")
        return list(self.every_factor).index(factor)

    def _by_value(self, factor: str) -> tuple[Index, Index, Index, Index]:
        """Return the images sorted by value, and for each image its rank, group start and size."""
        if "_groups" not in self.__dict__:
            self._groups: dict[str, tuple[Index, Index, Index, Index]] = {}
        if factor not in self._groups:
            value = self.every_label(np.arange(len(self)))[:, self.column(factor)]
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
            raise UsageError(f"expected labels as whole numbers, got {array.dtype}")
        array = array.astype(np.int64)
        axes = f"the axes of {self.name or 'the grid'}, {dict(self.every_factor)}"
        if array.shape[1] != len(self._sizes):
            raise UsageError(
                f"expected labels [N, {len(self._sizes)}] on {axes}; got {list(array.shape)}"
            )
        outside = ((array < 0) | (array >= self._sizes)).any(axis=1)
        if outside.any():
            raise UsageError(f"expected labels within {axes}; got {array[outside][0].tolist()}")
        index: Index = array @ self._strides
        return index

    def sharing(self, factor: str, index: ArrayLike, rng: np.random.Generator) -> Index:
        """Draw for each image an image with the same value of `factor`.

        All other factors are drawn independently, as in the reference protocols. An image can thus
        be paired with itself, with probability one over the number of combinations of these. If
        factors are correlated, an image with this value is drawn by its `chances`.
        """
        if self.correlation:
            return self._sharing_by_chance(factor, index, rng)
        axis = self.column(factor)
        stride, size = self._strides[axis], self._sizes[axis]
        index = self._index(index)
        # The coordinates of a random image, except for the shared one.
        other = rng.integers(0, len(self), len(index))
        sharing: Index = other + (index // stride % size - other // stride % size) * stride
        return sharing


def check_labels(labels: Index, factors: Mapping[str, int]) -> None:
    """Raise unless labels [N, K] are valid for their factors.

    Raises:
        ValueError: a label is outside its factor, or their number is not the number of factors.
    """
    if labels.ndim != 2 or labels.shape[1] != len(factors):
        raise ValueError(f"expected labels [N, {len(factors)}], got {list(labels.shape)}")
    for column, (name, size) in zip(labels.T, factors.items(), strict=True):
        wrong = column[(column < 0) | (column >= size)]
        if wrong.size:
            raise ValueError(f"expected labels of '{name}' from 0 to {size - 1}, got {wrong[0]}")
