"""Figures of a run: latent traversals in the manner of Higgins et al. (2017), reconstructions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from disentangle.dataset import Index
from disentangle.errors import UsageError
from disentangle.model import Posterior
from disentangle.monitor import ACTIVE
from disentangle.pictures import as_float, inset, mosaic, save_figure, save_gif, show
from disentangle.run import Run
from disentangle.seeds import numpy_rng, torch_rng

COLUMNS = 11
CELL = 0.5  # inches
PANELS = 2  # side by side
FILES = ("traversals.png", "traversals.gif", "reconstructions.png")
FRAMES = 25
SAMPLE = 1024


@dataclass(frozen=True)
class Base:
    """Where a traversal starts: latents [D], what they are, and the image, if it is one."""

    label: str
    short: str
    z: Tensor
    image: Tensor | None = None


@dataclass(frozen=True)
class Latents:
    """The latents of a run, as a figure shows them: active ones first, then by KL."""

    order: list[int]
    labels: list[str]
    active: list[bool]


def probe(run: Run, count: int = SAMPLE) -> Index:
    """Return the images that stand for the dataset in a figure."""
    rng = numpy_rng(run.record.seed, "figures")
    return np.sort(rng.permutation(len(run.dataset))[:count])


def measure_latents(run: Run) -> Latents:
    """Return the latents, active ones first, by KL, or by the variance of means without one."""
    code = run.code(run.dataset.images(probe(run)))
    spread = code.mean.var(0)
    kl = isinstance(code, Posterior)
    weight = code.kl().mean(0) if isinstance(code, Posterior) else spread
    active = spread > ACTIVE
    order = sorted(range(len(spread)), key=lambda d: (not active[d], -float(weight[d])))
    labels = [
        f"z{d}  {'KL' if kl else 'Var'} {weight[d]:.2f}" + ("" if active[d] else "\ninactive")
        for d in order
    ]
    return Latents(order, labels, [bool(active[d]) for d in order])


def default_bases(run: Run) -> tuple[str, ...]:
    """Return a seed image, the first image and, where there is a prior, two samples of it."""
    return ("seed", "first", "prior:2") if has_prior(run) else ("seed", "first")


def has_prior(run: Run) -> bool:
    """Say whether the model's codes have a posterior, and so a prior to draw from."""
    return isinstance(run.code(run.dataset.images([0])), Posterior)


def find_bases(run: Run, specs: Sequence[str]) -> list[Base]:
    """Return the bases that these words name.

    Args:
        run: the run.
        specs: `seed` (an image drawn by the run's seed), `first` (the first image), `prior` (a
            sample of p(z)), each with a count where wanted (`first:3`), or the number of an image.

    Raises:
        UsageError: another word, or an image that the dataset does not have.
    """
    bases: list[Base] = []
    for spec in specs:
        word, _, count = spec.partition(":")
        if count and not (count.isdecimal() and 0 < int(count) <= 20):
            raise UsageError(f"--base {spec}: the count is a whole number from 1 to 20")
        number = int(count or 1)
        if word == "prior":
            if not has_prior(run):
                raise UsageError(f"'{run.record.model}' has no prior to draw from")
            rng = torch_rng(run.record.seed, "prior")
            z = torch.randn((number, run.model.latents), generator=rng)
            for i, sample in enumerate(z, 1):
                bases.append(Base(f"sample {i} of the prior", f"prior {i}", sample))
            continue
        if word == "seed":
            rng_images = numpy_rng(run.record.seed, "seed image")
            chosen = rng_images.integers(0, len(run.dataset), number).tolist()
        elif word == "first":
            chosen = list(range(number))
        elif word.isdecimal() and not count:
            chosen = [int(word)]
        else:
            raise UsageError(
                f"--base {spec}: a base is seed, first or prior, each with :COUNT where wanted, "
                "or the number of an image"
            )
        for i in chosen:
            if i >= len(run.dataset):
                raise UsageError(f"--base {spec}: the dataset has {len(run.dataset)} images")
            image = run.dataset.images([i])
            kind = "seed image" if word == "seed" else "image"
            bases.append(Base(f"{kind} {i}", f"#{i}", run.encode(image)[0], image[0]))
    return bases


def traverse(run: Run, base: Base, latents: Sequence[int], columns: int) -> Tensor:
    """Return images [latent, value, C, H, W]: one latent moves, the others stay at the base's.

    There are `columns` values, or as many as a latent takes.
    """
    rows = []
    for d in latents:
        values = run.model.traversal(d, columns)
        z = base.z.repeat(len(values), 1)
        z[:, d] = values
        rows.append(run.decode(z))
    return torch.stack(rows)


def draw_traversals(
    run: Run, bases: Sequence[str] | None = None, folder: Path | None = None
) -> list[Path]:
    """Draw the traversals of every latent from every base; return the PNG and the GIF written."""
    from matplotlib.figure import Figure

    found, latents = find_bases(run, bases or default_bases(run)), measure_latents(run)
    folder = folder or run.figures
    values = torch.stack([run.model.traversal(d, COLUMNS) for d in latents.order])
    columns = values.shape[1]
    ends = (0, columns // 2, columns - 1)
    said = [f"{round(float(values[0, c]), 3) + 0.0:g}" for c in ends]
    if not torch.equal(values, values[:1].expand_as(values)):
        said = ["lowest", "", "highest"]  # each latent has values of its own
    across = min(PANELS, len(found))
    down = -(-len(found) // across)
    width, height = columns * CELL, len(latents.order) * CELL  # of a panel, in inches
    left, gap, above, below = 1.15, 0.25, 0.6, 0.3
    total = (left + across * (width + gap), 0.5 + down * (height + above + below))
    figure = Figure(figsize=total, dpi=110)
    for number, base in enumerate(found):
        row, column = divmod(number, across)
        x = left + column * (width + gap)
        y = total[1] - 0.5 - row * (height + above + below) - above - height
        place = (x / total[0], y / total[1], width / total[0], height / total[1])
        axes = figure.add_axes(place)
        block = traverse(run, base, latents.order, COLUMNS)
        show(axes, mosaic(block))
        size = block.shape[-1] + 1
        axes.set_xticks([size * (c + 0.5) for c in ends], said)
        ticks = [size * (r + 0.5) for r in range(len(latents.order))]
        axes.set_yticks(ticks, latents.labels if column == 0 else [""] * len(ticks))
        for label, active in zip(axes.get_yticklabels(), latents.active, strict=True):
            label.set_color("black" if active else "0.45")
        axes.tick_params(length=0, labelsize=8)
        axes.set_title(base.label, fontsize=9, loc="left", pad=4)
        if base.image is not None:
            inset(figure, place, base.image, run.decode(base.z[None])[0])
    figure.suptitle(
        f"{title(run)}\nEach row moves one latent and holds the others at the base's; "
        "above, the base's image and its reconstruction.",
        fontsize=9,
        x=0.01,
        y=1 - 0.08 / total[1],
        ha="left",
        va="top",
    )
    png, gif = folder / "traversals.png", folder / "traversals.gif"
    save_figure(figure, png)
    motion = torch.stack([traverse(run, base, latents.order, FRAMES) for base in found])
    save_gif(motion, [b.short for b in found], latents.labels, latents.active, gif)
    return [png, gif]


def draw_reconstructions(run: Run, count: int = 16, folder: Path | None = None) -> Path:
    """Draw images over their reconstructions; return the PNG written."""
    from matplotlib.figure import Figure

    images = run.dataset.images(
        numpy_rng(run.record.seed, "shown").permutation(len(run.dataset))[:count]
    )
    both = torch.stack([as_float(images), run.decode(run.encode(images))])
    figure = Figure(figsize=(1.1 + 0.5 * len(images), 1.6), dpi=110)
    axes = figure.add_axes(
        (0.9 / figure.get_figwidth(), 0.04, 1 - 0.95 / figure.get_figwidth(), 0.7)
    )
    show(axes, mosaic(both))
    size = both.shape[-2] + 1
    axes.set_yticks([size * 0.5, size * 1.5], ["image", "reconstruction"], fontsize=8)
    axes.set_xticks([])
    axes.tick_params(length=0)
    figure.suptitle(title(run), fontsize=9, x=0.01, y=0.98, ha="left", va="top")
    path = (folder or run.figures) / "reconstructions.png"
    save_figure(figure, path)
    return path


def draw_all(run: Run) -> list[Path]:
    """Draw what a finished run shows of itself; return the files written."""
    return [*draw_traversals(run), draw_reconstructions(run)]


def title(run: Run) -> str:
    """Return one line that says what a figure shows, and which run it came from."""
    record = run.record
    steps = f"{record.recipe['steps']} steps" + ("" if run.finished else ", UNFINISHED")
    about = f"{record.summary}, {steps}, seed {record.seed}"
    return f"{record.model} on {record.dataset.name} ({about}), run {record.id}"
