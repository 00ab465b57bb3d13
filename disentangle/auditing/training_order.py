"""The verb `audit_run`: whether scores order the checkpoints of a training, and pass noise."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from disentangle._utils.callbacks import Progress, silent
from disentangle._utils.device import choose_device
from disentangle.contracts.metric import Direction
from disentangle.contracts.source import Source
from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.named import load_run
from disentangle.runs.records import dependence_of
from disentangle.runs.run import Run
from disentangle.scoring.controls import BaselineContext, noise
from disentangle.scoring.metric_spec import MetricSpec, choose

if TYPE_CHECKING:
    from disentangle.contracts.model import Model


@dataclass(frozen=True)
class TrainingOrder:
    """A score of the checkpoints of a training.

    Attributes:
        score: the score.
        better: its better direction.
        values: the score by step, from the untrained network, step 0, to the trained one.
        noise: the score of ten latents of noise; None if there is none.
    """

    score: str
    better: Direction
    values: Mapping[int, float]
    noise: float | None

    @property
    def correlation(self) -> float:
        """Spearman's correlation of score and step; 0 if the score never changes."""
        return rank_correlation(list(self.values), list(self.values.values()))

    @property
    def fault(self) -> str:
        """What training does not do to the score; empty if it improves it, and past noise."""
        if self.better == "neither":
            return ""
        untrained, *_, trained = self.values.values()
        sign = -1 if self.better == "less" else 1
        word = "fall" if sign < 0 else "rise"
        faults = []
        if sign * (trained - untrained) <= 0:
            faults.append(
                f"expected to {word} by training, goes from {untrained:.3f} to {trained:.3f}"
            )
        if self.noise is not None and sign * (trained - self.noise) <= 0:
            faults.append(f"expected to be better than noise, {self.noise:.3f}, got {trained:.3f}")
        return "; ".join(faults)


@dataclass(frozen=True)
class RunAudit:
    """What scores make of the checkpoints of a training.

    Attributes:
        run: the run's folder.
        orders: the scores.
        missing: score or metric -> why it has no value at some step.
    """

    run: Path
    orders: tuple[TrainingOrder, ...]
    missing: Mapping[str, str]

    @property
    def failures(self) -> list[TrainingOrder]:
        """The scores that training does not improve, or not past noise."""
        return [order for order in self.orders if order.fault]

    def as_dict(self) -> dict[str, Any]:
        """The audit as plain data."""
        orders = [
            {
                "score": order.score,
                "better": order.better,
                "values": [{"step": step, "score": v} for step, v in order.values.items()],
                "noise": order.noise,
                "correlation": order.correlation,
                "fault": order.fault,
            }
            for order in self.orders
        ]
        return {"run": str(self.run), "scores": orders, "missing": dict(self.missing)}


def audit_run(
    run: Run | str | Path,
    metrics: Iterable[str] | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = silent,
) -> RunAudit:
    """Score the untrained network, each kept checkpoint and the trained network of a run.

    A score that measures what training improves rises with the steps, and past what noise reaches.

    Args:
        run: a run that was trained with `keep="every:N"`, or its folder.
        metrics: names with optional hyper-parameters (`"mig:bins=40"`), or `"all"` [default: the
            default metrics].
        seed: seed of the metrics' sampling, and of the noise.
        device: the device that encodes images; see `train`.
        progress: called with the number of scored networks, noise included, and the total.

    Raises:
        UsageError: an unknown metric or hyper-parameter, or no checkpoint was kept.
        DisentangleError: training has not finished, or a checkpoint is damaged.
    """
    run = (run if isinstance(run, Run) else load_run(run)).check_finished()
    if not run.kept:
        raise UsageError(
            f"{run.path}: no checkpoints were kept; train with `--keep every:STEPS` (a tenth of "
            "the steps, say)"
        )
    dependent = bool(dependence_of(run.dataset.whole))
    specs, on = choose(metrics, dependent=dependent), choose_device(device)
    last = int(run.record.training["steps"].value)
    steps = [0, *(step for step in run.kept if 0 < step < last), last]
    context = BaselineContext(run.dataset, seed, on, silent, disjoint=False)
    values: dict[str, dict[int, float]] = {}
    missing: dict[str, str] = {}
    at_noise, _ = scores_of(noise(context), specs, seed)
    progress(1, len(steps) + 1)
    for done, (step, source) in enumerate(sources(run, steps, on), 2):
        scores, reasons = scores_of(source, specs, seed)
        for name, value in scores.items():
            values.setdefault(name, {})[step] = value
        missing |= reasons
        progress(done, len(steps) + 1)
    better = {name: spec.kind.better for spec in specs for name in values if of(spec, name)}
    orders = (
        TrainingOrder(name, better[name].get(name, "more"), by_step, at_noise.get(name))
        for name, by_step in values.items()
        if {0, last} <= by_step.keys()
    )
    return RunAudit(run.path, tuple(orders), missing)


def of(spec: MetricSpec, score: str) -> bool:
    """Whether a score is of a metric."""
    return score.partition("/")[0] == spec.name


def sources(run: Run, steps: list[int], device: Any) -> Iterator[tuple[int, Source[Any]]]:
    """Yield each step with the codes of its network on the dataset of the run."""
    from disentangle.scoring.encoders import FunctionSource

    for step in steps:
        model = network_at(run, step, steps[-1]).to(device)
        yield step, FunctionSource(model.encode, run.dataset, device=device)


def network_at(run: Run, step: int, last: int) -> "Model":
    """The network after a step: at first rebuilt from the seed, at last the trained one."""
    if step == 0:
        return run.build().requires_grad_(False).eval()
    return run.model if step == last else run.model_at(step)


def scores_of(
    source: Source[Any], specs: Iterable[MetricSpec], seed: int
) -> tuple[dict[str, float], dict[str, str]]:
    """The scores of some codes, and why others are missing."""
    values: dict[str, float] = {}
    missing: dict[str, str] = {}
    for spec in specs:
        try:
            result = spec.scores(source, seed)
        except DisentangleError as error:
            missing[spec.name] = str(error)
            continue
        values |= result.values
        missing |= result.unavailable
    return values, missing


def rank_correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's correlation; 0 if all values of `x` or of `y` are equal."""
    ranks = np.stack([rankdata(x), rankdata(y)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1)
    return float(ranks[0] @ ranks[1] / length.prod()) if length.all() else 0.0
