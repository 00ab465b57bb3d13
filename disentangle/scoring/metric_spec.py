"""Metrics as a user asked for them: by name, with knobs where wanted."""

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts import entry_points, registry
from disentangle.contracts.isolation import watched
from disentangle.contracts.metric import Detail, Metric
from disentangle.contracts.settings import parse_given, parse_spec, resolve
from disentangle.contracts.source import Source
from disentangle.errors import (
    BrokenContract,
    DisentangleError,
    MetricFailed,
    Unavailable,
    UsageError,
    suggestion,
)
from disentangle.scoring.protocol import Protocol, load_protocol

UNSAID = "its metric does not say why"


class MetricResult(NamedTuple):
    """What a metric found, each by name: scores, what is behind them, why others are missing."""

    values: dict[str, float]
    details: dict[str, Detail]
    unavailable: dict[str, str]


class MetricSpec:
    """A metric as the user asked for it: its name, its record of knobs, and how to say it.

    Attributes:
        named: whether the user asked for it by name, rather than for the default metrics.
    """

    def __init__(
        self, spec: str, knobs: Mapping[str, Any] = MappingProxyType({}), *, named: bool = True
    ) -> None:
        self.name, text = parse_spec(spec)
        if "," in self.name:
            raise UsageError(f"'{spec}': one metric at a time; --metric may be repeated")
        self.named = named
        self.kind = registry.metrics.load(self.name)
        settings = resolve(self.kind, parse_given(self.kind, text), preset=knobs)
        self.settings = {k: s.value for k, s in settings.items()}
        self.non_default = {k: s.value for k, s in settings.items() if s.value != s.default}
        self.metric: Metric[Any] = self.kind(**self.settings)

    def scores(self, source: Source[Any], seed: int) -> MetricResult:
        """Return the metric's scores, what is behind them, and why others are missing.

        Raises:
            Unavailable: the dataset is not what the metric needs, or no score is defined.
            MetricFailed: the metric raised, or returned what it is not to.
        """
        if not isinstance(source.dataset, self.kind.needs):
            raise Unavailable(
                f"needs a dataset that is {self.kind.needs.strength}; "
                f"'{source.dataset.name}' is only {source.dataset.strength}"
            )
        dependence = getattr(source.dataset, "dependence", "")
        if self.kind.assumes_independence and dependence and not self.named:
            raise Unavailable(
                f"it assumes independent factors, and {dependence}; name the metric to have it all "
                "the same"
            )
        if source.latents > self.kind.most_latents:
            raise Unavailable(f"{source.latents} latents are more than {self.kind.most_latents}")
        rng = numpy_rng(seed, f"metric {self.name}")
        found = MetricResult({}, {}, {})
        whose = entry_points.who("metric", self.name)
        try:
            with watched(whose, "draw from the rng that score() is given", restore=True):
                scores = self.metric.score(source, rng)
            check_scores(self.name, scores, source)
        except BrokenContract as error:
            raise MetricFailed(f"{whose}: {error}") from error
        except Unavailable as error:
            raise Unavailable(str(error) or UNSAID) from error
        except DisentangleError:
            raise
        except (Exception, SystemExit) as error:
            raise MetricFailed(f"{whose} failed: {type(error).__name__}: {error}") from error
        for name, value in scores.items():
            if isinstance(value, Detail):
                found.details[name] = value
            elif isinstance(value, Unavailable):
                found.unavailable[name] = str(value) or UNSAID
            elif math.isfinite(value):
                found.values[name] = float(value)
            else:
                found.unavailable[name] = f"it came out as {value}"
        return found


def check_scores(metric: str, scores: object, source: Source[Any]) -> None:
    """Refuse what a metric is not to return.

    Raises:
        BrokenContract: no scores by names of the metric's own, or a detail of another size.
    """
    if not isinstance(scores, Mapping):
        raise BrokenContract(f"score() returned {type(scores).__name__}, and no scores by name")
    if all(isinstance(value, Detail) for value in scores.values()):
        raise BrokenContract("score() returned no score: where none is defined, raise Unavailable")
    check_names(metric, scores)
    for name, value in scores.items():
        if isinstance(value, Detail):
            sizes = {"latent": lambda: source.latents, "factor": lambda: len(source.factors)}
            shape = tuple(sizes[axis]() for axis in value.axes)
            if np.shape(value.values) != shape:
                raise BrokenContract(
                    f"detail '{name}' along {' and '.join(value.axes)} is "
                    f"{list(np.shape(value.values))}, and not {list(shape)}"
                )
        elif isinstance(value, bool) or not isinstance(
            value, Unavailable | float | int | np.number
        ):
            raise BrokenContract(f"score '{name}' is {type(value).__name__}, and no number")


def check_names(metric: str, scores: Iterable[str]) -> None:
    """Refuse scores that are not called after their metric.

    Raises:
        BrokenContract: one is not.
    """
    for name in scores:
        if str(name).partition("/")[0] != metric:
            raise BrokenContract(
                f"score '{name}' is not called '{metric}' or '{metric}/part', so that tables could "
                "not tell whose it is"
            )


def listed(metrics: Iterable[str] | None) -> list[str] | None:
    """Return the metrics named as a list, one name alone too; None where none was."""
    return None if metrics is None else [metrics] if isinstance(metrics, str) else list(metrics)


def choose(metrics: Iterable[str] | None, protocol: Protocol | None = None) -> list[MetricSpec]:
    """Return the metrics named, `all` of them, or those that run by default.

    Raises:
        UsageError: an unknown metric or knob.
    """
    wanted = protocol or load_protocol()
    for name, knobs in wanted.knobs.items():
        if name not in registry.metrics.entries:
            known = suggestion(name, registry.metrics.entries)
            raise UsageError(f"protocol '{wanted.name}' speaks of no metric here: '{name}'{known}")
        MetricSpec(name, knobs)  # whether it is chosen or not, so that a slip shows
    specs = listed(metrics)
    if specs is None and wanted.metrics is not None:
        specs = list(wanted.metrics)
    if specs is not None and "all" not in specs:
        if not specs:
            raise UsageError("no metric was named; leave it out to score the default ones")
        return [MetricSpec(s, wanted.knobs.get(parse_spec(s)[0], {})) for s in dict.fromkeys(specs)]
    named = [
        MetricSpec(s, wanted.knobs.get(parse_spec(s)[0], {})) for s in specs or () if s != "all"
    ]
    chosen = {metric.name: metric for metric in named}
    for name in registry.metrics.entries:
        # A broken or ambiguous plugin that nobody named harms nothing; `list --check` reports it.
        with suppress(DisentangleError):
            candidate = MetricSpec(name, wanted.knobs.get(name, {}), named=False)
            if specs is not None or candidate.kind.by_default:
                chosen.setdefault(name, candidate)
    return list(chosen.values())
