"""Following a training from outside, by its log: in words, and for TensorBoard."""

import time
from collections.abc import Callable
from typing import Any

from disentangle._utils.callbacks import Report
from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.run import Run, load_run

PATIENCE = 10
"""Looks at a run that nobody trains, before it is left alone: somebody may be about to begin."""


def follow(run: Run, report: Report, *, once: bool = False, poll: float = 1.0) -> Run:
    """Report each entry of a run's log, and those that come while it is trained.

    A run that was stopped and goes on has cut its log: what is new behind the cut is told again.

    Args:
        run: a run.
        report: called with each entry; see `monitor.Report`.
        once: only what is there now.
        poll: seconds between looks.

    Returns:
        The run as it is now.
    """
    steps, told, left = int(run.record.recipe["steps"]), 0, PATIENCE
    while True:
        run = load_run(run.path)  # before the log, whose last entry comes before the run's end
        entries = [entry for entry in run.log if "terms" in entry]
        told = min(told, entries[-1]["step"] if entries else 0)
        for entry in entries:
            if entry["step"] > told:
                told = entry["step"]
                report(told, steps, entry)
        if once or run.state != "unfinished":
            return run
        left = PATIENCE if may_be_trained(run) else left - 1
        if not left:
            return run
        time.sleep(poll)


def may_be_trained(run: Run) -> bool:
    """Say whether somebody trains a run; of one that is not ours to lock, nobody knows."""
    try:
        return run.busy()
    except DisentangleError:
        return True


def for_tensorboard(run: Run) -> tuple[Report, Callable[[], None]]:
    """Return a report that writes entries to the run's `tensorboard`, and what closes it.

    Raises:
        UsageError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError(
            "TensorBoard is missing; get it by: pip install 'disentangle-bench[tensorboard]'"
        ) from None
    folder = run.path / "tensorboard"
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()  # all is written again, from the log
    writer = SummaryWriter(str(folder))

    def report(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        for name, value in scalars(entry or {}).items():
            writer.add_scalar(name, value, step)

    return report, writer.close


def scalars(entry: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of a log entry, by the names that TensorBoard groups them by."""
    found = {f"terms/{name}": value for name, value in entry.get("terms", {}).items()}
    found |= {f"kl/z{d}": value for d, value in enumerate(entry.get("kl", []))}
    found |= {
        f"scores/{name}": value
        for name, value in entry.get("scores", {}).items()
        if value is not None
    }
    rest = ("active", "spread", "images_per_second")
    return found | {f"training/{name}": entry[name] for name in rest if name in entry}
