"""The rows and cells of score tables."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias

from disentangle.runs.records import Value, describe
from disentangle.runs.score_records import ColumnKey, Score
from disentangle.score_tables.statistics import Statistic, Summary, summarise

Texts: TypeAlias = tuple[str, str, str]
LARGE = 1e5
"""Numbers from here on are written with an exponent."""


@dataclass(frozen=True)
class Cell:
    """One score of one configuration, over its seeds."""

    values: tuple[float, ...] = ()
    runs: int = 0
    """The number of finished runs, with or without this score."""
    reasons: tuple[str, ...] = ()
    statistic: Statistic = "mean"
    counts: bool = False
    """True if the values are counts."""

    @cached_property
    def summary(self) -> Summary | None:
        """Statistics of the values; None if there are none."""
        return summarise(self.values, self.statistic) if self.values else None

    @property
    def centre(self) -> float | None:
        """The selected statistic of the values; None if there are none."""
        return self.summary.averages[self.statistic] if self.summary else None

    @property
    def whole(self) -> bool:
        """True if every finished run has this score."""
        return bool(self.values) and len(self.values) == self.runs

    @property
    def text(self) -> str:
        """The statistic, its uncertainty, and how many values are missing."""
        return self.described()

    def described(self, *, every: bool = False) -> str:
        """The statistic, its uncertainty, and how many values are missing.

        The uncertainty is the standard deviation, with a confidence interval if there are enough
        values for one.

        Args:
            every: True to give every value in place of the uncertainty.
        """
        if self.summary is None or self.centre is None:
            return "n/a" if self.reasons else ""
        text = self.number(self.centre)
        if every and self.summary.n > 1:
            text += f" ({', '.join(map(self.number, self.values))})"
        elif self.summary.sd is not None:
            text += f" ± {self.number(self.summary.sd)}"
            if self.summary.interval is not None:
                text += f" [{', '.join(map(self.number, self.summary.interval))}]"
        if not self.whole:
            text += f" ({len(self.values)} of {self.runs} runs)"
        return text

    def number(self, value: float) -> str:
        """Format a number with the decimals of the statistic; a count without, if it is whole."""
        if self.counts:
            return count(value)
        return number(value, self.centre)


@dataclass
class Row:
    """A configuration and its scores by column."""

    model: str
    settings: dict[str, Value] = field(default_factory=dict)
    """The knobs and training options that a reader needs."""
    every: dict[str, Value] = field(default_factory=dict)
    """All knobs and training options."""
    versions: tuple[int, int] = (0, 0)
    """The versions of the model and its network."""
    source: str = ""
    """The file that imported weights came from, or what an external encoder is, as text."""
    group: str = ""
    """The configuration of its runs; see `RunRecord.group`."""
    steps: int | None = None
    """None for a baseline, and for an external encoder, which was not trained here."""
    external: bool = False
    """True for an encoder or codes from elsewhere: such rows are never ranked."""
    unchecked: bool = False
    """True for given codes, whose images could not be checked."""
    imported: bool = False
    """True if it was trained elsewhere for an unknown number of steps."""
    seeds: list[int] = field(default_factory=list)
    unfinished: int = 0
    failed: int = 0
    collapsed: int = 0
    """The number of finished runs that collapsed; see `collapse.collapsed`."""
    supervision: str = ""
    """The labels used in training: rows that differ in it are never ranked together."""
    chosen: str = ""
    """How its settings were chosen."""
    grey: bool = False
    """True if they were chosen by the displayed score: the row shows what is possible at best."""
    cells: dict[ColumnKey, Cell] = field(default_factory=dict)
    best: set[ColumnKey] = field(default_factory=set)
    """The columns in which the row differs significantly from every comparable row."""

    def settings_text(self, shared: Mapping[str, Value] = MappingProxyType({})) -> str:
        """The settings as text, without those that all rows share."""
        if self.baseline:
            return ""
        own = {k: v for k, v in self.settings.items() if k not in shared}
        return ", ".join(filter(None, [describe(own), self.source])) or "-"

    @property
    def trained(self) -> bool:
        """True if it was trained here, or imported as a run."""
        return self.steps is not None

    @property
    def baseline(self) -> bool:
        """True if nothing was trained."""
        return not self.trained and not self.external

    @property
    def name(self) -> str:
        """The model, and what sets it apart from the others; see `remark`."""
        return f"{self.model} ({self.remark})" if self.remark else self.model

    @property
    def remark(self) -> str:
        """Whether the row is external, or whether its runs collapsed; empty if neither."""
        return "external" if self.external else self.collapse

    @property
    def collapse(self) -> str:
        """Whether all of its runs collapsed, or how many; empty if none did."""
        if self.collapsed and not self.all_collapsed:
            return f"{self.collapsed} of {len(self.seeds)} collapsed"
        return "collapsed" if self.collapsed else ""

    @property
    def all_collapsed(self) -> bool:
        """True if every finished run collapsed."""
        return 0 < self.collapsed == len(self.seeds)

    @property
    def complete(self) -> bool:
        """True if every run is finished."""
        return not self.unfinished and not self.failed


def decimals(value: float) -> int:
    """The decimals of a number in a table: three, or such that a large number has four digits."""
    size = abs(value)
    return 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0


def number(value: float, like: float | None = None) -> str:
    """Format a number for a table, with the decimals of `like` if it is given."""
    reference = value if like is None else like
    if not math.isfinite(value) or abs(reference) >= LARGE:
        return f"{value:.3e}"
    return f"{value:.{decimals(reference)}f}"


def whole(values: Iterable[float | None]) -> bool:
    """True if all numbers are whole, so that they are shown without decimals."""
    return all(value is None or float(value).is_integer() for value in values)


def count(value: float) -> str:
    """Format a count, or a mean of counts with one decimal."""
    if abs(value) >= LARGE:
        return number(value)
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def compared(a: float | None, b: float | None, difference: float | None, *, counts: bool) -> Texts:
    """Format two numbers and their difference with the same decimals; n/a for one that is missing.

    Counts have no decimals if all three are whole, else one. Other numbers have those of the
    smaller one.
    """
    sizes = [abs(value) for value in (a, b) if value is not None and math.isfinite(value)]
    like = max(sizes) if sizes and max(sizes) >= LARGE else min(sizes, default=None)

    def text(value: float | None) -> str:
        if value is None:
            return "n/a"
        if counts and abs(value) < LARGE:
            return f"{value:.0f}" if whole((a, b, difference)) else f"{value:.1f}"
        return number(value, like)

    return text(a), text(b), text(difference)


def cell_of(
    scores: Sequence[Score], runs: int, statistic: Statistic = "mean", *, counts: bool = False
) -> Cell:
    """The cell of one score over a number of finished runs."""
    values = [s.value for s in scores if s.value is not None]
    reasons = [s.reason for s in scores if s.reason]
    if not all(map(math.isfinite, values)):
        reasons.append("the score is not finite")
    return Cell(
        values=tuple(value for value in values if math.isfinite(value)),
        runs=runs,
        reasons=tuple(dict.fromkeys(reasons)),
        statistic=statistic,
        counts=counts,
    )
