"""The rows and cells of score tables, and what makes two scores stand in one column."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from disentangle.record import Score

Column: TypeAlias = tuple[Any, ...]
"""What the scores of a column share; see `identity`."""


@dataclass(frozen=True)
class Cell:
    """One score of one configuration, over its seeds."""

    values: tuple[float, ...] = ()
    runs: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def mean(self) -> float | None:
        """Return the mean of the values, if there are any."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def text(self) -> str:
        """Return the mean and standard deviation, and how many runs are missing."""
        if self.mean is None:
            return "n/a" if self.reasons else ""
        mean = f"{self.mean:.3f}"
        if len(self.values) > 1:
            mean += f" ± {statistics.stdev(self.values):.3f}"
        if len(self.values) < self.runs:
            mean += f" ({len(self.values)} of {self.runs} runs)"
        return mean


@dataclass
class Row:
    """A configuration: what was trained on what, and its scores by column."""

    model: str
    knobs: str = ""
    steps: int | None = None
    """None for a baseline, which was not trained."""
    imported: bool = False
    """Whether it was trained elsewhere, for steps that nobody may have told."""
    seeds: list[int] = field(default_factory=list)
    unfinished: int = 0
    cells: dict[Column, Cell] = field(default_factory=dict)


def cell_of(scores: Sequence[Score], runs: int) -> Cell:
    """Return the cell of one score of so many runs."""
    return Cell(
        values=tuple(s.value for s in scores if s.value is not None),
        runs=runs,
        reasons=tuple(dict.fromkeys(s.reason for s in scores if s.reason)),
    )


def identity(score: Score) -> Column:
    """Return what two scores must share to stand in one column."""
    return (*score.column, score.seed)
