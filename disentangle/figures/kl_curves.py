"""The KL of each latent over training, from the run's log."""

from pathlib import Path
from typing import Any, Literal, TypeAlias

from disentangle.errors import DisentangleError, UsageError
from disentangle.figures.canvas import (
    COLUMN,
    EDGE,
    SMALL,
    Canvas,
    check_suffix,
    short,
    spread,
    title,
)
from disentangle.figures.palette import FAINT, GREY, INK, line_of
from disentangle.runs.run import Run
from disentangle.scoring.metric_traits import metrics_with

LITTLE = 0.1  # nats
LEFT, RIGHT, BELOW = 0.58, 0.75, 0.36  # inches around the panels
UPPER, LOWER, GAP = 1.7, 0.55, 0.1
TYPE = SMALL * 1.25 / 72  # inches, of a line

Steps: TypeAlias = Literal["linear", "log"]


def logged_kl(run: Run) -> list[dict[str, Any]]:
    """Return the entries of a run's log that hold the KL of each latent."""
    return [entry for entry in run.log if entry.get("kl")]


def draw_kl(
    run: Run, output: Path | None = None, *, steps: Steps = "linear", caption: bool = True
) -> Path:
    """Draw the KL of each latent over training, and below it their sum; return the file's path.

    Args:
        run: the run.
        output: path of a PNG, PDF or SVG file; by default a PNG among the run's figures.
        steps: scale of the step axis.
        caption: True to draw the provenance.

    Raises:
        UsageError: the model has no KL.
        DisentangleError: the log is empty.
    """
    path = output or run.figures / "kl.png"
    check_suffix(path)
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
    labelled = sorted(
        (d for d, c in enumerate(curves) if c[-1] >= LITTLE), key=lambda d: -curves[d][-1]
    )
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
    for rank, d in enumerate(labelled):
        style = line_of(rank)
        each.plot(steps_logged, curves[d], color=INK, linewidth=0.9, linestyle=style, marker=marker)
    total.plot(
        steps_logged, [sum(entry["kl"]) for entry in entries], INK, linewidth=0.9, marker=marker
    )
    for axes in (each, total):
        axes.set_xscale(steps)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        if len(steps_logged) > 1:
            axes.set_xlim(0 if steps == "linear" else steps_logged[0], steps_logged[-1])
    each.tick_params(labelbottom=False)
    each.set_ylabel("KL (nats)", fontsize=SMALL)
    total.set_ylabel("sum", fontsize=SMALL)
    total.set_xlabel("step", fontsize=SMALL, labelpad=1)
    values = {f"z{d}": curves[d][-1] for d in labelled}
    label_ends(each, steps_logged[-1], values, len(curves) - len(labelled), upper)
    return canvas.save(path)


def label_ends(axes: Any, step: int, values: dict[str, float], others: int, inches: float) -> None:
    """Label each line at its end, with a connecting stroke; the axes are `inches` high."""
    named = sorted((value, name) for name, value in values.items())
    if others:
        named.insert(0, (0.0, f"{others} {'others' if values else 'latents'}\nbelow {LITTLE:g}"))
    top = axes.get_ylim()[1]
    height = TYPE / inches * top
    preferred = [value + (height / 2 if "\n" in name else 0) for value, name in named]
    sizes = [height * (1 + name.count("\n")) for _, name in named]
    for (value, name), position in zip(named, spread(preferred, sizes, top), strict=True):
        axes.annotate(
            name,
            (step, value),
            xytext=(1.08, position / top),
            textcoords=axes.transAxes,
            fontsize=SMALL,
            va="center",
            linespacing=1.0,
            color=GREY if "\n" in name else INK,
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": GREY, "shrinkA": 0},
            annotation_clip=False,
        )
