"""Image grids of a run: reconstructions, and samples of the prior."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from disentangle._utils.seeds import numpy_rng
from disentangle.figures.bases import draw_prior
from disentangle.figures.canvas import COLUMN, EDGE, SMALL, Canvas, short, title
from disentangle.figures.image_grids import as_float, check_suffix
from disentangle.runs.run import Run

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

ACROSS = 8
LABELS = 0.75  # inches
APART = 0.06  # inches


def draw_reconstructions(
    run: Run, count: int = 16, output: Path | None = None, *, caption: bool = True
) -> Path:
    """Write `plot_reconstructions` to a PNG, PDF or SVG file; return its path.

    By default it is a PNG among the run's figures.
    """
    path = output or run.figures / "reconstructions.png"
    check_suffix(path)
    return plot_reconstructions(run, count, caption=caption).save(path)


def plot_reconstructions(run: Run, count: int = 16, *, caption: bool = True) -> "Picture":
    """Draw images, and below each its reconstruction.

    Args:
        run: the run; a random sample of its dataset is drawn, always the same for its seed.
        count: the number of images.
        caption: True to draw the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Example:
        `plot_reconstructions(run, 8).save("reconstructions.png")`
    """
    order = numpy_rng(run.record.seed, "shown").permutation(len(run.dataset))
    images = run.dataset.images(order[:count])
    both = torch.stack([as_float(images), run.decode(run.encode(images))])  # [2, n, C, H, W]
    across = min(ACROSS, both.shape[1])
    cell = (COLUMN - LABELS - EDGE) / ACROSS
    blocks = torch.split(both, across, dim=1)
    shows = f"images and their reconstructions, {short(run)}"
    height = len(blocks) * (2 * cell + APART)
    canvas = Canvas(title(run), COLUMN, height, shows=shows, caption=caption)
    for number, block in enumerate(blocks):
        y = canvas.head + number * (2 * cell + APART)
        axes = canvas.images(LABELS, y, cell, block)
        size = both.shape[-2] + 1
        axes.set_yticks([size * 0.5, size * 1.5], ["image", "reconstruction"], fontsize=SMALL)
    return canvas.figure


def draw_samples(
    run: Run, count: int = 64, output: Path | None = None, *, caption: bool = True
) -> Path:
    """Write `plot_samples` to a PNG, PDF or SVG file; return its path.

    By default it is a PNG among the run's figures.
    """
    path = output or run.figures / "samples.png"
    check_suffix(path)
    return plot_samples(run, count, caption=caption).save(path)


def plot_samples(run: Run, count: int = 64, *, caption: bool = True) -> "Picture":
    """Draw decoded samples of the prior.

    Args:
        run: the run.
        count: the number of samples.
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: the model has no prior.

    Example:
        `plot_samples(run, 32).save("samples.png")`
    """
    images = run.decode(draw_prior(run, count, "samples"))
    across = min(ACROSS, count)
    down = math.ceil(count / across)
    padded = functional.pad(images, (0, 0) * 3 + (0, across * down - count), value=0.5)
    grid = padded.reshape(down, across, *images.shape[1:])
    cell = (COLUMN - 2 * EDGE) / ACROSS
    shows = f"decoded samples of the prior, {short(run)}"
    head = "Decoded samples of the prior."
    canvas = Canvas(title(run), COLUMN, down * cell, head, shows=shows, caption=caption)
    canvas.images(EDGE, canvas.head, cell, grid)
    return canvas.figure
