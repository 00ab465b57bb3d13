"""Figures over hyper-parameters: a score against a hyper-parameter, and distortion against rate."""

from pathlib import Path
from typing import Any

import numpy as np

from disentangle.contracts.metric import Role
from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.figures.canvas import COLUMN, EDGE, GREY, SMALL, Canvas, check_suffix, lines
from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.observations import Observations, names_of
from disentangle.score_tables.statistics import FEWEST, summarise
from disentangle.scoring.metric_traits import metrics_with, role

MARKERS = "osD^vP*Xdp"
STYLES = ("-", "--", "-.", ":")
LEFT, BELOW, HIGH = 0.5, 0.36, 1.9  # inches
LINE, LEGEND = 0.14, 2.6  # inches: the height of a legend's line, and a legend's width
WIDE = 20
"""Ratio of the largest to the smallest value above which an axis is logarithmic."""


def draw_sweep(observations: Observations, score: str, knob: str, path: Path) -> Path:
    """Draw a score against a hyper-parameter: all seeds, their means and confidence intervals.

    Args:
        observations: the runs and their scores.
        score: the name of a score, or a column's heading.
        knob: a numeric hyper-parameter or training option, or `steps`.
        path: path of a PNG, PDF or SVG file.

    Raises:
        UsageError: the score or hyper-parameter does not exist, or is not numeric.
    """
    check_suffix(path)
    column = observations.column(score)
    scored = observations.of(column)
    available = {name for o in scored for name in o.settings}
    if knob not in available:
        raise UsageError(f"no run with that score has '{knob}'{suggestion(knob, available)}")
    words = {str(o.settings[knob]) for o in scored if isinstance(o.settings.get(knob), str | bool)}
    if words:
        raise UsageError(f"'{knob}' is not numeric: {', '.join(sorted(words))}")
    curves: dict[str, list[tuple[float, float]]] = {}
    with_knob = [o for o in scored if knob in o.settings]
    others = {
        o.run: (o.model, {k: v for k, v in o.settings.items() if k != knob}) for o in with_knob
    }
    names = names_of(others)
    for o in with_knob:
        curves.setdefault(names[o.run], []).append((float(o.settings[knob]), o.value))
    lacking = len(scored) - len(with_knob)
    head = (
        f"{observations.headings[column]} against {knob}, {len(with_knob)} runs"
        + (f"; {lacking} more have no {knob}" if lacking else "")
        + f". Points: runs. Lines: means over the runs with the same {knob}. Bars: 95 % bootstrap "
        f"intervals of {FEWEST} or more runs."
    )
    canvas, axes = panel(observations, head, sorted(curves))
    for number, (name, points) in enumerate(sorted(curves.items())):
        style = {"marker": MARKERS[number % len(MARKERS)], "color": shade(number, len(curves))}
        axes.plot(*zip(*points, strict=True), ls="", ms=3, mfc="none", mew=0.7, **style)
        at = sorted({x for x, _ in points})
        summaries = [summarise([y for x, y in points if x == value]) for value in at]
        line = STYLES[number % len(STYLES)]
        means = [summary.averages["mean"] for summary in summaries]
        axes.plot(at, means, ls=line, lw=0.9, ms=4, label=name, **style)
        for x, summary in zip(at, summaries, strict=True):
            if summary.interval:
                axes.plot([x, x], summary.interval, lw=1.2, color=style["color"])
    scale(axes, "x", [x for points in curves.values() for x, _ in points])
    axes.set_xlabel(knob, fontsize=SMALL, labelpad=1, parse_math=False)
    axes.set_ylabel(observations.headings[column], fontsize=SMALL, parse_math=False)
    legend(axes, sorted(curves))
    return canvas.save(path)


def draw_rate_distortion(observations: Observations, path: Path) -> Path:
    """Draw the distortion of each run, -E log p(x|z), against its rate, the KL of its posteriors.

    Both are scores of a metric that declares these roles, in nats per image (Alemi et al. 2018).

    Raises:
        UsageError: the runs' likelihoods differ, or several scores have the same role.
        DisentangleError: no run has a score with such a role.
    """
    check_suffix(path)
    rate, distortion = one_of(observations, "rate"), one_of(observations, "distortion")
    rates = {o.run: o for o in observations.of(rate)}
    pairs = [(rates[o.run], o) for o in observations.of(distortion) if o.run in rates]
    likelihoods = {str(o.settings.get("likelihood")) for _, o in pairs}
    if len(likelihoods) > 1:
        raise UsageError(
            f"cannot compare distortions of {' and '.join(sorted(likelihoods))} likelihoods; "
            "choose one with --where likelihood="
        )
    models = sorted({r.model for r, _ in pairs})
    head = (
        f"Rate and distortion of {len(pairs)} runs, by {rate[1]}, in nats per image. "
        "Grey lines: constant negative ELBO (rate + distortion)."
    )
    canvas, axes = panel(observations, head, models)
    for number, model in enumerate(models):
        points = [(r.value, d.value) for r, d in pairs if r.model == model]
        style = {"marker": MARKERS[number % len(MARKERS)], "color": shade(number, len(models))}
        axes.plot(
            *zip(*points, strict=True), ls="", ms=4, mfc="none", mew=0.9, label=model, **style
        )
    x, y = axes.get_xlim(), axes.get_ylim()
    bounds = np.linspace(x[0] + y[0], x[1] + y[1], 6)[1:-1]
    for bound in bounds:
        axes.plot(x, [bound - x[0], bound - x[1]], color="0.85", lw=0.6, zorder=0)
    axes.set_xlim(x)
    axes.set_ylim(y)
    axes.set_xlabel("rate: KL (nats)", fontsize=SMALL, labelpad=1)
    axes.set_ylabel("distortion: -E log p(x|z) (nats)", fontsize=SMALL)
    legend(axes, models)
    return canvas.save(path)


def one_of(observations: Observations, wanted: Role) -> ColumnKey:
    """Return the column of the only score with a role."""
    columns = [column for column in observations.headings if role(column) == wanted]
    if not columns:
        raise DisentangleError(
            f"no run has a {wanted}. Run `disentangle score {metrics_with(wanted)}` first."
        )
    if len(columns) > 1:
        several = "', '".join(observations.headings[column] for column in columns)
        raise UsageError(f"several scores are a {wanted}: '{several}'; choose with --where")
    return columns[0]


def panel(observations: Observations, head: str, names: list[str]) -> tuple[Canvas, Any]:
    """Return a canvas and its only panel, with space for a legend below."""
    rows = sum(len(lines(name, LEGEND)) for name in names) / across(names)
    canvas = Canvas(observations.about, COLUMN, HIGH + BELOW + (rows + 1) * LINE, head)
    axes = canvas.axes(LEFT, canvas.head + EDGE, COLUMN - LEFT - 2 * EDGE, HIGH)
    axes.spines[["top", "right"]].set_visible(False)
    return canvas, axes


def across(names: list[str]) -> int:
    """Return the number of columns of a legend."""
    return 2 if max(map(len, names)) < 20 and len(names) > 1 else 1


def legend(axes: Any, names: list[str]) -> None:
    """Add a legend below the panel if there are several lines."""
    if len(names) > 1:
        anchor = (0.5, -BELOW / HIGH)
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


def shade(number: int, count: int) -> Any:
    """Return a colour that is distinct in greyscale and for colour-blind readers."""
    from matplotlib import colormaps

    return colormaps["cividis"](0.0 if count == 1 else 0.85 * number / (count - 1))


def scale(axes: Any, which: str, values: list[float]) -> None:
    """Make an axis logarithmic if its values span at least a factor of `WIDE`."""
    if min(values) > 0 and max(values) / min(values) >= WIDE:
        getattr(axes, f"set_{which}scale")("log")
    ticks = sorted(set(values))
    if len(ticks) <= 7:
        axis = getattr(axes, f"{which}axis")
        axis.set_ticks(ticks, [f"{value:g}" for value in ticks])
        axis.set_ticks([], minor=True)
    axes.tick_params(labelsize=SMALL, colors="black")
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
