"""Traversals of two runs side by side, with each latent beside its best match."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from disentangle.contracts.model import ACTIVE
from disentangle.contracts.source import Codes
from disentangle.errors import DisentangleError
from disentangle.figures.bases import Base, find_bases
from disentangle.figures.canvas import EDGE, PAGE, Canvas, short, title
from disentangle.figures.image_grids import check_suffix
from disentangle.figures.latents import probe
from disentangle.figures.traversals import traverse
from disentangle.runs.run import Run
from disentangle.scoring.udr import unit_variance

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

COLUMNS = 9
LEFT, GAP, ABOVE = 0.35, 0.85, 0.2  # inches


def draw_aligned(a: Run, b: Run, path: Path, *, caption: bool = True) -> Path:
    """Write `plot_aligned` to a PNG, PDF or SVG file; return its path."""
    check_suffix(path)
    return plot_aligned(a, b, caption=caption).save(path)


def plot_aligned(a: Run, b: Run, *, caption: bool = True) -> "Picture":
    """Draw traversals of two runs from the same image, with matched latents side by side.

    If two matched latents are negatively correlated, the second run's row is reversed, so that both
    show the same change.

    Args:
        a: the first run; both traversals start from its base image `random`.
        b: the second run, which was trained on the same images.
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        DisentangleError: the runs were trained on different images, or every latent is inactive.

    Example:
        `plot_aligned(run, other).save("aligned.png")`
    """
    check_comparable(a, b)
    images = a.dataset.images(probe(a))
    pairs = match(a.encode(images).double().numpy(), b.encode(images).double().numpy())
    if not pairs:
        raise DisentangleError(f"no latent of {a.path} or {b.path} is active: nothing to align")
    (start,) = find_bases(a, ["random"])
    assert start.image is not None
    bases = (start, Base(start.label, start.short, b.encode(start.image[None])[0], start.image))
    cell = (PAGE - LEFT - GAP - EDGE) / (2 * COLUMNS)
    head = (
        f"A: {title(a)}\nB: {title(b)}\nLatents are matched by the correlation r of their codes; "
        "latents inactive in both runs are left out. Both runs start from the same base image of "
        "A's dataset; each row traverses one latent."
    )
    source = f"runs {a.record.id} and {b.record.id}"
    shows = f"matched traversals of {short(a)}, and {short(b)}"
    height = ABOVE + len(pairs) * cell + EDGE
    canvas = Canvas(source, PAGE, height, head, shows=shows, caption=caption)
    for number, (run, base) in enumerate(zip((a, b), bases, strict=True)):
        latents = [pair.b if number else pair.a for pair in pairs]
        block = traverse(run, base, latents, COLUMNS)
        labels = [f"z{latent}" for latent in latents]
        if number:
            reversed_rows = torch.tensor([pair.correlation < 0 for pair in pairs])
            block[reversed_rows] = block[reversed_rows].flip(1)
            labels = [name + label(pair) for name, pair in zip(labels, pairs, strict=True)]
        x, y = LEFT + number * (COLUMNS * cell + GAP), canvas.head
        canvas.text(
            x,
            y + ABOVE - 0.03,
            f"{'AB'[number]}: {run.record.model}, seed {run.record.seed}",
            va="bottom",
        )
        axes = canvas.images(x, y + ABOVE, cell, block)
        size = (axes.get_ylim()[0] + 1) / len(pairs)
        axes.set_yticks([size * (r + 0.5) for r in range(len(pairs))], labels, linespacing=1.0)
    return canvas.figure


@dataclass(frozen=True)
class Match:
    """A latent of one run and its best match in another run.

    Attributes:
        a: the first run's latent.
        b: the second run's latent.
        correlation: correlation of their codes, -1 to 1.
    """

    a: int
    b: int
    correlation: float


def label(pair: Match) -> str:
    """Return a short label with the correlation of two matched latents."""
    if not pair.correlation:
        return "\nno match"
    direction = ", reversed" if pair.correlation < 0 else ""
    return f"{direction}\n|r| {abs(pair.correlation):.2f}"


def match(a: Codes, b: Codes) -> list[Match]:
    """Match latents by the assignment with the greatest sum of |correlation|.

    Args:
        a: codes of images by one model, [N, D].
        b: codes of the same images by another model, [N, E].

    Returns:
        Up to min(D, E) pairs, by decreasing |correlation|. Correlations with inactive latents are
        0, and pairs of two inactive latents are left out.
    """
    from scipy.optimize import linear_sum_assignment

    r = correlations(a, b)
    active = a.var(axis=0) > ACTIVE, b.var(axis=0) > ACTIVE
    rows, columns = linear_sum_assignment(-np.abs(r))
    pairs = [
        Match(int(i), int(j), float(r[i, j]))
        for i, j in zip(rows, columns, strict=True)
        if active[0][i] or active[1][j]
    ]
    return sorted(pairs, key=lambda pair: -abs(pair.correlation))


def correlations(a: Codes, b: Codes) -> NDArray[np.float64]:
    """Return the correlations of the latents of `a` and `b`, [D, E]; 0 for inactive latents."""
    left, right = (unit_variance(z) * (z.var(axis=0) > ACTIVE) for z in (a, b))
    r: NDArray[np.float64] = left.T @ right / len(a)
    return r


def check_comparable(a: Run, b: Run) -> None:
    """Raise if two runs were trained on different images.

    Raises:
        DisentangleError: their datasets differ.
    """
    if a.record.dataset.fingerprint != b.record.dataset.fingerprint:
        raise DisentangleError(
            f"cannot align the traversals: expected runs on the same images, got {a.path} on "
            f"'{a.record.dataset.name}' {a.record.dataset.fingerprint[:10]} and {b.path} on "
            f"'{b.record.dataset.name}' {b.record.dataset.fingerprint[:10]}"
        )
