"""Progress of several runs: a live table of running jobs in a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from disentangle._utils.columns import aligned
from disentangle._utils.console import console, manner, say
from disentangle._utils.text import duration
from disentangle._utils.time_limit import Deadline
from disentangle.runs.log_tail import last_entry
from disentangle.studies.estimate import Estimate
from disentangle.studies.executor import Event
from disentangle.studies.jobs import Job, JobState

EVERY = 30.0
"""Seconds between progress lines, without a terminal."""
LOOK = 1.0
"""Seconds between readings of the runs' logs, in a terminal."""


class View:
    """The state of a running study.

    Attributes:
        left: waiting or running job -> estimated seconds that it needs.
        width: number of jobs at a time.
        total: number of runs of the study.
        done: number of runs that are done.
        failed: number of runs that failed.
        deadline: when the command must have ended; it is shown in place of the estimated time.
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
        self.live: Live | None = None

    def see(self, event: Event | None) -> None:
        """Process an event, or None, and update the display."""
        if event is not None:
            self.take(event)
        elif time.monotonic() - self.looked >= (LOOK if self.live else EVERY):
            self.read_logs()
            if self.live is None:
                say(self.line())
        if self.live is not None:
            self.live.update(self.table())

    def read_logs(self) -> None:
        """Read the last entry of the log of each running job."""
        self.looked = time.monotonic()
        self.running = {job: last_entry(job.path / "log.jsonl") for job in self.running}

    def take(self, event: Event) -> None:
        """Record an event and print it."""
        job, kind = event.job, event.kind
        self.queued.discard(job)
        if kind == "queued":
            self.queued.add(job)
        if kind == "stopped" and job not in self.running:
            return  # it was not started
        if kind == "started":
            self.running[job] = None
        else:
            self.running.pop(job, None)
        if kind in ("done", "failed"):
            self.left.pop(job, None)
            self.done += kind == "done"
            self.failed += kind == "failed"
        where = f" ({event.why})" if event.why else ""
        text = {
            "queued": f"queued{where}",
            "started": f"started{where}",
            "done": f"done ({self.done} of {self.total})",
            "stopped": "stopped at the time limit",
            "again": f"crashed, will be restarted: {event.why}",
            "elsewhere": "waiting: another process is working on it",
            "failed": f"FAILED: {event.why} (log: {job.log})",
        }[kind]
        if self.live is None or kind in ("again", "failed"):
            say(f"{job.name}: {text}")

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
        running = "; ".join(f"{job.name}: {progress(job, e)}" for job, e in self.running.items())
        return (
            f"{self.name}: {self.done} of {self.total} done{self.others()}, "
            f"{self.time_left()}. Running: {running or 'none'}"
        )

    def others(self) -> str:
        """The numbers of failed and queued runs, if any."""
        counts = {"failed": self.failed, "queued": len(self.queued)}
        return "".join(f", {count} {word}" for word, count in counts.items() if count)

    def table(self) -> Group:
        """Format the progress as a table of the running jobs."""
        rows = [["run", "step", "images/s", "loss", "active", "left"]]
        rows += [[job.name, *cells(job, entry)] for job, entry in self.running.items()]
        lines = aligned(rows, console.width, numbers=5)
        others = self.others().replace(f"{self.failed} failed", f"[red]{self.failed} failed[/red]")
        head = (
            f"[bold]{self.name}[/bold]: {self.done} of {self.total} done{others}, "
            f"{len(self.running)} running, {self.time_left()}"
        )
        return Group(Text.from_markup(head), Text("\n".join(lines)))


@contextmanager
def showing(view: View) -> Iterator[View]:
    """Show a view live, if there is a terminal and `--quiet` was not given."""
    if not console.is_terminal or manner.quiet:
        yield view
        return
    with Live(view.table(), console=console, refresh_per_second=4, transient=True) as live:
        view.live = live
        yield view
    view.live = None


def estimate_line(estimate: Estimate, states: dict[Job, JobState]) -> str:
    """Say how long the remaining runs take."""
    left = sum(state not in ("done", "failed") for state in states.values())
    width = min(estimate.width, left)
    how = f"{width} runs at a time" if width > 1 else "one run at a time"
    bound, source = "about", "the runs so far"
    if estimate.measured:
        bound, source = "at most", "a short trial"
    time_left = duration(estimate.all(states))
    return f"estimated time left: {bound} {time_left} with {how} (from {source})"


def cells(job: Job, entry: Mapping[str, Any] | None) -> list[str]:
    """The table cells of a run: step, images/s, loss, active latents, time left."""
    if entry is None:
        return ["starting", "", "", "", ""]
    if entry["step"] >= job.record.recipe["steps"]:
        phase = "scoring" if job.order.asked else "finishing"
        return [phase, "", loss(entry), str(entry["active"]), ""]
    return [
        f"{entry['step']:,} of {job.record.recipe['steps']:,}",
        f"{entry['images_per_second']:,.0f}",
        loss(entry),
        str(entry["active"]),
        duration(remaining(job, entry)),
    ]


def loss(entry: Mapping[str, Any]) -> str:
    """The loss at a log entry; empty in a log of version 0.1, which does not hold it."""
    return f"{entry['loss']:.1f}" if "loss" in entry else ""


def progress(job: Job, entry: Mapping[str, Any] | None) -> str:
    """The current step of a run, or its phase."""
    return " ".join(filter(None, cells(job, entry)[:1]))


def remaining(job: Job, entry: Mapping[str, Any]) -> float:
    """Estimate a run's remaining seconds of training from its speed so far."""
    left: float = entry["seconds"] / entry["step"] * (job.record.recipe["steps"] - entry["step"])
    return left
