"""One run of a study: the order for its worker, and its state on disk."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from disentangle._utils.time_limit import Deadline
from disentangle.contracts.dataset import Dataset
from disentangle.data.request import DatasetRequest
from disentangle.errors import DisentangleError
from disentangle.runs.layout import RECORD
from disentangle.runs.records import DatasetRecord, Record, RunRecord, describe
from disentangle.runs.run import Run, read_run
from disentangle.runs.score_records import Score
from disentangle.runs.scores import read_scores
from disentangle.scoring.measure import ScoreRequest
from disentangle.scoring.request import ScoringRequest

START = 10.0
"""Seconds that a worker needs to start, get on, and stop with a checkpoint."""
JobState: TypeAlias = Literal["new", "unfinished", "failed", "unscored", "done"]


class Order(Record):
    """The complete instructions for a worker, sent as JSON."""

    path: str
    """The absolute path of the run's folder."""
    results: str
    study: str
    model: str
    dataset: str
    device: str
    """Device for training: `auto`, or the name of a device."""
    options: dict[str, Any]
    """Further arguments of `train`: knobs, training options and options of the dataset."""
    asked: tuple[ScoringRequest, ...]
    pictures: bool
    """Whether to draw the run's own figures."""
    track: tuple[str, ...] = ()
    """Checked trackers; if there are none, those to which the run was sent before."""
    deadline: float | None = None
    """When the worker must have ended, in seconds since the epoch; None for no deadline."""

    @property
    def time_limit(self) -> Deadline | None:
        """The worker's deadline."""
        return None if self.deadline is None else Deadline(self.deadline)

    @property
    def late(self) -> bool:
        """True if too little time is left for a worker to start and to get on."""
        return self.time_limit is not None and self.time_limit.left < START


@dataclass(eq=False)
class Job:
    """A run of a study.

    Attributes:
        order: the instructions for its worker.
        record: the record of the run at its start on this machine.
        scored: the part of the dataset to score, for each requested set of scores.
        request: the dataset and its part to train on.
        name: the name shown to users; see `name_all`.
    """

    order: Order
    record: RunRecord
    scored: tuple[DatasetRecord, ...]
    request: DatasetRequest
    name: str = ""

    @property
    def path(self) -> Path:
        """The run's folder."""
        return Path(self.order.path)

    @property
    def log(self) -> Path:
        """The log file of its workers."""
        return log_of(self.path)

    def run(self) -> Run | None:
        """Load the run from disk; None if it does not exist yet.

        Raises:
            DisentangleError: its record is damaged.
        """
        return read_run(self.path) if (self.path / RECORD).exists() else None

    def look(self) -> tuple[Run | None, str]:
        """Load the run and its scores; return the run or None, and the error message, if any."""
        try:
            run = self.run()
            if run is not None:
                read_scores(run)
            return run, ""
        except DisentangleError as error:
            return None, str(error)

    def state(self) -> JobState:
        """The state of the run on disk."""
        return self.state_of(self.run())

    def state_of(self, run: Run | None) -> JobState:
        """The state of a loaded run of this job."""
        if run is None:
            return "new"
        if run.state == "finished":
            return "unscored" if self.figures_missing(run) or self.missing(run) else "done"
        return run.state

    def figures_missing(self, run: Run) -> bool:
        """True if requested figures of the run are missing and can be drawn.

        The figures of a run without weights, such as a published one, cannot be drawn.
        """
        from disentangle.runs.layout import FILES

        if not self.order.pictures or not run.checkpoint_path.exists():
            return False
        return not all((run.figures / name).exists() for name in FILES)

    def missing(self, run: Run | None) -> Sequence[ScoreRequest]:
        """The requested scores that a run lacks; all of them without a run."""
        if run is None:
            return self.requests("")
        return [one for one, scores in self.answers(run) if not scores]

    def outdated(self, run: Run) -> list[str]:
        """The metrics, each with its version, whose scores of a run are of an older version."""
        versions = {
            f"{score.metric} (version {score.version} of {one.metric.kind.version})"
            for one, scores in self.answers(run)
            for score in scores
            if score.version < one.metric.kind.version
        }
        return sorted(versions)

    def show_requested(self, run: Run) -> None:
        """Let tables and figures of a run show only the requested scores."""
        keys = {score.key for _, scores in self.answers(run) for score in scores}
        run.shows = lambda score: score.key in keys

    def answers(self, run: Run) -> list[tuple[ScoreRequest, list[Score]]]:
        """Each requested score with a run's answers to it.

        A finished run without weights, such as a published one, cannot be scored again: scores of
        an older version of a metric remain its answers.
        """
        scores = read_scores(run)
        final = run.finished and not run.checkpoint_path.exists()
        return [
            (one, one.among(scores) or (one.among_older(scores) if final else []))
            for one in self.requests(run.record.weights or "")
        ]

    def requests(self, weights: str) -> list[ScoreRequest]:
        """The requested scores, for these weights."""
        asked = zip(self.order.asked, self.scored, strict=True)
        return [one for request, data in asked for one in request.scores_of(data, weights)]

    def busy(self) -> bool:
        """True if another process is working on this run.

        Raises:
            DisentangleError: its record is damaged, or its folder is not writable.
        """
        run = self.run()
        return run is not None and run.busy()


def log_of(run: Path) -> Path:
    """The log file of the workers of a run."""
    return run.parents[2] / "logs" / f"{run.name}.log"


class Planned(Protocol):
    """Runs to be made: those of a study, or of one configuration with several seeds."""

    @property
    def name(self) -> str:
        """The name shown to users."""

    @property
    def jobs(self) -> Sequence[Job]:
        """The runs."""

    def dataset(self, job: Job) -> Dataset:
        """The open dataset on which a job trains."""


def name_all(jobs: Sequence[Job]) -> None:
    """Name each job by its model and what distinguishes it: dataset, settings, seed."""
    datasets = {job.record.data[:2] for job in jobs}
    several = len({name for name, _ in datasets}) < len(datasets)
    values: defaultdict[tuple[str, str], set[Any]] = defaultdict(set)
    for job in jobs:
        for key, value in settings_of(job).items():
            values[job.record.model, key].add(value)
    for job in jobs:
        model, (dataset, part) = job.record.model, job.record.data[:2]
        settings = settings_of(job)
        shown = {k: v for k, v in settings.items() if k == "seed" or len(values[model, k]) > 1}
        where = f"{dataset} ({part or 'all images'})" if several else dataset
        job.name = " ".join([model, *([where] if len(datasets) > 1 else []), describe(shown)])


def settings_of(job: Job) -> dict[str, Any]:
    """All knobs and training options of a job, with the seed last."""
    recipe = dict(job.record.recipe)
    seed = recipe.pop("seed")
    return {**job.record.knobs, **recipe, "seed": seed}
