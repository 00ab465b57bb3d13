"""The local executor: a process for each training on this machine, watched, and started again."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from disentangle._utils.device import choose_device, cores
from disentangle.contracts.plugin import knob
from disentangle.errors import UsageError
from disentangle.studies.executor import Event, Events, Executor
from disentangle.studies.jobs import Job
from disentangle.studies.process import POLL, THREADS, Child, stop
from disentangle.studies.retries import Attempt, Waiting


@dataclass
class Worker:
    """A process that does a job, and the place that it takes."""

    attempt: Attempt
    slot: int
    child: Child


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

    def threads_each(self, device: str) -> int:
        """Return the threads of each training."""
        return int(self.places(device)[0][THREADS[0]])

    def places(self, device: str) -> list[dict[str, str]]:
        """Return the environment of each training at a time: its threads, its GPU.

        Raises:
            UsageError: more threads than cores.
        """
        available, chosen = cores(), choose_device(device)
        gpus = visible_gpus(chosen) if chosen.type == "cuda" else []
        default = len(gpus) * self.per_gpu if gpus else 1 if chosen.type == "mps" else available
        count = self.jobs or min(default, max(1, available // max(1, self.threads)))
        threads = self.threads or max(1, available // count)
        if count * threads > max(available, count if gpus else 0):
            raise UsageError(
                f"{count} trainings of {threads} threads are more than the {available} cores here; "
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
        waiting = Waiting(jobs, self.retries)
        running: list[Worker] = []
        try:
            while waiting or running:
                for worker in list(running):
                    end = worker.child.ended()
                    if end is not None:
                        running.remove(worker)
                        yield waiting.ended(worker.attempt, *end)
                free = set(range(len(places))) - {worker.slot for worker in running}
                due = waiting.due()
                while free and (found := next(due, None)):
                    if isinstance(found, Event):
                        yield found
                        continue
                    slot = free.pop()
                    running.append(Worker(found, slot, start(found.job, places[slot])))
                    yield Event(found.job, "started")
                yield None
                time.sleep(POLL)
        finally:
            stop([worker.child for worker in running])


def start(job: Job, place: Mapping[str, str]) -> Child:
    """Start a process for a job at a place."""
    device = "cuda" if "CUDA_VISIBLE_DEVICES" in place else job.order.device
    order = job.order.model_copy(update={"device": device})
    return Child(order.model_dump_json(), job.log, place)


def visible_gpus(device: torch.device) -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES must be for each GPU that may be used, or the one named."""
    count = torch.cuda.device_count()
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = said.split(",")[:count] if said else [str(number) for number in range(count)]
    return names if device.index is None else [names[device.index]]
