"""The KL of each latent over training, from the run's log."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from disentangle._utils.text import count
from disentangle.errors import DisentangleError, UsageError
from disentangle.figures.canvas import COLUMN, EDGE, SMALL, Canvas, short, spread, title
from disentangle.figures.image_grids import check_suffix
from disentangle.figures.palette import FAINT, GREY, INK, SERIES, line_of
from disentangle.runs.run import Run
from disentangle.scoring.metric_traits import metrics_with

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

LITTLE = 0.1  # nats
LABELLED = 12
"""Maximum number of latents that are labelled."""
STROKE = 0.14
"""Length of the strokes to the labels, as a share of the axes."""
GAP_OF_TEXT = 0.015
"""Space between a stroke and its label, as a share of the axes."""
WHOLE = {"shrinkA": 0, "shrinkB": 0}
"""Draws a stroke up to both of its ends."""
LEFT, RIGHT, BELOW = 0.58, 0.88, 0.36  # inches around the panels
UPPER, LOWER, GAP = 1.7, 0.55, 0.1
TYPE = SMALL * 1.25 / 72  # inches, of a line
LONG = 100
"""The last step, as a multiple of the first, from which on a logarithmic axis is long."""

Steps: TypeAlias = Literal["linear", "log"]


class EndLabel(NamedTuple):
    """The label of a line at its end.

    Attributes:
        name: its text.
        value: the value at the line's end.
        colour: the colour of the text.
        stroke: the colour of the stroke to the line.
    """

    name: str
    value: float
    colour: str
    stroke: str


def logged_kl(run: Run) -> list[dict[str, Any]]:
    """Return the entries of a run's log that hold the KL of each latent."""
    return [entry for entry in run.log if entry.get("kl")]


def draw_kl(
    run: Run, output: Path | None = None, *, steps: Steps = "linear", caption: bool = True
) -> Path:
    """Write `plot_kl` to a PNG, PDF or SVG file; return its path.

    By default it is a PNG among the run's figures.
    """
    path = output or run.figures / "kl.png"
    check_suffix(path)
    return plot_kl(run, steps=steps, caption=caption).save(path)


def plot_kl(run: Run, *, steps: Steps = "linear", caption: bool = True) -> "Picture":
    """Draw the KL of each latent over training, and below it their sum.

    The 12 latents with the most KL at the end are labelled; the others are grey.

    Args:
        run: the run.
        steps: scale of the step axis, `linear` or `log`.
        caption: True to draw the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: the model has no KL.
        DisentangleError: the log is empty.

    Example:
        `plot_kl(run, steps="log").save("kl.pdf")`
    """
    entries = logged_kl(run)
    if not entries and run.log:
        raise UsageError(f"'{run.record.model}' has no KL: its codes have no posterior")
    if not entries and run.record.imported:
        raise DisentangleError(
            f"{run.path}: imported weights have no log. For the current KL of each latent, run "
            f"`disentangle score {run.path} {metrics_with('rate')} --detail`."
        )
    if not entries:
        raise DisentangleError(
            f"{run.path}: its log is empty. Run `disentangle resume {run.path}` first."
        )
    steps_logged = [entry["step"] for entry in entries]
    curves = list(zip(*(entry["kl"] for entry in entries), strict=True))  # [latent][entry]
    labelled = most_at_the_end(curves)
    upper = max(UPPER, TYPE * (len(labelled) + 2))
    canvas = Canvas(
        title(run),
        COLUMN,
        upper + GAP + LOWER + BELOW,
        shows=f"KL of each latent during training, {short(run)}",
        caption=caption,
    )
    width = COLUMN - LEFT - RIGHT
    each = canvas.axes(LEFT, canvas.head + EDGE, width, upper)
    total = canvas.axes(LEFT, canvas.head + EDGE + upper + GAP, width, LOWER, sharex=each)
    marker = "." if len(steps_logged) == 1 else None
    for d, curve in enumerate(curves):
        if d not in labelled:
            each.plot(steps_logged, curve, color=FAINT, linewidth=0.6, marker=marker)
    for rank, d in reversed([*enumerate(labelled)]):
        each.plot(steps_logged, curves[d], linewidth=0.9, marker=marker, **style(rank))
    total.plot(
        steps_logged, [sum(entry["kl"]) for entry in entries], INK, linewidth=0.9, marker=marker
    )
    for axes in (each, total):
        set_step_axis(axes, steps, steps_logged[-1] / steps_logged[0])
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        if len(steps_logged) > 1:
            axes.set_xlim(0 if steps == "linear" else steps_logged[0], steps_logged[-1])
    each.tick_params(labelbottom=False)
    each.set_ylabel("KL (nats)", fontsize=SMALL)
    total.set_ylabel("sum", fontsize=SMALL)
    total.set_xlabel("step", fontsize=SMALL, labelpad=1)
    label_ends(each, steps_logged[-1], end_labels(curves, labelled), upper)
    return canvas.figure


def set_step_axis(axes: Any, scale: Steps, ratio: float) -> None:
    """Set the scale of the step axis, whose last step is `ratio` times the first.

    A logarithmic axis shows numbers such as 20, 50 and 100, or powers of 10 alone if it is long.
    """
    axes.set_xscale(scale)
    if scale == "log":
        from matplotlib.ticker import LogLocator, NullFormatter

        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio < LONG else (1,)))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_formatter(NullFormatter())


def most_at_the_end(curves: Sequence[Sequence[float]]) -> list[int]:
    """The latents to label, with the most KL at the end first."""
    ends = [curve[-1] for curve in curves]
    order = sorted(range(len(ends)), key=lambda d: -ends[d])
    return [d for d in order if ends[d] >= LITTLE][:LABELLED]


def style(rank: int) -> dict[str, str]:
    """The colour and the kind of a line; lines of neighbouring ranks differ in both."""
    colours = len(SERIES)
    return {
        "color": SERIES[rank % colours],
        "linestyle": line_of(rank % 2 + 2 * (rank // colours)),
    }


def end_labels(curves: Sequence[Sequence[float]], labelled: Sequence[int]) -> list[EndLabel]:
    """The labels of the lines at their ends, from the lowest; the grey lines share one."""
    labels = [
        EndLabel(f"z{d}", curves[d][-1], INK, style(rank)["color"])
        for rank, d in enumerate(labelled)
    ]
    grey = [curve[-1] for d, curve in enumerate(curves) if d not in labelled]
    if grey:
        name = count(len(grey), "other" if labelled else "latent")
        least = min((label.value for label in labels), default=LITTLE)
        bound = f"below {LITTLE:g}" if max(grey) < LITTLE else f"up to {max(grey):.2g}"
        labels.append(EndLabel(f"{name}\n{bound}", min(float(np.median(grey)), least), GREY, FAINT))
    return labels[::-1]


def label_ends(axes: Any, step: int, labels: Sequence[EndLabel], inches: float) -> None:
    """Label lines at their ends, each with a stroke to its line; the axes are `inches` high."""
    top = axes.get_ylim()[1]
    height = TYPE / inches * top
    sizes = [height * (1 + label.name.count("\n")) for label in labels]
    preferred = [max(label.value, size / 2) for label, size in zip(labels, sizes, strict=True)]
    for label, position in zip(labels, spread(preferred, sizes, top), strict=True):
        place = position / top
        axes.annotate(
            "",
            (step, label.value),
            xytext=(1 + STROKE, place),
            textcoords=axes.transAxes,
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": label.stroke, **WHOLE},
            annotation_clip=False,
        )
        axes.text(
            1 + STROKE + GAP_OF_TEXT,
            place,
            label.name,
            fontsize=SMALL,
            va="center",
            linespacing=1.0,
            color=label.colour,
            transform=axes.transAxes,
        )
