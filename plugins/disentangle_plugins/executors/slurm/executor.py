"""Slurm: Yoo et al. (2003), https://doi.org/10.1007/10968987_3. submitit submits the job arrays."""

import io
import shutil
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from disentangle import DisentangleError, UsageError, knob
from disentangle.studies import (
    BUSY,
    DONE,
    FINAL,
    POLL,
    USAGE,
    Attempt,
    Event,
    Events,
    Executor,
    Job,
    Waiting,
    progress_marker,
)
from disentangle_plugins.executors.slurm.commands import (
    load_submitit,
    may_change,
    minutes_of,
    outside_of_a_job,
    refusal,
    slurm_command,
)
from disentangle_plugins.executors.slurm.queue import CANCELLED, Queue
from disentangle_plugins.executors.slurm.task import Task, task_of

LOOK = 10.0
"""Seconds between looks at the queue."""
WARNING = 90
"""Seconds before its time limit at which Slurm tells a job to stop; at times up to 60 earlier."""
ARRAY = 1000
"""Jobs of an array at most, as Slurm allows by default."""


class Slurm(Executor):
    """Trainings as Slurm jobs, in job arrays on a cluster whose nodes share a folder.

    Each job stops with a checkpoint before its time limit and requeues itself. The jobs do not need
    the process that submitted them: `run` may be closed and called again.
    """

    about = "Trainings as jobs of a Slurm cluster"

    partition: str = knob(default="", help="partition; empty: the cluster's default")
    account: str = knob(default="", help="account to charge; empty: your default")
    qos: str = knob(default="", help="quality of service; empty: your default")
    constraint: str = knob(default="", help="features that a node must have, such as a100")
    time: str = knob(
        default="4h", help="time limit of a job: 90m, 4h, 2d or D-HH:MM:SS; then it is requeued"
    )
    cpus: int = knob(default=1, min=1, help="CPU cores, and threads, for each training")
    gpus: int = knob(default=0, min=0, max=1, help="GPUs for each training")
    memory: str = knob(default="", help="memory for each training, such as 8G")
    parallel: int = knob(
        default=0, min=0, help="number of trainings at a time; 0: as many as Slurm starts"
    )
    script: str = knob(
        default="", help="file of more #SBATCH lines, then commands to run before each training"
    )
    retries: int = knob(
        default=3, min=0, help="restarts allowed when a training crashes without progress"
    )
    wait: bool = knob(default=True, help="wait for the jobs; false: submit them and return")

    def width(self, device: str) -> int:
        """Return the number of trainings at a time, if Slurm starts as many."""
        self.check(device)
        return self.parallel or ARRAY

    def threads_each(self, device: str) -> int:
        """Return the number of threads of each training."""
        return self.cpus

    def run(self, jobs: Sequence[Job], device: str) -> Events:
        """Submit the jobs that are not in Slurm yet, and yield events; see `Executor.run`.

        Closing the generator leaves all jobs in Slurm.
        """
        device = self.check(device)
        queue = Queue(jobs)
        running: dict[str, Attempt] = {}
        left = yield from attach(jobs, queue, running)
        waiting, shown = Waiting(left, self.retries), dict[str, Event]()
        while waiting or running:
            for number, attempt in list(running.items()):
                if end := queue.end(number):
                    del running[number]
                    queue.forget(attempt.job)
                    cancelled = Event(attempt.job, "failed", end[1])
                    yield cancelled if end[0] == CANCELLED else waiting.ended(attempt, *end)
            due = [*waiting.due()]
            yield from (event for event in due if isinstance(event, Event))
            if attempts := [attempt for attempt in due if isinstance(attempt, Attempt)]:
                with ThreadPoolExecutor(1) as pool:  # an interrupt comes after its end
                    running |= pool.submit(self.submit, attempts, queue, device).result()
            for number, attempt in running.items():
                event = queue.event(attempt.job, number)
                if shown.get(number) != event:
                    shown[number] = event
                    yield event
            yield None
            if not self.wait or not (waiting or running):
                return
            yield from pause(LOOK)
            queue.look()

    def detached(self, jobs: Sequence[Job]) -> str:
        """Describe which of the jobs go on in Slurm; see `Executor.detached`."""
        try:
            queue = Queue(jobs)
        except DisentangleError as error:
            return str(error).removesuffix(".")
        numbers = [number for job in jobs if (number := queue.number(job))]
        if not numbers:
            return ""
        running = sum(queue.states.get(number, ("",))[0] == "RUNNING" for number in numbers)
        arrays = " ".join(dict.fromkeys(number.partition("_")[0] for number in numbers))
        runs = "1 run goes" if len(numbers) == 1 else f"{len(numbers)} runs go"
        return (
            f"{runs} on in Slurm ({running} running, {len(numbers) - running} queued); "
            f"`scancel {arrays}` stops with a checkpoint"
        )

    def check(self, device: str) -> str:
        """Let Slurm check the jobs without submitting them; return the device for training.

        What Slurm refuses only now, such as more jobs than are allowed at a time, is no error yet:
        all jobs may have been submitted.

        Raises:
            UsageError: Slurm refuses such jobs.
            DisentangleError: submitit is not installed, there is no Slurm, or it does not answer.
        """
        load_submitit()
        if not shutil.which("sbatch"):
            raise DisentangleError(
                "no Slurm on this machine (`sbatch` is not installed): run this command on a login "
                "node of the cluster, or without --on slurm"
            )
        if device != "auto" and (device != "cpu" or self.gpus):
            raise UsageError(
                "Slurm assigns the GPUs: expected gpus=1 without --device, or --device cpu without "
                f"gpus; got --device {device}"
            )
        options = [f"--{key.replace('_', '-')}={v}" for key, v in self.resources().items()]
        script = "\n".join(["#!/bin/bash", *self.script_lines(), "true", ""])
        with outside_of_a_job():
            ran = slurm_command("sbatch", "--test-only", *options, script=script)
        if ran.returncode and not may_change(ran.stderr):
            raise refusal(ran.stderr)
        without = "auto" if self.script and device == "auto" else "cpu"  # it may request a GPU
        return "cuda" if self.gpus else without

    def resources(self) -> dict[str, Any]:
        """Return what each job requests, by the names of sbatch's options."""
        requested = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
            "time": minutes_of(self.time),
            "cpus_per_task": self.cpus,
            "gpus_per_node": self.gpus,
            "mem": self.memory,
        }
        return {key: value for key, value in requested.items() if value}

    def script_lines(self) -> list[str]:
        """Return the lines of the user's script, without its interpreter."""
        try:
            text = Path(self.script).read_text(encoding="utf-8") if self.script else ""
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"expected a readable file, got script={self.script}") from error
        return [line for line in text.splitlines() if not line.startswith("#!")]

    def submit(
        self, attempts: Sequence[Attempt], queue: Queue, device: str
    ) -> Mapping[str, Attempt]:
        """Submit jobs as arrays, except those that another sweep has submitted.

        Returns:
            number of a Slurm job -> the attempt.

        Raises:
            DisentangleError: Slurm refuses them; jobs submitted before go on.
        """
        queue.folder.mkdir(parents=True, exist_ok=True)
        with queue.lock:
            queue.look()
            new = [attempt for attempt in attempts if not queue.number(attempt.job)]
            executor = load_submitit().SlurmExecutor(queue.folder, max_num_timeout=10**6)
            executor.update_parameters(
                **self.resources(),
                job_name=f"disentangle-{queue.study}",
                ntasks_per_node=1,
                array_parallelism=self.parallel or ARRAY,
                signal_delay_s=WARNING,
                stderr_to_stdout=True,
                srun_args=[f"--cpus-per-task={self.cpus}"],  # srun does not take it from sbatch
                setup=self.script_lines() or None,
                additional_parameters={"requeue": True},
            )
            for first in range(0, len(new), ARRAY):
                jobs = [attempt.job for attempt in new[first : first + ARRAY]]
                tasks = [task_of(job, device, self.cpus, self.retries) for job in jobs]
                try:
                    queue.add(jobs, submit_array(executor, tasks))
                except DisentangleError:
                    queue.remove_if_empty()
                    raise
            return {queue.number(attempt.job): attempt for attempt in attempts}


def attach(
    jobs: Sequence[Job], queue: Queue, running: dict[str, Attempt]
) -> Generator[Event, None, list[Job]]:
    """Put the jobs that are in Slurm among the running ones; return those to submit.

    Jobs that ended while nobody waited are reported, and submitted again if they may succeed.
    """
    left = []
    for job in jobs:
        number = queue.numbers.get(job.record.id)
        if number is None:
            left.append(job)
        elif (end := queue.end(number)) is None:
            running[number] = Attempt(job, mark=progress_marker(job.path))
        else:
            queue.forget(job)
            if end[0] in (USAGE, FINAL):
                yield Event(job, "failed", end[1])
                continue
            if end[0] not in (DONE, BUSY, CANCELLED):
                yield Event(job, "again", end[1])
            left.append(job)
    return left


def pause(seconds: float) -> Events:
    """Wait, and yield None at regular intervals."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(POLL)
        yield None


def submit_array(executor: Any, tasks: Sequence[Task]) -> list[str]:
    """Submit tasks as one array; return the numbers of their jobs.

    Raises:
        DisentangleError: Slurm refuses them; no file is left.
    """
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    before = set(executor.folder.iterdir())
    try:
        with outside_of_a_job(), redirect_stderr(io.StringIO()):
            return [job.job_id for job in executor.submit_array(tasks)]
    except (FailedJobError, FailedSubmissionError) as error:
        for file in set(executor.folder.iterdir()) - before:
            file.unlink(missing_ok=True)
        raise refusal(str(error)) from error
