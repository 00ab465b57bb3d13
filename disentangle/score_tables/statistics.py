"""Statistics over seeds: averages, bootstrap intervals, and tests between methods."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Statistic = Literal["mean", "median", "iqm"]
FEWEST = 5
"""Minimum number of values for a confidence interval."""
CLAIM = 10
"""Recommended minimum number of seeds for claiming a difference."""
LEVEL = 0.05
"""Significance level of tests between methods."""
RESAMPLES = 5_000
FLIPS = 10_000
"""Maximum number of ways to flip signs in a test of pairs; beyond, as many are drawn."""
EXACT = 13
"""Maximum number of pairs for which all ways are counted."""
TAIL = (1 - 0.95) / 2
"""The share of resamples in each tail outside an interval."""
SMALL = 8
"""Maximum size of the smaller group for an exact test; above, the normal approximation is used."""


def iqm(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """The inter-quartile mean: the mean without the lowest and the highest quarter."""
    first = values.shape[axis] // 4
    last = values.shape[axis] - first - 1
    ordered = np.partition(values, (first, last), axis)
    middle: NDArray[np.float64] = ordered.take(np.arange(first, last + 1), axis).mean(axis)
    return middle


@dataclass(frozen=True)
class Summary:
    """Statistics of some values.

    Attributes:
        n: the number of values.
        averages: each of `STATISTICS`, by name.
        sd: the standard deviation, with n - 1; None for one value.
        interval: a 95 % bootstrap interval of the selected statistic; None below five values.
    """

    n: int
    averages: Mapping[str, float]
    sd: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Average:
    """A statistic that summarises seeds by one number."""

    title: str
    of: Callable[..., Any]
    """Maps an array to its averages along `axis`."""


STATISTICS: dict[Statistic, Average] = {
    "mean": Average("Mean", np.mean),
    "median": Average("Median", np.median),
    "iqm": Average("Inter-quartile mean", iqm),
}
"""The statistics of tables, by the name of the option; a new one is added here alone."""


def summarise(values: Sequence[float], statistic: Statistic = "mean") -> Summary:
    """Summarise one or more values, with an interval for `statistic`.

    The bootstrap uses a fixed seed, so that a table is reproducible. It draws once for all cells
    with the same number of values, whereas scipy's draws for each cell.
    """
    x = np.asarray(values, float)
    interval = None
    if len(x) >= FEWEST:
        interval = float(x[0]), float(x[0])
        if np.ptp(x) > 0:
            drawn = STATISTICS[statistic].of(x.take(resamples(len(x))), axis=-1)
            low, high = np.quantile(drawn, (TAIL, 1 - TAIL))
            interval = float(low), float(high)
    return Summary(
        n=len(x),
        averages={name: float(average.of(x, axis=-1)) for name, average in STATISTICS.items()},
        sd=float(np.std(x, ddof=1)) if len(x) > 1 else None,
        interval=interval,
    )


@lru_cache(maxsize=4)
def resamples(n: int) -> NDArray[np.int64]:
    """The indices of n values in each bootstrap resample, [RESAMPLES, n]."""
    return np.random.default_rng(0).integers(0, n, (RESAMPLES, n))


def unpaired(a: Sequence[float], b: Sequence[float]) -> float:
    """The two-sided p-value of a difference between groups (Mann and Whitney 1947).

    For few values it counts all partitions into groups, or with ties, if these are more than
    `RESAMPLES`, as many that are drawn. With more than 8 values in each group it is the normal
    approximation, corrected for ties.
    """
    from scipy.stats import PermutationMethod, mannwhitneyu

    if not np.ptp([*a, *b]) or min(len(a), len(b)) < 2:
        return 1.0
    if len({*a, *b}) == len(a) + len(b) or min(len(a), len(b)) > SMALL:
        return float(mannwhitneyu(a, b).pvalue)
    method = PermutationMethod(n_resamples=RESAMPLES, rng=np.random.default_rng(0))
    first, second = sorted([sorted(a), sorted(b)])  # the order of a and b does not matter
    return float(mannwhitneyu(first, second, method=method).pvalue)


def above(a: Sequence[float], b: Sequence[float]) -> float:
    """The probability that a value of `a` is above one of `b`; a tie counts half."""
    x, y = np.asarray(a, float)[:, None], np.asarray(b, float)
    return float(np.mean((x > y) + 0.5 * (x == y)))


def paired(a: Sequence[float], b: Sequence[float]) -> float:
    """The two-sided p-value of the mean difference of pairs [N], [N], by a permutation test.

    Each difference keeps or flips its sign, in all 2^N ways if these are at most `FLIPS`.
    """
    from scipy.stats import permutation_test

    difference = np.asarray(a, float) - np.asarray(b, float)
    if len(difference) < 2 or not difference.any():
        return 1.0
    result = permutation_test(
        (difference / np.abs(difference).max(),),
        rounded_mean,
        permutation_type="samples",
        n_resamples=FLIPS - 1 if len(difference) > EXACT else np.inf,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def rounded_mean(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """The mean to 12 decimals, so that sums which are equal but for rounding are ties."""
    mean: NDArray[np.float64] = np.mean(values, axis=axis).round(12)
    return mean


def least_paired(n: int) -> float:
    """The smallest p-value that `paired` can have for n pairs."""
    return 2 / (FLIPS if n > EXACT else 2**n)


def holm(p: Sequence[float]) -> list[float]:
    """Correct p-values for multiple comparisons (Holm 1979); the order is kept."""
    order = np.argsort(p, kind="stable")
    corrected, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        corrected[i] = worst
    return corrected


def best_of(
    groups: Sequence[Sequence[float]], *, less: bool = False, statistic: Statistic = "mean"
) -> int | None:
    """The index of the group that differs significantly from every other; None if none does.

    The group with the best statistic is compared with each other group by `unpaired`, corrected by
    `holm`. Its values must also tend to be better, which a better mean alone does not ensure.

    Args:
        groups: the values of each of at least two methods.
        less: True if less is better.
        statistic: the statistic that determines the best group.
    """

    def centre(values: Sequence[float]) -> float:
        return float(STATISTICS[statistic].of(np.asarray(values)))

    sign = -1 if less else 1
    signed = [[sign * value for value in values] for values in groups]
    best = int(np.argmax([centre(values) for values in signed]))
    others = [values for i, values in enumerate(signed) if i != best]
    if not all(above(signed[best], values) > 0.5 for values in others):
        return None
    chance = []
    # The nearest group comes first: one that does not differ is enough.
    for values in sorted(others, key=centre, reverse=True):
        chance.append(unpaired(signed[best], values))
        if chance[-1] >= LEVEL:
            return None
    return best if max(holm(chance), default=1.0) < LEVEL else None
