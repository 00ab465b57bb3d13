"""The plan of a study: its runs, resolved for this machine, each once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle.contracts.dataset import Dataset
from disentangle.data.names import shown_name, true_name
from disentangle.data.request import DatasetRequest
from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.runs.filters import parse
from disentangle.runs.layout import run_folder
from disentangle.runs.records import DatasetRecord
from disentangle.runs.run import Run
from disentangle.score_tables.selection import check_rule
from disentangle.scoring.baselines import known_baselines
from disentangle.scoring.request import ScoringRequest
from disentangle.studies.jobs import Job, Order, name_all
from disentangle.studies.study_file import (
    OPENING,
    VIEW,
    ScoresAsked,
    StudyFile,
    dataset_of,
    expand,
    parse_study,
    read_text,
)
from disentangle.training.configuration import ModelRequest
from disentangle.training.tracking import check_trackers


class BlockScores(NamedTuple):
    """The scores that one block of a study requests, under one protocol."""

    request: ScoringRequest
    datasets: tuple[str, ...] | None
    """The datasets whose runs get these scores; None for all."""
    held_out: bool
    """True if only runs get them that hold out images."""

    def of(self, data: DatasetRecord) -> bool:
        """True if a run that was trained on these data gets the scores."""
        named = self.datasets is None or data.name in self.datasets
        needed = {"hold_out": self.held_out, "correlate": self.request.correlated}
        return named and all(key in data.view for key, needs in needed.items() if needs)


@dataclass
class Plan:
    """A study: its runs and its output folder.

    Attributes:
        name: name of the file without its suffix, also the name of the study's folder.
        file: path of the study file.
        text: content of the file.
        study: the parsed file.
        folder: folder of its tables, figures and page.
        jobs: its runs, each once.
        absent: unavailable datasets -> the reason.
        opened: open datasets or views to train on, by their requests.
    """

    name: str
    file: Path
    text: str
    study: StudyFile
    folder: Path
    jobs: list[Job] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    opened: dict[DatasetRequest, Dataset] = field(default_factory=dict)

    def dataset(self, job: Job) -> Dataset:
        """The open dataset on which a job trains."""
        return self.opened[job.request]


def load_plan(
    file: str | Path,
    *,
    results: str | Path = "results",
    device: str = "auto",
    data_dir: str | Path | None = None,
    datasets: Sequence[str] = (),
    track: Sequence[str] = (),
    say: Say = silent,
    progress: Progress = silent,
) -> Plan:
    """Load the plan of a study file for this machine.

    Args:
        file: the study file.
        results: the results folder, which holds all runs.
        device: device for training.
        data_dir: folder of prepared datasets.
        datasets: names of the datasets to include; all by default.
        track: trackers of every run, besides those of the file.
        say: called with messages on preparation and with notes of presets.
        progress: called while a dataset is prepared.

    Raises:
        UsageError: the file is invalid; the message names the place.
        DisentangleError: the file cannot be read.
    """
    path = Path(file).expanduser().resolve()
    if path.name.startswith("."):
        raise UsageError(f"{file}: the name must not start with a dot; rename the file")
    planner = Planner(
        results=Path(results).expanduser().resolve(),
        device=device,
        data_dir=None if data_dir is None else Path(data_dir).expanduser().resolve(),
        datasets=tuple(map(true_name, datasets)),
        say=say,
        progress=progress,
    )
    plan = planner.plan(path, ())
    name_all(plan.jobs)
    trackers = check_trackers([*plan.study.track, *track])
    for job in plan.jobs:
        job.order = job.order.model_copy(update={"track": trackers})
    if not plan.jobs and not plan.absent:
        hint = suggestion(datasets[0], planner.named, option="--dataset")
        raise UsageError(f"{file}: no run uses dataset {' or '.join(datasets)}{hint}")
    return plan


@dataclass
class Planner:
    """Makes plans from files; a shared dataset is opened once."""

    results: Path
    device: str
    data_dir: Path | None
    datasets: tuple[str, ...]
    say: Say
    progress: Progress
    opened: dict[DatasetRequest, Dataset] = field(default_factory=dict)
    whole: dict[DatasetRequest, Dataset] = field(default_factory=dict)
    """Open datasets, without the view to train on."""
    absent: dict[str, str] = field(default_factory=dict)
    scored: dict[str, DatasetRecord] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    """Datasets of all runs, excluded ones too."""

    def plan(self, file: Path, above: tuple[Path, ...]) -> Plan:
        """Make the plan of a file, with the runs of the studies in its `runs_of`."""
        if file in above:
            raise UsageError(f"{above[-1]}: runs_of: circular reference to {file.name}")
        text = read_text(file)
        study = parse_study(text, file)
        check_outputs(study, file)
        asked = score_requests(study.scores, file)
        for each in asked:
            try:
                each.request.load()
            except UsageError as error:
                raise UsageError(f"{file}: scores: {error}") from error
        plan = Plan(file.stem, file, text, study, self.results / file.stem)
        jobs: dict[Path, Job] = {}
        for name in study.runs_of:
            for job in self.plan((file.parent / name).resolve(), (*above, file)).jobs:
                jobs.setdefault(job.path, self.with_scores(job, asked))
        for number, block in enumerate(study.runs):
            where = f"{file.name}: runs.{number}"
            for settings in expand({**study.defaults, **block}, where):
                new_job = self.job(settings, plan, asked, where)
                if new_job is not None:
                    jobs.setdefault(new_job.path, new_job)
        plan.jobs = list(jobs.values())
        for number, block_scores in enumerate(study.scores):
            for name in map(true_name, block_scores.datasets or ()):
                if name not in self.named:
                    raise UsageError(
                        f"{file.name}: scores.{number}: no run uses dataset '{name}'"
                        f"{suggestion(name, self.named)}"
                    )
        for key, choice, lacking in (
            ("held_out", "hold_out", "no run holds out images"),
            ("correlated", "correlate", "no run is trained with correlated factors"),
        ):
            asks = any(getattr(block, key) for block in study.scores) and not self.datasets
            if asks and not any(choice in job.record.dataset.view for job in plan.jobs):
                raise UsageError(f"{file.name}: scores: {key}: {lacking}")
        plan.absent, plan.opened = self.absent, self.opened
        return plan

    def job(
        self, settings: dict[str, Any], plan: Plan, asked: Sequence[BlockScores], where: str
    ) -> Job | None:
        """Make the job of one combination; None if its dataset is excluded or unavailable."""
        model, dataset = settings.pop("model"), settings.pop("dataset")
        preset = settings.pop("preset", None)
        try:
            for key, value in (("model", model), ("preset", preset)):
                if not isinstance(value, str | None):
                    raise UsageError(f"{key} must be text; got {value!r}")
            for key in (*OPENING, *VIEW):
                if key in settings:
                    raise UsageError(
                        f"{key} belongs to the dataset: dataset = {{ name = ..., {key} = ... }}"
                    )
            request = ModelRequest.of(model, settings, preset)
            opening = dataset_of(dataset, plan.file)
            dataset_request = DatasetRequest.of(**opening, data_dir=self.data_dir)
            name = dataset_request.name
            self.named.add(shown_name(name))
            if self.datasets and name not in self.datasets:
                return None
            request.paper(name)
            opened = self.open(dataset_request)
            if opened is None:
                return None
            del opening["name"]
            data_dir = None if self.data_dir is None else str(self.data_dir)
            options = {"data_dir": data_dir, **opening}
            record = request.on(
                opened,
                device=choose_device(self.device),
                opening=dataset_request.record_fields,
                say=self.say_once,
            ).record
            path = run_folder(self.results, plan.name, record)
            order = Order(
                path=str(path),
                results=str(self.results),
                study=plan.name,
                model=model,
                dataset=name,
                device=self.device,
                options={**options, **settings, **({} if preset is None else {"preset": preset})},
                asked=scores_for(record.dataset, asked),
                pictures=plan.study.pictures,
            )
            run = Run(path, record, opened)
            scored = tuple(self.part(run, one) for one in order.asked)
            return Job(order, record, scored, dataset_request)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error

    def open(self, request: DatasetRequest) -> Dataset | None:
        """Open the dataset or view to train on, once; None if it is unavailable."""
        if request.name not in self.absent and request not in self.opened:
            try:
                if request.whole not in self.whole:
                    self.whole[request.whole] = request.open(self.say, self.progress)
            except UsageError:
                raise
            except DisentangleError as error:
                self.absent[request.name] = str(error)
                return None
            self.opened[request] = request.training_part(self.whole[request.whole], self.say)
        return self.opened.get(request)

    def part(self, run: Run, asked: ScoringRequest) -> DatasetRecord:
        """The record of the part of the dataset that is scored for a run."""
        key = str((run.record.data, asked.split, asked.factors, asked.correlated))
        if key not in self.scored:
            part = asked.part_of_run(run)
            self.scored[key] = run.record.dataset if part is None else DatasetRecord.of(part)
        if line := asked.defaults_for(self.scored[key]):
            self.say_once(line)
        return self.scored[key]

    def with_scores(self, job: Job, asked: Sequence[BlockScores]) -> Job:
        """Copy a job of another study, with the scores that this study requests."""
        opened = self.opened[job.request]
        run = Run(job.path, job.record, opened)
        requests = scores_for(job.record.dataset, asked)
        order = job.order.model_copy(update={"asked": requests})
        scored = tuple(self.part(run, request) for request in requests)
        return Job(order, job.record, scored, job.request)

    def say_once(self, text: str) -> None:
        """Print a message once, although it comes from many runs."""
        if text not in self.told:
            self.told.add(text)
            self.say(text)


def check_outputs(study: StudyFile, file: Path) -> None:
    """Raise an error now for settings that would fail only after the last run."""
    try:
        if isinstance(study.baselines, tuple):
            known_baselines(study.baselines)
        check_rule(study.tables.choose)
        check_trackers(study.track)
        for figure in study.figures:
            for condition in figure.where:
                parse(condition)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error


def score_requests(blocks: Sequence[ScoresAsked], file: Path) -> list[BlockScores]:
    """The requested scores, one request for each protocol of each block."""
    requests = []
    for block in blocks:
        for name in block.protocols:
            fields = block.model_dump(exclude={"protocols", "datasets", "held_out"})
            protocol = str(file.parent / name) if name.endswith(".toml") else name
            request = ScoringRequest(protocol=protocol, **fields)
            datasets = block.datasets and tuple(map(true_name, block.datasets))
            requests.append(BlockScores(request, datasets, block.held_out))
    return requests


def scores_for(data: DatasetRecord, asked: Sequence[BlockScores]) -> tuple[ScoringRequest, ...]:
    """The requested scores of runs that were trained on these data."""
    return tuple(each.request for each in asked if each.of(data))
