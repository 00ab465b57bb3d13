"""`disentangle train ... --seeds 0..4`: the runs of one configuration, several at a time."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from disentangle._utils.console import message_width, say, working
from disentangle._utils.progress_line import CountLine
from disentangle._utils.text import WARNING, count
from disentangle._utils.time_limit import Alarm, Deadline
from disentangle.cli.output import WIDE, fail_if_any
from disentangle.cli.seed_table import seed_table
from disentangle.cli.stopping import say_stopped, to_continue
from disentangle.cli.sweep_view import View, estimate_line, showing
from disentangle.runs.collapse import collapsed
from disentangle.runs.labels import write_label
from disentangle.runs.layout import run_folder
from disentangle.runs.run import Run, model_class, read_run
from disentangle.studies.configurations import unfinished_jobs
from disentangle.studies.estimate import Estimate
from disentangle.studies.executor import Executor, width_of
from disentangle.studies.jobs import Job, JobState
from disentangle.studies.seeds import SeedRuns, executor_for, parse_seeds, plan_seeds, seed_name
from disentangle.studies.sweep import (
    out_of_time,
    run_jobs,
    states_of,
    summary_line,
    warn_of_trackers,
)
from disentangle.training.configuration import advice
from disentangle.training.train import remarks


def train_seeds(
    model: str,
    dataset: str,
    seeds: str,
    jobs: int | None,
    settings: Mapping[str, Any],
    arguments: Mapping[str, Any],
    deadline: Deadline | None = None,
) -> None:
    """Train what is missing of a configuration's runs; print their table and their paths.

    Args:
        model: the model's name.
        dataset: the dataset's name, or the path of the user's own images.
        seeds: the seeds, as given.
        jobs: the number of trainings at a time.
        settings: the hyper-parameters and training options that were given.
        arguments: the other arguments of the verb `train`.
        deadline: when this command must have ended.

    Raises:
        OutOfTime: runs are left at the deadline; the others are finished.
        DisentangleError: some of the runs failed; the others are finished.
    """
    chosen, device = parse_seeds(seeds), arguments["device"]
    executor = executor_for(len(chosen), jobs, device)
    with working(CountLine(label="dataset")) as preparing:
        planned = plan_seeds(
            model, dataset, chosen, settings, arguments, say=say, progress=preparing
        )
    states = states_of(planned)
    say(summary_line(planned, states))
    ends = train_missing(planned, states, executor, device, deadline)
    failed = {job: why for job, why in ends.items() if why is not None}
    runs = {}
    for job in planned.jobs:
        run, damage = job.look()
        if damage:
            failed.setdefault(job, damage)
        elif run is not None and run.finished:
            name, seed = arguments["name"], job.record.seed
            name = seed_name(name, seed) if name else None
            write_label(run.path, name=name, note=arguments["note"])
            runs[job.record.seed] = read_run(shown_path(job, arguments))
        elif run is not None and run.record.failed:
            path = shown_path(job, arguments)
            failed.setdefault(job, f"{run.record.failed} (`disentangle resume {path}` tries again)")
    if runs:
        say_ending(runs)
    for run in runs.values():
        typer.echo(run.path)
    if deadline is not None and len(ends) < len(unfinished_jobs(states)):
        raise to_continue(out_of_time(states, ends))
    fail_if_any(failures(failed, len(chosen)))


def train_missing(
    planned: SeedRuns,
    states: dict[Job, JobState],
    executor: Executor,
    device: str,
    deadline: Deadline | None,
) -> dict[Job, str | None]:
    """Start or continue the unfinished runs.

    Returns:
        The runs that ended: the reason for each failed one, None for the others.
    """
    left = unfinished_jobs(states)
    if not left:
        return {}
    if new := [job for job in left if states[job] == "new"]:
        run = Run(new[0].path, new[0].record, planned.part)
        for text in remarks(run, model_class(run.record.model)):
            say(text)
    width = width_of(executor, device)
    seconds = dict.fromkeys(left, 0.0)
    if deadline is None:  # a trial takes time
        estimate = Estimate(planned, width, executor.threads_each(device), device, say)
        say(estimate_line(estimate, states))
        seconds = {job: estimate.seconds(job, states[job]) for job in left}
    done = list(states.values()).count("done")
    view = View(planned.name, seconds, width, len(states), done, deadline)
    try:
        with showing(view):
            ends = run_jobs(executor, left, device, view.see, deadline)
    except Alarm:
        raise
    except (KeyboardInterrupt, SystemExit):
        say_stopped()
        raise
    warn_of_trackers(left)
    return {job: None if why is None else f"{why} (log: {job.log})" for job, why in ends.items()}


def shown_path(job: Job, arguments: Mapping[str, Any]) -> Path:
    """The folder of a job's run, as `train` prints it: relative if the results folder is."""
    results = Path(arguments["results"]).expanduser()
    return run_folder(results, arguments["study"], job.record)


def say_ending(runs: Mapping[int, Run]) -> None:
    """Print the table of finished runs by seed, and the commands to go on with."""
    first = next(iter(runs.values()))
    say(f"{count(len(runs), 'run')} in {first.path.parent}:")
    say("\n".join(seed_table(runs, message_width() or WIDE)), broken=False)
    if seeds := [seed for seed, run in runs.items() if collapsed(run)]:
        noun = "seed" if len(seeds) == 1 else "seeds"
        say(f"{WARNING}{noun} {', '.join(map(str, seeds))} collapsed; {advice(first)}")
    path, several = shlex.quote(str(first.path)), " --all-seeds" if len(runs) > 1 else ""
    say(f"next: `disentangle score {path}{several}`", broken=False)
    say(f"      `disentangle table {path}{several}`", broken=False)


def failures(failed: Mapping[Job, str], runs: int) -> list[str]:
    """The failures of runs as one text; none if there are none."""
    if not failed:
        return []
    reasons = "; ".join(f"{job.name}: {why}" for job, why in failed.items())
    return [f"{len(failed)} of {count(runs, 'run')} failed: {reasons}"]
