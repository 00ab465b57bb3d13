"""The verb `audit`: what metrics make of codes with a known answer."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.device import cores
from disentangle.auditing.cases import CASES
from disentangle.auditing.expectations import EXPECTATIONS
from disentangle.auditing.measuring import Measurement, measure_all, tasks_of
from disentangle.auditing.reliability import Reliability, reliability_of
from disentangle.auditing.tables import Audit
from disentangle.auditing.verdicts import Cell, Judge, Values
from disentangle.contracts import registry
from disentangle.contracts.dataset import Labelled
from disentangle.contracts.metric import PROPERTIES, Metric, Property
from disentangle.errors import DisentangleError, UsageError, suggestion, true_name
from disentangle.scoring.metric_spec import MetricSpec, spec_list, true_spec

SEEDS = 3
"""Default number of seeds of a metric's sampling."""
SLOW = 2.0
"""Seconds of a score above which a metric is audited with one seed by default, and is not a part of
a quick audit unless it is named."""
SLOWEST = 60.0
"""Seconds of a score above which a metric is audited only if it is named."""


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
            that need labels, but those that take minutes; of a quick audit, those that take little
            time].
        cases: the cases [default: all; of a quick audit, those that take little time].
        quick: True for one seed and the cases that take little time.
        seeds: the number of seeds of each metric's sampling [default: 3; of slow metrics and of a
            quick audit, 1].
        seed: the seed of factors and codes, and the first one of the metrics.
        jobs: the number of processes [default: the number of cores].
        progress: called with the number of computed scores and the total.

    Raises:
        UsageError: an unknown metric, hyper-parameter or case.
    """
    specs, skipped = chosen_metrics(metrics, quick)
    names = chosen_cases(cases, quick)
    every = tuple(range(seed, seed + (seeds or (1 if quick else SEEDS))))
    seeds_of = {
        spec: every[:1] if seeds is None and kind.seconds > SLOW else every
        for spec, kind in specs.items()
    }
    tasks = tasks_of(seeds_of, with_scale(names), seed)
    measurements = measure_all(tasks, jobs or cores(), progress)
    return judged(measurements, names, every, skipped)


def judged(
    measurements: Sequence[Measurement],
    cases: Sequence[str],
    seeds: tuple[int, ...],
    skipped: Mapping[str, str],
) -> Audit:
    """Judge the scores of an audit. A metric without any score is skipped, with its reason."""
    claims: dict[str, tuple[Property, ...]] = {}
    cells: dict[tuple[str, str], Cell] = {}
    reliability: dict[str, Reliability] = {}
    skipped = dict(skipped)
    for metric, own in by_metric(measurements).items():
        scores = list(dict.fromkeys(one.score for one in own if one.value is not None))
        if not scores:
            skipped[metric] = own[0].reason
        for score in scores:
            values = values_of(own, score)
            missing = [one for one in own if one.value is None and one.score in (score, metric)]
            kind = MetricSpec(metric).kind
            claims[score] = claims_of(kind, score.partition(":")[0])
            judge = Judge(
                score,
                claims[score],
                values,
                {one.task.case: one.reason for one in missing},
                {one.task.case: one.reason for one in missing if one.failed},
                kind.limitations,
            )
            cells |= {(score, case): judge.cell(case) for case in cases}
            seconds = statistics.median(one.seconds for one in own if one.score == score)
            shown = {case: values[case] for case in cases if case in values}
            reliability[score] = reliability_of(score, shown, seconds)
    return Audit(claims, tuple(cases), cells, reliability, seeds, skipped)


def by_metric(measurements: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """The measurements of each metric."""
    groups: dict[str, list[Measurement]] = {}
    for one in measurements:
        groups.setdefault(one.task.metric, []).append(one)
    return groups


def values_of(measurements: Sequence[Measurement], score: str) -> dict[str, Values]:
    """The values of a score by case, amount and seed."""
    values: dict[str, dict[float, list[float]]] = {}
    for one in measurements:
        if one.score == score and one.value is not None:
            by_amount = values.setdefault(one.task.case, {})
            by_amount.setdefault(one.task.amount, []).append(one.value)
    return {**values}


def claims_of(kind: type[Metric[Any]], score: str) -> tuple[Property, ...]:
    """The properties that a score claims to measure; see `Metric.claims`."""
    if kind.claims:
        return kind.claims.get(score, ())
    if not issubclass(kind.needs, Labelled) or kind.better.get(score, "more") != "more":
        return ()
    named = [each for each in PROPERTIES if score.endswith(f"/{each}")]
    return tuple(named) or ("disentanglement",)


def chosen_metrics(
    metrics: Iterable[str] | None, quick: bool
) -> tuple[dict[str, type[Metric[Any]]], dict[str, str]]:
    """The metrics to audit with their classes, and why others are left out."""
    named = metrics is not None
    longest = SLOW if quick else SLOWEST
    kept: dict[str, type[Metric[Any]]] = {}
    skipped: dict[str, str] = {}
    specs = spec_list(metrics)
    for spec in map(true_spec, registry.metrics.entries if specs is None else specs):
        try:
            kind = MetricSpec(spec).kind
        except DisentangleError as error:
            if named:
                raise
            skipped[spec] = str(error)
            continue
        if not issubclass(kind.needs, Labelled):
            skipped[spec] = "it does not compare codes with factors"
        elif not named and kind.seconds > longest:
            skipped[spec] = f"each score takes about {kind.seconds:g} s; name it to audit it"
        else:
            kept[spec] = kind
    if not kept:
        why = "; ".join(f"{spec}: {reason}" for spec, reason in skipped.items())
        raise UsageError(f"nothing to audit: {why or 'the list of metrics is empty'}")
    return kept, skipped


def chosen_cases(cases: Iterable[str] | None, quick: bool) -> list[str]:
    """The cases to audit, in the order of the table."""
    if cases is None:
        return [name for name, case in CASES.items() if case.quick or not quick]
    named = [true_name(name, CASES) for name in cases]
    for name in named:
        if name not in CASES:
            raise UsageError(f"there is no case '{name}'{suggestion(name, CASES)}")
    return [name for name in CASES if name in named]


def with_scale(cases: Sequence[str]) -> list[str]:
    """The cases, with those whose scores are their scale, in the order of the table."""
    others = {e.other for e in EXPECTATIONS if e.case in cases}
    return [name for name in CASES if name in {*cases, "noise", "oracle", *others}]
