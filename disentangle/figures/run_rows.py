"""Traversals of one factor by several runs, one row per run, as in Higgins et al. (2017)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from disentangle._utils.text import file_stem
from disentangle.contracts.model import ACTIVE
from disentangle.contracts.source import Codes
from disentangle.errors import UsageError, nearest, one_per_option
from disentangle.figures.aligned import check_comparable, correlations
from disentangle.figures.bases import Base, current_names, find_bases
from disentangle.figures.canvas import COLUMN, EDGE, LINE, PAGE, Canvas, lines
from disentangle.figures.factor_names import Informed, measure_factors
from disentangle.figures.image_grids import STILL, check_suffix
from disentangle.figures.latents import probe
from disentangle.figures.traversals import (
    COLUMNS,
    LETTER,
    TraversalStyle,
    ranges_of,
    traverse,
    values_of,
)
from disentangle.runs.labels import read_label
from disentangle.runs.run import Run
from disentangle.score_tables.observations import names_of, settings

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

CELL = 0.3  # inches, at most
NAME = 1.3  # inches, at most, of a run's name
ABOVE, BELOW = 0.18, 0.12  # inches around a block


@dataclass(frozen=True)
class RunRow:
    """One row: a run's latent, and whether its traversal is reversed to run as the first row's."""

    run: Run
    latent: int
    reverse: bool
    note: str


@dataclass(frozen=True)
class Block:
    """The rows of one factor or latent, one per run."""

    head: str
    rows: list[RunRow]
    of_factor: bool


def draw_run_rows(
    runs: Sequence[Run],
    rows: Sequence[str],
    base: str = "random",
    output: Path | None = None,
    style: TraversalStyle | None = None,
) -> Path:
    """Write `plot_rows` to a PNG, PDF or SVG file; return its path.

    By default it is a PNG in the first run's figures.
    """
    style = style or TraversalStyle()
    (base,) = current_names([base])
    path = output or runs[0].figures / f"{stem_of(runs, rows, base, style)}.png"
    check_suffix(path, STILL)
    picture = plot_rows(
        runs, rows, base=base, span=style.span, columns=style.columns, caption=style.caption
    )
    return picture.save(path)


def plot_rows(
    runs: Sequence[Run],
    rows: Sequence[str],
    *,
    base: str = "random",
    span: str = "prior",
    columns: int = COLUMNS,
    caption: bool = True,
) -> "Picture":
    """Draw traversals of the same factors or latents by several runs, one row per run.

    Args:
        runs: runs that were trained on the same images.
        rows: for each block of rows, a factor, shown by each run's latent that is most informative
            of it; or a latent of the first run (its number as text), shown by the latents that
            correlate most with it.
        base: the image to start from: `random`, `first` or its number.
        span: the range of each latent; see `plot_traversals`.
        columns: the number of images in a row, 2 to 25.
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: there is no such factor or latent, or the base is not one image.
        DisentangleError: the runs were trained on different images.

    Example:
        `plot_rows(runs, ["shape", "0"]).save("rows.png")`
    """
    style = TraversalStyle(span, columns=columns, caption=caption)
    (base,) = current_names([base])
    for other in runs[1:]:
        check_comparable(runs[0], other)
    starts = find_bases(runs[0], [base])
    start = starts[0]
    if len(starts) != 1 or start.image is None:
        raise UsageError(f"--row requires a single base image of the dataset, got --base {base}")
    bases = [Base(start.label, start.short, run.encode(start.image[None])[0]) for run in runs]
    informed = [measure_factors(run) for run in runs]
    blocks = [find_block(runs, informed, row) for row in rows]
    return make_canvas(runs, blocks, bases, style).figure


def stem_of(runs: Sequence[Run], rows: Sequence[str], base: str, style: TraversalStyle) -> str:
    """The name of the figure's file; it tells its rows, and runs by a digest of their ids."""
    digest = hashlib.sha256(" ".join(run.record.id for run in runs).encode()).hexdigest()[:6]
    bases = [base] if base != "random" else []
    return file_stem(style.stem(bases), "rows", *rows, f"{len(runs)} runs {digest}")


def find_block(runs: Sequence[Run], informed: Sequence[Informed | None], row: str) -> Block:
    """Return the block of a factor, or of a latent of the first run.

    Raises:
        UsageError: there is no such factor or latent.
    """
    first = informed[0]
    if first is not None and row in first.factors:
        rows = [by_factor(run, known, row) for run, known in zip(runs, informed, strict=True)]
        return Block(row, rows, of_factor=True)
    if row.isdecimal() and int(row) < runs[0].model.latents:
        images = runs[0].dataset.images(probe(runs[0]))
        codes = [run.encode(images).double().numpy() for run in runs]
        rows = [
            by_match(run, codes[0], own, int(row)) for run, own in zip(runs, codes, strict=True)
        ]
        return Block(f"z{row} of the first run", rows, of_factor=False)
    factors = first.factors if first is not None else ()
    if "," in row:
        raise UsageError(f"--row {row}: {one_per_option('--row', row.split(','))}")
    near = nearest(row, factors)
    raise UsageError(
        f"--row {row}: expected a factor ({', '.join(factors) or 'the dataset has none'}) or a "
        f"latent of the first run, 0 to {runs[0].model.latents - 1}"
        + (f"; did you mean '{near}'?" if near else "")
    )


def by_factor(run: Run, informed: Informed | None, factor: str) -> RunRow:
    """Return the row of the latent that is most informative of a factor."""
    if informed is None or factor not in informed.factors:
        raise UsageError(f"{run.path}: no factor '{factor}' in its dataset")
    column = informed.factors.index(factor)
    latent = int(informed.shares[:, column].argmax())
    r = correlation(informed.codes[:, latent], informed.labels[:, column])
    return RunRow(run, latent, r < 0, f"{100 * max(0.0, informed.shares[latent, column]):.0f} %")


def by_match(run: Run, first: Codes, own: Codes, latent: int) -> RunRow:
    """Return the row of the latent that correlates most with a latent of the first run."""
    r = correlations(first, own)[latent] if first is not own else np.eye(own.shape[1])[latent]
    best = int(np.abs(r).argmax())
    return RunRow(run, best, r[best] < 0, "" if first is own else f"|r| {abs(r[best]):.2f}")


def correlation(z: NDArray[np.float64], values: NDArray[np.int64]) -> float:
    """Return the correlation of a latent and a factor; 0 if one does not vary."""
    if z.var() <= ACTIVE or values.var() == 0:
        return 0.0
    return float(np.corrcoef(z, values)[0, 1])


def make_canvas(
    runs: Sequence[Run],
    blocks: Sequence[Block],
    bases: Sequence[Base],
    style: TraversalStyle,
) -> Canvas:
    """Return the figure: a block per factor or latent, with one row per run."""
    names = distinct_names(runs)
    texts = [[label(names[i], row) for i, row in enumerate(block.rows)] for block in blocks]
    printed = [text.split("\n") for labels in texts for text in labels]
    left = EDGE * 2 + LETTER * max(len(line) for text in printed for line in text)
    width = COLUMN if left + style.columns * 0.15 <= COLUMN else PAGE
    cell = min(CELL, (width - left - EDGE) / style.columns)
    pitch = max(cell, LINE * max(map(len, printed)) + EDGE)
    high = ABOVE + len(runs) * pitch + BELOW
    ranges = [ranges_of(run, style) for run in runs]
    canvas = Canvas(
        f"run{'s' if len(runs) > 1 else ''} {', '.join(run.record.id for run in runs)}",
        width,
        len(blocks) * high,
        caption_of(blocks, bases[0], style, ranges),
        shows=f"traversals of {', '.join(block.head for block in blocks)} by {len(runs)} runs on "
        f"{runs[0].record.dataset.name}",
        caption=style.caption,
    )
    for number, block in enumerate(blocks):
        y = canvas.head + number * high
        canvas.text(left, y + ABOVE - 0.04, block.head, va="bottom")
        for i, row in enumerate(block.rows):
            top = y + ABOVE + i * pitch
            images = row_images(row, bases[i], style.columns, ranges[i])
            axes = canvas.images(left, top, cell, images)
            axes.set_yticks([(axes.get_ylim()[0] + 1) / 2], [texts[number][i]], linespacing=1.0)
            for text in axes.get_yticklabels():
                text.set_parse_math(False)
    return canvas


def row_images(row: RunRow, base: Base, columns: int, ranges: Tensor | None) -> Tensor:
    """Return the images of a row, [1, value, C, H, W]."""
    images = traverse(row.run, base, [row.latent], columns, ranges)
    return images.flip(1) if row.reverse else images


def distinct_names(runs: Sequence[Run]) -> list[str]:
    """Name each run by its own name, else by its model and the settings that runs differ in."""
    named = names_of({i: (run.record.model, settings(run.record)) for i, run in enumerate(runs)})
    return [read_label(run.path).name or named[i] for i, run in enumerate(runs)]


def label(name: str, row: RunRow) -> str:
    """Return the label of a row: the run, its latent, and how well the latent fits."""
    latent = f"z{row.latent}  {row.note}".rstrip()
    return "\n".join([*lines(name, NAME), latent])


def caption_of(
    blocks: Sequence[Block], base: Base, style: TraversalStyle, ranges: Sequence[Tensor | None]
) -> str:
    """Return the figure's caption."""
    ends = set()
    for row, own in (
        (row, own) for block in blocks for row, own in zip(block.rows, ranges, strict=True)
    ):
        values = values_of(row.run, row.latent, style.columns, own)
        ends.add((round(float(values[0]), 3), round(float(values[-1]), 3)))
    low, high = ends.pop()
    span = "over the latent's own range" if ends else f"from {low:g} to {high:g}"
    text = (
        f"Each row is a traversal of one latent of one run, {span}; the other latents keep the "
        f"values of {base.label}."
    )
    if any(block.of_factor for block in blocks):
        text += (
            " Below a factor: each run's latent that is most informative of it, with its share of "
            "the factor's entropy."
        )
    if not all(block.of_factor for block in blocks):
        text += " Below a latent of the first run: each run's latent that correlates most with it."
    return f"{text} Latents with a negative correlation are reversed."
