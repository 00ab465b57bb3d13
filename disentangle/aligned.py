"""The traversals of two runs beside one another, each latent by the one that is most like it."""

from pathlib import Path

import torch

from disentangle.comparison import Match, check_comparable, match
from disentangle.errors import DisentangleError
from disentangle.figures import CELL, Base, find_bases, probe, title, traverse
from disentangle.pictures import mosaic, save_figure, show
from disentangle.run import Run

COLUMNS = 9


def draw_aligned(a: Run, b: Run, path: Path) -> Path:
    """Draw the traversals of two runs from one image, matched latents side by side.

    The second run's row moves the other way where the two latents are negatively correlated, so
    that both show the same change.

    Raises:
        DisentangleError: the runs were trained on different images, or every latent is inactive.
    """
    from matplotlib.figure import Figure

    check_comparable(a, b)
    images = a.dataset.images(probe(a))
    pairs = match(a.encode(images).double().numpy(), b.encode(images).double().numpy())
    if not pairs:
        raise DisentangleError(f"no latent of {a.path} or {b.path} is active: nothing to align")
    bases = [find_bases(a, ["seed"])[0]]
    bases.append(Base(bases[0].label, bases[0].short, b.encode(bases[0].image[None])[0]))  # type: ignore[index]
    left, gap, top, row = 1.1, 1.2, 0.95, CELL
    width = COLUMNS * CELL
    height = top + len(pairs) * row + 0.2
    total = (left + 2 * width + gap + 0.1, height)
    figure = Figure(figsize=total, dpi=110)
    for number, (run, base) in enumerate(zip((a, b), bases, strict=True)):
        latents = [pair.b if number else pair.a for pair in pairs]
        block = traverse(run, base, latents, COLUMNS)
        if number:
            back = torch.tensor([pair.correlation < 0 for pair in pairs])
            block[back] = block[back].flip(1)
        x = left + number * (width + gap)
        place = (x / total[0], 0.2 / height, width / total[0], len(pairs) * row / height)
        axes = figure.add_axes(place)
        show(axes, mosaic(block))
        size = block.shape[-1] + 1
        labels = [
            f"z{latent}{told(pair) if number else ''}"
            for pair, latent in zip(pairs, latents, strict=True)
        ]
        axes.set_yticks([size * (r + 0.5) for r in range(len(pairs))], labels)
        axes.set_xticks([])
        axes.tick_params(length=0, labelsize=8)
        axes.set_title("AB"[number] + ": " + short(run), fontsize=9, loc="left", pad=4)
    figure.suptitle(
        f"A: {title(a)}\nB: {title(b)}\n"
        "Latents matched by the correlation r of their codes, but for those inactive in both; "
        "both start at A's seed image.",
        fontsize=9,
        x=0.01,
        y=1 - 0.06 / height,
        ha="left",
        va="top",
    )
    save_figure(figure, path)
    return path


def told(pair: Match) -> str:
    """Return how alike two latents are, in few words."""
    if not pair.correlation:
        return "\nno match"
    way = ", reversed" if pair.correlation < 0 else ""
    return f"{way}\n|r| {abs(pair.correlation):.2f}"


def short(run: Run) -> str:
    """Return a run in few words."""
    return f"{run.record.model}, seed {run.record.seed}"
