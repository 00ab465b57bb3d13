"""What scores of many runs say together: where their variance comes from, and what agrees."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from disentangle.cells import Column
from disentangle.errors import DisentangleError
from disentangle.ranking import direction
from disentangle.study import Observation, Study

SOURCES = ("method", "hyper-parameter", "protocol", "seed")
"""What a score's variance comes from."""


def variance_shares(observations: Sequence[Observation]) -> tuple[dict[str, float], int]:
    """Return the share of a score's variance that each source has, and how many runs it is of.

    A nested decomposition of the sum of squares: method means about the mean of all, settings'
    means about their method's, protocols' about their setting's, and seeds about that of setting
    and protocol. Runs that lack one of the protocols are left out. With few seeds, the parts above
    the seed hold a share of its noise.

    Args:
        observations: of one score, in all protocols.

    Raises:
        DisentangleError: fewer than two runs have it in every protocol, or nothing varies.
    """
    protocols = {o.column for o in observations}
    runs: dict[tuple[str, int], list[Observation]] = {}
    for o in observations:
        runs.setdefault((o.group, o.seed), []).append(o)
    whole = [o for found in runs.values() if len(found) == len(protocols) for o in found]
    count = len({(o.group, o.seed) for o in whole})
    if count < 2:
        raise DisentangleError(f"variance takes two runs with {len(protocols)} protocols each")
    y = np.array([o.value for o in whole])
    levels = [
        np.full(len(y), y.mean()),
        means(y, [o.model for o in whole]),
        means(y, [o.group for o in whole]),
        means(y, [(o.group, o.column) for o in whole]),
        y,
    ]
    squares = [float(((b - a) ** 2).sum()) for a, b in pairwise(levels)]
    if not sum(squares):
        raise DisentangleError("nothing varies: every run has the same score")
    return dict(zip(SOURCES, np.array(squares) / sum(squares), strict=True)), count


def means(y: NDArray[np.float64], keys: Sequence[object]) -> NDArray[np.float64]:
    """Return for each value the mean of those that share its key."""
    numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    index = np.array([numbers[key] for key in keys])
    result: NDArray[np.float64] = (np.bincount(index, y) / np.bincount(index))[index]
    return result


def rank_agreement(
    study: Study, columns: Sequence[Column]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the rank correlation of each two scores over runs, [C, C], and of how many runs.

    Scores of which less is better are turned round, so that agreement is positive (Locatello et
    al. 2019, figure 2). NaN where fewer than three runs have both, or one does not vary.
    """
    from scipy.stats import spearmanr

    values: dict[Column, dict[tuple[str, int], float]] = {
        c: {(o.group, o.seed): o.value for o in study.of(c)} for c in columns
    }
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
    """Ranks of configurations in one column, 1 the best.

    Attributes:
        rank: of each configuration's mean.
        low: the 2.5th percentile of that rank as seeds are drawn anew; `high` the 97.5th.
    """

    rank: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def ranks(values: Sequence[Sequence[float]], *, less: bool = False, draws: int = 2_000) -> Ranks:
    """Return the ranks of configurations by the mean over their seeds, with intervals.

    Args:
        values: of each configuration, one a seed.
        less: whether less is better.
        draws: bootstrap samples; each draws the seeds of every configuration anew.
    """
    from scipy.stats import rankdata

    rng, sign = np.random.default_rng(0), 1 if less else -1
    drawn = np.stack([rng.choice(v, (draws, len(v))).mean(axis=1) for v in values], axis=1)
    spread = rankdata(sign * drawn, axis=1)
    low, high = np.percentile(spread, [2.5, 97.5], axis=0)
    return Ranks(rankdata([sign * float(np.mean(v)) for v in values]), low, high)
