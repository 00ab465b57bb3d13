"""The verb `sweep`: run what is missing of a study, then make its tables, figures and page."""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from disentangle._utils.callbacks import Progress, Say
from disentangle._utils.files import write_text
from disentangle.errors import BrokenContract, DisentangleError
from disentangle.reports.pages import NAME, study_page
from disentangle.runs.run import Run
from disentangle.runs.scores import read_scores
from disentangle.score_tables import export
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.published import papers_on
from disentangle.score_tables.selection import select
from disentangle.score_tables.table import Table
from disentangle.scoring.baselines import read_baselines, score_baselines
from disentangle.studies.executor import Event, Executor, executor_of
from disentangle.studies.jobs import Job, JobState
from disentangle.studies.plan import Plan, load_plan
from disentangle.studies.study_figures import draw_figures

Watch = Callable[[Event | None], None]
"""Told of each event, and called with None now and then."""


@dataclass(frozen=True)
class Swept:
    """What came of a study.

    Attributes:
        tables: its score tables, one for each dataset.
        files: its tables, figures and page.
        failed: runs that failed, now or earlier -> why.
        without: why baselines have no scores.
    """

    tables: list[Table]
    files: list[Path]
    failed: dict[Job, str]
    without: list[str]

    def check(self, plan: Plan) -> None:
        """Refuse what lacks something.

        Raises:
            DisentangleError: a run failed, or a baseline; all else was made.
        """
        if self.failed:
            first = next(job for job in plan.jobs if job in self.failed)
            why = self.failed[first]
            raise DisentangleError(
                f"{len(self.failed)} of {len(plan.jobs)} runs failed, or lack scores: "
                f"{first.name}: {why}; their logs are in {first.log.parent}"
            )
        if self.without:
            raise DisentangleError("; ".join(self.without))


def sweep(
    file: str | Path,
    *,
    on: str = "local",
    results: str | Path = "results",
    device: str = "auto",
    data_dir: str | Path | None = None,
    datasets: Sequence[str] = (),
    say: Say = lambda text: None,
    progress: Progress = lambda done, total: None,
) -> list[Table]:
    """Run what is missing of a study; write its tables, figures and page; return its tables.

    Args:
        file: the study's.
        on: the executor, with knobs where wanted: `"local:per_gpu=2"`.
        results: the folder below which all runs lie.
        device: where runs are trained; see `train`.
        data_dir: where datasets keep what they prepare.
        datasets: names; runs on others are left out, if any is given.
        say: told what is prepared, and what baselines are scored.
        progress: called while a dataset is prepared.

    Raises:
        UsageError: the file, or the executor, asks for what makes no sense.
        DisentangleError: a dataset is not here, and nothing was begun; or runs failed, and all that
            could be made of the others was.
    """
    executor = executor_of(on, {})
    plan = load_plan(
        file,
        results=results,
        device=device,
        data_dir=data_dir,
        datasets=datasets,
        say=say,
        progress=progress,
    )
    check_present(plan)
    done = complete(plan, executor, unfinished_jobs(states_of(plan)), Path(results), device, say)
    done.check(plan)
    return done.tables


def check_present(plan: Plan) -> None:
    """Refuse a study on datasets that are not here, before anything begins."""
    if plan.absent:
        raise DisentangleError(
            f"{', '.join(plan.absent)}: not here; get what is missing, or name what is there by "
            "--dataset"
        )


def unfinished_jobs(states: Mapping[Job, JobState]) -> list[Job]:
    """Return the jobs that are to be run."""
    return [job for job, state in states.items() if state not in ("done", "failed")]


def complete(
    plan: Plan,
    executor: Executor,
    left: Sequence[Job],
    results: Path,
    device: str,
    say: Say,
    watch: Watch = lambda event: None,
) -> Swept:
    """Run what is left of a study, score its baselines, and make its tables, figures and page."""
    if not plan.said.baselines:
        plan.opened.clear()  # each worker has its own
    failed = run_jobs(executor, left, device, watch) if left else {}
    without = score_study_baselines(plan, results, device, say)
    runs = []
    for job in plan.jobs:
        run, damage = job.look()
        if damage:
            failed.setdefault(job, damage)
        if run is None:
            continue
        if run.state == "failed":
            failed.setdefault(job, run.record.failed or "")
        run.shows = job.is_requested
        runs.append(run)
    tables, files = finish(plan, runs, results, device, say)
    return Swept(tables, files, failed, without)


def states_of(plan: Plan) -> dict[Job, JobState]:
    """Return how far each run of a study is; one that cannot be read counts as failed."""
    states: dict[Job, JobState] = {}
    for job in plan.jobs:
        run, damage = job.look()
        states[job] = "failed" if damage else job.state_of(run)
    return states


def summary_line(plan: Plan, states: Mapping[Job, JobState]) -> str:
    """Return how many runs there are, and how far they are."""
    counts = Counter(states.values())
    words: dict[JobState, str] = {
        "done": "done",
        "unscored": "to score or draw",
        "unfinished": "to go on with",
        "new": "to begin",
        "failed": "failed",
    }
    said = ", ".join(f"{counts[key]} {text}" for key, text in words.items() if counts[key])
    runs = "1 run" if len(states) == 1 else f"{len(states):,} runs"
    return f"{plan.name}: {runs}{f': {said}' if said else ''}"


def run_jobs(executor: Executor, jobs: Sequence[Job], device: str, watch: Watch) -> dict[Job, str]:
    """Run jobs to their ends; return of those that failed, why.

    SIGINT, SIGTERM or SIGHUP stop all that runs, with checkpoints, and end this.
    """
    failed: dict[Job, str] = {}
    with interrupt_on_signals() as heard, closing(executor.run(jobs, device)) as events:
        for event in events:
            if heard:  # what a handler raises is lost where a destructor runs
                raise leaving(heard[0])
            if event is not None and not isinstance(event, Event):
                kind = type(executor)
                raise BrokenContract(
                    f"{kind.__module__}:{kind.__qualname__}.run() yielded {event!r}, and no Event"
                )
            watch(event)
            if event is not None and event.kind == "failed":
                failed[event.job] = event.why
    return failed


@contextmanager
def interrupt_on_signals() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP end this process as an interrupt does, with its workers stopped.

    Yields a list of the signals that came.
    """
    heard_of: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard_of
        return

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        heard_of.append(number)
        raise leaving(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    numbers += [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, leave) for number in heard}  # nohup ignores SIGHUP
    try:
        yield heard_of
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leaving(number: int) -> BaseException:
    """Return what ends this process for a signal."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def score_study_baselines(plan: Plan, results: Path, device: str, say: Say) -> list[str]:
    """Score the baselines of each dataset of a study by what its runs are scored by.

    Returns:
        Why some could not be scored; the others are.
    """
    wanted = plan.said.baselines
    done, failures = set(), []
    for job in plan.jobs:
        if not wanted or job.record.data in done:
            continue
        done.add(job.record.data)
        run = Run(job.path, job.record, plan.dataset(job))
        for asked in job.order.asked:
            part = asked.part_of_run(run)
            reasons: list[str] = []
            try:
                found = score_baselines(
                    run.dataset if part is None else part,
                    asked,
                    only=wanted if isinstance(wanted, tuple) else None,
                    results=results,
                    device=device,
                    say=say,
                )
                reasons += dict.fromkeys(w for s in found.values() for w in s.failed.values())
            except DisentangleError as error:
                reasons.append(str(error))
            for reason in reasons:
                failures.append(f"baselines of {job.record.dataset.name}: {reason}")
                say(f"not scored: {failures[-1]}")
    return failures


def finish(
    plan: Plan, runs: list[Run], results: Path, device: str, say: Say
) -> tuple[list[Table], list[Path]]:
    """Make a study's tables, figures and page of the runs that there are; return what was made."""
    if not any(run.finished for run in runs):
        return [], []
    folder, asked = plan.folder, plan.said.tables
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "study.toml", plan.text)
    shown = read_baselines(results) if plan.said.baselines or asked.corrected else {}
    tables = make_tables(
        runs,
        shown,
        corrected=asked.corrected,
        statistic=asked.statistic,
        selection=select(runs, asked.choose, device=device),
        columns=asked.columns,
    )
    if asked.published:
        for table in tables:
            table.papers = tuple(papers_on(table.trained[0]))
    made = export.write_scores(tables, runs, folder)
    tex = folder / "scores.tex"
    write_text(tex, export.as_latex(tables))
    made.append(tex)
    drawn = []
    if any(read_scores(run) for run in runs):
        drawn = draw_figures(plan.said.figures, runs, folder / "figures", say)
    made += drawn
    page = folder / NAME
    write_text(page, study_page(folder, folder, only=runs, tables=tables, pictures=drawn))
    return tables, [*made, page]
