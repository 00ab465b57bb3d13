"""Contact sheets, which show the effect of each factor of a dataset."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from disentangle._utils.seeds import numpy_rng
from disentangle._utils.text import count
from disentangle.contracts.correlation import Floats
from disentangle.contracts.dataset import Dataset, Grid, Index, Labelled
from disentangle.errors import UsageError
from disentangle.figures.image_grids import as_float, mosaic, show

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

COLUMNS = 12
CELL = 0.62  # inches
MARGIN = 1.6  # inches, for the names of the factors
APART = 0.1  # inches, between the parts of a row
ROWS = 8  # rows of a dataset without labels


@dataclass(frozen=True)
class SheetRow:
    """One row: the factor's name, the indices of up to `COLUMNS` images, and their headings.

    A row of several base images has one part for each, of `size` images.
    """

    label: str
    index: Index
    heads: Sequence[str]
    size: int


def draw_contact_sheet(dataset: Dataset, path: Path, seed: int = 0) -> Path:
    """Write `plot_contact_sheet` to a PNG; return its path.

    Raises:
        UsageError: the path does not end with `.png`.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path}: a contact sheet is a PNG; use {path.with_suffix('.png')}")
    return plot_contact_sheet(dataset, seed).save(path)


def plot_contact_sheet(dataset: Dataset, seed: int = 0) -> "Picture":
    """Draw a dataset's contact sheet, which shows the effect of each factor.

    For a grid, each row varies one factor while the others are fixed, for as many base images as
    there is room for. For other labelled images, each row shows examples of a factor's values, of
    real numbers at an even selection of their range.
    Images without labels are a random sample. A factor with a single value has no row.

    Args:
        dataset: an opened dataset or view.
        seed: seed for choosing the images.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Example:
        `plot_contact_sheet(load_dataset("dsprites")).save("sheet.png")`
    """
    from disentangle.figures.picture import Picture

    rows = find_rows(dataset, numpy_rng(seed, "contact sheet"))
    channels, height, width = dataset.image_shape
    wide, high, top = CELL * width / height, CELL + 0.2, 0.45
    across = max(len(row.index) * wide + (len(row.index) // row.size - 1) * APART for row in rows)
    size = (MARGIN + across + 0.1, top + len(rows) * high + 0.1)
    figure = Picture(figsize=size, dpi=130)
    for number, row in enumerate(rows):
        images = as_float(dataset.images(row.index).contiguous())
        y = size[1] - top - (number + 1) * high
        for part, first in enumerate(range(0, len(images), row.size)):
            shown = images[first : first + row.size]
            x = MARGIN + first * wide + part * APART
            axes = figure.add_axes(
                (x / size[0], y / size[1], len(shown) * wide / size[0], CELL / size[1])
            )
            show(axes, mosaic(shown[None]))
            heads = row.heads[first : first + row.size]
            axes.set_xticks([(width + 1) * (i + 0.5) for i in range(len(heads))], heads)
            axes.xaxis.set_ticks_position("top")
            axes.tick_params(length=0, labelsize=7, pad=1)
            axes.set_yticks([])
        figure.text(0.06 / size[0], (y + CELL / 2) / size[1], row.label, fontsize=8, va="center")
    heading = f"{dataset.name}: {len(dataset):,} images, {channels} x {height} x {width}"
    if isinstance(dataset, Labelled):
        heading += f", {dataset.strength}"
        constant = [name for name, number in dataset.every_factor.items() if number == 1]
        heading += f"; constant: {', '.join(constant)}" if constant else ""
    figure.text(0.06 / size[0], 1 - 0.2 / size[1], heading, fontsize=9, va="center")
    figure.about = f"{dataset.name}, fingerprint {dataset.fingerprint}"
    figure.shows = f"contact sheet of {dataset.name}"
    return figure


def find_rows(dataset: Dataset, rng: np.random.Generator) -> list[SheetRow]:
    """Return the rows of a dataset's contact sheet."""
    if isinstance(dataset, Grid):
        bases = dataset.every_label(rng.integers(0, len(dataset), COLUMNS // 2))
        return [_along(dataset, bases, k) for k in _varying(dataset)] or _sample(dataset, rng)
    if isinstance(dataset, Labelled):
        labels = dataset.every_label(np.arange(len(dataset)))
        rows = [_examples(dataset, labels, k, rng) for k in _varying(dataset)]
        return rows or _sample(dataset, rng)
    return _sample(dataset, rng)


def _varying(dataset: Labelled) -> list[int]:
    """Return the columns of the factors with more than one value."""
    return [k for k, number in enumerate(dataset.every_factor.values()) if number > 1]


def _sample(dataset: Dataset, rng: np.random.Generator) -> list[SheetRow]:
    """Return rows with a random sample of images."""
    sample = rng.permutation(len(dataset))[: ROWS * COLUMNS]
    blocks = [sample[i : i + COLUMNS] for i in range(0, len(sample), COLUMNS)]
    return [SheetRow("", block, [f"#{i}" for i in block], COLUMNS) for block in blocks]


def _along(dataset: Grid, bases: Index, column: int) -> SheetRow:
    """Return the row that varies one factor over its values, or over an even selection of them."""
    name, size = list(dataset.every_factor.items())[column]
    values = np.unique(np.linspace(0, size - 1, min(size, COLUMNS)).round().astype(np.int64))
    parts = bases[: max(1, COLUMNS // len(values))]
    labels = np.repeat(parts, len(values), axis=0)
    labels[:, column] = np.tile(values, len(parts))
    heads = _heads(dataset, name, values) * len(parts)
    return SheetRow(_label(dataset, name), dataset.index(labels), heads, len(values))


def _examples(dataset: Labelled, labels: Index, column: int, rng: np.random.Generator) -> SheetRow:
    """Return the row with example images of each value of one factor, or of a selection."""
    name = list(dataset.every_factor)[column]
    present = np.unique(labels[:, column])
    if dataset.is_real(name):
        numbers = np.asarray(dataset.every_number[name], np.float64)[present]
        shown = present[_evenly(numbers, dataset.kind(name).period)]
    else:
        shown = present[np.unique(np.linspace(0, len(present) - 1, COLUMNS).round().astype(int))]
    each = COLUMNS // len(shown)
    index, values = [], []
    for value in shown:
        candidates = np.flatnonzero(labels[:, column] == value)
        drawn = rng.choice(candidates, min(each, len(candidates)), replace=False)
        index.append(drawn)
        values += [value] * len(drawn)
    heads = _heads(dataset, name, values)
    return SheetRow(_label(dataset, name), np.concatenate(index), heads, COLUMNS)


def _evenly(numbers: Floats, period: float) -> Index:
    """Return where the numbers are that are nearest to an even selection of their range.

    The last one of a full period is before its end, which is its beginning.
    """
    step = float(np.ptp(numbers)) / (COLUMNS - 1)
    if period:
        step = min(step, period / COLUMNS)
    even = numbers.min() + step * np.arange(COLUMNS)
    return np.unique(np.abs(numbers[:, None] - even).argmin(0))


def _label(dataset: Labelled, name: str) -> str:
    size = dataset.every_factor[name]
    values = dataset.kind(name).name if dataset.is_real(name) else count(size, "value")
    label = f"{name}\n{values}"
    return label if name in dataset.factors else f"{label}, not scored"


def _heads(dataset: Labelled, name: str, labels: Iterable[int]) -> list[str]:
    headings = dataset.value_texts(name).of(labels)
    return [text if len(text) <= 10 else f"{text[:8]}.." for text in headings]
