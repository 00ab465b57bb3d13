"""Jobs that wait for their start, the first or another: the rules that executors share."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from disentangle.errors import DisentangleError
from disentangle.runs.layout import CHECKPOINT, RECORD
from disentangle.studies.executor import Event
from disentangle.studies.jobs import Job
from disentangle.studies.process import BUSY, DONE, FINAL, USAGE

LONGEST = 60.0
"""Seconds before a training that died is started again, at most; at first it is one."""
ELSEWHERE = 5.0
"""Seconds between looks at a run that another process is at."""


def mark(job: Job) -> tuple[int, ...]:
    """Return what tells whether a run got on: when it was written, and how many scores it lacks.

    Not when its scores were written: each start writes those anew that are not to be had.
    """
    found = []
    for name in (RECORD, CHECKPOINT):
        try:
            found.append((job.path / name).stat().st_mtime_ns)
        except OSError:
            found.append(0)
    with suppress(DisentangleError):
        found.append(len(job.missing(job.run())))
    return tuple(found)


@dataclass(eq=False)
class Attempt:
    """A job that waits, or runs.

    Attributes:
        died: how often it died since it last got on.
        after: the time, of the monotonic clock, before which it is not started.
        told: whether it was said that another process is at it.
        mark: what of it is on disk, when it was started.
    """

    job: Job
    died: int = 0
    after: float = 0.0
    told: bool = False
    mark: tuple[int, ...] = ()


class Waiting:
    """The jobs that wait.

    Args:
        jobs: all of them, in the order of their start.
        retries: new starts of one that dies without getting on.
    """

    def __init__(self, jobs: Sequence[Job], retries: int) -> None:
        self.attempts = deque(Attempt(job) for job in jobs)
        self.retries = retries

    def __len__(self) -> int:
        return len(self.attempts)

    def due(self) -> Iterator[Attempt | Event]:
        """Yield what is to be started now, and what is to be said of what is not; each job once."""
        for _ in range(len(self.attempts)):
            attempt = self.attempts.popleft()
            if attempt.after > time.monotonic():
                self.attempts.append(attempt)
                continue
            try:
                busy = attempt.job.busy()
                over = not busy and attempt.job.state() in ("done", "failed")  # by another process
            except DisentangleError as error:  # damaged, or not to be written to
                yield Event(attempt.job, "failed", str(error))
                continue
            if busy:
                yield from self.elsewhere(attempt)
            elif over:
                yield finished_elsewhere(attempt.job)
            else:
                attempt.mark = mark(attempt.job)
                yield attempt

    def elsewhere(self, attempt: Attempt) -> Iterator[Event]:
        """Put a job back that another process is at; say so once."""
        attempt.after = time.monotonic() + ELSEWHERE
        self.attempts.append(attempt)
        if not attempt.told:
            attempt.told = True
            yield Event(attempt.job, "elsewhere")

    def ended(self, attempt: Attempt, code: int, why: str) -> Event:
        """Return what became of a job whose worker ended; put it back where it may go better."""
        job = attempt.job
        if code == DONE:
            return Event(job, "done")
        if code in (USAGE, FINAL):
            return Event(job, "failed", why)
        if code == BUSY:
            attempt.after, attempt.told = time.monotonic() + ELSEWHERE, True
            self.attempts.append(attempt)
            return Event(job, "elsewhere")
        attempt.died = 1 if mark(job) != attempt.mark else attempt.died + 1
        if attempt.died > self.retries:
            times = "once" if attempt.died == 1 else f"{attempt.died} times"
            return Event(job, "failed", f"{why}; it died {times} without getting on")
        attempt.after = time.monotonic() + min(LONGEST, 2.0 ** (attempt.died - 1))
        self.attempts.append(attempt)
        return Event(job, "again", why)


def finished_elsewhere(job: Job) -> Event:
    """Return what became of a job that another process did."""
    run = job.run()
    if run is not None and run.state == "failed":
        return Event(job, "failed", run.record.failed or "")
    return Event(job, "done")
