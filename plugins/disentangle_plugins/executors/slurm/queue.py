"""The jobs of a study in Slurm: their numbers, kept in the study's folder, and their states."""

import json
import pickle
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from disentangle.studies import AGAIN, FINAL, Event, Job
from disentangle_plugins.executors.slurm.commands import accounted_state, refusal, slurm_command

SILENCE = 600.0
"""Seconds without an answer from Slurm after which a sweep stops waiting."""
LATE = 60.0
"""Seconds that a shared folder may take to show what a job wrote at its end."""
WAITING = {"", "PENDING", "REQUEUED", "REQUEUE_HOLD", "CONFIGURING"}
"""States of jobs that have not started."""
ENDED = {
    *("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL"),
    *("DEADLINE", "OUT_OF_MEMORY", "REVOKED"),
}
"""States of jobs that have ended."""
PATIENT = {"None", "Resources", "Priority", "BeginTime", "JobArrayTaskLimit", "Dependency"}
"""Reasons for which any job waits."""
CANCELLED = 1000
"""The code of a job that someone cancelled."""


class Queue:
    """The jobs of a study in Slurm.

    Args:
        jobs: jobs of one study.

    Attributes:
        folder: the folder with the logs of the Slurm jobs.
        study: name of the study.
        numbers: ID of a run -> number of its Slurm job.
        states: number -> state, node, reason of the state.

    Raises:
        DisentangleError: Slurm does not answer.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        logs = jobs[0].log.parent
        self.folder, self.study = logs / "slurm", logs.parent.name
        self.numbers: dict[str, str] = {}
        self.states: dict[str, tuple[str, str, str]] = {}
        self.answered = float("-inf")
        self.completed: dict[str, float] = {}
        self.look()

    @property
    def file(self) -> Path:
        """The file of the numbers."""
        return self.folder / "jobs.json"

    @property
    def lock(self) -> FileLock:
        """The lock under which jobs are submitted and the numbers are written."""
        return FileLock(self.folder / "jobs.lock")

    def look(self) -> None:
        """Read the numbers and the states of the jobs."""
        self.numbers = json.loads(self.file.read_text()) if self.file.exists() else {}
        form = "--format=%i|%T|%N|%r"
        ran = slurm_command("squeue", "--me", "--noheader", "--array", "--states=all", form)
        if ran.returncode == 0:
            self.answered = time.monotonic()
            rows = (line.split("|", 3) for line in ran.stdout.splitlines())
            self.states = {number: (state, node, why) for number, state, node, why in rows}
        elif time.monotonic() - self.answered > SILENCE:
            raise refusal(ran.stderr)

    def number(self, job: Job) -> str:
        """The number of a job that has not ended; empty if there is none."""
        number = self.numbers.get(job.record.id, "")
        return number if number and self.end(number) is None else ""

    def add(self, jobs: Sequence[Job], numbers: Sequence[str]) -> None:
        """Keep the numbers of submitted jobs, under the lock."""
        self.numbers |= {job.record.id: n for job, n in zip(jobs, numbers, strict=True)}
        self.states |= dict.fromkeys(numbers, ("PENDING", "", "None"))
        self.write()

    def forget(self, job: Job) -> None:
        """Forget a job that has ended."""
        number = self.numbers.get(job.record.id, "")
        with self.lock:
            self.numbers = json.loads(self.file.read_text())
            if self.numbers.get(job.record.id) == number:
                del self.numbers[job.record.id]
                self.write()
        self.result(number).unlink(missing_ok=True)

    def write(self) -> None:
        """Write the numbers."""
        draft = self.file.with_suffix(".part")
        draft.write_text(json.dumps(self.numbers, indent=2) + "\n")
        draft.replace(self.file)

    def remove_if_empty(self) -> None:
        """Remove the folder, and those above it, if no job was ever submitted."""
        if not self.numbers:
            (self.folder / "jobs.lock").unlink(missing_ok=True)
            with suppress(OSError):  # it holds something
                for folder in (self.folder, *self.folder.parents[:3]):
                    folder.rmdir()

    def result(self, number: str) -> Path:
        """The file that submitit writes at the end of a job."""
        return self.folder / f"{number}_0_result.pkl"

    def event(self, job: Job, number: str) -> Event:
        """The event for a job that has not ended."""
        state, node, why = self.states.get(number, ("", "", "None"))
        if state in WAITING:
            release = (
                f"; `scontrol release {number}` lets it start" if "held" in why.lower() else ""
            )
            reason = "" if why in PATIENT else f": {why}{release}"
            return Event(job, "queued", f"Slurm job {number}{reason}")
        return Event(job, "started", f"Slurm job {number} on {node}")

    def end(self, number: str) -> tuple[int, str] | None:
        """The exit code of a job, and the reason; None if it has not ended."""
        if self.result(number).exists():
            outcome, value = pickle.loads(self.result(number).read_bytes())
            return value if outcome == "success" else (AGAIN, value.strip().splitlines()[-1])
        state, _, why = self.states.get(number, ("", "", ""))
        if state and state not in ENDED:
            return None
        state = state or accounted_state(number) or "unknown"
        if state == "COMPLETED" and self.recent(number):
            return None
        if state.startswith("CANCELLED"):
            return CANCELLED, f"Slurm job {number} was cancelled; run the same command to resume it"
        log = self.folder / f"{number}_0_log.out"
        if state == "FAILED" and not log.exists():
            results = self.folder.parents[2]
            shared = f"the results folder {results} must be at the same path on all nodes"
            return FINAL, f"Slurm job {number} could not write its log ({why}): {shared}"
        remedy = "; request more `memory`" if state == "OUT_OF_MEMORY" else ""
        where = f" (log: {log})" if log.exists() else ""
        return AGAIN, f"Slurm job {number} ended as {state}{remedy}{where}"

    def recent(self, number: str) -> bool:
        """True if a job was first seen to be completed so recently that its result may be late."""
        first = self.completed.setdefault(number, time.monotonic())
        return time.monotonic() - first < LATE
