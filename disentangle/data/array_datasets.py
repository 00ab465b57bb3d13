"""Datasets whose images are in one array, in memory or memory-mapped."""

from collections.abc import Mapping, Sequence
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle.contracts.dataset import Dataset, Grid, Index, Labelled
from disentangle.contracts.kinds import Kind
from disentangle.data.prepared import Prepared, Rows

if TYPE_CHECKING:
    from torch import Tensor


class Pixels(Dataset):
    """Images in an array [N, H, W, C] of bytes: channels last, the fastest layout for networks."""

    def __init__(self, prepared: Prepared) -> None:
        self.rows: Rows = prepared.rows
        height, width, channels = self.rows.shape[1:]
        self.image_shape = (channels, height, width)
        self.source = prepared.manifest.source
        self.fingerprint = prepared.manifest.fingerprint
        self._names, self._part = prepared.manifest.splits, _part(prepared)

    def __len__(self) -> int:
        return len(self.rows)

    def images(self, index: ArrayLike) -> "Tensor":
        """Return the images at `index`, uint8 [N, C, H, W], channels last in memory."""
        from torch import from_numpy

        return from_numpy(self.rows[self._index(index)]).permute(0, 3, 1, 2)

    @property
    def splits(self) -> Mapping[str, Index]:
        """The named parts of the dataset."""
        named = {name: np.flatnonzero(self._part == i) for i, name in enumerate(self._names)}
        return {"all": np.arange(len(self)), **named}


class LabelledPixels(Pixels, Labelled):
    """Images in an array, with labels."""

    def __init__(self, prepared: Prepared, nuisance: Sequence[str] = ()) -> None:
        super().__init__(prepared)
        manifest = prepared.manifest
        self.values = {k: names for k, names in manifest.factors.items() if k not in manifest.real}
        self.numbers = {
            **manifest.numbers,
            **cast("Mapping[str, Sequence[float]]", prepared.numbers),
        }
        self.kinds, self.real = manifest.kinds, frozenset(manifest.real)
        self.every_factor = {
            name: manifest.real.get(name, len(names)) for name, names in manifest.factors.items()
        }
        self.nuisance = frozenset(nuisance)
        if prepared.labels is None:
            raise ValueError("labelled images without labels")
        self._labels = prepared.labels[:, : len(self.every_factor)].astype(np.int64)

    def every_label(self, index: ArrayLike) -> Index:
        """Return the labels of all factors, [N, number of factors]."""
        return self._labels[self._index(index)]


class GridPixels(Pixels, Grid):
    """Images in an array, one for every combination of the factors, in row-major order."""

    def __init__(self, prepared: Prepared, nuisance: Sequence[str] = ()) -> None:
        self.values, self.numbers = prepared.manifest.factors, prepared.manifest.numbers
        self.kinds = prepared.manifest.kinds
        Grid.__init__(self, {name: len(values) for name, values in self.values.items()}, nuisance)
        Pixels.__init__(self, prepared)


def as_dataset(
    prepared: Prepared,
    nuisance: Sequence[str] = (),
    kinds: Mapping[str, str] = MappingProxyType({}),
) -> Pixels:
    """Return prepared images as a grid if possible, else as labelled images, else as images.

    Args:
        prepared: the prepared images.
        nuisance: factors that are not scored.
        kinds: factor -> what its values mean; see `Labelled`. The labels are the numbers of a
            cyclic factor, so it needs all values of a period; with fewer it stays categorical.
    """
    if not prepared.manifest.factors:
        return Pixels(prepared)
    cls = GridPixels if prepared.manifest.grid else LabelledPixels
    dataset = cls(prepared, nuisance)
    dataset.kinds = dict(dataset.kinds) | {
        name: kind
        for name, kind in kinds.items()
        if Kind.parse(kind).period in (0, dataset.every_factor[name])
    }
    return dataset


def grid_order(labels: NDArray[np.integer[Any]], sizes: Sequence[int]) -> Index | None:
    """Return the order of rows that makes labels [N, K] a row-major grid; None if impossible."""
    if len(labels) != prod(map(int, sizes)):
        return None
    cell = np.ravel_multi_index(tuple(labels.T), tuple(sizes))
    order = np.argsort(cell, kind="stable")
    return order if (cell[order] == np.arange(len(cell))).all() else None


def _part(prepared: Prepared) -> NDArray[np.int32] | None:
    if prepared.labels is None or not prepared.manifest.splits:
        return None
    part: NDArray[np.int32] = prepared.labels[:, -1]
    return part
