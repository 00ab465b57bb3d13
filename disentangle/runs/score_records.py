"""Records of scores: one number and everything that it means."""

from typing import Any, Literal, NamedTuple

from pydantic import Field

from disentangle._utils.files import Stamp
from disentangle.runs.records import Record, Value, View


class ColumnKey(NamedTuple):
    """The key of a table's column: scores with equal keys are comparable.

    A table never mixes two keys in one column, which is what makes its numbers comparable.
    """

    score: str
    metric: str
    version: int
    knobs: tuple[tuple[str, Value], ...]
    """The metric's hyper-parameters that are not at their defaults, sorted."""
    protocol: str
    representation: str
    factors: tuple[str, ...]
    view: tuple[tuple[str, str | int | tuple[str, ...]], ...]
    """The part of the dataset that was scored, as sorted items."""
    fingerprint: str
    """Of the dataset."""
    seed: int
    """Of the metric's sampling."""
    corrected: bool = False
    """Whether values are corrected for chance."""

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What the column means on any dataset: score, metric, hyper-parameters, protocol, seed."""
        parts = (self.score, self.metric, f"v{self.version}", self.knobs, self.protocol)
        return (*parts, self.representation, self.seed)

    @property
    def family(self) -> "ColumnKey":
        """The key without hyper-parameters, protocol, representation and factors.

        Columns of one family are one score under several protocols.
        """
        view = tuple((key, value) for key, value in self.view if key != "factors")
        return self._replace(knobs=(), protocol="", representation="", factors=(), view=view)

    @property
    def conditions(self) -> tuple[Any, ...]:
        """How codes and images were taken, whatever the metric."""
        part = (self.protocol, self.representation, self.factors, self.view, self.fingerprint)
        return (*part, self.seed)


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
    def key(self) -> ColumnKey:
        """The key of this score's column: scores with equal keys are comparable."""
        return ColumnKey(
            score=self.name,
            metric=self.metric,
            version=self.version,
            knobs=tuple(sorted(self.knobs.items())),
            protocol=self.protocol,
            representation=self.representation,
            factors=self.factors,
            view=tuple(sorted(self.view.items())),
            fingerprint=self.fingerprint,
            seed=self.seed,
        )


class ScoreFile(Record):
    """What `scores.json` holds."""

    format: Literal[1] = 1
    scores: tuple[Score, ...] = ()


class ScoresRead(NamedTuple):
    """What `scores.json` held when it had this stamp, with the details behind it or without."""

    stamp: Stamp
    scores: tuple[Score, ...]
    detailed: bool = True
