"""Figures over hyper-parameters: a score against a hyper-parameter, and distortion against rate."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from disentangle._utils.text import count, natural_key
from disentangle.contracts.metric import Role
from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.figures.canvas import COLUMN, EDGE, SMALL, Canvas, lines
from disentangle.figures.image_grids import check_suffix
from disentangle.figures.palette import FAINT, GREY, INK, line_of, series
from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.observations import Observations, Runs, names_of, observed
from disentangle.score_tables.statistics import FEWEST, summarise
from disentangle.scoring.metric_traits import metrics_with, role

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

LEFT, BELOW, HIGH = 0.5, 0.36, 1.9  # inches
LINE, LEGEND = 0.14, 2.6  # inches: the height of a legend's line, and a legend's width
WIDE = 20
"""Ratio of the largest to the smallest value above which an axis is logarithmic."""


def draw_sweep(
    observations: Observations, score: str, knob: str, path: Path, *, caption: bool = True
) -> Path:
    """Write `plot_effect` to a PNG, PDF or SVG file; return its path."""
    check_suffix(path)
    return plot_effect(observations, score, knob, caption=caption).save(path)


def plot_effect(runs: Runs, score: str, of: str, *, caption: bool = True) -> "Picture":
    """Draw a score against a hyper-parameter: all seeds, their means and confidence intervals.

    External encoders, which have no hyper-parameters, are level lines at their mean.

    Args:
        runs: finished runs on one dataset, or a folder with such runs and external encoders.
        score: the name of a score, or the heading of its column.
        of: a numeric hyper-parameter or training option, or `steps`.
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: the score or hyper-parameter does not exist, or is not numeric.
        DisentangleError: the hyper-parameter has one value in all runs.

    Example:
        `plot_effect("results", "mig", of="beta").save("effect.pdf")`
    """
    observations, knob = observed(runs), of
    column = observations.column(score)
    scored = observations.of(column)
    available = {name for o in scored for name in o.settings}
    if knob not in available:
        raise UsageError(
            f"no run with '{observations.headings[column]}' has the hyper-parameter "
            f"'{knob}'{suggestion(knob, available)}"
        )
    words = {str(o.settings[knob]) for o in scored if isinstance(o.settings.get(knob), str | bool)}
    if words:
        raise UsageError(f"'{knob}' is not numeric: {', '.join(sorted(words))}")
    curves: dict[str, list[tuple[float, float]]] = {}
    with_knob = [o for o in scored if knob in o.settings]
    values = sorted({float(o.settings[knob]) for o in with_knob})
    if len(values) == 1:
        raise DisentangleError(
            f"expected at least two values of '{knob}' in the runs with "
            f"'{observations.headings[column]}', got only {values[0]:g}. Train runs with other "
            "values, or choose another --of."
        )
    others = {
        o.run: (o.model, {k: v for k, v in o.settings.items() if k != knob}) for o in with_knob
    }
    of_runs = names_of(others)
    for o in with_knob:
        curves.setdefault(of_runs[o.run], []).append((float(o.settings[knob]), o.value))
    ordered = sorted(curves, key=natural_key)
    levels = level_lines(observations, column)
    many = any(
        Counter(x for x, _ in points).most_common(1)[0][1] >= FEWEST for points in curves.values()
    )
    lacking = len(scored) - len(with_knob)
    head = (
        f"{observations.headings[column]} against {knob}, {count(len(with_knob), 'run')}"
        + (f"; {lacking} more have no {knob}" if lacking else "")
        + f". Points: runs. Lines: means over the runs with the same {knob}."
        + (f" Bars: 95 % bootstrap intervals, from {FEWEST} runs on." if many else "")
        + (" Level lines: external encoders, which were not trained here." if levels else "")
    )
    shows = f"{observations.headings[column]} over {knob}, {observations.name}"
    names = [*ordered, *levels]
    about = observations.about_all if levels else observations.about
    canvas, axes = panel(about, head, names, shows=shows, caption=caption)
    for number, name in enumerate(ordered):
        points, style = curves[name], series(number)
        axes.plot(*zip(*points, strict=True), ls="", ms=3, mfc="none", mew=0.7, **style)
        at = sorted({x for x, _ in points})
        summaries = [summarise([y for x, y in points if x == value]) for value in at]
        means = [summary.averages["mean"] for summary in summaries]
        axes.plot(at, means, ls=line_of(number), lw=0.9, ms=4, label=name, **style)
        for x, summary in zip(at, summaries, strict=True):
            if summary.interval:
                axes.plot([x, x], summary.interval, lw=1.2, color=style["color"])
    for number, (name, level) in enumerate(levels.items(), start=len(ordered)):
        axes.axhline(level, ls=line_of(number), lw=0.9, color=GREY, label=name)
    scale(axes, "x", [x for points in curves.values() for x, _ in points])
    axes.set_xlabel(knob, fontsize=SMALL, labelpad=1, parse_math=False)
    axes.set_ylabel(column.score, fontsize=SMALL, parse_math=False)
    canvas.inside(axes)
    legend(axes, names)
    return canvas.figure


def level_lines(observations: Observations, column: ColumnKey) -> dict[str, float]:
    """The mean of a score over the external encoders of each name."""
    values: dict[str, list[float]] = {}
    for o in observations.external:
        if o.column == column:
            values.setdefault(o.model, []).append(o.value)
    return {name: float(np.mean(several)) for name, several in values.items()}


def numeric_settings(observations: Observations) -> list[str]:
    """The hyper-parameters and training options with several values, all of them numbers."""
    values: dict[str, set[Any]] = {}
    for o in observations:
        for name, value in o.settings.items():
            values.setdefault(name, set()).add(value)
    return sorted(
        name
        for name, own in values.items()
        if len(own) > 1 and not any(isinstance(value, str | bool) for value in own)
    )


def draw_rate_distortion(
    observations: Observations, path: Path, *, score: str | None = None, caption: bool = True
) -> Path:
    """Write `plot_rate_distortion` to a PNG, PDF or SVG file; return its path."""
    check_suffix(path)
    return plot_rate_distortion(observations, score=score, caption=caption).save(path)


def plot_rate_distortion(
    runs: Runs, *, score: str | None = None, caption: bool = True
) -> "Picture":
    """Draw the distortion of each run, -E log p(x|z), against its rate, the KL of its posteriors.

    Both are scores of a metric that declares these roles, such as `elbo`, in nats per image (Alemi
    et al. 2018).

    Args:
        runs: finished runs on one dataset, or a folder with such runs and external encoders.
        score: heading of the rate to draw, if there are several; the distortion is the one that was
            computed in the same way.
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: the runs' likelihoods differ, or several scores are a rate and none is chosen.
        DisentangleError: no run has a score with such a role.

    Example:
        `plot_rate_distortion("results").save("rate-distortion.pdf")`
    """
    observations = observed(runs)
    rate, distortion = rate_and_distortion(observations, score)
    rates = {o.run: o for o in observations.of(rate)}
    pairs = [(rates[o.run], o) for o in observations.of(distortion) if o.run in rates]
    likelihoods = {str(o.settings.get("likelihood")) for _, o in pairs}
    if len(likelihoods) > 1:
        raise UsageError(
            f"cannot compare distortions of {' and '.join(sorted(likelihoods))} likelihoods; "
            "choose one with `--where likelihood=NAME`"
        )
    models = sorted({r.model for r, _ in pairs})
    head = (
        f"Rate and distortion of {count(len(pairs), 'run')} in nats per image, measured by "
        f"{rate[1]}. "
        "Grey lines: constant negative ELBO (rate + distortion)."
    )
    shows = f"distortion over rate of {count(len(pairs), 'run')}, {observations.name}"
    canvas, axes = panel(observations.about, head, models, shows=shows, caption=caption)
    for number, model in enumerate(models):
        points = [(r.value, d.value) for r, d in pairs if r.model == model]
        style = series(number)
        axes.plot(
            *zip(*points, strict=True), ls="", ms=4, mfc="none", mew=0.9, label=model, **style
        )
    x, y = axes.get_xlim(), axes.get_ylim()
    bounds = np.linspace(x[0] + y[0], x[1] + y[1], 6)[1:-1]
    for bound in bounds:
        axes.plot(x, [bound - x[0], bound - x[1]], color=FAINT, lw=0.4, zorder=0)
    axes.set_xlim(x)
    axes.set_ylim(y)
    axes.set_xlabel("rate: KL (nats)", fontsize=SMALL, labelpad=1)
    axes.set_ylabel("distortion: -E log p(x|z) (nats)", fontsize=SMALL)
    canvas.inside(axes)
    legend(axes, models)
    return canvas.figure


def rate_and_distortion(
    observations: Observations, score: str | None
) -> tuple[ColumnKey, ColumnKey]:
    """Return the columns of the rate and of the distortion that was computed in the same way."""
    rates = with_role(observations, "rate")
    if score is not None:
        rates = [column for column in observations.columns([score]) if column in rates]
    distortions = with_role(observations, "distortion")
    pairs = [(r, d) for r in rates for d in distortions if d._replace(score=r.score) == r]
    if not pairs:
        raise UsageError(
            "no rate and distortion were computed in the same way. "
            f"Run `disentangle score {metrics_with('rate')}` to compute both"
        )
    if len(pairs) > 1:
        several = "".join(f"\n  '{observations.headings[r]}'" for r, _ in pairs)
        raise UsageError(f"the runs have several rates; choose one with `--score`:{several}")
    return pairs[0]


def with_role(observations: Observations, wanted: Role) -> list[ColumnKey]:
    """Return the columns of the scores with a role; raise an error if there are none."""
    columns = [column for column in observations.headings if role(column) == wanted]
    if not columns:
        raise DisentangleError(
            f"no run has a {wanted}. Run `disentangle score {metrics_with(wanted)}` first."
        )
    return columns


def panel(
    about: str,
    head: str,
    names: list[str],
    *,
    high: float = HIGH,
    sides: tuple[float, float] = (LEFT, 2 * EDGE),
    **options: Any,
) -> tuple[Canvas, Any]:
    """Return a canvas and its only panel, `high` inches high, with space for a legend below.

    `sides` are the margins on its left and on its right, in inches.
    """
    rows = sum(len(lines(name, LEGEND)) for name in names) / across(names) + 1
    below = BELOW + (rows * LINE if len(names) > 1 else 0)
    canvas = Canvas(about, COLUMN, high + below, head, **options)
    axes = canvas.axes(sides[0], canvas.head + EDGE, COLUMN - sum(sides), high)
    axes.spines[["top", "right"]].set_visible(False)
    return canvas, axes


def across(names: list[str]) -> int:
    """Return the number of columns of a legend."""
    return 2 if max(map(len, names)) < 20 and len(names) > 1 else 1


def legend(axes: Any, names: list[str], *, high: float = HIGH) -> None:
    """Add a legend below the panel, which is `high` inches high, if there are several lines."""
    if len(names) > 1:
        anchor = (0.5, -BELOW / high)
        made = axes.legend(
            loc="upper center",
            bbox_to_anchor=anchor,
            ncols=across(names),
            fontsize=SMALL,
            frameon=False,
            borderpad=0,
            handlelength=2.4,
            labelspacing=0.25,
        )
        for text in made.get_texts():
            text.set_parse_math(False)
            text.set_text("\n".join(lines(text.get_text(), LEGEND)))


def is_geometric(values: Sequence[float]) -> bool:
    """True if values are positive and spaced more evenly by their ratios than by differences.

    So are the powers 1, 2, 4, 8, and any values that span at least a factor of `WIDE`.
    """
    x = np.unique(values)
    if len(x) < 2 or x[0] <= 0:
        return False
    if x[-1] / x[0] >= WIDE:
        return True
    gaps, ratios = np.diff(x), np.diff(np.log(x))
    unevenness = [float(step.std() / step.mean()) for step in (ratios, gaps)]
    return len(x) > 2 and unevenness[0] < unevenness[1]


def scale(axes: Any, which: str, values: list[float]) -> None:
    """Make an axis logarithmic if its values are roughly geometric; see `is_geometric`."""
    if is_geometric(values):
        getattr(axes, f"set_{which}scale")("log")
    ticks = sorted(set(values))
    if len(ticks) <= 7:
        axis = getattr(axes, f"{which}axis")
        axis.set_ticks(ticks, [f"{value:g}" for value in ticks])
        axis.set_ticks([], minor=True)
    axes.tick_params(labelsize=SMALL, colors=INK)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
