"""Training diagnostics: active latents, the KL of each, and a check for NaN and infinity."""

import math
import time
from typing import Any

import torch
from torch import Tensor

from disentangle._utils.callbacks import Report, Say
from disentangle._utils.text import WARNING, duration
from disentangle.contracts import entry_points
from disentangle.contracts.model import ACTIVE, Model, Posterior
from disentangle.errors import TrainingFailed
from disentangle.runs.collapse import PATIENCE
from disentangle.runs.run import Run

SLOW = 3
"""Number of steps after the start of a training that are slower than others."""
TIMED = 5.0
"""Seconds of training from which its time is predicted."""
LONG = 1_800.0
"""Seconds of training that are announced."""
SHORT = 600.0
"""Seconds of a shorter training that is suggested."""


def check_finite(history: dict[str, Tensor], done: int, every: int, model: Model, run: Run) -> None:
    """Raise `TrainingFailed` if a term since the last log entry, or a weight, is not finite."""
    steps = (done - 1) % every + 1
    bad = [
        (int(torch.nonzero(~values[:steps].isfinite())[0]), name)
        for name, values in history.items()
        if not values[:steps].isfinite().all()
    ]
    if bad:
        first, name = min(bad)
        reason = f"'{name}' is not finite at step {done - steps + first + 1}"
    elif not all(p.isfinite().all() for p in model.parameters()):
        reason = f"a weight is not finite after step {done}"
    else:
        return
    kept = (
        "its last good checkpoint is kept"
        if run.checkpoint_path.exists()
        else "there is no checkpoint yet"
    )
    raise TrainingFailed(
        f"{run.path}: training of {entry_points.who('model', run.record.model)} stopped: {reason} "
        f"({kept}); try a smaller --lr, or smaller weights of the terms"
    )


def measure(model: Model, images: Tensor) -> dict[str, Any]:
    """The number of active latents, the largest variance of the means, and each latent's KL."""
    model.eval()
    with torch.no_grad():
        code = model.encode(images)
    model.train()
    means = code.mean.float()
    spread = means.var(0) if len(means) > 1 else torch.zeros_like(means[0])
    largest = float(f"{float(spread.nan_to_num().max()):.3g}")
    values: dict[str, Any] = {"active": int((spread > ACTIVE).sum()), "spread": largest}
    if isinstance(code, Posterior):
        values["kl"] = [round(float(kl), 5) for kl in code.kl().mean(0)]
    return values


def announcing(report: Report, say: Say, device: torch.device) -> Report:
    """Wrap a report so that it says after the first seconds if training will take long.

    Args:
        report: called after each step.
        say: called with the expected time, and with what shortens it.
        device: the device that trains.
    """
    seen = 0
    began: tuple[int, float] | None = None  # the step after which time is taken, and when that was

    def announced(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        nonlocal seen, began
        report(step, steps, entry)
        now = time.perf_counter()
        seen += 1
        if seen == SLOW:
            began = step, now
        elif began is not None and seen >= 2 * SLOW and now - began[1] >= TIMED:
            each = (now - began[1]) / (step - began[0])
            began = None
            if each * (steps - step) >= LONG:
                say(expected(each, step, steps, device))

    return announced


def expected(each: float, step: int, steps: int, device: torch.device) -> str:
    """The time left after a step if each takes some seconds, and what shortens it."""
    few = max(1, int(float(f"{SHORT / each:.0e}")))  # one digit that is not 0
    faster = "; a GPU is faster" if device.type == "cpu" else ""
    return (
        f"{steps:,} steps: about {duration(each * (steps - step))} left here. "
        f"`--steps {few}` takes about {duration(SHORT)}{faster}."
    )


def watching(report: Report, say: Say, advice: str) -> Report:
    """Wrap a report so that it warns once if the latents have collapsed.

    They count as collapsed if none is active after 1,000 steps and a tenth of all steps. If the
    collapsed state is unstable, the variance of a latent's means grows by a constant factor per
    step, so the warning says whether it grows.

    Args:
        report: called after each step.
        say: called with the warning.
        advice: advice that is added to the warning.
    """
    warned = False
    before: dict[str, Any] | None = None

    def watched(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        nonlocal warned, before
        late = step >= max(PATIENCE, steps // 10)
        if entry is not None and not entry["active"] and late and not warned:
            warned = True
            warning = f"{WARNING}no latent is active after {step} steps"
            say(f"{warning}{growth(before, entry)}; {advice}")
        before = entry or before
        report(step, steps, entry)

    return watched


def growth(before: dict[str, Any] | None, entry: dict[str, Any]) -> str:
    """Describe how the variance of the means changed from one log entry to the next."""
    if entry["spread"] == 0:
        return (
            ", and the means are the same for all images (if the ReLUs are dead, training does not "
            "recover)"
        )
    if before is None:
        return ""
    steps = entry["step"] - before["step"]
    times = entry["spread"] / before["spread"] if before["spread"] else 0.0
    if math.log(max(times, 1e-30)) < math.log(1.2) * steps / 100:
        return ", and the variance of the means does not grow"
    return (
        f", but the variance of the means grew by a factor of {times:.2g} in {steps} steps, so the "
        "model may recover"
    )
