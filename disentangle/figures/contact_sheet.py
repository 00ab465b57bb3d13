"""Contact sheets, which show the effect of each factor of a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from disentangle._utils.seeds import numpy_rng
from disentangle._utils.versions import made_by
from disentangle.contracts.dataset import Dataset, Grid, Index, Labelled
from disentangle.errors import UsageError
from disentangle.figures.image_grids import as_float, mosaic, save_figure, show

COLUMNS = 12
CELL = 0.62  # inches
MARGIN = 1.6  # inches, for the names of the factors
ROWS = 8  # rows of a dataset without labels


@dataclass(frozen=True)
class SheetRow:
    """One row: the factor's name, the indices of up to `COLUMNS` images, and their headings."""

    label: str
    index: Index
    heads: Sequence[str]


def draw_contact_sheet(dataset: Dataset, path: Path, seed: int = 0) -> Path:
    """Draw a dataset's contact sheet; return the path of the PNG.

    For a grid, each row varies one factor while the others are fixed. For other labelled images,
    each row shows examples of a factor's values. Images without labels are a random sample.

    Args:
        dataset: any dataset.
        path: path of the PNG file.
        seed: seed for choosing the images.

    Raises:
        UsageError: the path does not end with `.png`.
    """
    from matplotlib.figure import Figure

    if path.suffix.lower() != ".png":
        raise UsageError(f"{path}: a contact sheet is a PNG; use {path.with_suffix('.png')}")

    rows = find_rows(dataset, numpy_rng(seed, "contact sheet"))
    channels, height, width = dataset.image_shape
    across, high, top = COLUMNS * CELL * width / height, CELL + 0.2, 0.45
    size = (MARGIN + across + 0.1, top + len(rows) * high + 0.1)
    figure = Figure(figsize=size, dpi=130)
    for number, row in enumerate(rows):
        images = as_float(dataset.images(row.index).contiguous())
        share = len(row.index) / COLUMNS
        y = size[1] - top - (number + 1) * high
        rectangle = (MARGIN / size[0], y / size[1], share * across / size[0], CELL / size[1])
        axes = figure.add_axes(rectangle)
        show(axes, mosaic(images[None]))
        axes.set_xticks([(width + 1) * (i + 0.5) for i in range(len(row.heads))], row.heads)
        axes.xaxis.set_ticks_position("top")
        axes.tick_params(length=0, labelsize=6, pad=1)
        axes.set_yticks([])
        figure.text(0.06 / size[0], (y + CELL / 2) / size[1], row.label, fontsize=8, va="center")
    heading = f"{dataset.name}: {len(dataset):,} images, {channels} x {height} x {width}"
    if isinstance(dataset, Labelled):
        heading += f", {dataset.strength}"
    figure.text(0.06 / size[0], 1 - 0.2 / size[1], heading, fontsize=9, va="center")
    source = f"{dataset.name}, fingerprint {dataset.fingerprint}"
    save_figure(figure, path, software=made_by(), source=source)
    return path


def find_rows(dataset: Dataset, rng: np.random.Generator) -> list[SheetRow]:
    """Return the rows of a dataset's contact sheet."""
    if isinstance(dataset, Grid):
        base = dataset.every_label(rng.integers(0, len(dataset), 1))[0]
        return [_along(dataset, base, k) for k in range(len(base))]
    if isinstance(dataset, Labelled):
        labels = dataset.every_label(np.arange(len(dataset)))
        return [_examples(dataset, labels, k, rng) for k in range(labels.shape[1])]
    sample = rng.permutation(len(dataset))[: ROWS * COLUMNS]
    blocks = [sample[i : i + COLUMNS] for i in range(0, len(sample), COLUMNS)]
    return [SheetRow("", block, [f"#{i}" for i in block]) for block in blocks]


def _along(dataset: Grid, base: Index, column: int) -> SheetRow:
    """Return the row that varies one factor over its values, or over an even selection of them."""
    name, size = list(dataset.every_factor.items())[column]
    values = np.unique(np.linspace(0, size - 1, min(size, COLUMNS)).round().astype(np.int64))
    labels = np.repeat(base[None], len(values), axis=0)
    labels[:, column] = values
    return SheetRow(_label(dataset, name), dataset.index(labels), _heads(dataset, name, values))


def _examples(dataset: Labelled, labels: Index, column: int, rng: np.random.Generator) -> SheetRow:
    """Return the row with example images of each value of one factor, or of a selection."""
    name = list(dataset.every_factor)[column]
    present = np.unique(labels[:, column])
    shown = present[np.unique(np.linspace(0, len(present) - 1, COLUMNS).round().astype(int))]
    each = COLUMNS // len(shown)
    index, values = [], []
    for value in shown:
        candidates = np.flatnonzero(labels[:, column] == value)
        drawn = rng.choice(candidates, min(each, len(candidates)), replace=False)
        index.append(drawn)
        values += [value] * len(drawn)
    return SheetRow(_label(dataset, name), np.concatenate(index), _heads(dataset, name, values))


def _label(dataset: Labelled, name: str) -> str:
    label = f"{name}\n{dataset.every_factor[name]} values"
    return label if name in dataset.factors else f"{label}, not scored"


def _heads(dataset: Labelled, name: str, values: Sequence[int] | Index) -> list[str]:
    names = dataset.values.get(name)
    headings = [str(names[v]) if names else str(v) for v in values]
    return [text if len(text) <= 10 else f"{text[:8]}.." for text in headings]
