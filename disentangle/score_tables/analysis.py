"""Analyses of scores over many runs: sources of variance, rank agreement, rank intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from disentangle.errors import DisentangleError
from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.observations import Observation, Observations
from disentangle.score_tables.statistics import FEWEST
from disentangle.scoring.metric_traits import direction

SOURCES = ("method", "hyper-parameter", "protocol", "seed")
"""The sources of a score's variance."""


def variance_shares(observations: Sequence[Observation]) -> tuple[dict[str, float], int]:
    """Each source's share of a score's variance, and the number of runs used.

    A nested decomposition of the sum of squares: method means about the overall mean, setting means
    about their method's mean, protocol means about their setting's, and seeds about the mean of
    their setting and protocol. Runs that lack one of the protocols are left out. With few seeds,
    the shares above the seed include some of its noise.

    Args:
        observations: observations of one score, in columns of one family; see `ColumnKey.family`.

    Raises:
        DisentangleError: fewer than two runs have the score in every protocol, or nothing varies.
    """
    protocols = {o.column for o in observations}
    runs: dict[str, list[Observation]] = {}
    for o in observations:
        runs.setdefault(o.run, []).append(o)
    whole = [o for observed in runs.values() if len(observed) == len(protocols) for o in observed]
    count = len({o.run for o in whole})
    if count < 2:
        raise DisentangleError(
            f"variance needs at least two runs with this score under all {len(protocols)} protocols"
        )
    y = np.array([o.value for o in whole])
    if np.ptp(y) <= 1e-12 * np.abs(y).max():
        raise DisentangleError("nothing varies: every run has the same score")
    levels = [
        np.full(len(y), y.mean()),
        means(y, [o.model for o in whole]),
        means(y, [o.group for o in whole]),
        means(y, [(o.group, o.column) for o in whole]),
        y,
    ]
    squares = [float(((b - a) ** 2).sum()) for a, b in pairwise(levels)]
    return dict(zip(SOURCES, np.array(squares) / sum(squares), strict=True)), count


def families(columns: Sequence[ColumnKey]) -> list[list[ColumnKey]]:
    """Group columns that show one score under several protocols; see `ColumnKey.family`."""
    groups: dict[ColumnKey, list[ColumnKey]] = {}
    for column in columns:
        groups.setdefault(column.family, []).append(column)
    return list(groups.values())


def means(y: NDArray[np.float64], keys: Sequence[object]) -> NDArray[np.float64]:
    """For each value, the mean of the values with the same key."""
    numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    index = np.array([numbers[key] for key in keys])
    result: NDArray[np.float64] = (np.bincount(index, y) / np.bincount(index))[index]
    return result


def rank_agreement(
    observations: Observations, columns: Sequence[ColumnKey]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The rank correlation of each pair of scores over runs, and the number of runs, [C, C] each.

    External encoders count as runs. The sign of a score is flipped if less is better, so that
    agreement is positive (Locatello et al. 2019, figure 2). NaN if fewer than three runs have both
    scores, or one does not vary.
    """
    from scipy.stats import spearmanr

    every = [*observations, *observations.external]
    values = {c: {o.run: o.value for o in every if o.column == c} for c in columns}
    signs = [-1 if direction(c) == "less" else 1 for c in columns]
    r = np.full((len(columns),) * 2, np.nan)
    n = np.zeros(r.shape, np.intp)
    for i, a in enumerate(columns):
        for j, b in enumerate(columns):
            both = values[a].keys() & values[b].keys()
            x, y = ([values[c][run] for run in sorted(both)] for c in (a, b))
            n[i, j] = len(both)
            if len(both) > 2 and np.ptp(x) and np.ptp(y):
                r[i, j] = signs[i] * signs[j] * float(spearmanr(x, y).statistic)
    return r, n


@dataclass(frozen=True)
class Ranks:
    """Ranks of configurations in one column; 1 is the best.

    Attributes:
        rank: the rank of each configuration's mean.
        low: the 2.5th percentile of that rank over bootstrap samples of the seeds; `high`: the
            97.5th. NaN if some configuration has fewer than five seeds.
    """

    rank: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def ranks(
    values: Sequence[NDArray[np.float64]], *, less: bool = False, draws: int = 2_000
) -> list[Ranks]:
    """For each protocol, the ranks of configurations by the mean over their seeds.

    Args:
        values: each configuration's values, [protocols, seeds]; the seeds are the same in every
            protocol and are resampled together.
        less: True if less is better.
        draws: number of bootstrap samples; each resamples the seeds of every configuration.
    """
    from scipy.stats import rankdata

    rng, sign = np.random.default_rng(0), 1 if less else -1
    means_ = sign * np.stack([v.mean(axis=1) for v in values], axis=1)  # [protocol, configuration]
    seeds = [v.shape[1] for v in values]
    if min(seeds) < FEWEST:
        none = np.full(len(values), np.nan)
        return [Ranks(rankdata(row), none, none) for row in means_]
    drawn = np.stack(
        [
            v[:, rng.integers(0, n, (draws, n))].mean(axis=2)
            for v, n in zip(values, seeds, strict=True)
        ],
        axis=2,
    )  # [protocol, draw, configuration]
    spread = rankdata(sign * drawn, axis=2)
    low, high = np.percentile(spread, [2.5, 97.5], axis=1)
    return [Ranks(rankdata(row), a, b) for row, a, b in zip(means_, low, high, strict=True)]
