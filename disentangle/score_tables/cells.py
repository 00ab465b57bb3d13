"""The rows and cells of score tables, and what makes two scores stand in one column."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from disentangle.runs.records import Value, describe
from disentangle.runs.score_records import ColumnKey, Score
from disentangle.score_tables.statistics import FEWEST, Statistic, Summary, summarise


@dataclass(frozen=True)
class Cell:
    """One score of one configuration, over its seeds."""

    values: tuple[float, ...] = ()
    runs: int = 0
    """The finished runs, with this score or without."""
    reasons: tuple[str, ...] = ()
    statistic: Statistic = "mean"

    @cached_property
    def summary(self) -> Summary | None:
        """Return what the values say together, if there are any."""
        return summarise(self.values, self.statistic) if self.values else None

    @property
    def centre(self) -> float | None:
        """Return the chosen statistic of the values, if there are any."""
        return getattr(self.summary, self.statistic, None)

    @property
    def whole(self) -> bool:
        """Say whether every finished run has this score."""
        return bool(self.values) and len(self.values) == self.runs

    @property
    def text(self) -> str:
        """Return the statistic with what a reader may conclude from it, and how much is missing.

        That is every value where these are few, else the standard deviation and the interval.
        """
        if self.summary is None or self.centre is None:
            return "n/a" if self.reasons else ""
        centre = self.centre
        said = number(centre)
        if 1 < self.summary.n < FEWEST:
            said += f" ({', '.join(number(value, centre) for value in self.values)})"
        if self.summary.interval is not None:
            low, high = (number(end, centre) for end in self.summary.interval)
            said += f" ± {number(self.summary.sd or 0.0, centre)} [{low}, {high}]"
        if not self.whole:
            said += f" ({len(self.values)} of {self.runs} runs)"
        return said


@dataclass
class Row:
    """A configuration: what was trained on what, and its scores by column."""

    model: str
    settings: dict[str, Value] = field(default_factory=dict)
    """The knobs and trainer's options that a reader needs."""
    every: dict[str, Value] = field(default_factory=dict)
    """All of them."""
    versions: tuple[int, int] = (0, 0)
    """Of the model and its network."""
    source: str = ""
    """The file that the weights came from, in words, if they did."""
    steps: int | None = None
    """None for a baseline, which was not trained."""
    imported: bool = False
    """Whether it was trained elsewhere, for steps that nobody may have told."""
    seeds: list[int] = field(default_factory=list)
    unfinished: int = 0
    failed: int = 0
    supervision: str = ""
    """What training took from labels: rows that differ in it are never ranked together."""
    chosen: str = ""
    """How its settings were chosen."""
    grey: bool = False
    """Whether they were chosen by what is shown, so that the row tells what is possible at best."""
    cells: dict[ColumnKey, Cell] = field(default_factory=dict)
    best: set[ColumnKey] = field(default_factory=set)
    """The columns in which it is told apart from every other row."""

    def settings_text(self, shared: Mapping[str, Value] = MappingProxyType({})) -> str:
        """Return the settings in words, but for those that every row shares."""
        if self.baseline:
            return ""
        own = {k: v for k, v in self.settings.items() if k not in shared}
        return ", ".join(filter(None, [describe(own), self.source])) or "-"

    @property
    def baseline(self) -> bool:
        """Say whether nothing was trained."""
        return self.steps is None

    @property
    def complete(self) -> bool:
        """Say whether every run of it is finished."""
        return not self.unfinished and not self.failed


def decimals(value: float) -> int:
    """Return how many decimals a table shows of a number: three, or four digits of a large one."""
    size = abs(value)
    return 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0


def number(value: float, like: float | None = None) -> str:
    """Return a number as a table shows it; with the decimals of another where that is given."""
    known = value if like is None else like
    if not math.isfinite(value) or abs(known) >= 1e5:
        return f"{value:.3e}"
    return f"{value:.{decimals(known)}f}"


def cell_of(scores: Sequence[Score], runs: int, statistic: Statistic = "mean") -> Cell:
    """Return the cell of one score of so many runs."""
    known = [s.value for s in scores if s.value is not None]
    reasons = [s.reason for s in scores if s.reason]
    if not all(map(math.isfinite, known)):
        reasons.append("the score is not finite")
    return Cell(
        values=tuple(value for value in known if math.isfinite(value)),
        runs=runs,
        reasons=tuple(dict.fromkeys(reasons)),
        statistic=statistic,
    )
