"""The executor contract: where and how the runs of a study are trained."""

from abc import abstractmethod
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from disentangle._utils.device import cores as cores
from disentangle._utils.time_limit import parse_duration as parse_duration
from disentangle.contracts import registry
from disentangle.contracts.plugin import Plugin, knobs
from disentangle.contracts.settings import parse_given, parse_spec, resolve
from disentangle.errors import BrokenContract, UsageError, suggestion
from disentangle.studies.jobs import Job


@dataclass(frozen=True)
class Event:
    """A change in the state of a job.

    Attributes:
        job: the job.
        kind: `queued`: handed to a scheduler, where it waits; `started`; `again`: crashed, will
            restart from its last checkpoint; `elsewhere`: waiting, because another process is
            working on it; `stopped` before its deadline, with a checkpoint, or not started as too
            little time was left; `done`; `failed` permanently.
        why: the reason, for `again`, `stopped` and `failed`; where, for `queued` and `started`.
    """

    job: Job
    kind: Literal["queued", "started", "again", "elsewhere", "stopped", "done", "failed"]
    why: str = ""


Events: TypeAlias = Generator[Event | None, None, None]
"""Events as they happen; None at regular intervals without an event."""


class Executor(Plugin):
    """Runs jobs, each by `worker.work(job.order)` in a process, which resumes from checkpoints.

    An executor is a subclass registered under `disentangle.executors`; its knobs are set by
    `disentangle sweep FILE --on NAME:knob=value`.
    """

    @abstractmethod
    def run(self, jobs: Sequence[Job], device: str) -> Events:
        """Run all jobs to completion; yield events.

        Every job ends as `done` or `failed`, or as `stopped` if its order has a deadline: `work`
        raises `OutOfTime` before it, and a process that works exits with `OUT_OF_TIME`. Closing the
        generator, or throwing an exception into it, stops all of its processes within seconds, each
        with a checkpoint. Only jobs that `detached` describes go on after the end of the generator,
        without an end of their own; their orders must have no deadline, which is that of the
        command.

        Args:
            jobs: different jobs, none of them done.
            device: device for training: `auto`, or the name of a device.

        Raises:
            DisentangleError: the jobs cannot be run with this configuration.
        """

    @abstractmethod
    def width(self, device: str) -> int:
        """Return the number of jobs that run at the same time, as far as known."""

    def sharing(self, job: Job, device: str) -> int:
        """Return the number of jobs like this one that run at the same time in one of the places.

        A job that is timed alone takes as many times longer beside the others, at most.
        """
        return 1

    def detached(self, jobs: Sequence[Job]) -> str:
        """Describe which of the jobs go on without this process, and how to cancel them.

        Called after the generator of `run` has ended or was closed. Most executors stop all jobs
        then: the description is empty.
        """
        return ""

    def threads_each(self, device: str) -> int:
        """Return the number of threads per training, as far as known."""
        return max(1, cores() // max(1, self.width(device)))


def executor_of(on: str, given: Mapping[str, Any]) -> Executor:
    """Create an executor from a name with knobs, such as `local:per_gpu=2`, and further knobs."""
    name, text = parse_spec(on)
    cls: type[Executor] = registry.executors.load(name)
    for knob in given:
        if knob not in knobs(cls):
            option = f"--{'no-' if given[knob] is False else ''}{knob.replace('_', '-')}"
            hint = suggestion(knob, knobs(cls))
            raise UsageError(f"executor '{name}' has no option {option}{hint}")
    settings = resolve(cls, {**parse_given(cls, text), **given})
    return cls(**{knob: setting.value for knob, setting in settings.items()})


def width_of(executor: Executor, device: str, jobs: Iterable[Job] = ()) -> int:
    """Return the number of these jobs that an executor runs at the same time.

    Raises:
        BrokenContract: `width` or `sharing` did not return a positive integer.
    """
    width = positive(executor, "width", executor.width(device))
    shares = (positive(executor, "sharing", executor.sharing(job, device)) for job in jobs)
    return width * max(shares, default=1)


def positive(executor: Executor, method: str, number: object) -> int:
    """Return the number of jobs that a method of an executor returned, if it is one."""
    if type(number) is not int or number < 1:
        cls = type(executor)
        raise BrokenContract(
            f"{cls.__module__}:{cls.__qualname__}.{method}() must return a positive number of "
            f"jobs, got {number!r}"
        )
    return number
