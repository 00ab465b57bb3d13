"""The local executor: trainings on this machine, each restarted after a crash."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

import torch

from disentangle._utils import text
from disentangle._utils.device import choose_device, cores
from disentangle.contracts.plugin import knob
from disentangle.errors import UsageError
from disentangle.studies.executor import Event, Events, Executor
from disentangle.studies.group import SharedGpu
from disentangle.studies.jobs import Job
from disentangle.studies.process import DONE, GPU, POLL, THREADS, Child, stop
from disentangle.studies.retries import Attempt, Waiting


class Ending(Protocol):
    """What runs a job."""

    def ended(self) -> tuple[int, str] | None:
        """The exit code and the reason; None while it runs."""


@dataclass
class Worker:
    """What runs a job, and its place in the lane."""

    attempt: Attempt
    place: int
    runs: Ending


Starter: TypeAlias = Callable[[Job], Ending]
"""Starts a job at a place."""


class Lane:
    """Jobs of one kind: those that wait, and those that run, each at a place.

    Args:
        jobs: the jobs, in the order of their start.
        places: what starts a job at each of the places.
        retries: restarts allowed when a job crashes without progress.
    """

    def __init__(self, jobs: Sequence[Job], places: Sequence[Starter], retries: int) -> None:
        self.waiting, self.places = Waiting(jobs, retries), places
        self.running: list[Worker] = []

    def __bool__(self) -> bool:
        return bool(self.waiting or self.running)

    def ended(self) -> Iterator[tuple[Attempt, int, str]]:
        """Remove and yield each job that has ended, with its exit code and the reason."""
        for worker in list(self.running):
            if (end := worker.runs.ended()) is not None:
                self.running.remove(worker)
                yield worker.attempt, *end

    def started(self) -> Iterator[Event]:
        """Start jobs at the free places; yield their events."""
        free = set(range(len(self.places))) - {worker.place for worker in self.running}
        due = self.waiting.due()
        while free and (attempt := next(due, None)):
            if isinstance(attempt, Event):
                yield attempt
                continue
            place = free.pop()
            self.running.append(Worker(attempt, place, self.places[place](attempt.job)))
            yield Event(attempt.job, "started")


class Local(Executor):
    """Trains on this machine, one process per run, except that recorded trainings share one.

    A crashed run resumes from its checkpoint.
    """

    about = "Trainings on this machine; recorded ones share a GPU"

    jobs: int = knob(default=0, min=0, help="number of trainings at a time; 0: one per core or GPU")
    threads: int = knob(default=0, min=0, help="threads per training; 0: the cores, split evenly")
    per_gpu: int = knob(default=1, min=1, help="number of trainings per GPU")
    together: int = knob(
        default=16,
        min=0,
        help="number of trainings with `compile` that share a process on a GPU; 0: none",
    )
    retries: int = knob(
        default=3, min=0, help="restarts allowed when a training crashes without progress"
    )

    def width(self, device: str) -> int:
        """Return the number of trainings that run at the same time."""
        return len(self.places(device))

    def sharing(self, job: Job, device: str) -> int:
        """Return the number of trainings like this one that run at the same time on one GPU."""
        on_gpu = GPU in self.places(device)[0]
        return max(1, self.together) if on_gpu and is_recorded(job) else 1

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
                environment[GPU] = gpus[number % len(gpus)]
            environments.append(environment)
        return environments

    def run(self, jobs: Sequence[Job], device: str) -> Events:
        """Run all jobs to completion and yield events; see `Executor.run`.

        Trainings whose steps are recorded share a process per GPU. When one has ended, a process of
        its own scores it.
        """
        environments = self.places(device)
        processes = [partial(start, environment=environment) for environment in environments]
        gpus = self.shared_gpus(environments)
        shared = [gpu.join for _ in range(self.together) for gpu in gpus]
        recorded: list[Job] = []
        others: list[Job] = []
        for job in jobs:
            shares = gpus and is_recorded(job) and job.state() != "unscored"
            (recorded if shares else others).append(job)
        trained = Lane(recorded, shared, self.retries)
        scored = Lane([], self.scorers(gpus), self.retries)
        lanes = [trained, scored, Lane(others, processes, self.retries)]
        try:
            while any(lanes):
                for attempt, code, why in trained.ended():
                    if code == DONE and attempt.job.state() == "unscored":
                        scored.waiting.attempts.append(Attempt(attempt.job))
                    else:
                        yield trained.waiting.ended(attempt, code, why)
                for lane in lanes[1:]:
                    for attempt, code, why in lane.ended():
                        yield lane.waiting.ended(attempt, code, why)
                for lane in lanes:
                    yield from lane.started()
                yield None
                time.sleep(POLL)
        finally:
            running = [worker.runs for lane in lanes for worker in lane.running]
            children = [one for one in running if isinstance(one, Child)]
            stop([*children, *(group for gpu in gpus for group in gpu.groups)])

    def shared_gpus(self, environments: Sequence[Mapping[str, str]]) -> list[SharedGpu]:
        """The GPUs of these environments, each with its share of the cores; none if it is off."""
        names = list(dict.fromkeys(each[GPU] for each in environments if GPU in each))
        if not self.together:
            return []
        threads = dict.fromkeys(THREADS, str(max(1, cores() // max(1, len(names)))))
        return [SharedGpu({**threads, GPU: name}) for name in names]

    def scorers(self, gpus: Sequence[SharedGpu]) -> list[Starter]:
        """What starts the scoring of a trained run: one process per core, on the GPUs in turn."""
        one = dict.fromkeys(THREADS, "1")
        return [
            partial(start, environment={**one, GPU: gpus[number % len(gpus)].place[GPU]})
            for number in range(cores() if gpus else 0)
        ]


def is_recorded(job: Job) -> bool:
    """True if the steps of a job's training are to be recorded on a GPU."""
    return bool(job.record.recipe.get("compile"))


def start(job: Job, environment: Mapping[str, str]) -> Child:
    """Start a process for a job with additional environment variables."""
    device = "cuda" if GPU in environment else job.order.device
    order = job.order.model_copy(update={"device": device})
    return Child(order.model_dump_json(), job.log, environment)


def visible_gpus(device: torch.device) -> list[str]:
    """The value of CUDA_VISIBLE_DEVICES for each usable GPU, or for the one in `device`."""
    count = torch.cuda.device_count()
    visible = os.environ.get(GPU)
    names = visible.split(",")[:count] if visible else [str(number) for number in range(count)]
    return names if device.index is None else [names[device.index]]
