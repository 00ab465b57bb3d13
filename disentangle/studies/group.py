"""A process in which several trainings share a GPU, as the process that started it sees it."""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from disentangle.studies.jobs import Job
from disentangle.studies.process import Child

COMMAND = (sys.executable, "-P", "-m", "disentangle.studies.group_worker")
"""The command of a process that trains several runs."""


class Group(Child):
    """A process that trains several runs; see `group_worker`.

    Args:
        log: the log of what it says beside the logs of its runs; output is appended.
        place: additional environment variables: number of threads, GPU.
    """

    def __init__(self, log: Path, place: Mapping[str, str]) -> None:
        self.answers: dict[str, tuple[int, str]] = {}
        self.open(COMMAND, log, place, stdout=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        """Collect the answers of the process until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer = json.loads(line)
            self.answers[answer["path"]] = answer["code"], answer["why"]

    def end_of(self, path: str) -> tuple[int, str] | None:
        """The exit code of the training of a run and the reason; None while it is trained."""
        code = self.process.poll()
        if code is not None:
            self.reader.join()
        answer = self.answers.pop(path, None)
        if answer is not None or code is None:
            return answer
        return code or 1, self.last_words(code)

    def close(self) -> None:
        """Close the pipes to the ended process."""
        super().close()
        self.reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@dataclass(frozen=True)
class Member:
    """A training in a group."""

    group: Group
    path: str

    def ended(self) -> tuple[int, str] | None:
        """The exit code of the training and the reason; None while it runs."""
        return self.group.end_of(self.path)


@dataclass
class SharedGpu:
    """A GPU on which trainings share a process, and a new one when that has ended.

    Attributes:
        place: the environment variables of the process: number of threads, GPU.
        groups: the processes so far.
    """

    place: Mapping[str, str]
    groups: list[Group] = field(default_factory=list)

    def join(self, job: Job) -> Member:
        """Start to train a job."""
        if not self.groups or self.groups[-1].process.poll() is not None:
            log = job.log.parent / f"gpu-{self.place['CUDA_VISIBLE_DEVICES']}.log"
            self.groups.append(Group(log, self.place))
        order = job.order.model_copy(update={"device": "cuda"})
        self.groups[-1].send(order.model_dump_json())
        return Member(self.groups[-1], job.order.path)
