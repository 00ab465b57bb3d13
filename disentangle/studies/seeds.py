"""The runs of one configuration with several seeds: `disentangle train ... --seeds 0..4`."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.device import choose_device
from disentangle.contracts.dataset import Dataset
from disentangle.data.request import DatasetRequest
from disentangle.errors import UsageError
from disentangle.runs.labels import check_free, check_name
from disentangle.runs.layout import run_folder
from disentangle.studies.executor import Executor
from disentangle.studies.jobs import Job, Order
from disentangle.studies.local_executor import Local
from disentangle.studies.study_file import SEEDS
from disentangle.training.configuration import ModelRequest, check_every
from disentangle.training.periodic import periodic_record
from disentangle.training.tracking import check_trackers

RANGE = re.compile(r"(\d+)\s*(\.\.|-|:)\s*(\d+)")
"""A range of seeds; only two dots are right, the others are what people try."""
OPENING = tuple(
    field.name for field in fields(DatasetRequest) if field.name not in ("name", "typed")
)
"""The arguments of `train` that open a dataset and choose the part to train on."""


@dataclass(frozen=True)
class SeedRuns:
    """The runs of one configuration, one for each seed.

    Attributes:
        name: the model and the dataset, as text.
        jobs: one job for each seed, in the order of the seeds.
        part: the open dataset or view to train on.
    """

    name: str
    jobs: list[Job]
    part: Dataset

    def dataset(self, job: Job) -> Dataset:
        """The open dataset on which a job trains."""
        return self.part


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse seeds that are listed or given as ranges with both ends, as in `0..2,5`.

    Raises:
        UsageError: the text is something else, a range is reversed, or a seed occurs twice.
    """
    if text.strip().isdecimal():
        raise UsageError(
            f"--seeds {text}: expected several seeds, got one number; use `--seed {text}` for this "
            f"seed, or `--seeds 0..{max(0, int(text) - 1)}` for so many seeds"
        )
    seeds = [seed for part in text.split(",") for seed in seeds_of(part.strip(), text)]
    return unique_seeds(seeds, f"--seeds {text}")


def unique_seeds(seeds: Sequence[int], given: str) -> tuple[int, ...]:
    """The seeds, of which none may occur twice; `given` is the argument, for the message.

    Raises:
        UsageError: one does.
    """
    for seed, times in Counter(seeds).items():
        if times > 1:
            raise UsageError(f"{given}: seed {seed} is given {times} times")
    return tuple(seeds)


def seeds_of(part: str, text: str) -> Sequence[int]:
    """The seeds of one part of a list: a number or a range."""
    if part.isdecimal():
        return [int(part)]
    ends = RANGE.fullmatch(part)
    if ends is None:
        raise UsageError(
            f"--seeds {text}: expected whole numbers and ranges, such as 0..4 or 0,3,7; got "
            f"'{part}'"
        )
    first, last = int(ends[1]), int(ends[3])
    right = f"{min(first, last)}..{max(first, last)}"
    if ends[2] != "..":
        raise UsageError(f"--seeds {text}: expected a range with two dots, {right}; got '{part}'")
    if first > last:
        raise UsageError(f"--seeds {text}: expected the lower seed first, {right}; got '{part}'")
    if last - first >= SEEDS:
        raise UsageError(f"--seeds {text}: expected at most {SEEDS:,} seeds in a range")
    return range(first, last + 1)


def seed_name(name: str, seed: int) -> str:
    """The name of the run of a seed, if its configuration has this name."""
    return f"{name}-seed{seed}"


def plan_seeds(
    model: str,
    dataset: str,
    seeds: Sequence[int],
    settings: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    say: Say = silent,
    progress: Progress = silent,
) -> SeedRuns:
    """Plan the runs of one configuration, which are those of `train` with each of the seeds.

    Args:
        model: the model's registered name.
        dataset: a registered name, or a path to the user's own images.
        seeds: the seeds.
        settings: the model's hyper-parameters and the training options without the seed.
        options: the other arguments of `train`. With a name, each run is called `NAME-seedN`.
        say: called with messages on preparation, and with the note of a preset.
        progress: called while the dataset is prepared.

    Raises:
        UsageError: an option is invalid; nothing was started.
        DisentangleError: the dataset is not available.
    """
    first = ModelRequest.of(model, {**settings, "seed": seeds[0]}, options["preset"])
    device = choose_device(options["device"])
    check_every(options["checkpoint_every"])
    periodic_record(options["keep"], options["score_every"], options["metrics"])
    trackers = check_trackers(options["track"] or ())
    request = DatasetRequest.of(dataset, **{name: options[name] for name in OPENING})
    first.paper(dataset)  # before the dataset is prepared
    part = request.training_part(request.open(say, progress), say)
    results = Path(options["results"]).expanduser().resolve()
    jobs: list[Job] = []
    for seed in seeds:
        own = {**settings, "seed": seed}
        record = (
            ModelRequest.of(model, own, options["preset"])
            .on(
                part,
                device=device,
                opening=request.record_fields,
                say=silent if jobs else say,
            )
            .record
        )
        path = run_folder(results, options["study"], record)
        if options["name"]:
            own["name"] = check_name(seed_name(options["name"], seed))
            check_free(own["name"], path, results)
        order = Order(
            path=str(path),
            results=str(results),
            study=options["study"],
            model=model,
            dataset=dataset,
            device=options["device"],
            options={**passed_on(options, request), **own},
            asked=(),
            pictures=options["figures"],
            track=trackers,
        )
        jobs.append(Job(order, record, (), request, f"seed {seed}"))
    return SeedRuns(f"{record.model} on {record.dataset.name}", jobs, part)


def passed_on(options: Mapping[str, Any], request: DatasetRequest) -> dict[str, Any]:
    """The arguments of `train` that an order passes on besides its own fields, as JSON values.

    The dataset has been downloaded, and paths are absolute.
    """
    own = ("results", "study", "device", "figures", "name", "download", "track")
    paths = {"data_dir": request.data_dir, "file": request.file}
    given = {name: value for name, value in options.items() if name not in own}
    texts = {name: str(path) for name, path in paths.items() if path is not None}
    return {name: v for name, v in {**given, **paths, **texts}.items() if v is not None}


def executor_for(count: int, jobs: int | None, device: str) -> Executor:
    """The executor of a number of runs that differ only in the seed.

    The cores are shared by all of them, finished ones too. So the same command gives a training
    that it continues as many threads as before, and thereby the same bits.

    Args:
        count: the number of runs, in whatever state.
        jobs: the number of trainings at a time [default: as many as there are cores or GPUs].
        device: device for training: `auto`, or the name of a device.

    Raises:
        UsageError: there are not enough cores for so many trainings.
    """
    default = Local()
    executor = Local(
        jobs=min(count, jobs or default.width(device)),
        together=min(count, jobs or default.together),
    )
    executor.places(device)  # too many are refused before the dataset is prepared
    return executor
