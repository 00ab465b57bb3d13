"""How long a study will take: by the speed of its runs so far, else by a trial of a few steps."""

import statistics
import time
from typing import TypeAlias

import numpy as np
import torch

from disentangle._utils.callbacks import Say
from disentangle._utils.device import choose_device
from disentangle._utils.memory import keep_freed_memory
from disentangle.contracts.common_options import Training
from disentangle.contracts.isolation import blame
from disentangle.contracts.model import Batch
from disentangle.runs.records import RunRecord
from disentangle.runs.run import Run
from disentangle.runs.scores import read_scores
from disentangle.scoring.measure import seconds_of
from disentangle.studies.jobs import Job, JobState
from disentangle.studies.plan import Plan
from disentangle.training.batches import BatchLoader
from disentangle.training.loop import make_optimizers, updating

Kind: TypeAlias = tuple[object, ...]
WARM, TRIAL = 2, 5
"""Steps before a trial is timed, and in it."""
ENCODING = 8.0
"""Images are encoded so many times as fast as they are trained on, about."""
LOGS = 5
"""Runs of a kind whose logs are read."""


class Estimate:
    """Seconds that jobs need, each alone at its place.

    Attributes:
        step: kind of run -> seconds a step.
        scores: kind of run -> seconds of its scores, where such a run has them all.
        measured: how many kinds were timed now, for want of a run.
    """

    def __init__(self, plan: Plan, width: int, threads: int, device: str, say: Say) -> None:
        self.plan, self.width, self.threads = plan, width, threads
        self.device = choose_device(device)
        self.step: dict[Kind, float] = {}
        self.scores: dict[Kind, float] = {}
        self.measured = 0
        kinds: dict[Kind, list[Job]] = {}
        for job in plan.jobs:
            kinds.setdefault(kind_of(job.record), []).append(job)
        for kind, jobs in kinds.items():
            found = self.logged(jobs)
            if found is None:
                self.measured += 1
                say(f"timing {jobs[0].record.model} on {jobs[0].record.dataset.name}")
                try:
                    found = self.trial(jobs[0])
                except (Exception, SystemExit) as error:  # a plugin's, which its runs will say
                    say(f"it cannot be timed: {blame(error) or error}")
                    found = 0.0
            self.step[kind] = found
            if scoring := scored_seconds(jobs):
                self.scores[kind] = scoring

    def logged(self, jobs: list[Job]) -> float | None:
        """Return the seconds a step of runs on such a device; None if there is none."""
        found: list[float] = []
        for job in jobs:
            run = job.look()[0] if len(found) < LOGS else None
            if run is None or run.record.device.partition(" ")[0] != self.device.type:
                continue
            speeds = [e["images_per_second"] for e in run.log if e.get("images_per_second")]
            if speeds:
                found.append(run.record.recipe["batch_size"] / statistics.median(speeds))
        return statistics.median(found) if found else None

    def trial(self, job: Job) -> float:
        """Return the seconds a step of a few steps, now."""
        before = torch.get_num_threads()
        if self.device.type == "cpu":
            keep_freed_memory()
            torch.set_num_threads(self.threads)
        try:
            return time_steps(Run(job.path, job.record, self.plan.dataset(job)), self.device)
        finally:
            torch.set_num_threads(before)

    def seconds(self, job: Job, state: JobState) -> float:
        """Return about how long a job in this state needs, training and scores."""
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
        images = max(part.images for part in job.scored)  # of which most metrics need a part
        encoding = self.step[kind] / int(recipe["batch_size"]) / ENCODING * images
        return left + encoding + seconds_of(missing)

    def all(self, states: dict[Job, JobState]) -> float:
        """Return about how long all jobs take, so many at a time."""
        each = [self.seconds(job, state) for job, state in states.items()]
        return max(max(each, default=0.0), sum(each) / max(1, self.width))


def scored_seconds(jobs: list[Job]) -> float:
    """Return the seconds that all scores of a finished run took, encoding included; 0 of none."""
    found: list[float] = []
    for job in jobs:
        run = job.look()[0] if len(found) < LOGS else None
        if run is not None and run.finished and not job.missing(run):
            asked = {(s.metric, s.representation, s.protocol): s.seconds for s in read_scores(run)}
            found.append(sum(asked.values()))
    return float(statistics.median(found)) if found else 0.0


def kind_of(record: RunRecord) -> Kind:
    """Return what the speed of a training depends on."""
    names = ("batch_size", "precision", "compile")
    recipe = tuple(record.recipe.get(name) for name in names)
    return record.model, record.knobs["network"], record.dataset.image_shape, recipe


def time_steps(run: Run, device: torch.device) -> float:
    """Return the seconds of one step of this training, of which nothing is kept."""
    training, dataset = Training(**run.record.recipe), run.dataset
    model = run.build()
    model.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizers = make_optimizers(model, training)
    update = updating(model, optimizers, training, device)
    feed, rng = BatchLoader(dataset, device, resident=False), torch.Generator(device)
    numbers = np.random.default_rng(training.seed)
    began = 0.0
    with torch.enable_grad():
        for step in range(WARM + TRIAL):
            if step == WARM:
                synchronise(device)
                began = time.perf_counter()
            index = numbers.integers(0, len(dataset), training.batch_size)
            pair = model.pair(dataset, index, numbers)
            batch = Batch(
                x=feed(index),
                step=step,
                steps=training.steps,
                dataset_size=len(dataset),
                rng=rng,
                pair=None if pair is None else feed(pair),
            )
            update(batch)
    synchronise(device)
    return (time.perf_counter() - began) / TRIAL


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
