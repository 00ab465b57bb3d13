"""Estimate the duration of a study from the speed of its runs so far, else from a short trial."""

import statistics
import time
from collections.abc import Mapping
from typing import TypeAlias

import torch

from disentangle._utils.callbacks import Say
from disentangle._utils.device import choose_device
from disentangle._utils.memory import keep_freed_memory
from disentangle.contracts.common_options import Training
from disentangle.contracts.isolation import blame
from disentangle.runs.records import RunRecord
from disentangle.runs.run import Run
from disentangle.runs.scores import read_scores
from disentangle.scoring.measure import seconds_of
from disentangle.studies.executor import Executor, width_of
from disentangle.studies.jobs import Job, JobState, Planned
from disentangle.training.batches import BatchLoader, batches
from disentangle.training.history import History
from disentangle.training.loop import steps_of
from disentangle.training.optimizers import make_optimizers, updating
from disentangle.training.recorded_steps import own_stream
from disentangle.training.state import log_interval
from disentangle.training.steps import BlockReader

Kind: TypeAlias = tuple[object, ...]
WARM, TRIAL = 2, 5
"""Blocks of steps of a trial: those before the time is taken, and those that are timed."""
ENCODING = 8.0
"""Approximate speed of encoding relative to training, in images per second."""
LOGS = 5
"""Maximum number of runs of a kind whose logs are read."""


class Estimate:
    """The estimated seconds that each job needs.

    Args:
        plan: the runs.
        executor: what will run them.
        device: the device to train on.
        say: called with what is timed.

    Attributes:
        width: number of runs at a time.
        step: kind of run -> seconds per step.
        scores: kind of run -> seconds of its scores, if a run of this kind has them all.
        measured: number of kinds that were timed by a trial because no run was available.
    """

    def __init__(self, plan: Planned, executor: Executor, device: str, say: Say) -> None:
        self.plan, self.threads = plan, executor.threads_each(device)
        self.width = width_of(executor, device, plan.jobs)
        self.device = choose_device(device)
        self.step: dict[Kind, float] = {}
        self.scores: dict[Kind, float] = {}
        self.measured = 0
        kinds: dict[Kind, list[Job]] = {}
        for job in plan.jobs:
            kinds.setdefault(kind_of(job.record), []).append(job)
        for kind, jobs in kinds.items():
            seconds = self.logged(jobs)
            if seconds is None:
                self.measured += 1
                say(f"timing {jobs[0].record.model} on {jobs[0].record.dataset.name}")
                try:
                    seconds = self.trial(jobs[0]) * executor.sharing(jobs[0], device)
                except (Exception, SystemExit) as error:  # a plugin's; its runs will report it
                    say(f"timing failed: {blame(error) or error}")
                    seconds = 0.0
            self.step[kind] = seconds
            if scoring := scored_seconds(jobs):
                self.scores[kind] = scoring

    def logged(self, jobs: list[Job]) -> float | None:
        """The median seconds per step of runs on this type of device; None without such runs."""
        step_seconds: list[float] = []
        for job in jobs:
            run = job.look()[0] if len(step_seconds) < LOGS else None
            if run is None or run.record.device.partition(" ")[0] != self.device.type:
                continue
            speeds = [e["images_per_second"] for e in run.log if e.get("images_per_second")]
            if speeds:
                step_seconds.append(run.record.recipe["batch_size"] / statistics.median(speeds))
        return statistics.median(step_seconds) if step_seconds else None

    def trial(self, job: Job) -> float:
        """Measure the seconds per step in a short trial."""
        before = torch.get_num_threads()
        if self.device.type == "cpu":
            keep_freed_memory()
            torch.set_num_threads(self.threads)
        try:
            return time_steps(Run(job.path, job.record, self.plan.dataset(job)), self.device)
        finally:
            torch.set_num_threads(before)

    def seconds(self, job: Job, state: JobState) -> float:
        """Estimate the seconds of training and scoring that a job in this state needs."""
        if state in ("done", "failed"):
            return 0.0
        run, kind, recipe = job.run(), kind_of(job.record), job.record.recipe
        left, missing = 0.0, job.missing(run)
        if state != "unscored":
            log = run.log if run else []
            left = self.step[kind] * (int(recipe["steps"]) - int(log[-1]["step"] if log else 0))
        if not missing:
            return left
        if kind in self.scores:
            return left + self.scores[kind]
        images = max(part.images for part in job.scored)  # an upper bound: most metrics need fewer
        encoding = self.step[kind] / int(recipe["batch_size"]) / ENCODING * images
        return left + encoding + seconds_of(missing, images)

    def all(self, states: Mapping[Job, JobState]) -> float:
        """Estimate the seconds of all jobs, run `width` at a time."""
        job_seconds = [self.seconds(job, state) for job, state in states.items()]
        return max(max(job_seconds, default=0.0), sum(job_seconds) / max(1, self.width))


def scored_seconds(jobs: list[Job]) -> float:
    """The median seconds that all scores of a finished run took, with encoding; 0 without runs."""
    totals: list[float] = []
    for job in jobs:
        run = job.look()[0] if len(totals) < LOGS else None
        if run is not None and run.finished and not job.missing(run):
            each = {(s.metric, s.representation, s.protocol): s.seconds for s in read_scores(run)}
            totals.append(sum(each.values()))
    return float(statistics.median(totals)) if totals else 0.0


def kind_of(record: RunRecord) -> Kind:
    """The properties on which the speed of a training depends."""
    names = ("batch_size", "precision", "compile")
    recipe = tuple(record.recipe.get(name) for name in names)
    return record.model, record.knobs["network"], record.dataset.image_shape, recipe


def time_steps(run: Run, device: torch.device) -> float:
    """Measure the seconds of one training step; the trained weights are discarded."""
    training, dataset = Training(**run.record.recipe), run.dataset
    model = run.build()
    model.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizers = make_optimizers(model, training)
    update = updating(model, optimizers, training, device)
    feed = BatchLoader(dataset, device, resident=False)
    with torch.enable_grad(), own_stream(training, device):
        every = log_interval(training)
        steps = steps_of(update, optimizers, History(every, device), feed, training)
        length = steps.block_length(0, training.steps)
        order = batches(dataset, training.batch_size, training.seed, 0, (WARM + TRIAL) * length)
        read = BlockReader(model, dataset, order, training.seed)
        began = 0.0
        for number in range(WARM + TRIAL):
            if number == WARM:
                synchronise(device)
                began = time.perf_counter()
            steps.take(read(number * length, length))
        synchronise(device)
    return (time.perf_counter() - began) / (TRIAL * length)


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
