"""The figure of a score by what was trained on: all images, a part of them, correlated factors."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from disentangle._utils.text import count, natural_key
from disentangle.errors import DisentangleError
from disentangle.figures.canvas import COLUMN, LINE, SMALL, lines
from disentangle.figures.image_grids import check_suffix
from disentangle.figures.palette import FAINT, GREY, line_of, series
from disentangle.figures.sweeps import legend, panel
from disentangle.runs.filters import WHOLE
from disentangle.runs.run import Run
from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.headings import headings, only
from disentangle.score_tables.observations import Observations, names_of, observed_parts
from disentangle.score_tables.statistics import FEWEST, summarise
from disentangle.scoring.metric_traits import direction

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

SIDES = (0.18, 0.18)
"""Inches: the margins on the left and on the right, into which numbers on the axis extend."""
ROW, GAP = 0.14, 0.1
"""Inches: the height of a model's row, and the space below a part."""


def draw_trained_on(runs: Sequence[Run], score: str, path: Path, *, caption: bool = True) -> Path:
    """Write `plot_trained_on` to a PNG, PDF or SVG file; return its path."""
    check_suffix(path)
    return plot_trained_on(runs, score, caption=caption).save(path)


def plot_trained_on(
    runs: Sequence[Run] | str | Path, score: str, *, caption: bool = True
) -> "Picture":
    """Draw a score by what the runs were trained on: all seeds, means and confidence intervals.

    For example runs trained on all images, and runs trained with correlated factors. The score is
    computed on the same images for all of them; runs that were scored on other images only, such as
    those that they hold out, are left out.

    Args:
        runs: finished runs on one dataset, or a folder with such runs.
        score: the name of a score, or the heading of its column.
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: the runs are on several datasets, the score does not exist, or it was computed
            in several ways.
        DisentangleError: fewer than two trainings differ in their images and have the score.

    Example:
        `plot_trained_on("results", "mig").save("trained-on.pdf")`
    """
    parts = observed_parts(runs)
    columns = common_columns(parts)
    column = only(columns, score)
    scored = {o.part or WHOLE: o.of(column) for o in parts if o.of(column)}
    flat = [o for several in scored.values() for o in several]
    of_runs = names_of({o.run: (o.model, o.settings) for o in flat})
    names = sorted(set(of_runs.values()), key=natural_key)
    values = {
        (name, at): [o.value for o in several if of_runs[o.run] == name]
        for name in names
        for at, several in enumerate(scored.values())
    }
    many = any(len(several) >= FEWEST for several in values.values())
    about = f"{count(len(flat), 'run')} on {parts[0].name}, {column.fingerprint[:10]}"
    head = (
        f"{columns[column]} of {count(len(flat), 'run')} by what they were trained on, computed "
        "on the same images. Points: runs; filled ones: means."
        + (f" Bars: 95 % bootstrap intervals, from {FEWEST} runs on." if many else "")
        + (" Less is better." if direction(column) == "less" else "")
    )
    shows = f"{columns[column]} by what was trained on, {parts[0].name}"
    labels = [lines(part, COLUMN - sum(SIDES)) for part in scored]
    tops = [0.0, *np.cumsum([LINE * len(label) + ROW * len(names) + GAP for label in labels])]
    canvas, axes = panel(
        about, head, names, shows=shows, caption=caption, high=tops[-1], sides=SIDES
    )
    for number, name in enumerate(names):
        style, means = series(number), []
        for at, (top, label) in enumerate(zip(tops, labels, strict=False)):
            own, y = values[name, at], top + LINE * len(label) + ROW * (number + 0.5)
            axes.plot(own, [y] * len(own), ls="", ms=3, mfc="none", mew=0.7, **style)
            if own:
                summary = summarise(own)
                means.append((summary.averages["mean"], y))
                if summary.interval:
                    axes.plot(summary.interval, [y, y], lw=1.2, color=style["color"])
        axes.plot(*zip(*means, strict=True), ls=line_of(number), lw=0.9, ms=4, label=name, **style)
    for top, label in zip(tops, labels, strict=False):
        write(axes, top, label)
    axes.set_ylim(tops[-1], 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.grid(axis="x", color=FAINT, lw=0.3)
    axes.tick_params(labelsize=SMALL)
    axes.set_xlabel(column.score, fontsize=SMALL, labelpad=1, parse_math=False)
    legend(axes, names, high=tops[-1])
    return canvas.figure


def write(axes: Any, top: float, label: Sequence[str]) -> None:
    """Write what was trained on above its rows, over the lines that cross it."""
    axes.annotate(
        "\n".join(label),
        (0, top),
        xycoords=axes.get_yaxis_transform(),
        va="top",
        fontsize=SMALL,
        linespacing=1.1,
        parse_math=False,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )


def common_columns(parts: Sequence[Observations]) -> dict[ColumnKey, str]:
    """The columns of runs that were trained on different images, with their headings.

    Raises:
        DisentangleError: there is none.
    """
    counts = Counter(column for observations in parts for column in observations.headings)
    common = [column for column, number in counts.items() if number > 1]
    if not common:
        trained = ", ".join(f"'{o.part or WHOLE}'" for o in parts)
        raise DisentangleError(
            "expected runs that were trained on different images and scored on the same ones, got "
            f"runs trained on {trained}. Train others with other factors correlated: "
            "`disentangle train --correlate`."
        )
    return headings(common, parts[0].factors)


def scores_in_common(runs: Sequence[Run]) -> list[str]:
    """The names of the scores that runs trained on different images have in common."""
    return sorted({column.score for column in common_columns(observed_parts(runs))})
