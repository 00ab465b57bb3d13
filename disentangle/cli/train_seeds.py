"""`disentangle train ... --seeds 0..4`: the runs of one configuration, several at a time."""

import shlex
from collections.abc import Mapping
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
from disentangle.errors import OutOfTime
from disentangle.runs.collapse import collapsed
from disentangle.runs.run import Run, model_class
from disentangle.studies.configurations import unfinished_jobs
from disentangle.studies.estimate import Estimate
from disentangle.studies.executor import Executor, width_of
from disentangle.studies.jobs import Job, JobState
from disentangle.studies.seeds import SeedRuns, executor_for, parse_seeds, plan_seeds
from disentangle.studies.sweep import states_of, summary_line
from disentangle.studies.train_seeds import check_all_ended, failure, finished_runs, run_missing
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
    runs = finished_runs(planned, arguments, failed)
    if runs:
        say_ending(runs)
    for run in runs.values():
        typer.echo(run.path)
    try:
        check_all_ended(states, ends, deadline)
    except OutOfTime as error:
        raise to_continue(error) from None
    fail_if_any([failure(failed, len(chosen))] if failed else [])


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
    width = width_of(executor, device, left)
    seconds = dict.fromkeys(left, 0.0)
    if deadline is None:  # a trial takes time
        estimate = Estimate(planned, executor, device, say)
        say(estimate_line(estimate, states))
        seconds = {job: estimate.seconds(job, states[job]) for job in left}
    done = list(states.values()).count("done")
    view = View(planned.name, seconds, width, len(states), done, deadline)
    try:
        with showing(view):
            return run_missing(states, executor, device, view.see, say, deadline)
    except Alarm:
        raise
    except (KeyboardInterrupt, SystemExit):
        say_stopped()
        raise


def say_ending(runs: Mapping[int, Run]) -> None:
    """Print the table of finished runs by seed, and the commands to go on with."""
    first = next(iter(runs.values()))
    say(f"{count(len(runs), 'run')} in {first.path.parent}:")
    say("\n".join(seed_table(runs, message_width() or WIDE)), broken=False)
    if seeds := [seed for seed, run in runs.items() if collapsed(run)]:
        noun, kind = "seed" if len(seeds) == 1 else "seeds", model_class(first.record.model)
        say(f"{WARNING}{noun} {', '.join(map(str, seeds))} collapsed; {advice(first, kind)}")
    path, several = shlex.quote(str(first.path)), " --all-seeds" if len(runs) > 1 else ""
    say(f"next: `disentangle score {path}{several}`", broken=False)
    say(f"      `disentangle table {path}{several}`", broken=False)
