"""What a handful of seeds say: averages, an interval, and whether two methods can be told apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Statistic = Literal["mean", "median", "iqm"]
FEWEST = 5
"""Values below which an interval would say more than they do."""
CLAIM = 10
"""Values below which a claim needs more of them."""
LEVEL = 0.05
"""The probability of a difference by chance below which two methods are told apart."""
RESAMPLES = 5_000
TAIL = (1 - 0.95) / 2
"""The share of resamples on each side of an interval."""
SMALL = 8
"""Values up to which a test counts all ways, rather than take the normal approximation."""


def iqm(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Return the inter-quartile mean: of what is left when a quarter is cut off at each end."""
    first = values.shape[axis] // 4
    last = values.shape[axis] - first - 1
    ordered = np.partition(values, (first, last), axis)
    middle: NDArray[np.float64] = ordered.take(np.arange(first, last + 1), axis).mean(axis)
    return middle


@dataclass(frozen=True)
class Summary:
    """What some values say together.

    Attributes:
        n: how many there are.
        mean: their mean; `median` and `iqm`, the mean of the middle half, likewise.
        sd: their standard deviation, with n - 1; None for one value.
        interval: a 95 % bootstrap interval of the chosen statistic; None below five values.
    """

    n: int
    mean: float
    median: float
    iqm: float
    sd: float | None = None
    interval: tuple[float, float] | None = None


STATISTICS: dict[Statistic, Callable[..., Any]] = {
    "mean": np.mean,
    "median": np.median,
    "iqm": iqm,
}


def summarise(values: Sequence[float], statistic: Statistic = "mean") -> Summary:
    """Return what one value or more say; the interval is that of `statistic`.

    The bootstrap draws from a fixed seed, so that a table is the same whenever it is made; and once
    for all cells of as many values, which scipy's own does for each.
    """
    x = np.asarray(values, float)
    interval = None
    if len(x) >= FEWEST:
        interval = float(x[0]), float(x[0])
        if np.ptp(x) > 0:
            drawn = STATISTICS[statistic](x.take(resamples(len(x))), axis=-1)
            low, high = np.quantile(drawn, (TAIL, 1 - TAIL))
            interval = float(low), float(high)
    return Summary(
        n=len(x),
        mean=float(np.mean(x)),
        median=float(np.median(x)),
        iqm=float(iqm(x)),
        sd=float(np.std(x, ddof=1)) if len(x) > 1 else None,
        interval=interval,
    )


@lru_cache(maxsize=4)
def resamples(n: int) -> NDArray[np.int64]:
    """Return which of n values each resample of a bootstrap takes, [RESAMPLES, n]."""
    return np.random.default_rng(0).integers(0, n, (RESAMPLES, n))


def unpaired(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the two-sided probability of such a difference by chance (Mann and Whitney 1947).

    It is exact for few values, ties or not: then all ways to share the values out are counted. For
    more than 8 in each group it is the normal approximation, with its correction for ties.
    """
    from scipy.stats import PermutationMethod, mannwhitneyu

    if not np.ptp([*a, *b]) or min(len(a), len(b)) < 2:
        return 1.0
    if len({*a, *b}) == len(a) + len(b) or min(len(a), len(b)) > SMALL:
        return float(mannwhitneyu(a, b).pvalue)
    method = PermutationMethod(n_resamples=RESAMPLES, rng=np.random.default_rng(0))
    first, second = sorted([sorted(a), sorted(b)])  # whichever comes first, the same samples
    return float(mannwhitneyu(first, second, method=method).pvalue)


def above(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the probability that a value of `a` is above one of `b`; a tie counts half."""
    x, y = np.asarray(a, float)[:, None], np.asarray(b, float)
    return float(np.mean((x > y) + 0.5 * (x == y)))


def paired(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the two-sided probability of such a mean difference by chance, of pairs [N], [N].

    A permutation test: each difference keeps its sign or changes it, in all 2^N ways if there are
    no more than 10,000 of them.
    """
    from scipy.stats import permutation_test

    difference = np.asarray(a, float) - np.asarray(b, float)
    if len(difference) < 2 or not difference.any():
        return 1.0
    found = permutation_test(
        (difference,),
        np.mean,
        permutation_type="samples",
        n_resamples=9_999 if len(difference) > 13 else np.inf,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Return probabilities corrected for there being so many (Holm 1979), in their order."""
    order = np.argsort(p, kind="stable")
    corrected, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        corrected[i] = worst
    return corrected


def best_of(
    groups: Sequence[Sequence[float]], *, less: bool = False, statistic: Statistic = "mean"
) -> int | None:
    """Return which group is told apart from every other; None where none is.

    The one with the best statistic is compared with each other one by `unpaired`, corrected by
    `holm`; and its values must tend to be the better ones, which a mean alone does not say.

    Args:
        groups: values of each of two methods or more.
        less: whether less is better.
        statistic: what makes a group the best.
    """

    def centre(values: Sequence[float]) -> float:
        return float(STATISTICS[statistic](np.asarray(values)))

    sign = -1 if less else 1
    signed = [[sign * value for value in values] for values in groups]
    best = int(np.argmax([centre(values) for values in signed]))
    others = [values for i, values in enumerate(signed) if i != best]
    if not all(above(signed[best], values) > 0.5 for values in others):
        return None
    chance = []
    # The nearest comes first, for one that is not told apart is enough.
    for values in sorted(others, key=centre, reverse=True):
        chance.append(unpaired(signed[best], values))
        if chance[-1] >= LEVEL:
            return None
    return best if max(holm(chance), default=1.0) < LEVEL else None
