"""`disentangle sweep`: run the missing part of a study, here or on a cluster."""

import shlex
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from disentangle.cli import completion
from disentangle.cli.parameters import RESULTS, AsJson, DataDir, Device, Results, Track, print_json

if TYPE_CHECKING:
    from disentangle.studies.jobs import Job, JobState
    from disentangle.studies.plan import Plan


WHERE = "Execution"


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
    as_json: AsJson = False,
    device: Device = "auto",
    results: Results = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Run a study file, then write its tables, figures and report.

    Run the same command again to continue. After an edit of the file, only new work is done.
    """
    from disentangle._utils.console import say, working
    from disentangle._utils.progress_line import CountLine
    from disentangle.cli.output import show_tables
    from disentangle.cli.sweep_view import View, estimate_line, showing
    from disentangle.studies.estimate import Estimate
    from disentangle.studies.executor import executor_of, width_of
    from disentangle.studies.plan import load_plan
    from disentangle.studies.study_file import parse_study, read_text
    from disentangle.studies.sweep import (
        check_present,
        complete,
        states_of,
        summary_line,
        unfinished_jobs,
    )

    given = {
        "jobs": jobs,
        "threads": threads,
        "per_gpu": per_gpu,
        "retries": retries,
        "address": address,
        "wait": wait,
    }
    parse_study(read_text(file), file)  # what is wrong with the file comes before what is with `on`
    executor = executor_of(on, {name: v for name, v in given.items() if v is not None})
    width = width_of(executor, device)
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
    left = unfinished_jobs(states)
    estimate = None
    if left:
        estimate = Estimate(plan, width, executor.threads_each(device), device, say)
        width = min(width, len(left))
        say(estimate_line(estimate, states))
    if dry_run and as_json:
        print_json(
            {**sweep_state(plan, states), "seconds_left": estimate.all(states) if estimate else 0}
        )
        return
    if dry_run:
        for job in left[:20] if len(left) > 20 else left:
            say(f"  {states[job]}: {job.name}")
        if len(left) > 20:
            say(f"  and {len(left) - 20:,} more")
        return
    check_present(plan)
    seconds = {job: estimate.seconds(job, states[job]) for job in left} if estimate else {}
    done = list(states.values()).count("done")
    view = View(plan.name, seconds, width, len(states), done)
    try:
        with showing(view) if left and wait is not False else nullcontext():
            swept = complete(plan, executor, left, results, device, say, view.see)
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
    if datasets:
        say(f"tables, figures and report show only the runs on {', '.join(datasets)}")
    if as_json:
        print_json({**sweep_state(plan, states_of(plan)), "files": list(map(str, swept.files))})
    else:
        if swept.tables:
            show_tables(swept.tables)
        for path in swept.files:
            typer.echo(path)
    swept.check(plan)


def sweep_state(plan: "Plan", states: "Mapping[Job, JobState]") -> dict[str, Any]:
    """The progress of a study as JSON data."""
    runs = [
        {"name": job.name, "state": state, "path": str(job.path)} for job, state in states.items()
    ]
    return {"study": plan.name, "runs": runs, "not_here": plan.absent}


def say_stopped() -> None:
    """Say which command continues the runs that were stopped: the one that was typed."""
    from disentangle._utils.console import say

    say("stopped; to continue from the checkpoints, run")
    say(f"`{continue_command()}`", broken=False)


def continue_command() -> str:
    """The command line as it was typed; running it again continues the runs."""
    return shlex.join(["disentangle", *sys.argv[1:]])
