"""Progress of several runs: how many are done, where each of the others is, and the time left."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from disentangle._utils.callbacks import Say, silent
from disentangle._utils.notebook import NotebookLine, in_notebook
from disentangle._utils.text import duration
from disentangle._utils.time_limit import Deadline
from disentangle.runs.collapse import collapsing
from disentangle.runs.log_tail import last_entry
from disentangle.studies.configurations import unfinished_jobs
from disentangle.studies.estimate import Estimate
from disentangle.studies.executor import Event, Executor, width_of
from disentangle.studies.jobs import Job, JobState, Planned

Watch: TypeAlias = Callable[[Event | None], None]
"""Called with each event, and regularly with None."""
LOOK = 1.0
"""Seconds between readings of the runs' logs."""


class RunsProgress:
    """The progress of the runs of a study.

    Attributes:
        left: waiting or running job -> estimated seconds that it needs.
        width: number of jobs at a time.
        total: number of runs of the study.
        done: number of runs that are done.
        failed: number of runs that failed.
        deadline: when the work must have ended; it is shown in place of the estimated time.
    """

    def __init__(
        self,
        name: str,
        left: Mapping[Job, float],
        width: int,
        total: int,
        done: int,
        deadline: Deadline | None = None,
    ) -> None:
        self.deadline = deadline
        self.name, self.left, self.width, self.total = name, dict(left), max(1, width), total
        self.done, self.failed = done, total - done - len(left)
        self.running: dict[Job, dict[str, Any] | None] = {}
        self.queued: set[Job] = set()
        self.looked = time.monotonic()

    def read_logs(self) -> None:
        """Read the last entry of the log of each running job."""
        self.looked = time.monotonic()
        self.running = {job: last_entry(job.path / "log.jsonl") for job in self.running}

    def take(self, event: Event) -> None:
        """Record an event."""
        job, kind = event.job, event.kind
        self.queued.discard(job)
        if kind == "queued":
            self.queued.add(job)
        if kind == "started":
            self.running[job] = None
        else:
            self.running.pop(job, None)
        if kind in ("done", "failed"):
            self.left.pop(job, None)
            self.done += kind == "done"
            self.failed += kind == "failed"

    def seconds(self) -> float:
        """Estimate the seconds left."""
        job_seconds = []
        for job, seconds in self.left.items():
            entry = self.running.get(job)
            job_seconds.append(remaining(job, entry) if entry else seconds)
        return max(max(job_seconds, default=0.0), sum(job_seconds) / self.width)

    def time_left(self) -> str:
        """The estimated time left, or that of the time limit."""
        if self.deadline is not None:
            return f"{duration(max(0.0, self.deadline.left))} left of the time limit"
        return f"about {duration(self.seconds())} left"

    def line(self) -> str:
        """Format the progress as one line."""
        head = f"{self.name}: {self.done} of {self.total} done{self.others()}"
        if not self.left:
            return head
        running = "; ".join(f"{job.name}: {phase(job, e)}" for job, e in self.running.items())
        return f"{head}, {self.time_left()}. Running: {running or 'none'}"

    def others(self) -> str:
        """The numbers of failed and queued runs, if any."""
        counts = {"failed": self.failed, "queued": len(self.queued)}
        return "".join(f", {count} {word}" for word, count in counts.items() if count)


def notebook_watch(
    planned: Planned,
    states: dict[Job, JobState],
    executor: Executor,
    device: str,
    say: Say,
    deadline: Deadline | None = None,
) -> Watch:
    """A callback for events that updates a line in a notebook; elsewhere one that does nothing."""
    left = unfinished_jobs(states)
    if not left or not in_notebook():
        return silent
    width = width_of(executor, device, left)
    seconds = dict.fromkeys(left, 0.0)
    if deadline is None:  # a trial takes time
        estimate = Estimate(planned, executor, device, say)
        seconds = {job: estimate.seconds(job, states[job]) for job in left}
    done, line = list(states.values()).count("done"), NotebookLine()
    progress = RunsProgress(planned.name, seconds, width, len(states), done, deadline)

    def see(event: Event | None) -> None:
        if event is not None:
            progress.take(event)
        elif time.monotonic() - progress.looked >= LOOK:
            progress.read_logs()
        line.show(progress.line(), last=not progress.left)

    return see


def phase(job: Job, entry: Mapping[str, Any] | None) -> str:
    """The current step of a run, or its phase."""
    if entry is None:
        return "starting"
    steps = job.record.recipe["steps"]
    if entry["step"] >= steps:
        return "scoring" if job.order.asked else "finishing"
    return f"{entry['step']:,} of {steps:,}{', collapsed' if collapsing(entry, steps) else ''}"


def remaining(job: Job, entry: Mapping[str, Any]) -> float:
    """Estimate a run's remaining seconds of training from its speed so far."""
    left: float = entry["seconds"] / entry["step"] * (job.record.recipe["steps"] - entry["step"])
    return left
