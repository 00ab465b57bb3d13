"""Image grids of a run: reconstructions, and samples of the prior."""

import math
from pathlib import Path

import torch
from torch.nn import functional

from disentangle._utils.seeds import numpy_rng
from disentangle.figures.bases import draw_prior
from disentangle.figures.canvas import COLUMN, EDGE, SMALL, Canvas, check_suffix, short, title
from disentangle.figures.image_grids import as_float
from disentangle.runs.run import Run

ACROSS = 8
LABELS = 0.75  # inches
APART = 0.06  # inches


def draw_reconstructions(
    run: Run, count: int = 16, output: Path | None = None, *, caption: bool = True
) -> Path:
    """Draw images, and below each its reconstruction; return the file's path.

    Args:
        run: the run.
        count: the number of images.
        output: path of a PNG, PDF or SVG file; by default a PNG among the run's figures.
        caption: True to draw the provenance.
    """
    path = output or run.figures / "reconstructions.png"
    check_suffix(path)
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
    return canvas.save(path)


def draw_samples(
    run: Run, count: int = 64, output: Path | None = None, *, caption: bool = True
) -> Path:
    """Draw decoded samples of the prior; return the file's path.

    Args:
        run: the run.
        count: the number of samples.
        output: path of a PNG, PDF or SVG file; by default a PNG among the run's figures.
        caption: True to draw the caption and the provenance.

    Raises:
        UsageError: the model has no prior.
    """
    path = output or run.figures / "samples.png"
    check_suffix(path)
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
    return canvas.save(path)
