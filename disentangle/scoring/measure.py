"""Metrics of any source of codes, as records that say all that a number means."""

import importlib.metadata
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from disentangle.contracts import registry
from disentangle.contracts.metric import Detail
from disentangle.contracts.source import Sampled, Source
from disentangle.errors import MetricFailed, Unavailable
from disentangle.runs.records import DatasetRecord, View, describe
from disentangle.runs.score_records import DetailRecord, Score
from disentangle.scoring.metric_spec import MetricResult, MetricSpec
from disentangle.scoring.protocol import Protocol, Representation

PACKAGES = ("disentangle-bench", "numpy", "scipy", "scikit-learn")


class ScoreMapping(dict[str, float]):
    """Scores by name.

    Where a protocol takes means and samples, those of samples end with `(sample)`; where one metric
    was asked for with several knobs, these follow in brackets, as in `mig [bins=40]`.

    Attributes:
        unavailable: of the other scores, why they could not be had.
        failed: of those, by metric, what went wrong in the metric itself.
        records: all that is known of each score.
    """

    def __init__(
        self, records: Sequence[Score], failed: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        def in_words(s: Score) -> str:
            return describe(dict(sorted(s.knobs.items())))

        both = len({record.representation for record in records}) > 1
        forms: dict[str, set[str]] = {}
        for s in records:
            forms.setdefault(s.name, set()).add(in_words(s))

        def called(s: Score) -> str:
            knobs = f" [{in_words(s)}]" if len(forms[s.name]) > 1 and s.knobs else ""
            return s.name + knobs + (" (sample)" if both and s.representation == "sample" else "")

        named = [(called(s), s) for s in records]
        super().__init__({name: s.value for name, s in named if s.value is not None})
        self.failed = dict(failed)
        self.unavailable = {name: s.reason or "" for name, s in named if s.value is None}
        self.unavailable |= self.failed
        self.records = tuple(records)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the scores, and why others could not be had, for programs."""
        return {"scores": dict(self), "unavailable": self.unavailable}


@dataclass(frozen=True)
class ScoreRequest:
    """A metric to run, and all that identifies its scores before they are computed."""

    metric: MetricSpec
    protocol: str
    representation: Representation
    factors: tuple[str, ...]
    view: View
    fingerprint: str
    """Of the dataset."""
    weights: str
    """The digest of the weights, or what else makes the codes."""
    seed: int
    """Of the metric's sampling."""

    @property
    def fields(self) -> dict[str, Any]:
        """The fields that all scores of this request have in their records."""
        return {
            "metric": self.metric.name,
            "version": self.metric.kind.version,
            "knobs": self.metric.non_default,
            "settings": self.metric.settings,
            "protocol": self.protocol,
            "representation": self.representation,
            "factors": self.factors,
            "view": self.view,
            "fingerprint": self.fingerprint,
            "weights": self.weights,
            "seed": self.seed,
        }

    def among(self, scores: Iterable[Score]) -> list[Score]:
        """Return those of the scores that this request asks for."""
        fields = self.fields.items()
        return [score for score in scores if all(getattr(score, k) == v for k, v in fields)]


def score_requests(
    metrics: Sequence[MetricSpec], protocol: Protocol, data: DatasetRecord, weights: str, seed: int
) -> list[ScoreRequest]:
    """Request each metric with each representation that the protocol takes.

    Args:
        metrics: the metrics to run.
        protocol: how codes and images are taken.
        data: what is scored.
        weights: the digest of the weights, or what else makes the codes.
        seed: of the metrics' sampling.
    """
    return [
        ScoreRequest(
            metric=metric,
            protocol=protocol.name,
            representation=representation,
            factors=tuple(data.factors),
            view=data.view,
            fingerprint=data.fingerprint,
            weights=weights,
            seed=seed,
        )
        for representation in protocol.representations
        for metric in metrics
        # A metric of the model gives the same value for every representation.
        if representation == protocol.representations[0] or not metric.kind.of_model
    ]


def measure(request: ScoreRequest, source: Source[Any] | str) -> list[Score]:
    """Return the scores of one metric, as records; where it has none, one that says why.

    Args:
        request: the metric, and what identifies its scores.
        source: gives the means of codes; or the reason why there is none.

    Raises:
        MetricFailed: the metric raised, or returned what it is not to.
    """
    began = time.perf_counter()
    found, overlap = MetricResult({}, {}, {}), None
    try:
        if isinstance(source, str):
            raise Unavailable(source)
        if request.representation == "sample":
            source = Sampled(source, request.seed)
        source.overlap = None
        found = request.metric.scores(source, request.seed)
        overlap = source.overlap
    except Unavailable as error:
        found.unavailable[request.metric.name] = str(error)
    seconds = round(time.perf_counter() - began, 3)
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    packages |= {
        e.distribution: e.version for e in registry.metrics.entries.get(request.metric.name, ())
    }
    details = {name: detail_record(detail) for name, detail in found.details.items()}
    return [
        Score(
            name=name,
            value=found.values.get(name),
            reason=found.unavailable.get(name),
            seconds=seconds,
            packages=packages,
            overlap=overlap,
            detail=details if number == 0 else {},
            **request.fields,
        )
        for number, name in enumerate([*found.values, *found.unavailable])
    ]


def measure_each(requests: Sequence[ScoreRequest], source: Source[Any]) -> ScoreMapping:
    """Run several metrics; one that fails costs the others nothing."""
    records: list[Score] = []
    failed: dict[str, str] = {}
    for request in requests:
        try:
            records += measure(request, source)
        except MetricFailed as error:
            failed[request.metric.name] = str(error)
    return ScoreMapping(records, failed)


def detail_record(detail: Detail) -> DetailRecord:
    """Return a detail as it is written."""
    values = detail.values.astype(float).tolist()
    return DetailRecord(axes=detail.axes, values=_finite(values))


def _finite(values: Any) -> Any:
    """Return nested lists of numbers, with None for what is not finite."""
    if isinstance(values, list):
        return [_finite(value) for value in values]
    return round(values, 6) if math.isfinite(values) else None


def seconds_of(requests: Sequence[ScoreRequest]) -> float:
    """Estimate the seconds that the metrics take at their defaults, with codes at hand."""
    return sum(request.metric.kind.seconds for request in requests)
