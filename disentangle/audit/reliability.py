"""How reliable a score is: its spread over seeds, its bias with few images, and its time."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from disentangle.audit.verdicts import Values

FEW_ROWS = "few rows, noise"
"""The case that shows what a score makes of chance."""


@dataclass(frozen=True)
class Reliability:
    """How reliable a score is.

    Attributes:
        score: the score.
        within: the standard deviation over seeds of sampling, averaged over cases; None if it was
            computed with one seed only.
        between: the standard deviation over cases of the mean over seeds.
        chance: the score of noise by the number of rows.
        seconds: the median time of a computation.
    """

    score: str
    within: float | None
    between: float
    chance: Mapping[float, float]
    seconds: float

    @property
    def signal_to_noise(self) -> float | None:
        """The spread between cases over the spread over seeds; infinite without the latter."""
        if self.within is None:
            return None
        return self.between / self.within if self.within else math.inf


def reliability_of(score: str, values: Mapping[str, Values], seconds: float) -> Reliability:
    """How reliable a score is, from its values by case, amount and seed."""
    groups = [each for by_amount in values.values() for each in by_amount.values()]
    spreads = [statistics.variance(each) for each in groups if len(each) > 1]
    means = [statistics.fmean(each) for each in groups]
    few = values.get(FEW_ROWS, {})
    return Reliability(
        score,
        math.sqrt(statistics.fmean(spreads)) if spreads else None,
        statistics.pstdev(means) if means else 0.0,
        {amount: statistics.fmean(each) for amount, each in few.items()},
        seconds,
    )
