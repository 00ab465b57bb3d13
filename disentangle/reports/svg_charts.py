"""SVG line charts: thinned curves, round ticks, axis limits, and labels that do not overlap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from disentangle.figures.canvas import spread
from disentangle.score_tables.cells import number

SHOWN = 80
"""Maximum number of steps drawn per line, to keep pages small."""
EARLY = 0.1
"""First share of training, which does not set the axis limits if its values are far outliers."""


WIDTH, HEIGHT = 350, 220
LEFT, RIGHT, TOP, BOTTOM = 42, 92, 14, 24
APART = 13.0  # pixels between the labels of lines
COLOURS = 8
"""Number of line colours in `style.css`; further lines are dashed."""


@dataclass(frozen=True)
class Line:
    """A line of a chart: its label and its value at each step, None where it has none."""

    label: str
    values: Sequence[float | None]
    strong: bool = True
    end: str = ""
    """Text at the end of the line, if not its label."""

    @property
    def known(self) -> list[tuple[int, float]]:
        """The finite values, each with its index."""
        return [
            (i, value)
            for i, value in enumerate(self.values)
            if value is not None and math.isfinite(value)
        ]


@dataclass(frozen=True)
class Frame:
    """The plotting area of a chart in pixels, and its axis limits."""

    left: float
    right: float
    top: float
    bottom: float
    low: float
    high: float
    last: float

    def across(self, step: float) -> float:
        """The horizontal position of a step, in pixels."""
        return self.left + step / self.last * (self.right - self.left)

    def down(self, value: float) -> float:
        """The vertical position of a value, in pixels."""
        return self.top + (self.high - value) / (self.high - self.low) * (self.bottom - self.top)


def thin(count: int, most: int = SHOWN) -> list[int]:
    """Indices of the entries to draw: all `count`, or `most` evenly spaced from first to last."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers from `low` to `high`, about `about` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = unit * min((m for m in (1, 2, 2.5, 5, 10) if m * unit >= raw * 0.999), default=10)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def bounds(steps: Sequence[int], lines: Sequence[Line]) -> tuple[float, float]:
    """Limits of the vertical axis, which starts at zero if no value is negative.

    Values from the first tenth of training are included only if they do not make the axis more than
    three times as long.
    """
    points = [(steps[i], value) for line in lines for i, value in line.known]
    if not points:
        return 0.0, 1.0
    values = [v for _, v in points]
    late = [v for step, v in points if step > EARLY * steps[-1]] or values
    low, high = min([*late, 0.0]), max([*late, 0.0])
    room = 2 * (high - low)
    low = min(values) if low - room <= min(values) < low else low
    high = max(values) if high < max(values) <= high + room else high
    if low == high:
        return low, low + 1
    return (low, high + 0.04 * (high - low)) if low == 0 else (low, high)


def line_chart(title: str, unit: str, steps: Sequence[int], lines: Sequence[Line]) -> Markup:
    """Draw a chart of values against steps, as an SVG element.

    Args:
        title: title of the chart.
        unit: unit of the values.
        steps: increasing; at least one.
        lines: strong lines are coloured and labelled; the others are grey and only counted.
    """
    low, high = bounds(steps, lines)
    frame = Frame(LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM, low, high, max(steps[-1], 1))
    shown = thin(len(steps))
    strong = [line for line in lines if line.strong]
    paths = []
    for look, line in [
        *(("weak", line) for line in lines if not line.strong),
        *((_look(i), line) for i, line in enumerate(strong)),
    ]:
        path = _path(line, steps, shown, frame)
        paths.append(Markup('<path class="line {}" d="{}"/>').format(look, path))
    parts = [
        _axes(frame),
        _clipped(paths),
        _names(lines, strong, frame),
        _above(lines, steps, frame),
    ]
    parts.append(_tooltips(strong, steps, shown, unit, frame))
    ends = ", ".join(f"{x.label} ends at {number(x.known[-1][1])}" for x in strong if x.known)
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, HEIGHT, f"{title}: {ends}", Markup("").join(parts))


def _axes(frame: Frame) -> Markup:
    across = Markup("").join(
        Markup(
            '<path class="grid" d="M{} {:.1f}H{}"/><text class="tick end" x="{}" y="{:.1f}">'
        ).format(LEFT, frame.down(value), WIDTH - RIGHT, LEFT - 6, frame.down(value) + 4)
        + Markup("{}</text>").format(f"{value:.6g}")
        for value in ticks(frame.low, frame.high)
    )
    return across + Markup("").join(
        Markup('<text class="tick middle" x="{:.1f}" y="{}">{}</text>').format(
            frame.across(step), HEIGHT - 6, f"{step:,.0f}"
        )
        for step in ticks(0, frame.last, 3)
    )


def _clipped(paths: Sequence[Markup]) -> Markup:
    """Clip lines to the plotting area with an inner SVG element."""
    box = (LEFT, TOP - 3, WIDTH - LEFT - RIGHT + 2, HEIGHT - TOP - BOTTOM + 5)
    return Markup(
        '<svg x="{0}" y="{1}" width="{2}" height="{3}" viewBox="{0} {1} {2} {3}">{4}</svg>'
    ).format(*box, Markup("").join(paths))


def _look(index: int) -> str:
    return f"c{index % COLOURS}" + (" dashed" if index >= COLOURS else "")


def _path(line: Line, steps: Sequence[int], shown: Sequence[int], frame: Frame) -> str:
    """The SVG path of a line, with gaps where a value is missing."""
    values, parts, pen = dict(line.known), [], "M"
    for i in shown:
        if i not in values:
            pen = "M"
            continue
        parts.append(f"{pen}{frame.across(steps[i]):.1f} {frame.down(values[i]):.1f}")
        pen = "L"
    return "".join(parts)


def _names(lines: Sequence[Line], strong: Sequence[Line], frame: Frame) -> Markup:
    """The labels at the ends of lines."""
    ends = [
        (frame.down(line.known[-1][1]), line.end or line.label, f"c{i % COLOURS}")
        for i, line in enumerate(strong)
        if line.known
    ]
    weak = [line.known[-1][1] for line in lines if not line.strong and line.known]
    if weak:
        ends.append((frame.down(max(weak)), f"{len(weak)} inactive", "weak"))
    ends.sort()
    half = APART / 2
    heights, sizes = [y for y, _, _ in ends], [APART] * len(ends)
    places = spread(heights, sizes, HEIGHT - BOTTOM + half, TOP - half)
    return Markup("").join(
        Markup('<text class="name {}" x="{}" y="{:.1f}">{}</text>').format(
            look, WIDTH - RIGHT + 7, y + 4, label
        )
        for (_, label, look), y in zip(ends, places, strict=True)
    )


def _above(lines: Sequence[Line], steps: Sequence[int], frame: Frame) -> Markup:
    """A note on the largest value above the plotting area; empty if there is none."""
    over = [(v, steps[i]) for line in lines for i, v in line.known if v > frame.high]
    if not over:
        return Markup("")
    value, step = max(over)
    return Markup('<text class="tick" x="{}" y="{}">{}</text>').format(
        LEFT + 14, TOP + 8, f"↑ {number(value)} at step {step:,}"
    )


def _tooltips(
    lines: Sequence[Line], steps: Sequence[int], shown: Sequence[int], unit: str, frame: Frame
) -> Markup:
    """A transparent strip per step whose tooltip lists the values."""
    middles = [frame.across(steps[i]) for i in shown]
    edges = [LEFT, *((a + b) / 2 for a, b in pairwise(middles))]
    edges.append(WIDTH - RIGHT + 2)
    labelled = [(line.label, dict(line.known)) for line in lines]
    parts = []
    for strip, i in enumerate(shown):
        texts = [f"{label} {number(values[i])}" for label, values in labelled if i in values]
        parts.append(
            Markup(
                '<rect class="hit" x="{:.1f}" y="{}" width="{:.1f}" height="{}">'
                "<title>{}</title></rect>"
            ).format(
                edges[strip],
                TOP,
                max(edges[strip + 1] - edges[strip], 0.5),
                HEIGHT - TOP - BOTTOM,
                "\n".join(filter(None, [f"step {steps[i]:,}", *texts, unit])),
            )
        )
    return Markup("").join(parts)


def scale(value: float, marks: Sequence[tuple[str, float]], width: int = 150) -> Markup:
    """Draw a score between 0 and 1 as a dot on a scale, with baselines as vertical marks.

    Empty if a number is outside this range.
    """
    if not all(0 <= v <= 1 for v in (value, *(v for _, v in marks))):
        return Markup("")
    scores = [f"{value:.3f} on a scale from 0 to 1", *(f"{name} {v:.3f}" for name, v in marks)]
    strokes = Markup("").join(
        Markup('<path class="mark" d="M{:.1f} 3V15"/>').format(5 + v * (width - 10))
        for _, v in marks
    )
    return Markup(
        '<svg class="scale" viewBox="0 0 {0} 18" width="{0}" height="18" role="img" '
        'aria-label="{1}"><title>{1}</title><path class="rail" d="M5 9H{2}"/>{3}'
        '<circle class="dot" cx="{4:.1f}" cy="9" r="4.5"/></svg>'
    ).format(width, ", ".join(scores), width - 5, strokes, 5 + value * (width - 10))
