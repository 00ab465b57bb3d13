"""How reliable a score is: its spread over seeds, its bias with few images, and its time."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from disentangle.auditing.cases import CASES
from disentangle.auditing.verdicts import Values

FEW_ROWS = "few rows, noise"
"""The case that shows what a score makes of chance."""


@dataclass(frozen=True)
class Reliability:
    """How reliable a score is.

    Attributes:
        score: the score.
        within: the standard deviation over seeds of sampling, in the cases whose images are drawn
            from a grid; None if it was computed with one seed only.
        between: the standard deviation of the mean over seeds, over cases and amounts.
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
    groups = [(case, each) for case in values for each in values[case].values()]
    means = [statistics.fmean(each) for _, each in groups]
    # Of rows that are all used, another seed draws no others.
    drawn = [each for case, each in groups if CASES[case].rows is None]
    spreads = [statistics.variance(each) for each in drawn if len(each) > 1]
    few = values.get(FEW_ROWS, {})
    return Reliability(
        score,
        math.sqrt(statistics.fmean(spreads)) if spreads else None,
        statistics.pstdev(means) if means else 0.0,
        {amount: statistics.fmean(each) for amount, each in few.items()},
        seconds,
    )
