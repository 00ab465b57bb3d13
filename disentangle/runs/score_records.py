"""Records of scores: a number and everything that defines its meaning."""

from typing import Any, Literal, NamedTuple

from pydantic import Field

from disentangle._utils.files import Stamp
from disentangle.runs.records import Record, Value, View

DEFAULT_PROTOCOL = "locatello2019"
"""The protocol of scores for which none is named; `scoring/protocols` has its file."""


class ColumnKey(NamedTuple):
    """The key of a table's column: scores with equal keys are comparable.

    A table never mixes two keys in one column, so its numbers are comparable.
    """

    score: str
    metric: str
    version: int
    knobs: tuple[tuple[str, Value], ...]
    """The metric's hyper-parameters that are not at their defaults, or that depended on the codes,
    sorted."""
    protocol: str
    representation: str
    factors: tuple[str, ...]
    view: tuple[tuple[str, str | int | tuple[str, ...]], ...]
    """The view of the dataset that was scored, as sorted items."""
    fingerprint: str
    """The dataset's fingerprint."""
    seed: int
    """The seed of the metric's sampling."""
    corrected: bool = False
    """True if values are corrected for chance."""

    @property
    def meaning(self) -> tuple[Any, ...]:
        """The key without the dataset: score, metric, hyper-parameters, protocol and so on."""
        parts = (self.score, self.metric, f"v{self.version}", self.knobs, self.protocol)
        return (*parts, self.representation, self.seed)

    @property
    def family(self) -> "ColumnKey":
        """The key without hyper-parameters, protocol, representation and factors.

        Columns of one family show the same score under several protocols.
        """
        view = tuple((key, value) for key, value in self.view if key != "factors")
        return self._replace(knobs=(), protocol="", representation="", factors=(), view=view)

    @property
    def conditions(self) -> tuple[Any, ...]:
        """The conditions of sampling codes and images, independent of the metric."""
        part = (self.protocol, self.representation, self.factors, self.view, self.fingerprint)
        return (*part, self.seed)


class DetailRecord(Record):
    """Values behind a score, [D], [K] or [D, K]; null if undefined."""

    axes: tuple[Literal["latent", "factor"], ...]
    values: list[float | None] | list[list[float | None]]
    about: str = ""
    """What a value is, with its unit; empty if the metric does not say it, and in older records."""


class FactorDependence(Record):
    """Two scored factors that depend on each other."""

    factors: tuple[str, str]
    v: float
    """Cramer's V of the two, corrected for chance, 0 to 1."""


class Score(Record):
    """A number and everything that defines its meaning; a missing score has a reason."""

    name: str
    value: float | None
    reason: str | None = None
    metric: str
    version: int
    knobs: dict[str, Value]
    """The knobs that differ from the metric's defaults."""
    resolved: dict[str, Value] = Field(default_factory=dict)
    """Knobs whose values depended on the codes, with the values used; see `Metric.resolve`."""
    protocol: str
    representation: str = Field(pattern=r"^(mean|sample)(, [^,]+)?$")
    """The code of an image, the mean of q(z|x) or a sample from it; and the reduction of the codes
    before they were scored if there was one, as in `mean, pca:10`."""
    factors: tuple[str, ...]
    view: View
    fingerprint: str
    """The dataset's fingerprint."""
    weights: str
    """The digest of the weights, or another name of the origin of the codes."""
    seed: int
    settings: dict[str, Value]
    """All knobs of the metric, including sample sizes."""
    seconds: float
    packages: dict[str, str]
    overlap: float | None = None
    """The share of test images that are also fitted on, for a metric that does both."""
    dependence: FactorDependence | None = None
    """The two scored factors that depend most on each other, for a metric that assumes that none
    do; none if none do, and in older records."""
    detail: dict[str, DetailRecord] = Field(default_factory=dict)
    """The details of the metric's scores, stored with the first of them."""

    @property
    def key(self) -> ColumnKey:
        """The key of this score's column: scores with equal keys are comparable."""
        return ColumnKey(
            score=self.name,
            metric=self.metric,
            version=self.version,
            knobs=tuple(sorted({**self.knobs, **self.resolved}.items())),
            protocol=self.protocol,
            representation=self.representation,
            factors=self.factors,
            view=tuple(sorted(self.view.items())),
            fingerprint=self.fingerprint,
            seed=self.seed,
        )


class ScoreFile(Record):
    """The content of `scores.json`."""

    format: Literal[1] = 1
    scores: tuple[Score, ...] = ()


class ScoresRead(NamedTuple):
    """The scores in `scores.json` when it had this stamp, with or without their details."""

    stamp: Stamp
    scores: tuple[Score, ...]
    detailed: bool = True
