"""One run of a study: what a worker is told of it, and how far it is."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from disentangle.data.request import DatasetRequest
from disentangle.errors import DisentangleError
from disentangle.runs.layout import RECORD
from disentangle.runs.records import DatasetRecord, Record, RunRecord, describe
from disentangle.runs.run import Run, load_run
from disentangle.runs.score_records import Score
from disentangle.runs.scores import read_scores
from disentangle.scoring.measure import ScoreRequest
from disentangle.scoring.request import ScoringRequest

JobState: TypeAlias = Literal["new", "unfinished", "failed", "unscored", "done"]


class Order(Record):
    """All that a worker needs to know, as it travels."""

    path: str
    """The run's folder, absolute."""
    results: str
    study: str
    model: str
    dataset: str
    device: str
    """Where to train: `auto`, or a device's name."""
    options: dict[str, Any]
    """Further arguments of `experiment.train`: knobs, trainer's options, and the dataset's."""
    asked: tuple[ScoringRequest, ...]
    pictures: bool
    """Whether to draw the run's own figures."""


@dataclass(eq=False)
class Job:
    """A run that a study asks for.

    Attributes:
        order: what a worker is told.
        record: the run as it would begin here.
        scored: the part of the dataset that is scored, for each of the scores asked.
        request: the dataset and the part of it that is trained on.
        name: what a person calls it; see `name_all`.
    """

    order: Order
    record: RunRecord
    scored: tuple[DatasetRecord, ...]
    request: DatasetRequest
    name: str = ""

    @property
    def path(self) -> Path:
        """Return the run's folder."""
        return Path(self.order.path)

    @property
    def log(self) -> Path:
        """Return the file that its workers write to."""
        return self.path.parents[2] / "logs" / f"{self.record.id}.log"

    def run(self) -> Run | None:
        """Return the run as it is on disk; None if it has not begun.

        Raises:
            DisentangleError: its record is damaged.
        """
        return load_run(self.path) if (self.path / RECORD).exists() else None

    def look(self) -> tuple[Run | None, str]:
        """Return the run with its scores read, if it has begun; and why it cannot be read."""
        try:
            run = self.run()
            if run is not None:
                read_scores(run)
            return run, ""
        except DisentangleError as error:
            return None, str(error)

    def state(self) -> JobState:
        """Return how far the run is, on disk."""
        return self.state_of(self.run())

    def state_of(self, run: Run | None) -> JobState:
        """Return how far a run of this job is."""
        if run is None:
            return "new"
        if run.state == "finished":
            return "unscored" if self.figures_missing(run) or self.missing(run) else "done"
        return run.state

    def figures_missing(self, run: Run) -> bool:
        """Say whether figures of the run are wanted and not there, and can be drawn.

        A run without weights, as published ones are, is what it is.
        """
        from disentangle.runs.layout import FILES

        if not self.order.pictures or not run.checkpoint_path.exists():
            return False
        return not all((run.figures / name).exists() for name in FILES)

    def missing(self, run: Run | None) -> Sequence[ScoreRequest]:
        """The scores that were asked for and that a run lacks; without a run, all of them."""
        scores = read_scores(run) if run else ()
        weights = (run.record.weights if run else None) or ""
        return [one for one in self.requests(weights) if not one.among(scores)]

    def is_requested(self, score: Score) -> bool:
        """Whether a score is one of those that were asked for."""
        return any(one.among([score]) for one in self.requests(score.weights))

    def requests(self, weights: str) -> list[ScoreRequest]:
        """The scores that were asked for, of these weights."""
        asked = zip(self.order.asked, self.scored, strict=True)
        return [one for request, data in asked for one in request.scores_of(data, weights)]

    def busy(self) -> bool:
        """Say whether another process is at this run.

        Raises:
            DisentangleError: its record is damaged, or its folder cannot be written to.
        """
        run = self.run()
        return run is not None and run.busy()


def name_all(jobs: Sequence[Job]) -> None:
    """Name each job by its model, and by what tells it from the others: dataset, settings, seed."""
    datasets = {job.record.data[:2] for job in jobs}
    several = len({name for name, _ in datasets}) < len(datasets)
    values: defaultdict[tuple[str, str], set[Any]] = defaultdict(set)
    for job in jobs:
        for key, value in settings_of(job).items():
            values[job.record.model, key].add(value)
    for job in jobs:
        model, (dataset, part) = job.record.model, job.record.data[:2]
        settings = settings_of(job)
        told = {k: v for k, v in settings.items() if k == "seed" or len(values[model, k]) > 1}
        where = f"{dataset} ({part or 'all images'})" if several else dataset
        job.name = " ".join([model, *([where] if len(datasets) > 1 else []), describe(told)])


def settings_of(job: Job) -> dict[str, Any]:
    """Return every knob and trainer's option, the seed last."""
    recipe = dict(job.record.recipe)
    seed = recipe.pop("seed")
    return {**job.record.knobs, **recipe, "seed": seed}
