"""Latent traversals as in Higgins et al. (2017), as still images and as animations."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from disentangle._utils.versions import made_by
from disentangle.figures.bases import Base, default_bases, find_bases
from disentangle.figures.canvas import COLUMN, EDGE, GREY, PAGE, STILL, Canvas, check_suffix, title
from disentangle.figures.image_grids import as_float, save_animation
from disentangle.figures.latents import Latents, measure_latents, measure_ranges
from disentangle.runs.run import Run

COLUMNS = 11
FRAMES = 25
CELL = 0.3  # inches, at most
LEFT, GAP, ABOVE, BELOW = 0.7, 0.15, 0.35, 0.2  # inches around a panel
MOVING = (".gif", ".webp")

Span: TypeAlias = Literal["prior", "posterior"]
"""The range of a traversal: -3 to 3, or the latent's range over the dataset."""


def traverse(
    run: Run, base: Base, latents: Sequence[int], columns: int, ranges: Tensor | None = None
) -> Tensor:
    """Return images [latent, value, C, H, W]: one latent varies, the others stay at the base.

    Args:
        run: the run.
        base: the base of the traversal.
        latents: the latents to vary, one per row.
        columns: the number of values; fewer if a latent has fewer values.
        ranges: the range of each latent, [D, 2]; by default the model's own.
    """
    rows = []
    for d in latents:
        values = values_of(run, d, columns, ranges)
        z = base.z.repeat(len(values), 1)
        z[:, d] = values
        rows.append(run.decode(z))
    return torch.stack(rows)


def values_of(run: Run, latent: int, columns: int, ranges: Tensor | None) -> Tensor:
    """Return the values of a latent in a traversal, both ends included, [value]."""
    if ranges is None:
        return run.model.traversal(latent, columns)
    low, high = ranges[latent].tolist()
    return torch.linspace(low, high, columns)


def draw_traversals(
    run: Run,
    bases: Sequence[str] | None = None,
    output: Path | None = None,
    *,
    span: Span = "prior",
) -> list[Path]:
    """Draw the traversals of every latent from every base; return the files' paths.

    Args:
        run: the run.
        bases: see `find_bases`; by default `default_bases`.
        output: path of a PNG, PDF, SVG, GIF or WebP file; by default a PNG and a GIF among the
            run's figures.
        span: `prior` goes from -3 to 3, `posterior` from the 1st to the 99th percentile of the
            aggregate posterior. For a model with discrete codes, the traversal shows their values.

    Raises:
        UsageError: a base is invalid, or the format is not supported.
    """
    paths = [run.figures / "traversals.png", run.figures / "traversals.gif"]
    if output is not None:
        check_suffix(output, (*STILL, *MOVING))
        paths = [output]
    starts = find_bases(run, bases or default_bases(run))
    ranges = measure_ranges(run) if span == "posterior" else None
    latents = with_ranges(measure_latents(run), ranges)
    for path in paths:
        if path.suffix.lower() in MOVING:
            blocks = [traverse(run, base, latents.order, FRAMES, ranges) for base in starts]
            heads = [base.short for base in starts]
            metadata = {"software": made_by(), "source": title(run)}
            save_animation(
                torch.stack(blocks), heads, latents.labels, latents.active, path, **metadata
            )
        else:
            make_canvas(run, starts, latents, ranges).save(path)
    return paths


def with_ranges(latents: Latents, ranges: Tensor | None) -> Latents:
    """Return the latents with their ranges as notes."""
    if ranges is None:
        return latents
    ends = [ranges[d].tolist() for d in latents.order]
    return replace(latents, notes=[f"{low:.1f} to {high:.1f}" for low, high in ends])


def make_canvas(run: Run, bases: Sequence[Base], latents: Latents, ranges: Tensor | None) -> Canvas:
    """Return the traversals as a still image: one column wide for one base, else a page wide."""
    values = torch.stack([values_of(run, d, COLUMNS, ranges) for d in latents.order])
    columns = values.shape[1]
    across = min(2, len(bases))
    down = -(-len(bases) // across)
    width = COLUMN if across == 1 else PAGE
    cell = min(CELL, (width - LEFT - EDGE - GAP * (across - 1)) / (columns * across))
    high = ABOVE + len(latents.order) * cell + BELOW
    head = "Each row varies one latent; the others stay at the base."
    if any(base.image is not None for base in bases):
        head += " Top right: the base image and its reconstruction."
    if not all(latents.active):
        head += " Grey: inactive latents."
    canvas = Canvas(title(run), width, down * high, head)
    for number, base in enumerate(bases):
        row, column = divmod(number, across)
        x, y = LEFT + column * (columns * cell + GAP), canvas.head + row * high
        axes = canvas.images(
            x, y + ABOVE, cell, traverse(run, base, latents.order, COLUMNS, ranges)
        )
        canvas.text(x, y + ABOVE - 0.04, base.label, va="bottom")
        if base.image is not None:
            pair = torch.stack([as_float(base.image), run.decode(base.z[None])[0]])
            side = ABOVE - 0.05
            canvas.images(x + columns * cell - 2 * side, y + 0.02, side, pair[None])
        bottom = y + ABOVE + len(latents.order) * cell + 0.03
        for column_index, text in ends(values, ranges):
            left = (x, x + columns * cell / 2, x + columns * cell)[column_index]
            canvas.text(left, bottom, text, va="top", ha=("left", "center", "right")[column_index])
        if column == 0:
            size = (axes.get_ylim()[0] + 1) / len(latents.order)
            ticks = [size * (r + 0.5) for r in range(len(latents.order))]
            axes.set_yticks(ticks, latents.labels, linespacing=1.0)
            for label, active in zip(axes.get_yticklabels(), latents.active, strict=True):
                label.set_color("black" if active else GREY)
    return canvas


def ends(values: Tensor, ranges: Tensor | None) -> list[tuple[int, str]]:
    """Return the labels below the first (0), the middle (1) and the last (2) column."""
    if ranges is not None:
        return [(0, "1st percentile"), (2, "99th percentile")]
    if not torch.equal(values, values[:1].expand_as(values)):
        return [(0, "lowest"), (2, "highest")]  # each latent has its own values
    shown = values[0, [0, values.shape[1] // 2, -1]].tolist()
    return [(i, f"{round(value, 3) + 0.0:g}") for i, value in enumerate(shown)]
