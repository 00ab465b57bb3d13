"""The plan of a study: its runs, settled for this machine, each once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from disentangle._utils.callbacks import Progress, Say
from disentangle._utils.device import choose_device
from disentangle.contracts.dataset import Dataset
from disentangle.data import loading
from disentangle.data.request import DatasetRequest
from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.runs.filters import parse
from disentangle.runs.layout import run_folder
from disentangle.runs.records import DatasetRecord
from disentangle.runs.run import Run
from disentangle.score_tables.selection import check_rule
from disentangle.scoring.baselines import check_names
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

Which: TypeAlias = tuple[tuple[str, ...] | None, ScoringRequest]
"""The datasets whose runs are scored so, None for all, and the scores."""


@dataclass
class Plan:
    """A study: its runs, and what becomes of them.

    Attributes:
        name: the file's, without its ending: the study's folder has it.
        file: where it was read from.
        text: its text, as it was read.
        said: what it says.
        folder: where its tables, figures and page go.
        jobs: its runs, each once.
        absent: datasets that are not here -> why.
        opened: each dataset or view of one that is trained on, by its request.
    """

    name: str
    file: Path
    text: str
    said: StudyFile
    folder: Path
    jobs: list[Job] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    opened: dict[DatasetRequest, Dataset] = field(default_factory=dict)

    def dataset(self, job: Job) -> Dataset:
        """Return what a job trains on, as long as it is open."""
        return self.opened[job.request]


def load_plan(
    file: str | Path,
    *,
    results: str | Path = "results",
    device: str = "auto",
    data_dir: str | Path | None = None,
    datasets: Sequence[str] = (),
    say: Say = lambda text: None,
    progress: Progress = lambda done, total: None,
) -> Plan:
    """Return the study that a file describes, on this machine.

    Args:
        file: the study's.
        results: the folder below which all runs lie.
        device: where runs are to train.
        data_dir: where datasets keep what they prepare.
        datasets: names; runs on others are left out, if any is given.
        say: told what is prepared, and what presets say of themselves.
        progress: called while a dataset is prepared.

    Raises:
        UsageError: the file asks for what makes no sense; the message names the place.
        DisentangleError: it cannot be read.
    """
    path = Path(file).expanduser().resolve()
    if path.name.startswith("."):
        raise UsageError(f"{file}: its name is its folder's, so it starts with no dot; rename it")
    planner = Planner(
        results=Path(results).expanduser().resolve(),
        device=device,
        data_dir=None if data_dir is None else Path(data_dir).expanduser().resolve(),
        datasets=tuple(datasets),
        say=say,
        progress=progress,
    )
    plan = planner.plan(path, ())
    name_all(plan.jobs)
    if not plan.jobs and not plan.absent:
        raise UsageError(f"{file}: no run is on {' or '.join(datasets)}")
    return plan


@dataclass
class Planner:
    """Makes plans of files; what they share is opened once."""

    results: Path
    device: str
    data_dir: Path | None
    datasets: tuple[str, ...]
    say: Say
    progress: Progress
    opened: dict[DatasetRequest, Dataset] = field(default_factory=dict)
    whole: dict[DatasetRequest, Dataset] = field(default_factory=dict)
    """Each dataset, without the view of it that is trained on."""
    absent: dict[str, str] = field(default_factory=dict)
    scored: dict[str, DatasetRecord] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    """Datasets that runs are on, those left out too."""

    def plan(self, file: Path, above: tuple[Path, ...]) -> Plan:
        """Return the plan of a file, with the runs of those it names."""
        if file in above:
            raise UsageError(f"{above[-1]}: runs_of: {file.name} asks for the runs of this one")
        text = read_text(file)
        said = parse_study(text, file)
        check_ends(said, file)
        asked = asked_of(said.scores, file)
        for _, one in asked:
            try:
                one.load()
            except UsageError as error:
                raise UsageError(f"{file}: scores: {error}") from error
        plan = Plan(file.stem, file, text, said, self.results / file.stem)
        jobs: dict[Path, Job] = {}
        for name in said.runs_of:
            for job in self.plan((file.parent / name).resolve(), (*above, file)).jobs:
                jobs.setdefault(job.path, self.with_scores(job, asked))
        for number, block in enumerate(said.runs):
            where = f"{file.name}: runs.{number}"
            for settings in expand({**said.defaults, **block}, where):
                found = self.job(settings, plan, asked, where)
                if found is not None:
                    jobs.setdefault(found.path, found)
        plan.jobs = list(jobs.values())
        for number, block_scores in enumerate(said.scores):
            for name in block_scores.datasets or ():
                if name not in self.named:
                    raise UsageError(
                        f"{file.name}: scores.{number}: no run is on a dataset '{name}'"
                        f"{suggestion(name, self.named)}"
                    )
        plan.absent, plan.opened = self.absent, self.opened
        return plan

    def job(
        self, settings: dict[str, Any], plan: Plan, asked: Sequence[Which], where: str
    ) -> Job | None:
        """Return the job of one combination; None where its dataset is left out, or not here."""
        model, chosen = settings.pop("model"), settings.pop("dataset")
        preset = settings.pop("preset", None)
        try:
            for key, value in (("model", model), ("preset", preset)):
                if not isinstance(value, str | None):
                    raise UsageError(f"{key} must be text; got {value!r}")
            for key in (*OPENING, *VIEW):
                if key in settings:
                    raise UsageError(
                        f"{key} is said of the dataset: dataset = {{ name = ..., {key} = ... }}"
                    )
            request = ModelRequest.of(model, settings, preset)
            about = dataset_of(chosen, plan.file)
            asked_for = DatasetRequest.of(**about, data_dir=self.data_dir)
            name = asked_for.name
            self.named.add(f"./{Path(name).name}" if loading.is_path(name) else name)
            if self.datasets and name not in self.datasets:
                return None
            opened = self.open(asked_for)
            if opened is None:
                return None
            del about["name"]
            options = {"data_dir": None if self.data_dir is None else str(self.data_dir), **about}
            record = request.on(
                opened,
                device=choose_device(self.device),
                opening=asked_for.record_fields,
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
                asked=chosen_for(opened.name, asked),
                pictures=plan.said.pictures,
            )
            run = Run(path, record, opened)
            scored = tuple(self.part(run, one) for one in order.asked)
            return Job(order, record, scored, asked_for)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error

    def open(self, request: DatasetRequest) -> Dataset | None:
        """Open what is trained on, once; None where it is not here."""
        if request.name not in self.absent and request not in self.opened:
            try:
                if request.whole not in self.whole:
                    self.whole[request.whole] = request.open(self.say, self.progress)
            except UsageError:
                raise
            except DisentangleError as error:
                self.absent[request.name] = str(error)
                return None
            self.opened[request] = request.training_part(self.whole[request.whole])
        return self.opened.get(request)

    def part(self, run: Run, asked: ScoringRequest) -> DatasetRecord:
        """Return the record of what is scored of a run."""
        key = str((run.record.data, asked.split, asked.factors))
        if key not in self.scored:
            part = asked.part_of_run(run)
            self.scored[key] = run.record.dataset if part is None else DatasetRecord.of(part)
        return self.scored[key]

    def with_scores(self, job: Job, asked: Sequence[Which]) -> Job:
        """Return another study's job, asked for the scores of this one."""
        opened = self.opened[job.request]
        run = Run(job.path, job.record, opened)
        mine = chosen_for(job.record.dataset.name, asked)
        order = job.order.model_copy(update={"asked": mine})
        return Job(order, job.record, tuple(self.part(run, one) for one in mine), job.request)

    def say_once(self, text: str) -> None:
        """Tell the user what many runs would."""
        if text not in self.told:
            self.told.add(text)
            self.say(text)


def check_ends(said: StudyFile, file: Path) -> None:
    """Refuse now what would be refused after the last run."""
    try:
        if isinstance(said.baselines, tuple):
            check_names(said.baselines)
        check_rule(said.tables.choose)
        for figure in said.figures:
            for condition in figure.where:
                parse(condition)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error


def asked_of(blocks: Sequence[ScoresAsked], file: Path) -> list[Which]:
    """Return what is asked of runs, once for each protocol of each block."""
    found = []
    for block in blocks:
        for name in block.protocols:
            fields = block.model_dump(exclude={"protocols", "datasets"})
            protocol = str(file.parent / name) if name.endswith(".toml") else name
            asked = ScoringRequest(protocol=protocol, **fields)
            found.append((block.datasets, asked))
    return found


def chosen_for(dataset: str, asked: Sequence[Which]) -> tuple[ScoringRequest, ...]:
    """Return what is asked of runs on a dataset."""
    return tuple(one for names, one in asked if names is None or dataset in names)
