"""`disentangle sweep`: run the missing part of a study, here or on a cluster."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from disentangle.cli import completion
from disentangle.cli.parameters import (
    RESULTS,
    AsJson,
    DataDir,
    Device,
    Results,
    TimeLimit,
    Track,
    print_json,
)
from disentangle.errors import OutOfTime

if TYPE_CHECKING:
    from disentangle._utils.time_limit import Deadline
    from disentangle.studies.estimate import Estimate
    from disentangle.studies.executor import Executor
    from disentangle.studies.jobs import Job, JobState
    from disentangle.studies.plan import Plan
    from disentangle.studies.sweep import Swept


WHERE = "Execution"
SHOWN = 20
"""Number of runs that a dry run lists at most."""


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="study file")],
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="print the finished and the remaining runs and the estimated time, and exit",
        ),
    ] = False,
    datasets: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            metavar="NAME",
            help="dataset whose runs to include; repeatable",
            show_default="all",
            autocompletion=completion.datasets,
        ),
    ] = None,
    on: Annotated[
        str,
        typer.Option(
            metavar="NAME[:SETTING=VALUE,...]",
            rich_help_panel=WHERE,
            help="executor, as listed by `disentangle list`, with optional hyper-parameters",
            autocompletion=completion.executors,
        ),
    ] = "local",
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=WHERE,
            help="number of trainings at a time",
            show_default="one per core or GPU",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=WHERE,
            help="CPU threads per training",
            show_default="the cores, split evenly",
        ),
    ] = None,
    per_gpu: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=WHERE, help="number of trainings per GPU", show_default="1"
        ),
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(
            min=0,
            rich_help_panel=WHERE,
            help="restarts allowed when a training crashes without progress",
            show_default="3",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            rich_help_panel=WHERE,
            help="address of the cluster, for executors that use one",
        ),
    ] = None,
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait",
            rich_help_panel=WHERE,
            help="wait for the runs, or leave them to the cluster, for executors that can",
            show_default="wait",
        ),
    ] = None,
    track: Track = None,
    time_limit: TimeLimit = None,
    as_json: AsJson = False,
    device: Device = "auto",
    results: Results = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Run a study file, then write its tables, figures and report.

    Run the same command again to continue. After an edit of the file, only new work is done.
    """
    from disentangle.cli.stopping import time_limited

    given = {
        "jobs": jobs,
        "threads": threads,
        "per_gpu": per_gpu,
        "retries": retries,
        "address": address,
        "wait": wait,
    }
    with time_limited(time_limit) as deadline:
        from disentangle._utils.console import say, working
        from disentangle._utils.progress_line import CountLine
        from disentangle.cli.sweep_view import estimate_line
        from disentangle.studies.configurations import unfinished_jobs
        from disentangle.studies.estimate import Estimate
        from disentangle.studies.executor import executor_of, width_of
        from disentangle.studies.plan import load_plan
        from disentangle.studies.study_file import parse_study, read_text
        from disentangle.studies.sweep import check_present, states_of, summary_line

        parse_study(read_text(file), file)  # its errors come before those of `on`
        executor = executor_of(on, {name: v for name, v in given.items() if v is not None})
        width_of(executor, device)  # an error in it comes before the datasets are prepared
        with working(CountLine(label="datasets")) as preparing:
            plan = load_plan(
                file,
                results=results,
                device=device,
                data_dir=data_dir,
                datasets=datasets or (),
                track=track or (),
                say=say,
                progress=preparing,
            )
        states = states_of(plan)
        say(summary_line(plan, states))
        for name, why in plan.absent.items():
            say(f"dataset {name} is not available, skipping its runs: {why}")
        estimate = None
        if unfinished_jobs(states) and (deadline is None or dry_run):  # a trial takes time
            estimate = Estimate(plan, executor, device, say)
            say(estimate_line(estimate, states))
        if dry_run:
            show_work(plan, states, estimate, as_json)
            return
        check_present(plan)
        try:
            width = width_of(executor, device, unfinished_jobs(states))
            swept = run_plan(
                plan, executor, states, estimate, width, results, device, wait, deadline
            )
        except OutOfTime:
            if as_json:
                print_json(sweep_state(plan, states_of(plan)))
            raise
        if datasets:
            say(f"tables, figures and report show only the runs on {', '.join(datasets)}")
        show_results(plan, swept, as_json)
        swept.check(plan)


def show_work(
    plan: "Plan",
    states: "Mapping[Job, JobState]",
    estimate: "Estimate | None",
    as_json: bool,
) -> None:
    """Print the remaining runs in the order of their start, or all runs as JSON."""
    from disentangle._utils.console import say
    from disentangle.studies.configurations import unfinished_jobs

    if as_json:
        seconds = estimate.all(states) if estimate else 0
        print_json({**sweep_state(plan, states), "seconds_left": seconds})
        return
    left = unfinished_jobs(states)
    for job in left[:SHOWN]:
        say(f"  {states[job]}: {job.name}")
    if len(left) > SHOWN:
        say(f"  and {len(left) - SHOWN:,} more")


def run_plan(
    plan: "Plan",
    executor: "Executor",
    states: "Mapping[Job, JobState]",
    estimate: "Estimate | None",
    width: int,
    results: Path,
    device: str,
    wait: bool | None,
    deadline: "Deadline | None",
) -> "Swept":
    """Run what is left of a study, and show its progress.

    Args:
        plan: the study.
        executor: what runs the jobs.
        states: the state of each job.
        estimate: the seconds that each job needs, if they were estimated.
        width: the number of jobs at a time.
        results: the results folder.
        device: the device for training.
        wait: False to leave the jobs to a cluster.
        deadline: when this command must have ended.

    Raises:
        OutOfTime: runs are left at the deadline.
    """
    from disentangle._utils.console import say
    from disentangle._utils.time_limit import Alarm
    from disentangle.cli.stopping import continue_command, say_stopped, to_continue
    from disentangle.cli.sweep_view import View, showing
    from disentangle.studies.configurations import unfinished_jobs
    from disentangle.studies.sweep import complete

    left = unfinished_jobs(states)
    seconds = {job: estimate.seconds(job, states[job]) if estimate else 0.0 for job in left}
    done = list(states.values()).count("done")
    view = View(plan.name, seconds, min(width, len(left)), len(states), done, deadline)
    try:
        with showing(view) if left and wait is not False else nullcontext():
            swept = complete(plan, executor, states, results, device, say, view.see, deadline)
    except OutOfTime as error:
        raise to_continue(error) from None
    except Alarm:
        raise
    except (KeyboardInterrupt, SystemExit):
        if detached := executor.detached(left) if left else "":
            say(f"{detached}. Run `{continue_command()}` to follow and collect them.")
        else:
            say_stopped()
        raise
    if swept.detached:
        view.read_logs()
        say(view.line())
        say(f"{swept.detached}. Run `{continue_command()}` to follow and collect them.")
    return swept


def show_results(plan: "Plan", swept: "Swept", as_json: bool) -> None:
    """Print the tables of a study and the paths of its files, or its state as JSON."""
    from disentangle.cli.output import show_tables
    from disentangle.studies.sweep import states_of

    if as_json:
        print_json({**sweep_state(plan, states_of(plan)), "files": list(map(str, swept.files))})
        return
    if swept.tables:
        show_tables(swept.tables)
    for path in swept.files:
        typer.echo(path)


def sweep_state(plan: "Plan", states: "Mapping[Job, JobState]") -> dict[str, Any]:
    """The progress of a study as JSON data."""
    runs = [
        {"name": job.name, "state": state, "path": str(job.path)} for job, state in states.items()
    ]
    return {"study": plan.name, "runs": runs, "not_here": plan.absent}
