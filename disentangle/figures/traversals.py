"""Latent traversals as in Higgins et al. (2017), as still images and as animations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from disentangle._utils.text import file_stem
from disentangle._utils.versions import made_by
from disentangle.errors import DisentangleError, UsageError
from disentangle.figures.bases import Base, current_names, default_bases, find_bases
from disentangle.figures.canvas import COLUMN, EDGE, PAGE, Canvas, short, title
from disentangle.figures.factor_names import measure_factors, with_factors
from disentangle.figures.image_grids import STILL, as_float, check_suffix, save_animation
from disentangle.figures.latents import Latents, measure_latents, measure_ranges
from disentangle.figures.palette import GREY, INK
from disentangle.runs.run import Run

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

COLUMNS = 11
MOST = 25
"""Maximum number of columns: more images would be lower than their row's label."""
FRAMES = 25
CELL, LEAST = 0.3, 0.22  # inches, at most and at least; a label has two lines
LETTER = 0.056  # inches, of small type
LEFT, GAP, ABOVE, BELOW = 0.7, 0.15, 0.35, 0.2  # inches around a panel
NARROW = 1.75  # inches: the width of a panel's texts
MOVING = (".gif", ".webp")


@dataclass(frozen=True)
class TraversalStyle:
    """How traversals are drawn.

    Attributes:
        span: the range of each latent: `prior` from -3 to 3, `posterior` from the 1st to the 99th
            percentile of the aggregate posterior, or a number R for -R to R. Discrete codes show
            their values.
        latents: `all` or `active`, both sorted by KL, or numbers in the order of the rows, as
            `3,0,7`.
        columns: number of images in a row.
        factors: True to name each latent by the factor that it is most informative of.
        caption: True to draw the caption and the provenance.
    """

    span: str = "prior"
    latents: str = "all"
    columns: int = COLUMNS
    factors: bool = True
    caption: bool = True

    def __post_init__(self) -> None:
        if self.radius is not None and not 0 < self.radius < float("inf"):
            raise UsageError(f"--range {self.span}: expected a number above 0")
        if not 2 <= self.columns <= MOST:
            raise UsageError(f"--columns {self.columns}: expected a number from 2 to {MOST}")

    @property
    def radius(self) -> float | None:
        """R of a range from -R to R; None for the other ranges."""
        if self.span in ("prior", "posterior"):
            return None
        try:
            return float(self.span)
        except ValueError:
            raise UsageError(
                f"--range {self.span}: expected prior, posterior or a number, such as 1.5"
            ) from None

    def stem(self, bases: Sequence[str] = ()) -> str:
        """The name of the figure's file: `traversals`, and what is not by default."""
        usual = TraversalStyle()
        parts = [
            " ".join(["base", *bases]) if bases else "",
            f"range {self.span}" if self.span != usual.span else "",
            f"latents {self.latents}" if self.latents != usual.latents else "",
            f"columns {self.columns}" if self.columns != usual.columns else "",
            "" if self.factors else "no factors",
            "" if self.caption else "no caption",
        ]
        return file_stem("traversals", *parts)


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


def ranges_of(run: Run, style: TraversalStyle) -> Tensor | None:
    """Return the range of each latent, [D, 2]; None for the model's own.

    Raises:
        UsageError: a range is given for discrete codes.
    """
    if style.radius is None:
        return measure_ranges(run) if style.span == "posterior" else None
    if run.code(run.dataset.images([0])).discrete:
        raise UsageError(
            f"--range {style.span} requires continuous codes, and those of '{run.record.model}' "
            "are discrete: a traversal shows all their values. Omit --range"
        )
    return torch.tensor([[-style.radius, style.radius]]).repeat(run.model.latents, 1)


def draw_traversals(
    run: Run,
    bases: Sequence[str] | None = None,
    output: Path | None = None,
    style: TraversalStyle | None = None,
) -> list[Path]:
    """Draw the traversals of latents from every base; return the files' paths.

    Args:
        run: the run.
        bases: see `find_bases`; by default `default_bases`.
        output: path of a PNG, PDF, SVG, GIF or WebP file; by default a PNG and a GIF among the
            run's figures, whose names tell what is not by default.
        style: which latents, ranges and texts.

    Raises:
        UsageError: a base or latent is invalid, or the format is not supported.
        DisentangleError: only active latents are to be drawn, and none is.
    """
    style = style or TraversalStyle()
    bases = current_names(bases or default_bases(run))
    stem = style.stem(bases if bases != default_bases(run) else ())
    paths = [run.figures / f"{stem}.png", run.figures / f"{stem}.gif"]
    if output is not None:
        check_suffix(output, (*STILL, *MOVING))
        paths = [output]
    starts, latents, ranges = contents(run, bases, style)
    for path in paths:
        if path.suffix.lower() in MOVING:
            blocks = [traverse(run, base, latents.order, FRAMES, ranges) for base in starts]
            heads = [base.short for base in starts]
            save_animation(
                torch.stack(blocks),
                heads,
                latents.labels,
                latents.active,
                path,
                software=made_by(),
                source=title(run),
                caption=style.caption,
            )
        else:
            make_canvas(run, starts, latents, ranges, style).figure.save(path)
    return paths


def plot_traversals(
    run: Run,
    bases: Sequence[str] | None = None,
    *,
    latents: str = "all",
    span: str = "prior",
    columns: int = 11,
    factor_names: bool = True,
    caption: bool = True,
) -> "Picture":
    """Draw the traversals of latents from every base.

    Args:
        run: the run.
        bases: `random`, `first`, `prior:COUNT` or the number of an image [default: `random`,
            `first` and `prior:2`].
        latents: `all` or `active`, sorted by KL, or their numbers, such as `"3,0,7"`.
        span: the range of each latent: `prior` from -3 to 3, `posterior` from the 1st to the 99th
            percentile of the aggregate posterior, or a number R for -R to R. Discrete codes show
            their values.
        columns: the number of images in a row, 2 to 25.
        factor_names: True to name each latent by the factor that it is most informative of.
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: a base or latent is invalid.
        DisentangleError: only active latents are to be drawn, and none is.

    Example:
        `plot_traversals(run, ["first"], latents="active").save("traversals.png")`
    """
    style = TraversalStyle(span, latents, columns, factors=factor_names, caption=caption)
    names = current_names(bases or default_bases(run))
    return make_canvas(run, *contents(run, names, style), style).figure


def contents(
    run: Run, bases: Sequence[str], style: TraversalStyle
) -> tuple[list[Base], Latents, Tensor | None]:
    """The bases, the latents with their labels, and the ranges of the latents."""
    starts = find_bases(run, bases)
    ranges = ranges_of(run, style)
    latents = chosen(measure_latents(run), style.latents)
    informed = measure_factors(run) if style.factors else None
    latents = with_factors(latents, informed)
    if style.span == "posterior":
        latents = with_ranges(latents, ranges, named=informed is not None)
    return starts, latents, ranges


def chosen(latents: Latents, which: str) -> Latents:
    """Return the latents that `TraversalStyle.latents` names.

    Raises:
        UsageError: there is no such latent.
        DisentangleError: `active`, and no latent is.
    """
    rows = list(range(len(latents.order)))
    if which == "active":
        rows = [row for row in rows if latents.active[row]]
        if not rows:
            raise DisentangleError(
                "no latent is active. To draw inactive latents, give `--latents all`"
            )
    elif which != "all":
        words = [word.strip() for word in which.split(",")]
        known = {str(d): row for row, d in enumerate(latents.order)}
        if any(word not in known for word in words) or len(set(words)) < len(words):
            raise UsageError(
                f"--latents {which}: expected all, active, or different numbers from 0 to "
                f"{len(known) - 1}, such as 3,0,7"
            )
        rows = [known[word] for word in words]
    return Latents(
        [latents.order[row] for row in rows],
        [latents.weights[row] for row in rows],
        [latents.active[row] for row in rows],
        [latents.notes[row] for row in rows],
        latents.named,
    )


def with_ranges(latents: Latents, ranges: Tensor | None, *, named: bool = False) -> Latents:
    """Return the latents with their ranges as notes; names of factors move to the KL's place."""
    if ranges is None:
        return latents
    ends = [ranges[d].tolist() for d in latents.order]
    weights = latents.weights
    if named:
        weights = [note or kl for note, kl in zip(latents.notes, latents.weights, strict=True)]
    notes = [f"{low:.1f} to {high:.1f}" for low, high in ends]
    return replace(latents, weights=weights, notes=notes)


def make_canvas(
    run: Run,
    bases: Sequence[Base],
    latents: Latents,
    ranges: Tensor | None,
    style: TraversalStyle,
) -> Canvas:
    """Return the traversals as a still image: one column wide for one base, else a page wide."""
    values = torch.stack([values_of(run, d, style.columns, ranges) for d in latents.order])
    columns, rows = values.shape[1], len(latents.order)
    left = max(
        LEFT, EDGE + LETTER * max(len(line) for x in latents.labels for line in x.split("\n"))
    )
    across, width, cell = layout(len(bases), columns, left)
    wide = max(columns * cell, NARROW)
    high = ABOVE + rows * cell + BELOW
    head = caption_of(bases, latents, style)
    shows = f"traversals of {rows} latents, {short(run)}"
    height = -(-len(bases) // across) * high
    canvas = Canvas(title(run), width, height, head, shows=shows, caption=style.caption)
    for number, base in enumerate(bases):
        row, column = divmod(number, across)
        x, y = left + column * (wide + GAP), canvas.head + row * high
        block = traverse(run, base, latents.order, style.columns, ranges)
        axes = canvas.images(x, y + ABOVE, cell, block)
        canvas.text(x, y + ABOVE - 0.04, base.label, va="bottom")
        if base.image is not None:
            pair = torch.stack([as_float(base.image), run.decode(base.z[None])[0]])
            side = ABOVE - 0.05
            canvas.images(x + wide - 2 * side, y + 0.02, side, pair[None])
        bottom = y + ABOVE + rows * cell + 0.03
        percentiles = style.span == "posterior" and ranges is not None
        for place, text in ends(values, percentiles=percentiles, narrow=wide > columns * cell):
            at = (x, x + columns * cell / 2, x + columns * cell)[place]
            canvas.text(at, bottom, text, va="top", ha=("left", "center", "right")[place])
        if column == 0:
            name_rows(axes, latents)
    return canvas


def layout(bases: int, columns: int, left: float) -> tuple[int, float, float]:
    """Return the panels side by side, the figure's width, and that of an image, in inches."""
    usual = (1, COLUMN) if bases == 1 else (2, PAGE)
    for across, width in (usual, (1, PAGE)):
        cell = min(CELL, (width - left - EDGE - GAP * (across - 1)) / (columns * across))
        if cell >= LEAST:
            break
    return across, width, cell


def caption_of(bases: Sequence[Base], latents: Latents, style: TraversalStyle) -> str:
    """Return the caption of a still image."""
    text = "Each row varies one latent; the others stay at the base."
    if any(base.image is not None for base in bases):
        text += " Top right: the base image and its reconstruction."
    if latents.named:
        text += " Names: the factor that a latent is most informative of."
    if not all(latents.active):
        text += " Grey: inactive latents."
    return text


def name_rows(axes: Any, latents: Latents) -> None:
    """Write the labels of the latents beside the rows of a grid of images."""
    rows = len(latents.order)
    size = (axes.get_ylim()[0] + 1) / rows
    ticks = [size * (row + 0.5) for row in range(rows)]
    axes.set_yticks(ticks, latents.labels, linespacing=1.0)
    labels = axes.get_yticklabels()
    for label, active in zip(labels, latents.active, strict=True):
        label.set_color(INK if active else GREY)


def ends(
    values: Tensor, *, percentiles: bool = False, narrow: bool = False
) -> list[tuple[int, str]]:
    """Return the labels below the first (0), the middle (1) and the last (2) column."""
    if percentiles:
        words = ("1 %", "99 %") if narrow else ("1st percentile", "99th percentile")
        return [(0, words[0]), (2, words[1])]
    if not torch.equal(values, values[:1].expand_as(values)):
        return [(0, "lowest"), (2, "highest")]  # each latent has its own values
    places = (0, 1, 2) if values.shape[1] % 2 else (0, 2)  # an even number has no middle
    shown = values[0, [0, values.shape[1] // 2, -1]].tolist()
    return [(i, f"{round(shown[i], 3) + 0.0:g}") for i in places]
