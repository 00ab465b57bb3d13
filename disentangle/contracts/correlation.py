"""Correlated factors: lines between two factors, near which training draws more images.

Träuble et al. (2021), "On Disentangled Representations Learned from Correlated Data",
https://arxiv.org/abs/2006.07886.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from disentangle.errors import UsageError, suggestion

Floats = NDArray[np.float64]
OTHERS = "*"
"""As the second factor: every other factor, so that the first one is a confounder."""
LEAST = 1e-6
"""The smallest width: it leaves only the images that are on the line."""
SHIFT = re.compile(r"(.+?)\s*([+-]\s*(?:\d+\.?\d*|\.\d+))")


@dataclass(frozen=True)
class Side:
    """One side of a line: a factor's value in [0, 1], inverted and shifted if that is asked for.

    Attributes:
        factor: the name of the factor, or `*` for every other one.
        inverted: True for 1 - c, written `-factor`.
        shift: a number that is added, written `factor+0.25`.
    """

    factor: str
    inverted: bool = False
    shift: float = 0.0

    def __call__(self, c: Floats) -> Floats:
        """The side for values c in [0, 1] of the factor, [N]."""
        return (1 - c if self.inverted else c) + self.shift

    def __str__(self) -> str:
        shift = f"{'+' if self.shift > 0 else '-'}{digits(abs(self.shift))}" if self.shift else ""
        return f"{'-' if self.inverted else ''}{self.factor}{shift}"


@dataclass(frozen=True)
class Line:
    """A line on which two sides are equal; images are drawn by their distance from it.

    Attributes:
        first: the side of the first factor.
        second: the side of the second factor.
        sigma: the width of the line: small values are strong correlations.
    """

    first: Side
    second: Side
    sigma: float

    def log_weight(self, c1: Floats, c2: Floats) -> Floats:
        """The logarithm of the weight, -(side1 - side2)^2 / (2 sigma^2), [N]."""
        exponent: Floats = -(((self.first(c1) - self.second(c2)) / self.sigma) ** 2) / 2
        return exponent

    def __str__(self) -> str:
        return f"{self.first},{self.second}={digits(self.sigma)}"

    @property
    def factors(self) -> frozenset[str]:
        """The names of both factors."""
        return frozenset((self.first.factor, self.second.factor))


def chances(labels: NDArray[np.int64], sizes: Mapping[str, int], lines: Sequence[Line]) -> Floats:
    """The chance of each image to be drawn, [N]; the sum is 1.

    It is proportional to the product over the lines of exp(-(side1 - side2)^2 / (2 sigma^2)), in
    which a factor's value is c = label / (size - 1), from 0 to 1.

    Args:
        labels: the labels of all factors, [N, K].
        sizes: name -> number of values of these factors, in the order of the labels.
        lines: the lines.
    """
    columns = {name: k for k, name in enumerate(sizes)}

    def value(factor: str) -> Floats:
        return labels[:, columns[factor]] / (sizes[factor] - 1)

    total = np.zeros(len(labels))
    for line in lines:
        total += line.log_weight(value(line.first.factor), value(line.second.factor))
    relative = np.exp(total - total.max())  # of the likeliest image, so that it is never all zeros
    shares: Floats = relative / relative.sum()
    return shares


def draw_distinct(chances: Floats, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw `n` different images, in order of their index: image i with the probability n p_i.

    So a point of the sample is image i with the chance p_i, as in independent draws. That takes
    n p_i of at most 1: if n is larger, fewer images are drawn. This is systematic sampling, from
    the images in a random order.

    Args:
        chances: the chance p_i of each image, [N]; the sum is 1.
        n: the number of images.
        rng: the source of randomness.
    """
    n = min(n, int(1 / chances.max() * (1 + 1e-9)))  # all images, if their chances are equal
    order = rng.permutation(len(chances))
    ends = np.cumsum(chances[order])
    points = (rng.random() + np.arange(n)) / n
    drawn = np.searchsorted(ends / ends[-1], points, side="right")
    return np.unique(order[np.minimum(drawn, len(order) - 1)])


def lines_of(
    specs: Sequence[str], factors: Mapping[str, int], dataset: str
) -> tuple[tuple[str, ...], tuple[Line, ...]]:
    """Parse pairs of factors, such as `floor_hue,wall_hue=0.2`; see `Dataset.view`.

    Args:
        specs: the pairs as the user wrote them.
        factors: name -> number of values of all factors of the dataset.
        dataset: its name, for messages.

    Returns:
        The pairs as they are recorded, and the lines; a confounder has one for each other factor.

    Raises:
        UsageError: a pair is invalid, or two factors are a pair twice.
    """
    texts: list[str] = []
    lines: dict[frozenset[str], Line] = {}
    for spec in specs:
        line = parse(spec, factors, dataset)
        texts.append(str(line))
        for each in expanded(line, factors):
            if each.factors in lines:
                first, second = each.first.factor, each.second.factor
                raise UsageError(
                    f"--correlate {spec}: {first} and {second} are correlated twice; give each "
                    "pair once"
                )
            lines[each.factors] = each
    return tuple(texts), tuple(lines.values())


def expanded(line: Line, factors: Mapping[str, int]) -> list[Line]:
    """The line itself, or the lines from a confounder to each other factor that varies."""
    if line.second.factor != OTHERS:
        return [line]
    others = [name for name, size in factors.items() if size > 1 and name != line.first.factor]
    return [replace(line, second=replace(line.second, factor=name)) for name in others]


def parse(spec: str, factors: Mapping[str, int], dataset: str) -> Line:
    """Parse a pair of factors.

    Raises:
        UsageError: it is invalid, or the dataset has no such factor.
    """
    first, second, sigma = split(spec)
    line = Line(parse_side(first, factors), parse_side(second, factors), sigma)
    for side in (line.first, line.second):
        name = side.factor
        if name == OTHERS and side is line.second:
            continue
        if name not in factors:
            hint = suggestion(name, factors)
            raise UsageError(f"--correlate {spec}: {dataset} has no factor '{name}'{hint}")
        if factors[name] < 2:
            raise UsageError(
                f"--correlate {spec}: '{name}' has one value in {dataset}, so nothing can be "
                "correlated with it"
            )
        if not -1 < side.shift < 1:
            raise UsageError(
                f"--correlate {spec}: expected a shift between -1 and 1, as values are from 0 to "
                f"1; got {side.shift:g}"
            )
    if line.first.factor == line.second.factor:
        raise UsageError(
            f"--correlate {spec}: expected two factors, got '{line.first.factor}' twice"
        )
    return line


def split(spec: str) -> tuple[str, str, float]:
    """Split a pair into the texts of its two sides and sigma; no dataset is needed.

    Raises:
        UsageError: it is no pair, or sigma is not a positive number.
    """
    sides, _, text = spec.rpartition("=")
    names = [side.strip() for side in sides.split(",")]
    if len(names) != 2 or not all(names):
        raise UsageError(
            f"--correlate {spec}: expected two factors and a width, FACTOR,FACTOR=SIGMA, such as "
            "floor_hue,wall_hue=0.2, or the name of a setting of the dataset"
        )
    try:
        sigma = float(text)
    except ValueError:
        sigma = 0.0
    if not (isfinite(sigma) and sigma >= LEAST):
        raise UsageError(
            f"--correlate {spec}: expected a finite width above 0 (at least {digits(LEAST)}), such "
            f"as 0.2; the smaller, the stronger the correlation; got '{text.strip()}'"
        )
    return names[0], names[1], sigma


def parse_side(text: str, factors: Mapping[str, int]) -> Side:
    """Parse one side of a pair; names of factors may themselves contain `-` and `+`."""
    inverted = text.startswith("-") and text not in factors
    name = text[1:].strip() if inverted else text
    match = None if name in factors else SHIFT.fullmatch(name)
    if match is None:
        return Side(name, inverted)
    return Side(match[1], inverted, float(match[2].replace(" ", "")))


def digits(number: float) -> str:
    """A number in as many digits as it takes to read it back."""
    return np.format_float_positional(number, trim="-")
