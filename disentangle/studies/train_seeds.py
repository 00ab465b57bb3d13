"""The verb `train_seeds`: train one configuration with several seeds, several at a time."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.notebook import preparing_line
from disentangle._utils.text import count
from disentangle._utils.time_limit import Deadline, TimeLimit
from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.labels import write_label
from disentangle.runs.layout import run_folder
from disentangle.runs.run import Run, read_run
from disentangle.studies.configurations import unfinished_jobs
from disentangle.studies.executor import Executor
from disentangle.studies.jobs import Job, JobState
from disentangle.studies.progress import Watch, notebook_watch
from disentangle.studies.seeds import (
    SeedRuns,
    executor_for,
    parse_seeds,
    plan_seeds,
    seed_name,
    unique_seeds,
)
from disentangle.studies.sweep import (
    out_of_time,
    run_jobs,
    states_of,
    summary_line,
    warn_of_trackers,
)
from disentangle.training.train import train

OWN = ("report", "time_limit", "say", "progress")
"""The arguments of `train` that are not passed on to each run."""


def train_seeds(
    model: str,
    dataset: str,
    seeds: Iterable[int] | str,
    *,
    jobs: int | None = None,
    time_limit: TimeLimit = None,
    watch: Watch | None = None,
    say: Say = silent,
    progress: Progress | None = None,
    **options: Any,
) -> list[Run]:
    """Train a model on a dataset with several seeds, several at a time; return the finished runs.

    Each seed is the run that `train` makes with it. The same call again returns the finished runs,
    and continues or starts the others.

    Args:
        model: a registered name or a reference, `module:name`; each seed is trained in a process of
            its own, which imports it.
        dataset: a registered name, a reference, or a path to your own images.
        seeds: the seeds, such as `range(5)`, or a text as on the command line: `"0..4"`.
        jobs: the number of trainings at a time [default: as many as there are cores or GPUs].
        time_limit: stop the trainings with checkpoints by then, counted from this call; see
            `train`.
        watch: called with each `studies.Event`, and regularly with None [default: a line in a
            notebook shows the progress].
        say: called with lines of text for the user.
        progress: called while the dataset is prepared [default: a line in a notebook].
        **options: the other arguments of `train`: `study`, `results` and `track`, hyper-parameters
            (`beta=4`) and training options (`steps=5000`). With a `name`, the runs are called
            `NAME-seed0`, `NAME-seed1`, ...

    Returns:
        The runs, in the order of the seeds.

    Raises:
        UsageError: an unknown name or option, or an invalid value; nothing was started.
        OutOfTime: runs are left at the time limit; the same call continues.
        DisentangleError: some of the runs failed; the others are finished.
    """
    deadline = Deadline.after(time_limit)
    for what, given in (("model", model), ("dataset", dataset)):
        if not isinstance(given, str):
            raise UsageError(
                f"train_seeds: expected the name of a {what}, which processes of their own can "
                f"open, got {type(given).__name__}. One after another takes any: "
                "`[train(model, dataset, seed=seed) for seed in seeds]`"
            )
    arguments = {name: options.pop(name, default) for name, default in defaults().items()}
    if "seed" in options:
        raise UsageError("train_seeds: give only one of seed and seeds")
    if arguments["metrics"] is not None:
        arguments["metrics"] = list(arguments["metrics"])
    chosen, device = as_seeds(seeds), arguments["device"]
    executor = executor_for(len(chosen), jobs, device)
    planned = plan_seeds(
        model, dataset, chosen, options, arguments, say=say, progress=preparing_line(progress)
    )
    states = states_of(planned)
    say(summary_line(planned, states))
    watch = watch or notebook_watch(planned, states, executor, device, say, deadline)
    ends = run_missing(states, executor, device, watch, say, deadline)
    failed = {job: why for job, why in ends.items() if why is not None}
    runs = finished_runs(planned, arguments, failed)
    check_all_ended(states, ends, deadline)
    if failed:
        raise DisentangleError(failure(failed, len(chosen)))
    return list(runs.values())


def defaults() -> dict[str, Any]:
    """The arguments of `train` that are no settings, with their defaults."""
    named = inspect.Parameter.KEYWORD_ONLY
    parameters = inspect.signature(train).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is named and p.name not in OWN}


def as_seeds(seeds: Iterable[int] | str) -> Sequence[int]:
    """The seeds of an argument of `train_seeds`.

    Raises:
        UsageError: there is none, one is no whole number, or one occurs twice.
    """
    if isinstance(seeds, str):
        return parse_seeds(seeds)
    if not isinstance(seeds, Iterable):
        raise UsageError(f"seeds: expected several seeds, such as range({seeds}); got {seeds!r}")
    listed = list(seeds)
    try:
        chosen = [int(seed.__index__()) for seed in listed]
    except AttributeError:
        raise UsageError(f"seeds: expected whole numbers, such as range(5); got {listed}") from None
    if not chosen:
        raise UsageError("seeds: expected at least one seed, such as range(5); got none")
    return unique_seeds(chosen, f"seeds {chosen}")


def run_missing(
    states: Mapping[Job, JobState],
    executor: Executor,
    device: str,
    watch: Watch,
    say: Say,
    deadline: Deadline | None,
) -> dict[Job, str | None]:
    """Start or continue the unfinished runs.

    Returns:
        The runs that ended: the reason for each failed one, None for the others.
    """
    left = unfinished_jobs(states)
    ends = run_jobs(executor, left, device, watch, say, deadline) if left else {}
    warn_of_trackers(left)
    return {job: None if why is None else f"{why} (log: {job.log})" for job, why in ends.items()}


def check_all_ended(
    states: Mapping[Job, JobState], ends: Mapping[Job, str | None], deadline: Deadline | None
) -> None:
    """Raise `OutOfTime` if a deadline left some of the unfinished runs."""
    if deadline is not None and len(ends) < len(unfinished_jobs(states)):
        raise out_of_time(states, ends)


def finished_runs(
    planned: SeedRuns, arguments: Mapping[str, Any], failed: dict[Job, str]
) -> dict[int, Run]:
    """The finished runs by seed, with the given name and note; the others are added to `failed`.

    Their paths are as those of `train`: relative if the results folder is.
    """
    runs: dict[int, Run] = {}
    for job in planned.jobs:
        run, damage = job.look()
        results = Path(arguments["results"]).expanduser()
        path = run_folder(results, arguments["study"], job.record)
        if damage:
            failed.setdefault(job, damage)
        elif run is not None and run.finished:
            seed, name = job.record.seed, arguments["name"]
            name = seed_name(name, seed) if name else None
            write_label(run.path, name=name, note=arguments["note"], results=results)
            runs[seed] = read_run(path)
        elif run is not None and run.record.failed:
            failed.setdefault(job, f"{run.record.failed} (`disentangle resume {path}` tries again)")
    return runs


def failure(failed: Mapping[Job, str], runs: int) -> str:
    """The failures of runs as one text."""
    reasons = "; ".join(f"{job.name}: {why}" for job, why in failed.items())
    return f"{len(failed)} of {count(runs, 'run')} failed: {reasons}"
