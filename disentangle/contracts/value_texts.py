"""Values of factors as people read them: angles in degrees, short numbers, names."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from disentangle.contracts.kinds import Kind

ANGLES = ("angle", "azimuth", "elevation", "orientation", "rotation")
"""Factors whose values are written in degrees, if they are radians."""


@dataclass(frozen=True)
class ValueTexts:
    """The values of a factor as text; the fields are in order of their labels.

    Attributes:
        factor: the factor's name.
        kind: what the values mean.
        names: the names of the values, if they have any.
        numbers: the numbers behind the values.
    """

    factor: str
    kind: Kind
    names: Sequence[str]
    numbers: Sequence[float]

    def of(self, labels: Iterable[int]) -> list[str]:
        """Return the values that have these labels as text.

        Those of a cyclic factor are degrees, 360 of which are its period; other numbers are short.
        """
        if self.kind.name == "cyclic":
            return [degrees(360 * self.numbers[label] / self.kind.period) for label in labels]
        if self.names:
            texts = readable(self.factor, [str(name) for name in self.names])
            return [texts[label] for label in labels]
        return [short(float(self.numbers[label])) for label in labels]

    @property
    def range(self) -> str:
        """The kind of the values, with the range of their numbers and the period."""
        numbers = np.asarray(self.numbers, np.float64)
        period = f", period {self.kind.period:g}" if self.kind.period else ""
        ends = f"{short(float(numbers.min()))} to {short(float(numbers.max()))}"
        return f"{self.kind.name}{period}, {ends}"


def readable(factor: str, values: Sequence[str]) -> list[str]:
    """Return the names of a factor's values for a heading: short numbers, and angles in degrees."""
    numbers = []
    with suppress(ValueError):
        numbers = [float(value) for value in values]
    if not numbers or all(number.is_integer() for number in numbers):
        return list(values)
    radians = max(map(abs, numbers)) <= 2 * math.pi + 1e-3
    if radians and any(word in factor.lower() for word in ANGLES):
        return [degrees(math.degrees(number)) for number in numbers]
    return [short(number) for number in numbers]


def degrees(angle: float) -> str:
    """An angle in whole degrees."""
    return f"{round(angle)}°"


def short(number: float) -> str:
    """A number with four significant digits, or two if it is below 1."""
    if number == int(number):
        return f"{number + 0.0:.0f}"
    return f"{number:.2g}" if abs(number) < 1 else f"{number:.4g}"
