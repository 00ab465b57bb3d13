"""Follow the training of a run from another process, through its log."""

import time

from disentangle._utils.callbacks import Report
from disentangle.errors import DisentangleError
from disentangle.runs.run import Run, read_run

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
        run = read_run(run.path)  # before the log: its last entry is written before the run ends
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
