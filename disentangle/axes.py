"""The axes of a chart: which steps are drawn, round numbers, ends, and labels that keep apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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


def spread(
    places: Sequence[float], sizes: Sequence[float], high: float, low: float = 0.0
) -> list[float]:
    """Return the nearest places at which things of these sizes do not overlap.

    Args:
        places: wanted, of the middles, ascending.
        sizes: of the things.
        high: where the last may end, if there is room for all.
        low: where the first may begin.
    """
    from scipy.optimize import isotonic_regression

    # Without the room that those before it take, what must not overlap must only not descend.
    before = low + np.cumsum(sizes) - np.asarray(sizes) / 2
    free = max(0.0, high - low - sum(sizes))
    moved = isotonic_regression(np.asarray(places) - before).x.clip(0, free) + before
    return [float(place) for place in moved]
