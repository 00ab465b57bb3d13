"""The local executor: a process for each training on this machine, watched, and started again."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

import torch

from disentangle.device import choose_device
from disentangle.errors import UsageError
from disentangle.executor import Event, Events, Executor
from disentangle.jobs import Job
from disentangle.plugin import knob
from disentangle.worker import BUSY, DONE, FINAL, USAGE

POLL = 0.2
"""Seconds between looks at the processes."""
PATIENCE = 20.0
"""Seconds that processes get to write their checkpoints, once all are to stop."""
LONGEST = 60.0
"""Seconds before a training that died is started again, at most; at first it is one."""
ELSEWHERE = 5.0
"""Seconds between looks at a run that another process is at."""
COMMAND = (sys.executable, "-P", "-m", "disentangle.worker")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass
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


@dataclass
class Worker:
    """A process that does a job, the log it writes to, and the place that it takes."""

    attempt: Attempt
    slot: int
    process: subprocess.Popen[str]
    log: IO[str]
    start: int = field(default=0)
    """Where in the log its own lines begin."""

    def signal(self, number: int) -> None:
        """Send a signal to the process and to all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Local(Executor):
    """Trainings on this machine, a process each. One that dies goes on from its checkpoint."""

    jobs: int = knob(
        default=0, min=0, help="trainings at a time; 0: one a core, or a place on a GPU"
    )
    threads: int = knob(default=0, min=0, help="of each training; 0: the cores, shared out")
    per_gpu: int = knob(default=1, min=1, help="trainings that share a GPU")
    retries: int = knob(default=3, min=0, help="new starts of one that dies without getting on")

    def width(self, device: str) -> int:
        """Return how many trainings run at the same time."""
        return len(self.places(device))

    def places(self, device: str) -> list[dict[str, str]]:
        """Return the environment of each training at a time: its threads, its GPU.

        Raises:
            UsageError: more threads than cores.
        """
        cores, chosen = cores_here(), choose_device(device)
        gpus = visible_gpus(chosen) if chosen.type == "cuda" else []
        default = len(gpus) * self.per_gpu if gpus else 1 if chosen.type == "mps" else cores
        count = self.jobs or min(default, max(1, cores // max(1, self.threads)))
        threads = self.threads or max(1, cores // count)
        if count * threads > max(cores, count if gpus else 0):
            raise UsageError(
                f"{count} trainings of {threads} threads are more than the {cores} cores here; "
                "fewer --jobs, or fewer --threads"
            )
        places = []
        for number in range(count):
            place = dict.fromkeys(THREADS, str(threads))
            if gpus:
                place["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
            places.append(place)
        return places

    def run(self, jobs: Sequence[Job], device: str) -> Events:
        """Run jobs to their ends; yield what happens; see `Executor.run`."""
        places = self.places(device)
        waiting = deque(Attempt(job) for job in jobs)
        running: list[Worker] = []
        try:
            while waiting or running:
                for worker in [w for w in running if w.process.poll() is not None]:
                    running.remove(worker)
                    yield self.ended(worker, waiting)
                free = set(range(len(places))) - {worker.slot for worker in running}
                for _ in range(len(waiting)):
                    if not free:
                        break
                    attempt = waiting.popleft()
                    if attempt.after > time.monotonic():
                        waiting.append(attempt)
                        continue
                    if attempt.job.busy():
                        attempt.after = time.monotonic() + ELSEWHERE
                        waiting.append(attempt)
                        if not attempt.told:
                            attempt.told = True
                            yield Event(attempt.job, "elsewhere")
                        continue
                    state = attempt.job.state()
                    if state in ("done", "failed"):  # by another process
                        yield finished_elsewhere(attempt.job)
                        continue
                    slot = free.pop()
                    running.append(start(attempt, slot, places[slot]))
                    yield Event(attempt.job, "started")
                yield None
                time.sleep(POLL)
        finally:
            stop(running)

    def ended(self, worker: Worker, waiting: deque[Attempt]) -> Event:
        """Return what became of a process that ended; put its job back where it may go better."""
        attempt, code = worker.attempt, worker.process.returncode
        close(worker)
        job = attempt.job
        if code == DONE:
            return Event(job, "done")
        why = last_words(worker, code)
        if code in (USAGE, FINAL):
            return Event(job, "failed", why)
        if code == BUSY:
            attempt.after = time.monotonic() + ELSEWHERE
            waiting.append(attempt)
            return Event(job, "elsewhere")
        attempt.died = 1 if mark(job) != attempt.mark else attempt.died + 1
        if attempt.died > self.retries:
            return Event(job, "failed", f"{why}; it died {attempt.died} times without getting on")
        attempt.after = time.monotonic() + min(LONGEST, 2.0 ** (attempt.died - 1))
        waiting.append(attempt)
        return Event(job, "again", why)


def start(attempt: Attempt, slot: int, place: Mapping[str, str]) -> Worker:
    """Start a process for a job, which stops when this one is gone."""
    job = attempt.job
    attempt.mark = mark(job)
    job.log.parent.mkdir(parents=True, exist_ok=True)
    log = job.log.open("a", encoding="utf-8")
    try:
        begin = log.tell()
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **place, "PYTHONUNBUFFERED": "1"},
            process_group=0,  # an interrupt from the terminal is ours to pass on
        )
    except BaseException:
        log.close()
        raise
    worker = Worker(attempt, slot, process, log, begin)
    device = "cuda" if "CUDA_VISIBLE_DEVICES" in place else job.order.device
    order = job.order.model_copy(update={"device": device})
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it died at once: that is seen by its exit
        process.stdin.write(order.model_dump_json() + "\n")
        process.stdin.flush()
    return worker


def stop(running: Sequence[Worker]) -> None:
    """Let all processes write a checkpoint and end; kill those that take too long."""
    for worker in running:
        worker.signal(signal.SIGTERM)
    try:
        until = time.monotonic() + PATIENCE
        for worker in running:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, until - time.monotonic()))
    finally:  # also when a second interrupt comes
        for worker in running:
            worker.signal(signal.SIGKILL)
            worker.process.wait()
            close(worker)


def close(worker: Worker) -> None:
    """Close the files of a process that ended."""
    worker.log.close()
    if worker.process.stdin is not None:
        with suppress(BrokenPipeError):
            worker.process.stdin.close()


def mark(job: Job) -> tuple[int, ...]:
    """Return what tells whether a run got on: when its files were written."""
    found = []
    for name in ("run.json", "checkpoint.safetensors", "scores.json"):
        try:
            found.append((job.path / name).stat().st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)


def finished_elsewhere(job: Job) -> Event:
    """Return what became of a job that another process did."""
    run = job.run()
    if run is not None and run.state == "failed":
        return Event(job, "failed", run.record.failed or "")
    return Event(job, "done")


def last_words(worker: Worker, code: int) -> str:
    """Return why a process ended: its last line, or the signal that killed it."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    with suppress(OSError), worker.attempt.job.log.open(encoding="utf-8", errors="replace") as file:
        file.seek(worker.start)
        lines = [line.strip() for line in file if line.strip()]
        if lines:
            return lines[-1].removeprefix("error: ")
    return f"exit code {code}"


def cores_here() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus(device: torch.device) -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES must be for each GPU that may be used, or the one named."""
    count = torch.cuda.device_count()
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = said.split(",")[:count] if said else [str(number) for number in range(count)]
    return names if device.index is None else [names[device.index]]
