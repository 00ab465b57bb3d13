"""The values of metrics on the cases of an audit, computed in parallel."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.seeds import numpy_rng
from disentangle.auditing.cases import CASES, Factors
from disentangle.errors import DisentangleError, MetricFailed
from disentangle.scoring.controls import TableSource
from disentangle.scoring.metric_spec import MetricSpec


@dataclass(frozen=True)
class Task:
    """A metric to compute on the codes of a case.

    Attributes:
        metric: the metric, with hyper-parameters if there are any.
        case: the name of the case.
        amount: the value of the case's parameter.
        seed: the seed of the metric's sampling. The codes are the same for all seeds.
        codes_seed: the seed of factors and codes.
    """

    metric: str
    case: str
    amount: float
    seed: int
    codes_seed: int = 0


@dataclass(frozen=True)
class Measurement:
    """A score of a task, or the reason why there is none.

    Attributes:
        task: the task.
        score: the name of the score, with the metric's hyper-parameters if any were given; the
            metric, if all of its scores are missing.
        value: the score; None if it is missing.
        reason: why it is missing.
        seconds: the duration of the computation of all scores of the metric.
        failed: True if the metric raised an exception or returned something invalid.
    """

    task: Task
    score: str
    value: float | None
    reason: str
    seconds: float
    failed: bool = False


def measure(task: Task) -> list[Measurement]:
    """Compute a metric's scores on the codes of a case."""
    case = CASES[task.case]
    data = case.factors(numpy_rng(task.codes_seed, "audit factors"), task.amount)
    rng = numpy_rng(task.codes_seed, "audit codes")
    codes = case.codes(Factors.of(data), rng, task.amount)
    source = TableSource(data, codes, case.disjoint)
    began, failed = time.perf_counter(), False
    values: dict[str, float | None] = {}
    try:
        with threadpool_limits(1), np.errstate(all="ignore"):
            result = MetricSpec(task.metric).scores(source, task.seed)
        values, reasons = {**result.values}, result.unavailable
    except DisentangleError as error:
        failed, reasons = isinstance(error, MetricFailed), {task.metric: str(error)}
    seconds = time.perf_counter() - began
    values |= dict.fromkeys(reasons)
    return [
        Measurement(
            task, labelled(score, task.metric), value, reasons.get(score, ""), seconds, failed
        )
        for score, value in values.items()
    ]


def labelled(score: str, metric: str) -> str:
    """The name of a score with the hyper-parameters that were given: `mig:bins=40`."""
    _, colon, knobs = metric.partition(":")
    return score if score == metric else score + colon + knobs


def measure_all(tasks: Sequence[Task], jobs: int, progress: Progress = silent) -> list[Measurement]:
    """Compute all tasks, in their order; with several jobs, in processes of their own."""
    results: dict[int, list[Measurement]] = {}
    for number, measurements in computed(tasks, jobs):
        results[number] = measurements
        progress(len(results), len(tasks))
    return [one for number in range(len(tasks)) for one in results[number]]


def computed(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[int, list[Measurement]]]:
    """Yield each task's number and measurements as they come."""
    if jobs == 1:
        yield from ((number, measure(task)) for number, task in enumerate(tasks))
        return
    # Not `concurrent.futures`, whose processes run a script that calls `audit` a second time.
    from joblib.externals.loky import ProcessPoolExecutor, as_completed

    pool = ProcessPoolExecutor(jobs)
    try:
        futures = {pool.submit(measure, task): number for number, task in enumerate(tasks)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=False, kill_workers=True)


def tasks_of(
    metrics: Mapping[str, Sequence[int]], cases: Collection[str], codes_seed: int
) -> list[Task]:
    """The tasks of an audit: each metric on each case, amount and seed of the metric."""
    return [
        Task(metric, case, amount, seed, codes_seed)
        for metric, seeds in metrics.items()
        for case in cases
        for amount in CASES[case].amounts
        for seed in seeds
    ]
