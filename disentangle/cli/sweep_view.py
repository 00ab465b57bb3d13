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
from disentangle._utils.text import WARNING, duration
from disentangle.runs.collapse import collapsing
from disentangle.runs.log_tail import LOG, last_entry
from disentangle.studies.estimate import Estimate
from disentangle.studies.executor import Event
from disentangle.studies.jobs import Job, JobState
from disentangle.studies.progress import LOOK, RunsProgress, phase, remaining

EVERY = 30.0
"""Seconds between progress lines, without a terminal."""


class View(RunsProgress):
    """The progress of several runs, shown in a terminal or as lines of text."""

    live: Live | None = None

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

    def take(self, event: Event) -> None:
        """Record an event and print it."""
        job, kind = event.job, event.kind
        unstarted = kind == "stopped" and job not in self.running
        super().take(event)
        if unstarted:
            return
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
        if kind == "done" and has_collapsed(job):
            say(f"{WARNING}{job.name}: {text}, but collapsed; its log has advice: {job.log}")
        elif self.live is None or kind in ("again", "failed"):
            say(f"{job.name}: {text}")

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
    """The table cells of a run: step or phase, images/s, loss, active latents, time left."""
    if entry is None:
        return [phase(job, entry), "", "", "", ""]
    if entry["step"] >= job.record.recipe["steps"]:
        return [phase(job, entry), "", loss(entry), str(entry["active"]), ""]
    return [
        phase(job, entry),
        f"{entry['images_per_second']:,.0f}",
        loss(entry),
        str(entry["active"]),
        duration(remaining(job, entry)),
    ]


def has_collapsed(job: Job) -> bool:
    """True if the end of a job's log says that its run collapsed, and did not just begin."""
    entry = last_entry(job.path / LOG)
    return entry is not None and collapsing(entry, job.record.recipe["steps"])


def loss(entry: Mapping[str, Any]) -> str:
    """The loss at a log entry; empty in a log of version 0.1, which does not hold it."""
    return f"{entry['loss']:.1f}" if "loss" in entry else ""
