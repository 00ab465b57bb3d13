"""The local executor: one process per training on this machine, restarted after a crash."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from disentangle._utils import text
from disentangle._utils.device import choose_device, cores
from disentangle.contracts.plugin import knob
from disentangle.errors import UsageError
from disentangle.studies.executor import Event, Events, Executor
from disentangle.studies.jobs import Job
from disentangle.studies.process import POLL, THREADS, Child, stop
from disentangle.studies.retries import Attempt, Waiting


@dataclass
class Worker:
    """A process that runs a job, and its slot."""

    attempt: Attempt
    slot: int
    child: Child


class Local(Executor):
    """Trains on this machine, one process per run. A crashed run resumes from its checkpoint."""

    about = "Trainings on this machine, each in a process of its own"

    jobs: int = knob(default=0, min=0, help="number of trainings at a time; 0: one per core or GPU")
    threads: int = knob(default=0, min=0, help="threads per training; 0: the cores, split evenly")
    per_gpu: int = knob(default=1, min=1, help="number of trainings per GPU")
    retries: int = knob(
        default=3, min=0, help="restarts allowed when a training crashes without progress"
    )

    def width(self, device: str) -> int:
        """Return the number of trainings that run at the same time."""
        return len(self.places(device))

    def threads_each(self, device: str) -> int:
        """Return the number of threads per training."""
        return int(self.places(device)[0][THREADS[0]])

    def places(self, device: str) -> list[dict[str, str]]:
        """Return the environment variables of each slot: number of threads, GPU.

        Raises:
            UsageError: the slots need more threads than there are cores.
        """
        available, target = cores(), choose_device(device)
        gpus = visible_gpus(target) if target.type == "cuda" else []
        default = len(gpus) * self.per_gpu if gpus else 1 if target.type == "mps" else available
        count = self.jobs or min(default, max(1, available // max(1, self.threads)))
        threads = self.threads or max(1, available // count)
        if count * threads > max(available, count if gpus else 0):
            raise UsageError(
                f"{count} trainings of {text.count(threads, 'thread')} exceed the "
                f"{text.count(available, 'core')}; "
                f"use fewer --jobs{' or fewer --threads' if threads > 1 else ''}"
            )
        environments = []
        for number in range(count):
            environment = dict.fromkeys(THREADS, str(threads))
            if gpus:
                environment["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
            environments.append(environment)
        return environments

    def run(self, jobs: Sequence[Job], device: str) -> Events:
        """Run all jobs to completion and yield events; see `Executor.run`."""
        environments = self.places(device)
        waiting = Waiting(jobs, self.retries)
        running: list[Worker] = []
        try:
            while waiting or running:
                for worker in list(running):
                    end = worker.child.ended()
                    if end is not None:
                        running.remove(worker)
                        yield waiting.ended(worker.attempt, *end)
                free = set(range(len(environments))) - {worker.slot for worker in running}
                due = waiting.due()
                while free and (attempt := next(due, None)):
                    if isinstance(attempt, Event):
                        yield attempt
                        continue
                    slot = free.pop()
                    child = start(attempt.job, environments[slot])
                    running.append(Worker(attempt, slot, child))
                    yield Event(attempt.job, "started")
                yield None
                time.sleep(POLL)
        finally:
            stop([worker.child for worker in running])


def start(job: Job, environment: Mapping[str, str]) -> Child:
    """Start a process for a job with additional environment variables."""
    device = "cuda" if "CUDA_VISIBLE_DEVICES" in environment else job.order.device
    order = job.order.model_copy(update={"device": device})
    return Child(order.model_dump_json(), job.log, environment)


def visible_gpus(device: torch.device) -> list[str]:
    """The value of CUDA_VISIBLE_DEVICES for each usable GPU, or for the one in `device`."""
    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",")[:count] if visible else [str(number) for number in range(count)]
    return names if device.index is None else [names[device.index]]
