"""The task of a Slurm job: run a worker, and requeue before the time limit.

submitit calls the task on a node, on a warning signal its `checkpoint`, and then requeues the job.
"""

import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from disentangle.studies import (
    BUSY,
    DONE,
    FINAL,
    THREADS,
    USAGE,
    Job,
    attend,
    delay,
    progress_marker,
)


class Stopped(BaseException):
    """A signal to stop arrived; its number is the argument."""


@dataclass
class Task:
    """Trains and scores one run in a process of its own, which resumes from its checkpoint.

    Attributes:
        order: the order for the worker, as JSON.
        path: the run's folder.
        log: the log file of its workers.
        environment: additional environment variables.
        retries: restarts allowed without progress.
        idle: number of restarts since the run last made progress.
    """

    order: str
    path: str
    log: str
    environment: Mapping[str, str]
    retries: int
    idle: int = 0

    def __call__(self) -> tuple[int, str]:
        """Run the worker to its end; return its exit code and the reason."""
        from submitit.core.job_environment import JobEnvironment

        warning = getattr(signal, f"SIG{JobEnvironment.USR_SIG}")
        requeue = signal.getsignal(warning)
        handle_once((warning, signal.SIGTERM))
        while True:
            mark = progress_marker(Path(self.path))
            try:
                code, why = self.train(warning)
                if code in (DONE, USAGE, FINAL):
                    return code, why
                self.idle = 1 if progress_marker(Path(self.path)) != mark else self.idle + 1
                if self.idle > self.retries:
                    times = "once" if self.idle == 1 else f"{self.idle} times"
                    crashed = FINAL, f"{why}; crashed {times} without progress"
                    return (BUSY, why) if code == BUSY else crashed
                time.sleep(delay(self.idle))
            except Stopped as stopped:
                if stopped.args[0] != warning:  # cancelled, or requeued by Slurm
                    raise SystemExit(128 + signal.SIGTERM) from None
                self.idle = 0 if progress_marker(Path(self.path)) != mark else self.idle + 1
                if self.idle > self.retries:
                    return FINAL, "no progress within the time limit; request more `time`"
                assert callable(requeue)
                requeue(warning, None)  # submitit's handler; it ends this process

    def train(self, warning: int) -> tuple[int, str]:
        """Run the worker once; a signal stops it with a checkpoint."""
        events = attend(self.order, self.log, self.environment)
        # Slurm sends its warning to all processes of a job, and the worker would die of it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {warning})
        try:
            next(events)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {warning})
        (end,) = events
        assert end is not None
        return end

    def checkpoint(self) -> Any:
        """Return what the requeued job does: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(replace(self))


def handle_once(numbers: Iterable[int]) -> None:
    """Raise `Stopped` at the first of these signals, and ignore all later ones."""

    def stop(number: int, frame: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    for number in numbers:
        signal.signal(number, stop)


def task_of(job: Job, device: str, cpus: int, retries: int) -> Task:
    """The task of a job, on a device, with a number of threads.

    It has no deadline of the command's, which it outlives; Slurm's own time limit stops it.
    """
    ours = {name: value for name, value in os.environ.items() if name.startswith("DISENTANGLE")}
    return Task(
        order=job.order.model_copy(update={"device": device, "deadline": None}).model_dump_json(),
        path=str(job.path),
        log=str(job.log),
        environment={**ours, **dict.fromkeys(THREADS, str(cpus))},
        retries=retries,
    )
