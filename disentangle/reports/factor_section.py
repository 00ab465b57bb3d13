"""The factor view of a run's page: images of a grid whose factors are moved, and their latents."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite, isqrt, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from disentangle.contracts.dataset import Grid, Index, Labelled
from disentangle.figures.image_grids import as_float
from disentangle.figures.latents import Latents
from disentangle.reports.scores_section import cells
from disentangle.reports.sprites import data_uri, sprite_sheet, webp
from disentangle.runs.records import describe_view, uncorrelated
from disentangle.runs.run import Run
from disentangle.score_tables.cells import number

MOST, BYTES = 1000, 450_000
"""The most images in the sprite sheet, and the bytes that it takes, roughly."""
SIDE = 192
"""The largest width of the picture on the page, in pixels; it is enlarged by a whole factor."""
TRIAL = 16
"""The number of images that are compressed to estimate how many bytes an image takes."""


@dataclass(frozen=True)
class Part:
    """Some images of a grid: every combination of some values of each factor.

    Attributes:
        grid: the grid.
        chosen: for each factor of the grid, the positions of the chosen values.
    """

    grid: Grid
    chosen: tuple[Index, ...]

    @property
    def moved(self) -> list[int]:
        """The columns of the factors of which two values or more are chosen."""
        return [k for k, positions in enumerate(self.chosen) if len(positions) > 1]

    @property
    def index(self) -> Index:
        """The indices of the images in the grid, in row-major order."""
        axes = np.meshgrid(*self.chosen, indexing="ij")
        return self.grid.index(np.stack([axis.ravel() for axis in axes], 1))

    def names(self, column: int) -> list[str]:
        """The chosen values of a factor in words."""
        factor = list(self.grid.every_factor)[column]
        return self.grid.value_texts(factor).of(self.chosen[column])


def factor_view(run: Run, latents: Latents) -> dict[str, Any] | None:
    """The template values of the factor view, or `why` there is none.

    None if the dataset has no factors that vary.
    """
    dataset = run.dataset
    if not isinstance(dataset, Labelled) or not any(n > 1 for n in dataset.every_factor.values()):
        return None
    grid = grid_of(run)
    if grid is None:
        return {
            "why": "Not available for this dataset: moving one factor alone requires an image of "
            f"every combination of factor values, and {run.record.dataset.name} lacks some."
        }
    part = thinned(grid, affordable(grid))
    index = part.index
    images, trained = grid.images(index), trained_on(run, grid, index)
    codes = run.encode(images).double().numpy()[:, latents.order]
    columns = isqrt(len(images) - 1) + 1
    _, height, width = run.record.dataset.image_shape
    factors = [factor(part, k) for k in part.moved]
    return {
        "why": "",
        "sheet": data_uri(in_rows(as_float(images), columns)),
        "columns": columns,
        "rows": ceil(len(images) / columns),
        "shape": (width + 2, height + 2),
        "zoom": max(1, SIDE // width),
        "count": len(images),
        "size": len(grid),
        "untrained": int((~trained).sum()),
        "view": describe_view(uncorrelated(run.record.dataset.view)),
        "factors": factors,
        "fixed": [
            f"{name} = {part.names(k)[0]}"
            for k, (name, size) in enumerate(grid.every_factor.items())
            if size > 1 and k not in part.moved
        ],
        "matrix": movements(part, codes, latents),
        "data": {
            "factors": factors,
            "latents": [
                {"name": f"z{d}", "weight": weight, "active": active}
                for d, weight, active in zip(
                    latents.order, latents.weights, latents.active, strict=True
                )
            ],
            "codes": [[rounded(z) for z in code] for code in codes.tolist()],
            "untrained": np.flatnonzero(~trained).tolist(),
        },
    }


def grid_of(run: Run) -> Grid | None:
    """The images that the run was trained on if they are a grid, else the whole dataset if it is.

    None if neither is a grid.
    """
    for dataset in (run.dataset, run.whole):
        if isinstance(dataset, Grid):
            return dataset
    return None


def trained_on(run: Run, grid: Grid, index: Index) -> NDArray[np.bool_]:
    """True for each image of the grid that is among those that the run was trained on."""
    whole = run.dataset.origin(np.arange(len(run.dataset)))
    return np.isin(grid.origin(index), whole)


def affordable(grid: Grid) -> int:
    """The number of images whose sprite sheet is small enough, by compressing a few of them."""
    trial = np.unique(np.linspace(0, len(grid) - 1, TRIAL).astype(np.int64))
    taken = len(webp(sprite_sheet(as_float(grid.images(trial))[None])))
    return min(MOST, BYTES * len(trial) // taken)


def thinned(grid: Grid, most: int) -> Part:
    """At most `most` images: as many values of each factor as possible, evenly spaced.

    The values are the middles of intervals of equal length: of a factor that is an angle, the first
    and the last are no neighbours.
    """
    sizes = list(grid.every_factor.values())
    counts = value_counts(sizes, most)
    middles = [
        (2 * np.arange(count) + 1) * size // (2 * count)
        for count, size in zip(counts, sizes, strict=True)
    ]
    return Part(grid, tuple(middles))


def value_counts(sizes: Sequence[int], most: int) -> list[int]:
    """How many values of each factor to show, so that there are at most `most` combinations.

    One value at a time goes to the factor with the fewest for its size, by its fourth root: large
    factors get more values than small ones, which keep most of theirs.
    """
    counts = [1] * len(sizes)
    while True:
        total = prod(counts)
        growing = [
            k
            for k, (count, size) in enumerate(zip(counts, sizes, strict=True))
            if count < size and total // count * (count + 1) <= most
        ]
        if not growing:
            return counts
        counts[min(growing, key=lambda k: counts[k] / sizes[k] ** 0.25)] += 1


def in_rows(images: Tensor, columns: int) -> Tensor:
    """Images [N, C, H, W] in rows [rows, columns, C, H, W]; the last row is filled with black."""
    missing = -len(images) % columns
    filled = pad(images, (0, 0) * 3 + (0, missing))
    return filled.reshape(-1, columns, *images.shape[1:])


def factor(part: Part, column: int) -> dict[str, Any]:
    """A factor that is moved: its name, the names of the values shown, and of how many."""
    name, size = list(part.grid.every_factor.items())[column]
    names = part.names(column)
    shown = f"{len(names)} of {size} values" if len(names) < size else f"all {size} values"
    return {
        "name": name,
        "names": names,
        "shown": shown,
        "scored": name in part.grid.factors,
    }


def movements(part: Part, codes: NDArray[np.float64], latents: Latents) -> dict[str, Any]:
    """How far each latent moves when one factor runs through its values and the others rest.

    A cell is the largest minus the smallest mean of the latent, averaged over all values of the
    other factors.

    Args:
        part: the images.
        codes: their codes, [N, D], in the order of `latents`.
        latents: the latents of the run.
    """
    block = codes.reshape(*(len(part.chosen[k]) for k in part.moved), -1)
    axes = range(len(part.moved))
    ranges = np.stack(
        [np.ptp(block, axis=k, keepdims=True).mean(axis=tuple(axes)) for k in axes], 1
    )  # [D, factors]
    lines = [[z if isfinite(z) else None for z in line] for line in ranges.tolist()]
    most = max((z for line in lines for z in line if z is not None), default=0.0)
    return {
        "most": number(most),
        "rows": [
            {"name": f"z{d}", "active": active, "cells": cells(line, most)}
            for d, active, line in zip(latents.order, latents.active, lines, strict=True)
        ],
    }


def rounded(value: float) -> float | None:
    """A latent's mean with three decimals; None if it is not finite."""
    return round(value, 3) + 0.0 if isfinite(value) else None
