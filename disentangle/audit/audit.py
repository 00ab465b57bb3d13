"""The verb `audit`: what metrics make of codes with a known answer."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.device import cores
from disentangle.audit.cases import CASES
from disentangle.audit.expectations import EXPECTATIONS
from disentangle.audit.measuring import Measurement, measure_all, tasks_of
from disentangle.audit.reliability import Reliability, reliability_of
from disentangle.audit.verdicts import Cell, Judge, Values
from disentangle.contracts import registry
from disentangle.contracts.dataset import Labelled
from disentangle.contracts.metric import PROPERTIES, Metric, Property
from disentangle.errors import UsageError, suggestion
from disentangle.scoring.metric_spec import MetricSpec

SEEDS = 3
"""Default number of seeds of a metric's sampling."""


@dataclass(frozen=True)
class Audit:
    """What scores make of codes with a known answer.

    Attributes:
        claims: score -> the properties that it claims to measure.
        cases: the cases, in order.
        cells: the verdict by score and case.
        reliability: how reliable each score is.
        seeds: the seeds of sampling.
        skipped: metric -> why it was not audited.
    """

    claims: Mapping[str, tuple[Property, ...]]
    cases: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    reliability: Mapping[str, Reliability]
    seeds: tuple[int, ...]
    skipped: Mapping[str, str]

    @property
    def failures(self) -> list[Cell]:
        """The cells in which an expectation does not hold."""
        return [cell for cell in self.cells.values() if cell.verdict == "fails"]


def audit(
    metrics: Iterable[str] | None = None,
    *,
    cases: Iterable[str] | None = None,
    quick: bool = False,
    seeds: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    progress: Progress = silent,
) -> Audit:
    """Find out what metrics see, from codes with a known answer.

    Args:
        metrics: names of metrics, with hyper-parameters if wished (`mig:bins=40`) [default: all
            that need labels].
        cases: the cases [default: all; of a quick audit, those that take little time].
        quick: True for one seed and the cases that take little time.
        seeds: the number of seeds of each metric's sampling [default: 3; of a quick audit, 1].
        seed: the seed of factors and codes, and the first one of the metrics.
        jobs: the number of processes [default: the number of cores].
        progress: called with the number of computed scores and the total.

    Raises:
        UsageError: an unknown metric, hyper-parameter or case.
    """
    specs, skipped = chosen_metrics(metrics)
    names = chosen_cases(cases, quick)
    every = tuple(range(seed, seed + (seeds or (1 if quick else SEEDS))))
    tasks = tasks_of(specs, with_scale(names), every, seed)
    measurements = measure_all(tasks, jobs or cores(), progress)
    return judged(measurements, names, every, skipped)


def judged(
    measurements: Sequence[Measurement],
    cases: Sequence[str],
    seeds: tuple[int, ...],
    skipped: Mapping[str, str],
) -> Audit:
    """Judge the scores of an audit."""
    values: dict[str, dict[str, dict[float, list[float]]]] = {}
    reasons: dict[str, dict[str, str]] = {}
    seconds: dict[str, list[float]] = {}
    metric_of: dict[str, str] = {}
    for one in measurements:
        if one.value is None:
            reasons.setdefault(one.score, {})[one.task.case] = one.reason
            continue
        metric_of[one.score] = one.task.metric
        by_amount = values.setdefault(one.score, {}).setdefault(one.task.case, {})
        by_amount.setdefault(one.task.amount, []).append(one.value)
        seconds.setdefault(one.score, []).append(one.seconds)
    claims = {score: claims_of(MetricSpec(metric_of[score]).kind, score) for score in values}
    cells: dict[tuple[str, str], Cell] = {}
    for score, by_case in values.items():
        of_metric = reasons.get(MetricSpec(metric_of[score]).name, {})
        judge = Judge(score, claims[score], by_case, {**of_metric, **reasons.get(score, {})})
        cells |= {(score, case): judge.cell(case) for case in cases}
    reliability: dict[str, Reliability] = {}
    for score, by_case in values.items():
        shown: dict[str, Values] = {case: by_case[case] for case in cases if case in by_case}
        reliability[score] = reliability_of(score, shown, statistics.median(seconds[score]))
    return Audit(claims, tuple(cases), cells, reliability, seeds, skipped)


def claims_of(kind: type[Metric[Any]], score: str) -> tuple[Property, ...]:
    """The properties that a score claims to measure; see `Metric.claims`."""
    if score in kind.claims:
        return kind.claims[score]
    if not issubclass(kind.needs, Labelled) or kind.better.get(score, "more") != "more":
        return ()
    named = [each for each in PROPERTIES if score.endswith(f"/{each}")]
    return tuple(named) or ("disentanglement",)


def chosen_metrics(metrics: Iterable[str] | None) -> tuple[list[str], dict[str, str]]:
    """The metrics to audit, and why others of the registry are left out."""
    specs = list(dict.fromkeys(metrics)) if metrics is not None else list(registry.metrics.entries)
    kept, skipped = [], {}
    for spec in specs:
        kind = MetricSpec(spec).kind
        if issubclass(kind.needs, Labelled):
            kept.append(spec)
        else:
            skipped[spec] = "it does not compare codes with factors"
    if not kept:
        raise UsageError(
            f"nothing to audit: {', '.join(skipped)} do not compare codes with factors"
        )
    return kept, skipped


def chosen_cases(cases: Iterable[str] | None, quick: bool) -> list[str]:
    """The cases to audit, in the order of the table."""
    if cases is None:
        return [name for name, case in CASES.items() if case.quick or not quick]
    named = list(cases)
    for name in named:
        if name not in CASES:
            raise UsageError(f"there is no case '{name}'{suggestion(name, CASES)}")
    return [name for name in CASES if name in named]


def with_scale(cases: Sequence[str]) -> list[str]:
    """The cases, with those whose scores are their scale, in the order of the table."""
    others = {e.other for e in EXPECTATIONS if e.case in cases}
    return [name for name in CASES if name in {*cases, "noise", "oracle", *others}]
