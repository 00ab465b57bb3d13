"""An executor of somebody else's."""

from collections.abc import Sequence

from disentangle import DisentangleError, knob
from disentangle.errors import OutOfTime
from disentangle.studies import Event, Events, Executor, Job, work


class Inline(Executor):
    """Runs in this process, one after another."""

    most: int = knob(default=100, min=1, help="runs that are trained")

    def width(self, device: str) -> int:
        return 1

    def run(self, jobs: Sequence[Job], device: str) -> Events:
        for number, job in enumerate(jobs):
            if number >= self.most:
                yield Event(job, "failed", "it is one too many")
                continue
            yield Event(job, "started")
            try:
                work(job.order)
                yield Event(job, "done")
            except OutOfTime as error:
                yield Event(job, "stopped", str(error))
            except DisentangleError as error:
                yield Event(job, "failed", str(error))
