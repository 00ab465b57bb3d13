"""The verb `sweep`: run the missing part of a study, then make its tables, figures and page."""

import signal
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.files import write_text
from disentangle._utils.notebook import preparing_line
from disentangle._utils.text import count
from disentangle._utils.time_limit import Deadline, TimeLimit
from disentangle.errors import BrokenContract, DisentangleError, OutOfTime, TrackingWarning
from disentangle.reports.pages import NAME, study_page
from disentangle.runs.external import External, load_externals
from disentangle.runs.run import Run
from disentangle.runs.scores import current_scores, read_scores
from disentangle.runs.tracker_records import trackers_of
from disentangle.score_tables import export
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.published import papers_on
from disentangle.score_tables.selection import select
from disentangle.score_tables.table import Table
from disentangle.scoring.baselines import read_baselines, score_baselines, unwritten_of
from disentangle.studies.configurations import unfinished_jobs, whole_configurations
from disentangle.studies.executor import Event, Executor, executor_of
from disentangle.studies.jobs import Job, JobState, Planned
from disentangle.studies.plan import Plan, load_plan
from disentangle.studies.progress import Watch, notebook_watch
from disentangle.studies.study_figures import draw_figures
from disentangle.studies.tracker_places import TrackerPlaces

RESERVE = 5.0
"""Seconds between the deadline of workers and that of the command that started them."""
CLOSING = 4.0
"""Seconds before its deadline at which a command stops the workers that have not ended."""


@dataclass(frozen=True)
class Swept:
    """The results of a study.

    Attributes:
        tables: its score tables, one for each dataset.
        files: the files of its tables, figures and page.
        failed: runs that failed, now or earlier -> the reason.
        without: reasons why baselines have no scores, or outputs could not be written.
        detached: which runs go on without this process, as `Executor.detached` says.
    """

    tables: list[Table]
    files: list[Path]
    failed: dict[Job, str]
    without: list[str]
    detached: str = ""

    def check(self, plan: Plan) -> None:
        """Raise an error if the study is incomplete.

        Raises:
            DisentangleError: a run, a baseline or the writing of outputs failed; everything else
                was made.
        """
        problems = list(self.without)
        if self.failed:
            first = next(job for job in plan.jobs if job in self.failed)
            why = self.failed[first]
            problems.insert(
                0,
                f"{len(self.failed)} of {len(plan.jobs)} runs failed or lack scores: "
                f"{first.name}: {why} (logs: {first.log.parent})",
            )
        if problems:
            raise DisentangleError("; ".join(problems))


def sweep(
    file: str | Path,
    *,
    on: str = "local",
    results: str | Path = "results",
    device: str = "auto",
    data_dir: str | Path | None = None,
    datasets: Sequence[str] = (),
    track: Sequence[str] = (),
    time_limit: TimeLimit = None,
    watch: Watch | None = None,
    say: Say = silent,
    progress: Progress | None = None,
) -> list[Table]:
    """Run the missing part of a study, write its tables, figures and page, and return its tables.

    Args:
        file: the study file.
        on: the executor, with optional knobs: `"local:per_gpu=2"`.
        results: the results folder, which holds all runs.
        device: device for training; see `train`.
        data_dir: folder of prepared datasets.
        datasets: names of the datasets to include; all by default.
        track: trackers that show every run, besides those of the file; see `train`.
        time_limit: stop the trainings with checkpoints by then, counted from this call; see
            `train`.
        watch: called with each event of the runs, and regularly with None [default: a line in a
            notebook shows the progress].
        say: called with messages on preparation and on scored baselines.
        progress: called while a dataset is prepared [default: a line in a notebook].

    Raises:
        UsageError: the file or the executor's options are invalid.
        OutOfTime: the time limit was reached; the same call continues.
        DisentangleError: a dataset is unavailable and nothing was started; or runs failed, and the
            outputs were made from the others.
    """
    deadline = Deadline.after(time_limit)
    executor = executor_of(on, {})
    plan = load_plan(
        file,
        results=results,
        device=device,
        data_dir=data_dir,
        datasets=datasets,
        track=track,
        say=say,
        progress=preparing_line(progress),
    )
    check_present(plan)
    states = states_of(plan)
    watch = watch or notebook_watch(plan, states, executor, device, say, deadline)
    swept = complete(plan, executor, states, Path(results), device, say, watch, deadline)
    swept.check(plan)
    return swept.tables


def check_present(plan: Plan) -> None:
    """Raise an error before the start if datasets of the study are unavailable."""
    if plan.absent:
        raise DisentangleError(
            f"datasets not available: {', '.join(plan.absent)}. Prepare them, or select others by "
            "--dataset."
        )


def complete(
    plan: Plan,
    executor: Executor,
    states: Mapping[Job, JobState],
    results: Path,
    device: str,
    say: Say,
    watch: Watch = silent,
    deadline: Deadline | None = None,
) -> Swept:
    """Run the remaining jobs, score the baselines, and make the tables, figures and page.

    The baselines are scored once no run goes on without this process.

    Raises:
        OutOfTime: runs are left at the deadline; nothing is made of the others yet.
    """
    left = unfinished_jobs(states)
    if not plan.study.baselines:
        plan.opened.clear()  # each worker opens its own
    ends = run_jobs(executor, left, device, watch, say, deadline) if left else {}
    failed = {job: why for job, why in ends.items() if why is not None}
    open_jobs = [job for job in left if job not in ends]
    detached = executor.detached(open_jobs) if open_jobs else ""
    if open_jobs and deadline is not None and (not detached or deadline.left < CLOSING):
        raise out_of_time(states, ends, detached)
    warn_of_trackers(left)
    without = [] if detached else score_study_baselines(plan, results, device, say)
    runs: list[Run] = []
    outdated: set[str] = set()
    for job in plan.jobs:
        run, damage = job.look()
        if damage:
            failed.setdefault(job, damage)
        if run is None:
            continue
        if run.state == "failed":
            failed.setdefault(job, run.record.failed or "")
        job.show_requested(run)
        outdated.update(job.outdated(run))
        runs.append(run)
    if outdated:
        say(
            f"scores of older metric versions are shown: {', '.join(sorted(outdated))}. Their runs "
            "have no weights, so they cannot be scored again"
        )
    if not any(run.finished for run in runs):
        return Swept([], [], failed, without, detached)
    tables, files = study_tables(plan, runs, results, device), []
    try:
        files = write_outputs(plan, runs, tables, say)
    except OSError as error:
        where = error.filename or plan.folder
        without.append(f"not written: {where}: {error.strerror or error}")
    return Swept(tables, files, failed, without, detached)


def states_of(plan: Planned) -> dict[Job, JobState]:
    """The state of each planned run; an unreadable run counts as failed."""
    states: dict[Job, JobState] = {}
    for job in plan.jobs:
        run, damage = job.look()
        states[job] = "failed" if damage else job.state_of(run)
    return states


def summary_line(plan: Planned, states: Mapping[Job, JobState]) -> str:
    """Summarise the number of runs and their states in one line."""
    counts = Counter(states.values())
    words: dict[JobState, str] = {
        "done": "done",
        "unscored": "to score or draw",
        "unfinished": "to resume",
        "new": "to start",
        "failed": "failed",
    }
    summary = ", ".join(f"{counts[key]} {text}" for key, text in words.items() if counts[key])
    runs = "1 run" if len(states) == 1 else f"{len(states):,} runs"
    return f"{plan.name}: {runs}{f': {summary}' if summary else ''}"


def run_jobs(
    executor: Executor,
    jobs: Sequence[Job],
    device: str,
    watch: Watch,
    say: Say,
    deadline: Deadline | None = None,
) -> dict[Job, str | None]:
    """Run all jobs; return those that ended: the reason for each failed one, None for the others.

    `say` is called once with the place of each run at each of its trackers.

    A job that a deadline stops, with a checkpoint, or keeps from starting has not ended. SIGINT,
    SIGTERM or SIGHUP stop all running jobs, with checkpoints, and end this process.
    """
    ends: dict[Job, str | None] = {}
    places = TrackerPlaces(say)
    if deadline is not None:
        for job in jobs:
            job.order = job.order.model_copy(update={"deadline": deadline.at - RESERVE})
    with interrupt_on_signals() as received, closing(executor.run(jobs, device)) as events:
        for event in events:
            if received:  # an exception from a handler is lost if raised during a destructor
                raise exit_exception(received[0])
            if event is not None and not isinstance(event, Event):
                cls = type(executor)
                raise BrokenContract(
                    f"{cls.__module__}:{cls.__qualname__}.run() must yield an Event, got {event!r}"
                )
            watch(event)
            places.look(event)
            if event is not None and event.kind in ("done", "failed"):
                ends[event.job] = event.why if event.kind == "failed" else None
            if deadline is not None and deadline.left < CLOSING:
                break
    return ends


def out_of_time(
    states: Mapping[Job, JobState], ends: Mapping[Job, str | None], detached: str = ""
) -> OutOfTime:
    """The error at a deadline: what is whole, and what is left.

    Args:
        states: the state of each job at the start.
        ends: the jobs that ended since, as `run_jobs` returns them.
        detached: which runs go on without this process.
    """
    now = dict(states)
    for job, why in ends.items():
        now[job] = "done" if why is None else "failed"
    whole, total = whole_configurations(now)
    counts = Counter(now.values())
    left = len(now) - counts["done"] - counts["failed"]
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    return OutOfTime(
        f"stopped at the time limit: {whole} of {count(total, 'configuration')} whole, "
        f"{counts['done']} of {count(len(now), 'run')} done{failed}, {left} left"
        + (f"; {detached}" if detached else "")
    )


@contextmanager
def interrupt_on_signals() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP end this process like an interrupt, which stops its workers.

    Yields a list of the received signals.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        received.append(number)
        raise exit_exception(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    numbers += [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []
    handled = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, leave) for number in handled}  # nohup ignores SIGHUP
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_exception(number: int) -> BaseException:
    """The exception that ends this process after a signal."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def warn_of_trackers(jobs: Sequence[Job]) -> None:
    """Warn once of each tracker that failed for some of the jobs."""
    records = [record for job in jobs for record in trackers_of(job.path) if record.failed]
    for track, number in Counter(record.track for record in records).items():
        reason = next(record.failed for record in records if record.track == track)
        warnings.warn(
            f"{track} failed for {number} of {count(len(jobs), 'run')}: {reason}. The runs are not "
            "affected; `disentangle watch RUN --once --track ...` sends one later",
            TrackingWarning,
            stacklevel=2,
        )


def score_study_baselines(plan: Plan, results: Path, device: str, say: Say) -> list[str]:
    """Score the baselines of each dataset of a study by the same metrics as its runs.

    Returns:
        The reasons why some could not be scored.
    """
    requested = plan.study.baselines
    done, failures = set(), []
    for job in plan.jobs:
        if not requested or job.record.data in done:
            continue
        done.add(job.record.data)
        run = Run(job.path, job.record, plan.dataset(job))
        for asked in job.order.asked:
            part = asked.part_of_run(run)
            reasons: list[str] = []
            try:
                baselines = score_baselines(
                    run.dataset if part is None else part,
                    asked,
                    only=requested if isinstance(requested, tuple) else None,
                    results=results,
                    device=device,
                    say=say,
                )
                reasons += dict.fromkeys(w for s in baselines.values() for w in s.failed.values())
                reasons += unwritten_of(baselines)
            except DisentangleError as error:
                reasons.append(str(error))
            for reason in reasons:
                failures.append(f"baselines of {job.record.dataset.name}: {reason}")
                say(f"not scored: {failures[-1]}")
    return failures


def study_tables(plan: Plan, runs: list[Run], results: Path, device: str) -> list[Table]:
    """Make the score tables of a study from the available runs."""
    options = plan.study.tables
    baselines = read_baselines(results) if plan.study.baselines or options.corrected else {}
    tables = make_tables(
        runs,
        baselines,
        corrected=options.corrected,
        statistic=options.statistic,
        selection=select(runs, options.choose, device=device),
        columns=options.columns,
        externals=externals_beside(plan, runs),
    )
    if options.published:
        for table in tables:
            table.papers = tuple(papers_on(table.trained[0]))
    return tables


def externals_beside(plan: Plan, runs: Sequence[Run]) -> list[External]:
    """The external encoders in a study's folder, with their scores in the columns of its runs."""
    columns = {score.key for run in runs for score in current_scores(run)}
    externals = load_externals(plan.folder)[0]
    for one in externals:
        one.shows = lambda score: score.key in columns
    return externals


def write_outputs(plan: Plan, runs: list[Run], tables: list[Table], say: Say) -> list[Path]:
    """Write the tables, figures and page of a study to its folder; return their files."""
    folder = plan.folder
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "study.toml", plan.text)
    externals = externals_beside(plan, runs)
    files = export.write_scores(tables, [*runs, *externals], folder)
    tex = folder / "scores.tex"
    write_text(tex, export.as_latex(tables))
    files.append(tex)
    drawn = []
    if any(read_scores(run) for run in runs):
        drawn = draw_figures(plan.study.figures, runs, externals, folder / "figures", say)
    files += drawn
    page = folder / NAME
    write_text(page, study_page(folder, folder, only=runs, tables=tables, pictures=drawn))
    return [*files, page]
