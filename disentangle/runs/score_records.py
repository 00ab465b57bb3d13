"""Records of scores: one number and everything that it means."""

from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import Field

from disentangle._utils.files import Stamp
from disentangle.runs.records import Record, Value, View

Column: TypeAlias = tuple[Any, ...]
"""What the scores of a column share; see `identity`."""


class DetailRecord(Record):
    """Numbers behind a score, [D], [K] or [D, K]; null where one is undefined."""

    axes: tuple[Literal["latent", "factor"], ...]
    values: list[float | None] | list[list[float | None]]


class Score(Record):
    """One number and all that it means; a score that could not be had says why."""

    name: str
    value: float | None
    reason: str | None = None
    metric: str
    version: int
    knobs: dict[str, Value]
    """Those that are not at the metric's default."""
    protocol: str
    representation: Literal["mean", "sample"]
    factors: tuple[str, ...]
    view: View
    fingerprint: str
    """Of the dataset."""
    weights: str
    """The digest of the weights, or what else made the codes."""
    seed: int
    settings: dict[str, Value]
    """Every knob of the metric, sample sizes among them."""
    seconds: float
    packages: dict[str, str]
    overlap: float | None = None
    """The share of test images that are among those fitted on, where a metric does both."""
    detail: dict[str, DetailRecord] = Field(default_factory=dict)
    """What is behind the metric's scores; it goes with the first of them."""

    @property
    def column(self) -> tuple[Any, ...]:
        """Return what two scores must share to stand in one column of a table."""
        return (
            self.name,
            self.metric,
            self.version,
            tuple(sorted(self.knobs.items())),
            self.protocol,
            self.representation,
            self.factors,
            tuple(sorted(self.view.items())),
            self.fingerprint,
        )


def identity(score: Score) -> Column:
    """Return what two scores must share to stand in one column."""
    return (*score.column, score.seed)


class ScoreFile(Record):
    """What `scores.json` holds."""

    format: Literal[1] = 1
    scores: tuple[Score, ...] = ()


class ScoresRead(NamedTuple):
    """What `scores.json` held when it had this stamp, with the details behind it or without."""

    stamp: Stamp
    scores: tuple[Score, ...]
    detailed: bool = True
