"""The executor contract: where and how the runs of a study are trained."""

from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from disentangle._utils.device import cores as cores
from disentangle.contracts import registry
from disentangle.contracts.plugin import Plugin, knobs
from disentangle.contracts.settings import parse_given, parse_spec, resolve
from disentangle.errors import BrokenContract, UsageError, suggestion
from disentangle.studies.jobs import Job


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    Attributes:
        job: which.
        kind: `started`; `again`: it died, and will be started again from its last checkpoint;
            `elsewhere`: another process is at it, so that it waits; `done`; `failed` for good.
        why: for `again` and `failed`, in words.
    """

    job: Job
    kind: Literal["started", "again", "elsewhere", "done", "failed"]
    why: str = ""


Events: TypeAlias = Generator[Event | None, None, None]
"""What happens, as it happens; None now and then, while nothing does."""


class Executor(Plugin):
    """Runs jobs. Each is `worker.work(job.order)` in some process, which goes on from checkpoints.

    An executor is a class like this, registered as `disentangle.executors`; its knobs are given by
    `disentangle sweep FILE --on NAME:knob=value`.
    """

    @abstractmethod
    def run(self, jobs: Sequence[Job], device: str) -> Events:
        """Run jobs to their ends; yield what happens.

        Every job comes to `done` or `failed`. Closing the generator, or an exception thrown into
        it, stops all that it started within seconds, with a checkpoint each.

        Args:
            jobs: none of them twice, none of them done.
            device: where to train: `auto`, or a device's name.

        Raises:
            DisentangleError: nothing can be run like this.
        """

    @abstractmethod
    def width(self, device: str) -> int:
        """Return how many jobs run at the same time, as far as it is known."""

    def threads_each(self, device: str) -> int:
        """Return the threads of each training, as far as it is known."""
        return max(1, cores() // max(1, self.width(device)))


def executor_of(on: str, given: Mapping[str, Any]) -> Executor:
    """Return the executor of a name and knobs, as `local:per_gpu=2`, and of further knobs."""
    name, text = parse_spec(on)
    kind: type[Executor] = registry.executors.load(name)
    for knob in given:
        if knob not in knobs(kind):
            option = f"--{knob.replace('_', '-')}"
            raise UsageError(f"executor '{name}' takes no {option}{suggestion(knob, knobs(kind))}")
    settings = resolve(kind, {**parse_given(kind, text), **given})
    return kind(**{knob: setting.value for knob, setting in settings.items()})


def width_of(executor: Executor, device: str) -> int:
    """Return how many jobs an executor runs at the same time.

    Raises:
        BrokenContract: it says no number of jobs.
    """
    width = executor.width(device)
    if type(width) is not int or width < 1:
        kind = type(executor)
        raise BrokenContract(
            f"{kind.__module__}:{kind.__qualname__}.width() returned {width!r}, which is no number "
            "of jobs at a time"
        )
    return width
