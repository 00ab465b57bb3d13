"""Figures over hyper-parameters: a score against a knob, and distortion against rate."""

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
LINE, LEGEND = 0.14, 2.6  # inches, of a legend: a line's height, and its width
WIDE = 20
"""The ratio of the largest to the smallest value from which an axis is logarithmic."""


def draw_sweep(observations: Observations, score: str, knob: str, path: Path) -> Path:
    """Draw a score against a hyper-parameter: every seed, their mean, and its interval.

    Args:
        observations: the runs.
        score: the name of a score, or a column's heading.
        knob: a knob or trainer's option with numbers, or `steps`.
        path: a PNG, PDF or SVG.

    Raises:
        UsageError: no such score or knob, or one that has no numbers.
    """
    check_suffix(path)
    column = observations.column(score)
    found = observations.of(column)
    known = {name for o in found for name in o.settings}
    if knob not in known:
        raise UsageError(f"no run with that score has '{knob}'{suggestion(knob, known)}")
    words = {str(o.settings[knob]) for o in found if isinstance(o.settings.get(knob), str | bool)}
    if words:
        raise UsageError(f"'{knob}' is no number: {', '.join(sorted(words))}")
    curves: dict[str, list[tuple[float, float]]] = {}
    having = [o for o in found if knob in o.settings]
    others = {o.run: (o.model, {k: v for k, v in o.settings.items() if k != knob}) for o in having}
    names = names_of(others)
    for o in having:
        curves.setdefault(names[o.run], []).append((float(o.settings[knob]), o.value))
    lacking = len(found) - len(having)
    head = (
        f"{observations.headings[column]} against {knob}, {len(having)} runs"
        + (f"; {lacking} more have no {knob}" if lacking else "")
        + f". Each point is a run; lines join means over runs of one {knob}, bars are 95 % "
        f"bootstrap intervals of {FEWEST} or more."
    )
    canvas, axes = panel(observations, head, sorted(curves))
    for number, (name, mine) in enumerate(sorted(curves.items())):
        style = {"marker": MARKERS[number % len(MARKERS)], "color": shade(number, len(curves))}
        axes.plot(*zip(*mine, strict=True), ls="", ms=3, mfc="none", mew=0.7, **style)
        at = sorted({x for x, _ in mine})
        sums = [summarise([y for x, y in mine if x == value]) for value in at]
        line = STYLES[number % len(STYLES)]
        means = [one.mean for one in sums]
        axes.plot(at, means, ls=line, lw=0.9, ms=4, label=name, **style)
        for x, one in zip(at, sums, strict=True):
            if one.interval:
                axes.plot([x, x], one.interval, lw=1.2, color=style["color"])
    scale(axes, "x", [x for mine in curves.values() for x, _ in mine])
    axes.set_xlabel(knob, fontsize=SMALL, labelpad=1, parse_math=False)
    axes.set_ylabel(observations.headings[column], fontsize=SMALL, parse_math=False)
    legend(axes, sorted(curves))
    return canvas.save(path)


def draw_rate_distortion(observations: Observations, path: Path) -> Path:
    """Draw each run's rate, the KL of its posteriors, against its distortion, -E log p(x|z).

    Both are scores of a metric that declares these roles, in nats per image (Alemi et al. 2018).

    Raises:
        UsageError: the runs' likelihoods differ, or there are several rates.
        DisentangleError: no run has been scored by such a metric.
    """
    check_suffix(path)
    rate, distortion = one_of(observations, "rate"), one_of(observations, "distortion")
    rates = {o.run: o for o in observations.of(rate)}
    pairs = [(rates[o.run], o) for o in observations.of(distortion) if o.run in rates]
    kinds = {str(o.settings.get("likelihood")) for _, o in pairs}
    if len(kinds) > 1:
        raise UsageError(
            f"distortions of {' and '.join(sorted(kinds))} likelihoods cannot be compared; choose "
            "by --where likelihood="
        )
    models = sorted({r.model for r, _ in pairs})
    head = (
        f"Rate and distortion of {len(pairs)} runs, by {rate[1]}, in nats per image. "
        "On a grey line their sum, the negative evidence lower bound, is the same."
    )
    canvas, axes = panel(observations, head, models)
    for number, model in enumerate(models):
        mine = [(r.value, d.value) for r, d in pairs if r.model == model]
        style = {"marker": MARKERS[number % len(MARKERS)], "color": shade(number, len(models))}
        axes.plot(*zip(*mine, strict=True), ls="", ms=4, mfc="none", mew=0.9, label=model, **style)
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
    """Return the column of a role."""
    found = [column for column in observations.headings if role(column) == wanted]
    if not found:
        raise DisentangleError(
            f"no run has a {wanted}; first: disentangle score {metrics_with(wanted)}"
        )
    if len(found) > 1:
        several = "', '".join(observations.headings[column] for column in found)
        raise UsageError(f"there are several scores of {wanted}: '{several}'; choose by --where")
    return found[0]


def panel(observations: Observations, head: str, names: list[str]) -> tuple[Canvas, Any]:
    """Return a canvas and its one panel, with room for a legend below."""
    rows = sum(len(lines(name, LEGEND)) for name in names) / across(names)
    canvas = Canvas(observations.about, COLUMN, HIGH + BELOW + (rows + 1) * LINE, head)
    axes = canvas.axes(LEFT, canvas.head + EDGE, COLUMN - LEFT - 2 * EDGE, HIGH)
    axes.spines[["top", "right"]].set_visible(False)
    return canvas, axes


def across(names: list[str]) -> int:
    """Return how many names of a legend stand side by side."""
    return 2 if max(map(len, names)) < 20 and len(names) > 1 else 1


def legend(axes: Any, names: list[str]) -> None:
    """Name the lines below the panel, where there are several."""
    if len(names) > 1:
        place = (0.5, -BELOW / HIGH)
        found = axes.legend(
            loc="upper center",
            bbox_to_anchor=place,
            ncols=across(names),
            fontsize=SMALL,
            frameon=False,
            borderpad=0,
            handlelength=2.4,
            labelspacing=0.25,
        )
        for text in found.get_texts():
            text.set_parse_math(False)
            text.set_text("\n".join(lines(text.get_text(), LEGEND)))


def shade(number: int, count: int) -> Any:
    """Return a colour that stays apart from the others in grey and for colour-blind readers."""
    from matplotlib import colormaps

    return colormaps["cividis"](0.0 if count == 1 else 0.85 * number / (count - 1))


def scale(axes: Any, which: str, values: list[float]) -> None:
    """Make an axis logarithmic where its values span more than a factor of `WIDE`."""
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
