"""What is watched while a model trains: its terms, its latents, and whether all is finite."""

import math
from typing import Any

import torch
from torch import Tensor

from disentangle._utils.callbacks import Report, Say
from disentangle.contracts import entry_points
from disentangle.contracts.model import ACTIVE, Model, Posterior
from disentangle.errors import TrainingFailed
from disentangle.runs.run import Run

PATIENCE = 1_000
"""Steps that training gets before it is warned of."""


def averages(
    history: dict[str, Tensor], names: list[str], done: int, every: int
) -> dict[str, float]:
    """Return the mean of each term over the steps since the last multiple of `every`."""
    steps = (done - 1) % every + 1
    return {name: float(history[name][:steps].mean()) for name in names}


def check_finite(history: dict[str, Tensor], done: int, every: int, model: Model, run: Run) -> None:
    """Raise when a term since the last log entry, or a weight, is not finite; name the first."""
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
        else "no checkpoint is there yet"
    )
    raise TrainingFailed(
        f"{run.path}: training of {entry_points.who('model', run.record.model)} stopped: {reason} "
        f"({kept}); try a smaller --lr, or smaller weights"
    )


def measure(model: Model, images: Tensor) -> dict[str, Any]:
    """Return the number of active latents, the largest variance of means, and the KL of each."""
    model.eval()
    with torch.no_grad():
        code = model.encode(images)
    model.train()
    spread = code.mean.float().var(0)
    largest = float(f"{float(spread.nan_to_num().max()):.3g}")
    found: dict[str, Any] = {"active": int((spread > ACTIVE).sum()), "spread": largest}
    if isinstance(code, Posterior):
        found["kl"] = [round(float(kl), 5) for kl in code.kl().mean(0)]
    return found


def watching(report: Report, say: Say, advice: str) -> Report:
    """Return a report that also warns, once, when the latents are found collapsed.

    They are when none is active once training is well on its way: after 1,000 steps and a tenth of
    all of them. Where collapse is unstable the variance of a latent's means grows by a constant
    factor a step, so the warning says whether it grows.

    Args:
        report: what is called after each step.
        say: tells the user.
        advice: what may help.
    """
    warned = False
    before: dict[str, Any] | None = None

    def watched(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        nonlocal warned, before
        late = step >= max(PATIENCE, steps // 10)
        if entry is not None and not entry["active"] and late and not warned:
            warned = True
            told = f"WARNING: no latent tells images apart after {step} steps"
            say(f"{told}{growth(before, entry)}; {advice}")
        before = entry or before
        report(step, steps, entry)

    return watched


def growth(before: dict[str, Any] | None, entry: dict[str, Any]) -> str:
    """Return in words whether the means spread from one log entry to the next."""
    if entry["spread"] == 0:
        return ", not even a little: so do dead ReLUs, and no training brings them back"
    if before is None:
        return ""
    steps = entry["step"] - before["step"]
    times = entry["spread"] / before["spread"] if before["spread"] else 0.0
    if math.log(max(times, 1e-30)) < math.log(1.2) * steps / 100:
        return ", and their means do not spread"
    return f", but the variance of means grew {times:.2g} times in {steps} steps: wait and see"
