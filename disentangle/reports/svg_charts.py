"""The axes of a chart: which steps are drawn, round numbers, ends, and labels that keep apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from disentangle.figures.canvas import spread
from disentangle.score_tables.cells import number

SHOWN = 80
"""The most steps of a line that are drawn: a page is no log."""
EARLY = 0.1
"""The first part of training, which does not set the scale where it lies far above the rest."""


@dataclass(frozen=True)
class Line:
    """What a line is called, and its value at each step; None where there is none."""

    label: str
    values: Sequence[float | None]
    strong: bool = True
    end: str = ""
    """What stands at the end of the line, if not what it is called."""

    @property
    def known(self) -> list[tuple[int, float]]:
        """Return the values that can be drawn, each with its place."""
        return [
            (i, value)
            for i, value in enumerate(self.values)
            if value is not None and math.isfinite(value)
        ]


@dataclass(frozen=True)
class Frame:
    """The field of a chart, in pixels, and the numbers at its ends."""

    left: float
    right: float
    top: float
    bottom: float
    low: float
    high: float
    last: float

    def across(self, step: float) -> float:
        """Return where a step is."""
        return self.left + step / self.last * (self.right - self.left)

    def down(self, value: float) -> float:
        """Return where a value is."""
        return self.top + (self.high - value) / (self.high - self.low) * (self.bottom - self.top)


def thin(count: int, most: int = SHOWN) -> list[int]:
    """Return which of `count` entries to draw: all, or some from the first to the last."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Return round numbers from `low` to `high`, some `about` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = unit * min((m for m in (1, 2, 2.5, 5, 10) if m * unit >= raw * 0.999), default=10)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def bounds(steps: Sequence[int], lines: Sequence[Line]) -> tuple[float, float]:
    """Return the ends of the vertical axis: zero is the lower one where nothing is negative.

    Values of the first tenth of training count only where the axis does not become three times as
    long by them.
    """
    known = [(steps[i], value) for line in lines for i, value in line.known]
    if not known:
        return 0.0, 1.0
    every = [v for _, v in known]
    late = [v for step, v in known if step > EARLY * steps[-1]] or every
    low, high = min([*late, 0.0]), max([*late, 0.0])
    room = 2 * (high - low)
    low = min(every) if low - room <= min(every) < low else low
    high = max(every) if high < max(every) <= high + room else high
    if low == high:
        return low, low + 1
    return (low, high + 0.04 * (high - low)) if low == 0 else (low, high)


WIDTH, HEIGHT = 350, 220
LEFT, RIGHT, TOP, BOTTOM = 42, 92, 14, 24
APART = 13.0  # pixels, of the names of lines
COLOURS = 8
"""How many colours `style.css` has for lines; more lines are dashed."""


def line_chart(title: str, unit: str, steps: Sequence[int], lines: Sequence[Line]) -> Markup:
    """Return a chart of values against steps, as an SVG element.

    Args:
        title: what is shown.
        unit: what the values are in.
        steps: rising; at least one.
        lines: strong ones are coloured and named; the others are grey and only counted.
    """
    low, high = bounds(steps, lines)
    frame = Frame(LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM, low, high, max(steps[-1], 1))
    chosen = thin(len(steps))
    strong = [line for line in lines if line.strong]
    paths = []
    for look, line in [
        *(("weak", line) for line in lines if not line.strong),
        *((_look(i), line) for i, line in enumerate(strong)),
    ]:
        path = _path(line, steps, chosen, frame)
        paths.append(Markup('<path class="line {}" d="{}"/>').format(look, path))
    parts = [
        _axes(frame),
        _clipped(paths),
        _names(lines, strong, frame),
        _above(lines, steps, frame),
    ]
    parts.append(_told(strong, steps, chosen, unit, frame))
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
    """Return lines without what lies outside the field: an inner SVG element shows no more."""
    box = (LEFT, TOP - 3, WIDTH - LEFT - RIGHT + 2, HEIGHT - TOP - BOTTOM + 5)
    return Markup(
        '<svg x="{0}" y="{1}" width="{2}" height="{3}" viewBox="{0} {1} {2} {3}">{4}</svg>'
    ).format(*box, Markup("").join(paths))


def _look(place: int) -> str:
    return f"c{place % COLOURS}" + (" dashed" if place >= COLOURS else "")


def _path(line: Line, steps: Sequence[int], chosen: Sequence[int], frame: Frame) -> str:
    """Return the path of a line, which is broken where there is no value."""
    known, parts, pen = dict(line.known), [], "M"
    for i in chosen:
        if i not in known:
            pen = "M"
            continue
        parts.append(f"{pen}{frame.across(steps[i]):.1f} {frame.down(known[i]):.1f}")
        pen = "L"
    return "".join(parts)


def _names(lines: Sequence[Line], strong: Sequence[Line], frame: Frame) -> Markup:
    """Return the names of lines, at their ends."""
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
    wanted, sizes = [y for y, _, _ in ends], [APART] * len(ends)
    places = spread(wanted, sizes, HEIGHT - BOTTOM + half, TOP - half)
    return Markup("").join(
        Markup('<text class="name {}" x="{}" y="{:.1f}">{}</text>').format(
            look, WIDTH - RIGHT + 7, y + 4, label
        )
        for (_, label, look), y in zip(ends, places, strict=True)
    )


def _above(lines: Sequence[Line], steps: Sequence[int], frame: Frame) -> Markup:
    """Return what is to be said of values that lie above the field."""
    over = [(v, steps[i]) for line in lines for i, v in line.known if v > frame.high]
    if not over:
        return Markup("")
    value, step = max(over)
    return Markup('<text class="tick" x="{}" y="{}">{}</text>').format(
        LEFT + 14, TOP + 8, f"↑ {number(value)} at step {step:,}"
    )


def _told(
    lines: Sequence[Line], steps: Sequence[int], chosen: Sequence[int], unit: str, frame: Frame
) -> Markup:
    """Return for each step a strip that tells its values where a pointer rests."""
    middles = [frame.across(steps[i]) for i in chosen]
    edges = [LEFT, *((a + b) / 2 for a, b in pairwise(middles))]
    edges.append(WIDTH - RIGHT + 2)
    known = [(line.label, dict(line.known)) for line in lines]
    parts = []
    for place, i in enumerate(chosen):
        values = [f"{label} {number(found[i])}" for label, found in known if i in found]
        parts.append(
            Markup(
                '<rect class="hit" x="{:.1f}" y="{}" width="{:.1f}" height="{}">'
                "<title>{}</title></rect>"
            ).format(
                edges[place],
                TOP,
                max(edges[place + 1] - edges[place], 0.5),
                HEIGHT - TOP - BOTTOM,
                "\n".join(filter(None, [f"step {steps[i]:,}", *values, unit])),
            )
        )
    return Markup("").join(parts)


def scale(value: float, marks: Sequence[tuple[str, float]], width: int = 150) -> Markup:
    """Return a score between 0 and 1 as a dot on a line, with baselines as strokes across it.

    It is empty where a number lies outside.
    """
    if not all(0 <= v <= 1 for v in (value, *(v for _, v in marks))):
        return Markup("")
    said = ", ".join([f"{value:.3f} of 0 to 1", *(f"{name} {v:.3f}" for name, v in marks)])
    strokes = Markup("").join(
        Markup('<path class="mark" d="M{:.1f} 3V15"/>').format(5 + v * (width - 10))
        for _, v in marks
    )
    return Markup(
        '<svg class="scale" viewBox="0 0 {0} 18" width="{0}" height="18" role="img" '
        'aria-label="{1}"><title>{1}</title><path class="rail" d="M5 9H{2}"/>{3}'
        '<circle class="dot" cx="{4:.1f}" cy="9" r="4.5"/></svg>'
    ).format(width, said, width - 5, strokes, 5 + value * (width - 10))
