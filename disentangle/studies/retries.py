"""The queue of waiting jobs, and the rules for restarts that executors share."""

import json
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from disentangle.errors import DisentangleError
from disentangle.runs.layout import CHECKPOINT, RECORD, SCORES
from disentangle.studies.executor import Event
from disentangle.studies.jobs import Job
from disentangle.studies.process import BUSY, DONE, FINAL, OUT_OF_TIME, USAGE

LONGEST = 60.0
"""Maximum delay before a crashed training restarts, in seconds; the first delay is 1."""
ELSEWHERE = 5.0
"""Seconds between checks of a run that another process is working on."""


def progress_marker(path: Path) -> tuple[object, ...]:
    """File times of a run and the scores that it has. They change if the run made progress.

    The time of the scores is not used: every start writes unavailable scores again.
    """
    marker: list[object] = []
    for name in (RECORD, CHECKPOINT):
        try:
            marker.append((path / name).stat().st_mtime_ns)
        except OSError:
            marker.append(0)
    with suppress(OSError, ValueError, LookupError, TypeError):
        scores = json.loads((path / SCORES).read_text(encoding="utf-8"))["scores"]
        marker += [(s["name"], s["version"]) for s in scores if s["value"] is not None]
    return tuple(marker)


def delay(crashes: int) -> float:
    """The seconds before a restart, after a number of crashes without progress."""
    return min(LONGEST, 2.0 ** (crashes - 1))


@dataclass(eq=False)
class Attempt:
    """A waiting or running job.

    Attributes:
        died: number of crashes since it last made progress.
        after: earliest time of its start, by the monotonic clock.
        told: True if it was reported that another process is working on it.
        mark: its progress marker at its last start.
    """

    job: Job
    died: int = 0
    after: float = 0.0
    told: bool = False
    mark: tuple[object, ...] = ()


class Waiting:
    """The queue of waiting jobs.

    Args:
        jobs: all jobs, in the order of their start.
        retries: restarts allowed when a job crashes without progress.
    """

    def __init__(self, jobs: Sequence[Job], retries: int) -> None:
        self.attempts = deque(Attempt(job) for job in jobs)
        self.retries = retries

    def __len__(self) -> int:
        return len(self.attempts)

    def due(self) -> Iterator[Attempt | Event]:
        """Yield each attempt that can start now, and events for jobs that cannot; each job once."""
        for _ in range(len(self.attempts)):
            attempt = self.attempts.popleft()
            if attempt.job.order.late:
                yield Event(attempt.job, "stopped", "too little time is left to start")
                continue
            if attempt.after > time.monotonic():
                self.attempts.append(attempt)
                continue
            try:
                busy = attempt.job.busy()
                finished = not busy and attempt.job.state() in ("done", "failed")  # elsewhere
            except DisentangleError as error:  # damaged or not writable
                yield Event(attempt.job, "failed", str(error))
                continue
            if busy:
                yield from self.elsewhere(attempt)
            elif finished:
                yield finished_elsewhere(attempt.job)
            else:
                attempt.mark = progress_marker(attempt.job.path)
                yield attempt

    def elsewhere(self, attempt: Attempt) -> Iterator[Event]:
        """Requeue a job that another process is working on; report it once."""
        attempt.after = time.monotonic() + ELSEWHERE
        self.attempts.append(attempt)
        if not attempt.told:
            attempt.told = True
            yield Event(attempt.job, "elsewhere")

    def ended(self, attempt: Attempt, code: int, why: str) -> Event:
        """Return the event for an ended worker; requeue the job if a restart may succeed."""
        job = attempt.job
        if code == DONE:
            return Event(job, "done")
        if code == OUT_OF_TIME:
            return Event(job, "stopped", why)
        if code in (USAGE, FINAL):
            return Event(job, "failed", why)
        if code == BUSY:
            attempt.after, attempt.told = time.monotonic() + ELSEWHERE, True
            self.attempts.append(attempt)
            return Event(job, "elsewhere")
        attempt.died = 1 if progress_marker(job.path) != attempt.mark else attempt.died + 1
        if attempt.died > self.retries:
            times = "once" if attempt.died == 1 else f"{attempt.died} times"
            return Event(job, "failed", f"{why}; crashed {times} without progress")
        attempt.after = time.monotonic() + delay(attempt.died)
        self.attempts.append(attempt)
        return Event(job, "again", why)


def finished_elsewhere(job: Job) -> Event:
    """The event for a job that another process ended."""
    run = job.run()
    if run is not None and run.state == "failed":
        return Event(job, "failed", run.record.failed or "")
    return Event(job, "done")
