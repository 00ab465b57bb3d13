"""Follow the training of a run from another process, through its log: as text or in TensorBoard."""

import time
from collections.abc import Callable
from typing import Any

from disentangle._utils.callbacks import Report
from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.run import Run, load_run
from disentangle.runs.training_log import quantities

PATIENCE = 10
"""Number of polls of a run that is not being trained before giving up: training may soon start."""


def follow(run: Run, report: Report, *, once: bool = False, poll: float = 1.0) -> Run:
    """Report each entry of a run's log, including new ones while it is trained.

    A run that was stopped and resumed truncates its log: entries after that are reported again.

    Args:
        run: a run.
        report: called with each entry; see `monitor.Report`.
        once: True to report only the present entries.
        poll: seconds between polls.

    Returns:
        The run in its present state.
    """
    steps, reported, left = int(run.record.recipe["steps"]), 0, PATIENCE
    while True:
        run = load_run(run.path)  # before the log: its last entry is written before the run ends
        entries = [entry for entry in run.log if "terms" in entry]
        reported = min(reported, entries[-1]["step"] if entries else 0)
        for entry in entries:
            if entry["step"] > reported:
                reported = entry["step"]
                report(reported, steps, entry)
        if once or run.state != "unfinished":
            return run
        left = PATIENCE if may_be_trained(run) else left - 1
        if not left:
            return run
        time.sleep(poll)


def may_be_trained(run: Run) -> bool:
    """True if a run is being trained, or if it cannot be locked, which leaves that open."""
    try:
        return run.busy()
    except DisentangleError:
        return True


def for_tensorboard(run: Run) -> tuple[Report, Callable[[], None]]:
    """Make a report that writes entries to the run's `tensorboard` folder; return it and its close.

    Raises:
        UsageError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError(
            "TensorBoard is not installed. Run `pip install 'disentangle-bench[tensorboard]'`."
        ) from None
    folder = run.path / "tensorboard"
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()  # everything is rewritten from the log
    writer = SummaryWriter(str(folder))

    def report(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        for name, value in scalars(entry or {}).items():
            writer.add_scalar(name, value, step)

    return report, writer.close


def scalars(entry: dict[str, Any]) -> dict[str, float]:
    """The numbers of a log entry, with the names by which TensorBoard groups them."""
    values = {"loss": entry["loss"]} if "loss" in entry else {}
    values |= {f"values/{name}": value for name, value in quantities(entry).items()}
    values |= {f"weighted/{name}": value for name, value in entry.get("terms", {}).items()}
    values |= {f"kl/z{d}": value for d, value in enumerate(entry.get("kl", []))}
    values |= {
        f"scores/{name}": value
        for name, value in entry.get("scores", {}).items()
        if value is not None
    }
    rest = ("active", "spread", "images_per_second")
    return values | {f"training/{name}": entry[name] for name in rest if name in entry}
