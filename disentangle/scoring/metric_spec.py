"""Metrics as requested: a name with optional hyper-parameters, for example `mig:bins=40`."""

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

from disentangle._utils.seeds import numpy_rng
from disentangle._utils.text import have, joined
from disentangle.contracts import entry_points, registry
from disentangle.contracts.binned_factors import BinnedFactors
from disentangle.contracts.dataset import Labelled
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
    true_name,
)
from disentangle.runs.records import Value, correlated_draws
from disentangle.scoring.protocol import Protocol, load_protocol

UNSAID = "the metric gives no reason"


class MetricResult(NamedTuple):
    """A metric's scores, their details, and the reasons for missing scores, each by name.

    `resolved` holds the values of the knobs that depended on the codes.
    """

    values: dict[str, float]
    details: dict[str, Detail]
    unavailable: dict[str, str]
    resolved: dict[str, Value]


class MetricSpec:
    """A requested metric: its name, class and hyper-parameters.

    Attributes:
        named: True if the metric was requested by name, not as one of the default metrics.
    """

    def __init__(
        self, spec: str, knobs: Mapping[str, Any] = MappingProxyType({}), *, named: bool = True
    ) -> None:
        name, text = parse_spec(spec)
        self.name = registry.metrics.true_name(name)
        if "," in self.name:
            raise UsageError(f"'{spec}': give one metric per --metric; the option can be repeated")
        self.named = named
        self.kind = registry.metrics.load(self.name)
        settings = resolve(self.kind, parse_given(self.kind, text), preset=knobs)
        self.settings = {k: s.value for k, s in settings.items()}
        self.non_default = {k: s.value for k, s in settings.items() if s.value != s.default}
        self.metric: Metric[Any] = self.kind(**self.settings)

    def scores(self, source: Source[Any], seed: int) -> MetricResult:
        """Compute the metric's scores and details, with reasons for missing scores.

        Raises:
            Unavailable: the dataset does not meet the metric's needs, or no score is defined.
            MetricFailed: the metric raised an exception or returned something invalid.
        """
        if not isinstance(source.dataset, self.kind.needs):
            raise Unavailable(
                f"needs a dataset that is {self.kind.needs.strength}, "
                f"but '{source.dataset.name}' is only {source.dataset.strength}"
            )
        dataset = source.dataset
        dependence = getattr(dataset, "dependence", "") or correlated_draws(dataset.view_record)
        if self.kind.assumes_independence and dependence and not self.named:
            raise Unavailable(
                f"it assumes independent factors, but {dependence}; request the metric by name to "
                "compute it anyway"
            )
        if source.latents > self.kind.most_latents:
            reduce = "; `--reduce pca:10` scores ten principal components"
            remedy = reduce if source.reducible else ""
            raise Unavailable(
                f"{source.latents} latents exceed the maximum of {self.kind.most_latents}{remedy}"
            )
        taken, bins = self.with_real_factors(source)
        rng = numpy_rng(seed, f"metric {self.name}")
        result = MetricResult({}, {}, {}, {})
        plugin = entry_points.who("metric", self.name)
        try:
            with watched(plugin, "draw from the rng that score() is given", restore=True):
                result.resolved.update(bins)
                result.resolved.update(self.metric.resolve(taken))
                scores = self.metric.score(taken, rng)
            check_scores(self.name, scores, taken)
            source.overlap, source.drawn = taken.overlap, taken.drawn
        except BrokenContract as error:
            raise MetricFailed(f"{plugin}: {error}") from error
        except Unavailable as error:
            raise Unavailable(str(error) or UNSAID) from error
        except DisentangleError:
            raise
        except (Exception, SystemExit) as error:
            raise MetricFailed(f"{plugin} failed: {type(error).__name__}: {error}") from error
        for name, value in scores.items():
            if isinstance(value, Detail):
                result.details[name] = value
            elif isinstance(value, Unavailable):
                result.unavailable[name] = str(value) or UNSAID
            elif math.isfinite(value):
                result.values[name] = float(value)
            else:
                result.unavailable[name] = f"the metric returned {value}"
        return result

    def with_real_factors(self, source: Source[Any]) -> tuple[Source[Any], dict[str, int]]:
        """The source as the metric takes factors of real numbers, and the number of bins if any.

        Raises:
            Unavailable: the metric takes no such factors.
        """
        dataset = source.dataset
        real = dataset.real_factors if isinstance(dataset, Labelled) else ()
        if not real or not issubclass(self.kind.needs, Labelled):
            return source, {}
        reads = self.metric.reads_real_factors()
        if reads == "numbers":
            return source, {}
        if not reads:
            raise Unavailable(
                f"it needs factors with a few values, but {joined(real)} {have(real)} real "
                "numbers; `mcc`, `r2` and `sap-r2` read them"
            )
        bins = int(self.settings["factor_bins"])
        equal: Literal["width", "count"] = "count" if reads == "quantiles" else "width"

        def view(part: Labelled) -> Labelled:
            return BinnedFactors(part, bins, equal, like=dataset)

        return source.relabelled(view), {"factor_bins": bins}


def check_scores(metric: str, scores: object, source: Source[Any]) -> None:
    """Check what a metric's `score()` returned.

    Raises:
        BrokenContract: it is not a mapping of the metric's score names to numbers, or a detail has
            the wrong shape.
    """
    if not isinstance(scores, Mapping):
        raise BrokenContract(
            f"score() must return a mapping of names to values, got {type(scores).__name__}"
        )
    if all(isinstance(value, Detail) for value in scores.values()):
        raise BrokenContract("score() returned no score; raise Unavailable if none is defined")
    check_names(metric, scores)
    for name, value in scores.items():
        if isinstance(value, Detail):
            sizes = {"latent": lambda: source.latents, "factor": lambda: len(source.factors)}
            shape = tuple(sizes[axis]() for axis in value.axes)
            if np.shape(value.values) != shape:
                raise BrokenContract(
                    f"detail '{name}' along {' and '.join(value.axes)} must have shape "
                    f"{list(shape)}, got {list(np.shape(value.values))}"
                )
            if not isinstance(value.about, str):
                raise BrokenContract(
                    f"detail '{name}': about must be text, got {type(value.about).__name__}"
                )
        elif isinstance(value, bool) or not isinstance(
            value, Unavailable | float | int | np.number
        ):
            raise BrokenContract(f"score '{name}' must be a number, got {type(value).__name__}")


def check_names(metric: str, scores: Iterable[str]) -> None:
    """Check that scores are named after their metric.

    Raises:
        BrokenContract: a score is not.
    """
    for name in scores:
        if str(name).partition("/")[0] != metric:
            raise BrokenContract(
                f"score '{name}' must be named '{metric}' or '{metric}/part', so that tables can "
                "show which metric it belongs to"
            )


def spec_list(metrics: Iterable[str] | None) -> list[str] | None:
    """The requested metrics as a list, also for a single name; None stays None."""
    return None if metrics is None else [metrics] if isinstance(metrics, str) else list(metrics)


def true_spec(spec: str) -> str:
    """A requested metric under its registered name: `mig:bins=40` for `MIG:bins=40`."""
    name, colon, knobs = spec.partition(":")
    return true_name(name, [*registry.metrics.entries, "all"]) + colon + knobs


def is_default(kind: type[Metric[Any]], *, dependent: bool, real: bool) -> bool:
    """True if a metric is computed when none is named, for dependent or real factors or others."""
    if real and kind.by_default_if_real and not (dependent and kind.assumes_independence):
        return True
    if dependent:
        return kind.by_default_if_dependent or (kind.by_default and not kind.assumes_independence)
    return kind.by_default


def choose(
    metrics: Iterable[str] | None,
    protocol: Protocol | None = None,
    *,
    dependent: bool = False,
    real: bool = False,
) -> list[MetricSpec]:
    """Load the requested metrics, `all` metrics, or the default ones.

    Args:
        metrics: names with optional hyper-parameters, or `all`; None for the protocol's choice,
            else the default metrics.
        protocol: the protocol [default: `locatello2019`].
        dependent: take the default metrics for dependent factors.
        real: add the default metrics for factors of real numbers.

    Raises:
        UsageError: an unknown metric or knob.
    """
    rules = protocol or load_protocol()
    knobs_of = {registry.metrics.true_name(name): knobs for name, knobs in rules.knobs.items()}
    for name, knobs in knobs_of.items():
        if name not in registry.metrics.entries:
            hint = suggestion(name, registry.metrics.entries)
            raise UsageError(f"protocol '{rules.name}', [knobs]: no metric '{name}'{hint}")
        MetricSpec(name, knobs)  # checks the knobs even if the metric does not run
    specs = spec_list(metrics)
    if specs is None and rules.metrics is not None:
        specs = list(rules.metrics)
    specs = None if specs is None else [true_spec(spec) for spec in specs]
    if specs is not None and "all" not in specs:
        if not specs:
            raise UsageError("the list of metrics is empty; omit it to score the default metrics")
        return [MetricSpec(s, knobs_of.get(parse_spec(s)[0], {})) for s in dict.fromkeys(specs)]
    named = [MetricSpec(s, knobs_of.get(parse_spec(s)[0], {})) for s in specs or () if s != "all"]
    selected = {metric.name: metric for metric in named}
    for name in registry.metrics.entries:
        # Skip a broken or ambiguous plugin that was not requested; `list --check` reports it.
        with suppress(DisentangleError):
            candidate = MetricSpec(name, knobs_of.get(name, {}), named=False)
            if specs is not None or is_default(candidate.kind, dependent=dependent, real=real):
                selected.setdefault(name, candidate)
    return list(selected.values())
