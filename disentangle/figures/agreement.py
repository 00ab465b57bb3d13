"""Figures on the reliability of scores: across protocols, across seeds and across metrics."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.text import count
from disentangle.errors import DisentangleError, UsageError
from disentangle.figures.canvas import COLUMN, EDGE, LINE, PAGE, SLANT, SMALL, Canvas
from disentangle.figures.image_grids import check_suffix
from disentangle.figures.palette import GREY, INK, SHADES, line_of, series
from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.analysis import (
    SOURCES,
    families,
    rank_agreement,
    ranks,
    variance_shares,
)
from disentangle.score_tables.headings import counted
from disentangle.score_tables.observations import Observations, Runs, observed
from disentangle.score_tables.statistics import FEWEST
from disentangle.scoring.metric_traits import direction

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

HATCHES = ("", "////", "....", "")
CELL = 0.24  # inches, of a heat map
MOST = 12
"""Maximum number of configurations in one figure of ranks."""
NUMBERED = 12
"""Number of scores above which the columns of a heat map are headed by the rows' numbers."""


def draw_protocols(
    observations: Observations, score: str, path: Path, *, caption: bool = True
) -> Path:
    """Write `plot_protocols` to a PNG, PDF or SVG file; return its path."""
    check_suffix(path)
    return plot_protocols(observations, score, caption=caption).save(path)


def plot_protocols(runs: Runs, score: str, *, caption: bool = True) -> "Picture":
    """Draw the rank of each configuration under each protocol of a score, with seed intervals.

    Args:
        runs: finished runs on one dataset, or a folder with such runs and external encoders.
        score: the name of a score that was computed with several protocols, hyper-parameters or
            representations.
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: the score has no better direction, or the number of configurations that have it
            under all protocols is not between 2 and 12.
        DisentangleError: the score was computed in one way only.

    Example:
        `plot_protocols("results", "mig").save("protocols.pdf")`
    """
    observations = observed(runs)
    all_columns = observations.columns([score])
    columns = max(families(all_columns), key=len)
    if len(columns) < 2:
        raise DisentangleError(
            f"'{score}' was computed under one protocol only. Run `disentangle score --metric "
            f"{columns[0][1]} --protocol disjoint` first, or score with other hyper-parameters."
        )
    if direction(columns[0]) not in ("more", "less"):
        raise UsageError(f"cannot rank by '{score}': the metric declares no better direction")
    names = observations.names()
    values = {g: common_seeds(observations, g, columns) for g in names}
    complete = [g for g in names if values[g].size]
    groups = [g for g in complete if g not in observations.collapsed]
    left_out = [names[g] for g in complete if g in observations.collapsed]
    if not 2 <= len(groups) <= MOST:
        raise UsageError(
            f"expected 2 to {MOST} configurations with '{score}' in all its protocols, "
            f"got {len(groups)}{f' besides {len(left_out)} collapsed' if left_out else ''}. Select "
            "configurations with --where."
        )
    ranking = ranks([values[g] for g in groups], less=direction(columns[0]) == "less")
    seeds = [values[g].shape[1] for g in groups]
    labels = [observations.headings[c].partition(" [")[2].rstrip("]") or "default" for c in columns]
    wide = max(len(names[g]) for g in groups) * 0.55 * SMALL / 72
    page = PAGE if len(columns) > 3 or wide > 1.2 else COLUMN
    right = min(wide + 0.2, page / 2)
    high = 0.26 * len(groups) + 0.2
    below = LINE * max(len(wrapped(text)) for text in labels) + 0.1
    head = (
        f"Ranks of {len(groups)} configurations under each protocol; 1 is best. They are ranked by "
        f"mean {score} over the {span(seeds)} seeds that were scored under all protocols. "
        + (
            "Bars: 95 % bootstrap intervals over seeds."
            if min(seeds) >= FEWEST
            else f"Intervals require at least {FEWEST} seeds."
        )
    )
    if left_out:
        head += f" Not ranked, as at most one latent is active: {', '.join(left_out)}."
    if len(columns) < len(all_columns):
        head += (
            " Left out, because they differ in more than the protocol: "
            f"{count(len(all_columns) - len(columns), 'column')}."
        )
    shows = (
        f"rank of {len(groups)} configurations by {score} under {len(columns)} protocols, "
        f"{observations.name}"
    )
    canvas = Canvas(
        observations.about, page, high + below + EDGE, head, shows=shows, caption=caption
    )
    axes = canvas.axes(0.3, canvas.head + EDGE, page - 0.3 - right, high)
    last = sorted(range(len(groups)), key=lambda i: ranking[-1].rank[i])
    for i in range(len(groups)):
        shift = (i - (len(groups) - 1) / 2) * 0.3 / len(groups)
        x = np.arange(len(columns)) + shift
        y = [one.rank[i] for one in ranking]
        ends = [(one.low[i], one.high[i]) for one in ranking]
        style: dict[str, Any] = {**series(i), "ls": line_of(i), "lw": 0.9, "ms": 4}
        axes.plot(x, y, **style)
        for position, (low, top) in zip(x, ends, strict=True):
            axes.plot([position, position], [low, top], color=style["color"], lw=0.7)
        slot = last.index(i) + 1
        label_at(axes, (x[-1], y[-1]), slot, names[groups[i]], style["color"], len(columns) - 0.55)
    axes.set_ylim(len(groups) + 0.5, 0.5)
    axes.set_xlim(-0.4, len(columns) - 0.6)
    axes.set_yticks(range(1, len(groups) + 1))
    axes.set_xticks(range(len(columns)), ["\n".join(wrapped(text)) for text in labels])
    for text in axes.get_xticklabels():
        text.set_parse_math(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="x", length=0)
    return canvas.figure


def scores_of_protocols(observations: Observations) -> list[str]:
    """The names of the scores that were computed under several protocols."""
    names = observations.score_names
    return [n for n in names if max(map(len, families(observations.columns([n])))) > 1]


def label_at(
    axes: Any, end: tuple[float, float], slot: int, name: str, colour: Any, x: float
) -> None:
    """Label a line at its right end, in its own slot so that labels of ties do not overlap."""
    axes.annotate(
        name,
        end,
        xytext=(x, slot),
        fontsize=SMALL,
        va="center",
        annotation_clip=False,
        parse_math=False,
        arrowprops={"arrowstyle": "-", "lw": 0.4, "color": colour, "shrinkB": 3},
    )


def wrapped(text: str) -> list[str]:
    """The parts of a protocol's label, one per line."""
    return text.split("; ")


def span(counts: Sequence[int]) -> str:
    """Format counts as one number or a range."""
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def common_seeds(
    observations: Observations, group: str, columns: Sequence[ColumnKey]
) -> NDArray[np.float64]:
    """Scores [columns, runs] of a configuration, from its runs that have all columns."""
    runs: dict[str, dict[ColumnKey, float]] = {}
    for o in observations:
        if o.group == group and o.column in columns:
            runs.setdefault(o.run, {})[o.column] = o.value
    complete = [[run[c] for c in columns] for run in runs.values() if len(run) == len(columns)]
    return np.array(complete, float).reshape(-1, len(columns)).T


def draw_variance(
    observations: Observations,
    scores: Sequence[str] | None,
    path: Path,
    *,
    caption: bool = True,
) -> Path:
    """Write `plot_variance` to a PNG, PDF or SVG file; return its path."""
    check_suffix(path)
    return plot_variance(observations, scores, caption=caption).save(path)


def plot_variance(
    runs: Runs, scores: Sequence[str] | None = None, *, caption: bool = True
) -> "Picture":
    """Draw each score's variance decomposition into method, setting, protocol and seed.

    Args:
        runs: finished runs on one dataset, or a folder with such runs and external encoders.
        scores: the names of scores [default: all].
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: a score is unknown.
        DisentangleError: no score varies over two or more runs.

    Example:
        `plot_variance("results", ["mig", "sap"])`
    """
    observations = observed(runs)
    shares, reasons = {}, []
    together = families(observations.columns(scores))
    for columns in together:
        alone = [c.score for c, *_ in together].count(columns[0].score) == 1
        name = columns[0].score if alone else observations.headings[columns[0]]
        scored = [o for o in observations if o.column in columns]
        number = len({o.run for o in scored})
        try:
            share, scored_runs = variance_shares(scored)
            of_all = f"{number} runs" if scored_runs == number else f"{scored_runs} of {number}"
            shares[name] = share, of_all
        except DisentangleError as error:
            reasons.append(f"{name}: {error}")
    if not shares:
        raise DisentangleError("no score's variance can be decomposed: " + "; ".join(reasons))
    left = min(1.6, 0.56 * SMALL / 72 * max(map(len, shares)) + 0.15)
    high = 0.24 * len(shares) + 0.05
    head = (
        "How much of each score's sum of squares over runs is due to the method, to the settings "
        "of a method, to the protocol at fixed settings, and to the seed. With few seeds, the "
        "first shares are overestimated."
    )
    shows = f"sources of variance of {len(shares)} scores, {observations.name}"
    canvas = Canvas(observations.about, COLUMN, high + 0.55, head, shows=shows, caption=caption)
    axes = canvas.axes(left, canvas.head + 0.2, COLUMN - left - 0.85, high)
    for row, (share, runs_of) in enumerate(shares.values()):
        start = 0.0
        for source, colour, hatch in zip(SOURCES, SHADES, HATCHES, strict=True):
            box = {"color": colour, "edgecolor": INK, "linewidth": 0.5, "hatch": hatch}
            axes.barh(row, share[source], left=start, height=0.7, **box)
            if share[source] > 0.12:
                axes.text(
                    start + share[source] / 2,
                    row,
                    f"{100 * share[source]:.0f}",
                    ha="center",
                    va="center",
                    fontsize=SMALL,
                    color="white" if colour == SHADES[0] else INK,
                    bbox={"fc": colour, "ec": "none", "pad": 0.6} if hatch else None,
                )
            start += share[source]
        axes.text(1.02, row, runs_of, va="center", fontsize=SMALL, color=GREY)
    axes.set_yticks(range(len(shares)), list(shares))
    axes.set_ylim(len(shares) - 0.45, -0.55)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    key(canvas, canvas.head + 0.02)
    return canvas.figure


def key(canvas: Canvas, y: float) -> None:
    """Draw the legend of the shades in one line."""
    x = EDGE
    for source, colour, hatch in zip(SOURCES, SHADES, HATCHES, strict=True):
        box = canvas.axes(x, y + 0.015, 0.14, 0.09)
        box.set_facecolor(colour)
        box.bar(0, 1, width=9, color=colour, hatch=hatch, linewidth=0)
        box.set_xlim(-1, 1)
        box.set_ylim(0, 1)
        box.set_xticks([])
        box.set_yticks([])
        canvas.text(x + 0.18, y, source, va="top")
        x += 0.32 + 0.56 * SMALL / 72 * len(source)


def draw_agreement(
    observations: Observations,
    scores: Sequence[str] | None,
    path: Path,
    *,
    caption: bool = True,
) -> Path:
    """Write `plot_agreement` to a PNG, PDF or SVG file; return its path."""
    check_suffix(path)
    return plot_agreement(observations, scores, caption=caption).save(path)


def plot_agreement(
    runs: Runs, scores: Sequence[str] | None = None, *, caption: bool = True
) -> "Picture":
    """Draw the rank correlation of each pair of scores (Locatello et al. 2019, figure 2).

    Args:
        runs: finished runs on one dataset, or a folder with such runs and external encoders.
        scores: the names of scores [default: all].
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: a score is unknown, or fewer than two have a better direction.
        DisentangleError: no two scores vary over three or more runs.

    Example:
        `plot_agreement("results").save("agreement.png")`
    """
    observations = observed(runs)
    columns = [c for c in observations.columns(scores) if direction(c) in ("more", "less", None)]
    dropped = [observations.headings[c] for c in observations.columns(scores) if c not in columns]
    if len(columns) < 2:
        reason = f"; no better direction is declared for {', '.join(dropped)}" if dropped else ""
        raise UsageError(f"agreement needs at least two scores{reason}")
    r, n = rank_agreement(observations, columns)
    kept = [i for i in range(len(columns)) if np.isfinite(np.delete(r[i], i)).any()]
    if not kept:
        raise DisentangleError("no two scores vary over three or more runs")
    dropped += [observations.headings[columns[i]] for i in range(len(columns)) if i not in kept]
    r, n = r[np.ix_(kept, kept)], n[np.ix_(kept, kept)]
    names = [observations.headings[columns[i]] for i in kept]
    heads = names
    if len(names) > NUMBERED:
        heads = [str(i) for i in range(1, len(names) + 1)]
        names = [f"{name}  {head}" for name, head in zip(names, heads, strict=True)]
    reach = 0.55 * SMALL / 72 * max(map(len, names))
    slanted = 0.55 * SMALL / 72 * max(map(len, heads))
    above = slanted * math.sin(math.radians(SLANT)) + LINE
    side = CELL * len(names)
    width = max(COLUMN, reach + 0.15 + side + max(slanted * 0.77, EDGE))
    counts = n[~np.eye(len(n), dtype=bool)]
    head = (
        f"Rank correlation (times 100) of scores over {span(counts.tolist())} "
        f"{'runs and external encoders' if observations.external else 'runs'}; scores for which "
        "less is better are negated."
    )
    if dropped:
        head += f" Left out, as constant or without a better direction: {counted(dropped)}."
    shows = f"rank correlations of {len(names)} scores, {observations.name}"
    height = above + side + 0.2
    canvas = Canvas(observations.about_all, width, height, head, shows=shows, caption=caption)
    corner = (reach + 0.15, canvas.head + above)
    canvas.heat_map(corner, (CELL, CELL), r, 1.0, lambda v: f"{round(100 * v)}", (names, heads))
    bar = max(1.4, min(2.5, side))
    canvas.colour_bar(corner[0], corner[1] + side + 0.06, bar, ("0", "100 or -100"))
    return canvas.figure
