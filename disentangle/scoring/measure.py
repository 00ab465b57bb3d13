"""Run metrics on a source of codes and record each score with all that defines its meaning."""

import importlib.metadata
import math
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from disentangle._utils.html import never_failing, paragraph, table
from disentangle._utils.text import count
from disentangle.contracts import registry
from disentangle.contracts.metric import Detail
from disentangle.contracts.plugin import knobs
from disentangle.contracts.source import Sampled, Source
from disentangle.errors import InputWarning, MetricFailed, Unavailable
from disentangle.runs.records import DatasetRecord, View, describe
from disentangle.runs.score_records import DetailRecord, Score
from disentangle.scoring.dependence import largest_dependence
from disentangle.scoring.metric_spec import MetricResult, MetricSpec
from disentangle.scoring.metric_traits import counts
from disentangle.scoring.protocol import Protocol

FEW = 50
"""With fewer rows of codes than this, a warning says how many there are."""
PACKAGES = ("disentangle-bench", "numpy", "scipy", "scikit-learn")


class ScoreMapping(dict[str, float]):
    """Scores by name.

    If a protocol scores means and samples, names of scores of samples end with `(sample)`. If a
    metric runs with several settings, the name includes them, as in `mig [bins=40]`, and if several
    splits are scored, the name includes the split, as in `mig [split=test]`.

    Attributes:
        unavailable: score -> the reason why it is missing.
        failed: metric -> the error, for metrics that failed; a part of `unavailable`.
        records: the full record of each score.
        unwritten: the file that the scores could not be written to, and why; empty if there is no
            such failure.
    """

    def __init__(
        self,
        records: Sequence[Score],
        failed: Mapping[str, str] = MappingProxyType({}),
        unwritten: str = "",
    ) -> None:
        def in_words(s: Score) -> str:
            return describe(dict(s.key.knobs))

        splits = len({record.view.get("split") for record in records}) > 1
        both = len({record.representation for record in records}) > 1

        def sampled(s: Score) -> bool:
            return both and code_of(s.representation) == "sample"

        forms: dict[str, set[str]] = {}
        for s in records:
            forms.setdefault(s.name, set()).add(in_words(s))

        def name_of(s: Score) -> str:
            knobs = in_words(s) if len(forms[s.name]) > 1 else ""
            split = f"split={s.view.get('split', 'all')}" if splits else ""
            told_apart = ", ".join(filter(None, [knobs, split]))
            bracket = f" [{told_apart}]" if told_apart else ""
            return s.name + bracket + (" (sample)" if sampled(s) else "")

        named = [(name_of(s), s) for s in records]
        super().__init__({name: s.value for name, s in named if s.value is not None})
        self.failed, self.unwritten = dict(failed), unwritten
        self.unavailable = {name: s.reason or "" for name, s in named if s.value is None}
        self.unavailable |= self.failed
        self.records = tuple(records)

    @never_failing
    def _repr_html_(self) -> str:
        """The scores in a notebook, with the reasons for missing ones."""
        rows = [(name, as_text(name, value)) for name, value in self.items()]
        missing = [paragraph(f"{name}: n/a: {why}") for name, why in self.unavailable.items()]
        return table(rows, ["score", "value"], numbers=1) + "".join(missing)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """The scores and the reasons for missing ones, as plain values."""
        return {"scores": dict(self), "unavailable": self.unavailable}


def joined(mappings: Iterable[ScoreMapping]) -> ScoreMapping:
    """The scores of several splits of one run."""
    parts = list(mappings)
    failed = {name: why for part in parts for name, why in part.failed.items()}
    unwritten = next((part.unwritten for part in parts if part.unwritten), "")
    return ScoreMapping([r for part in parts for r in part.records], failed, unwritten)


def as_text(name: str, value: float) -> str:
    """A score as text; a count without decimals."""
    return f"{value:g}" if counts(name.partition(" ")[0]) else f"{value:.3f}"


@dataclass(frozen=True)
class ScoreRequest:
    """A metric to run, with everything that identifies its scores in advance."""

    metric: MetricSpec
    protocol: str
    representation: str
    """The code of an image, with a reduction if there is one; see `Score`."""
    factors: tuple[str, ...]
    view: View
    fingerprint: str
    """The dataset's fingerprint."""
    weights: str
    """The digest of the weights, or another name of the origin of the codes."""
    seed: int
    """The seed of the metric's sampling."""
    of_blocks: str = ""
    """The representation instead, if the protocol reduces codes in blocks and these are."""

    @property
    def fields(self) -> dict[str, Any]:
        """The fields that the records of all scores of this request share."""
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
        """Select the scores that answer this request."""
        return self._having(self.fields, scores)

    def among_older(self, scores: Iterable[Score]) -> list[Score]:
        """Select the scores that answered this request in the newest older version of its metric.

        Its settings may differ: a version may add hyper-parameters.
        """
        fields = {k: v for k, v in self.fields.items() if k not in ("version", "settings")}
        version = self.metric.kind.version
        older = [score for score in self._having(fields, scores) if score.version < version]
        newest = max((score.version for score in older), default=0)
        return [score for score in older if score.version == newest]

    def _having(self, fields: Mapping[str, Any], scores: Iterable[Score]) -> list[Score]:
        """Select the scores with these fields, in either representation."""
        later = {name: k.default for name, k in knobs(self.metric.kind).items() if k.added}
        scores = list(scores)
        same = having(fields, scores, later)
        if same or not self.of_blocks:
            return same
        return having({**fields, "representation": self.of_blocks}, scores, later)


def having(
    fields: Mapping[str, Any], scores: Iterable[Score], later: Mapping[str, Any]
) -> list[Score]:
    """Select the scores with these values of fields.

    Args:
        fields: the names of fields and their values.
        scores: the scores to select from.
        later: the defaults of knobs that were added to the metric after its first release, which
            the settings of older scores lack.
    """

    def value(score: Score, field: str) -> Any:
        content = getattr(score, field)
        return {**later, **content} if field == "settings" else content

    return [s for s in scores if all(value(s, k) == v for k, v in fields.items())]


def code_of(representation: str) -> str:
    """The code of an image, `mean` or `sample`, in a representation such as `mean, pca:10`."""
    return representation.partition(",")[0]


def score_requests(
    metrics: Sequence[MetricSpec],
    protocol: Protocol,
    data: DatasetRecord,
    weights: str,
    seed: int,
    *,
    reduction: str = "",
) -> list[ScoreRequest]:
    """Request each metric with each representation of the protocol.

    Args:
        metrics: the metrics to run.
        protocol: how codes and images are sampled.
        data: the dataset or view to score.
        weights: the digest of the weights, or another name of the origin of the codes.
        seed: seed of the metrics' sampling.
        reduction: the reduction of the codes; empty for none.
    """
    of_blocks = "" if reduction else protocol.reduction.replace(":", "")
    return [
        ScoreRequest(
            metric=metric,
            protocol=protocol.name,
            representation=", ".join(filter(None, [representation, reduction])),
            factors=tuple(data.factors),
            view=data.view,
            fingerprint=data.fingerprint,
            weights=weights,
            seed=seed,
            of_blocks=f"{representation}, {of_blocks}" if of_blocks else "",
        )
        for representation in protocol.representations
        for metric in metrics
        # A metric of the model gives the same value for every representation.
        if representation == protocol.representations[0] or not metric.kind.of_model
    ]


def measure(request: ScoreRequest, source: Source[Any] | str) -> list[Score]:
    """Run one metric and record its scores; a missing score is recorded with its reason.

    Args:
        request: the metric, and what identifies its scores.
        source: the source of codes, or the reason why there is none.

    Raises:
        MetricFailed: the metric raised an exception or returned something invalid.
    """
    began = time.perf_counter()
    result, overlap, dependence = MetricResult({}, {}, {}, {}), None, None
    try:
        if isinstance(source, str):
            raise Unavailable(source)
        if code_of(request.representation) == "sample":
            source = Sampled(source, request.seed)
        source.overlap = source.drawn = None
        result = request.metric.scores(source, request.seed)
        overlap = source.overlap
        if request.metric.kind.assumes_independence:
            dependence = largest_dependence(source.dataset)
        if not request.metric.kind.of_model:
            warn_of_few(min(len(source), source.drawn or len(source)))
    except Unavailable as error:
        result.unavailable[request.metric.name] = str(error)
    seconds = round(time.perf_counter() - began, 3)
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    packages |= {
        e.distribution: e.version for e in registry.metrics.entries.get(request.metric.name, ())
    }
    details = {name: detail_record(detail) for name, detail in result.details.items()}
    return [
        Score(
            name=name,
            value=result.values.get(name),
            reason=result.unavailable.get(name),
            seconds=seconds,
            packages=packages,
            overlap=overlap,
            dependence=dependence,
            resolved=result.resolved,
            detail=details if number == 0 else {},
            **request.fields,
        )
        for number, name in enumerate([*result.values, *result.unavailable])
    ]


def warn_of_few(rows: int) -> None:
    """Warn if scores are computed from too few rows of codes to mean anything."""
    if rows < FEW:
        warnings.warn(
            f"scores are computed from only {count(rows, 'row')} of codes. With fewer than {FEW} "
            "rows, codes of pure noise can reach high scores. Use hundreds of rows, better 10,000",
            InputWarning,
            stacklevel=3,
        )


def measure_each(requests: Sequence[ScoreRequest], source: Source[Any]) -> ScoreMapping:
    """Run several metrics; the failure of one does not stop the others."""
    records: list[Score] = []
    failed: dict[str, str] = {}
    for request in requests:
        try:
            records += measure(request, source)
        except MetricFailed as error:
            failed[request.metric.name] = str(error)
    return ScoreMapping(records, failed)


def detail_record(detail: Detail) -> DetailRecord:
    """Convert a detail to its record."""
    values = detail.values.astype(float).tolist()
    return DetailRecord(axes=detail.axes, values=_finite(values), about=detail.about)


def _finite(values: Any) -> Any:
    """Round nested lists of numbers; None replaces values that are not finite."""
    if isinstance(values, list):
        return [_finite(value) for value in values]
    return round(values, 6) if math.isfinite(values) else None


def seconds_of(requests: Sequence[ScoreRequest], images: int, latents: int = 10) -> float:
    """Estimate the seconds that the metrics take on codes of this size, without encoding."""
    return sum(request.metric.metric.seconds_with(images, latents) for request in requests)
