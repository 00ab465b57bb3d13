"""The progress of a training: a line that is redrawn in a terminal, lines of text elsewhere."""

import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live

from disentangle._utils import callbacks
from disentangle._utils.console import console, lines, manner, say
from disentangle._utils.notebook import NotebookLine, in_notebook
from disentangle._utils.progress_line import GAP, CountLine, drawn, position
from disentangle._utils.text import duration
from disentangle.runs.run import Run
from disentangle.runs.training_log import shown

EVERY = 10.0
"""Seconds between lines of text; later at least `SHARE` of the time since the start."""
SHARE = 0.02


def numbers_of(step: int, steps: int) -> str:
    """The step and the number of steps."""
    return f"step {step:,} of {steps:,}"


def seconds_left(step: int, steps: int, entry: Mapping[str, Any]) -> float:
    """Estimate the seconds left from the mean speed up to a log entry."""
    return float(entry["seconds"]) / int(entry["step"]) * (steps - step)


def details(entry: Mapping[str, Any]) -> list[str]:
    """The numbers of a log entry, the most important ones first; terms come last."""
    terms = shown(entry)
    loss = [f"loss {terms.pop('loss'):.2f}"] if "loss" in terms else []
    scores = [
        f"{name} {'n/a' if value is None else format(value, '.3f')}"
        for name, value in entry.get("scores", {}).items()
    ]
    return [
        *loss,
        f"active {entry['active']}",
        *scores,
        f"{entry['images_per_second']:,.0f} images/s",
        *(f"{name} {value:.2f}" for name, value in terms.items()),
    ]


def line(step: int, steps: int, entry: Mapping[str, Any]) -> str:
    """The progress at a log entry as one line."""
    left = seconds_left(step, steps, entry)
    return GAP.join([position(numbers_of(step, steps), step, steps, left), *details(entry)])


@dataclass
class ProgressLine:
    """The line of a training in a terminal: position first, then as much as the width allows."""

    step: int = 0
    steps: int = 0
    entry: Mapping[str, Any] | None = None
    started: tuple[int, float] | None = None
    """The first step that was seen, and when: for the time left before the first log entry."""

    def report(self, step: int, steps: int, entry: dict[str, Any] | None) -> None:
        """Move on to a step."""
        self.step, self.steps, self.entry = step, steps, entry or self.entry
        self.started = self.started or (step, time.monotonic())

    @property
    def left(self) -> float | None:
        """The estimated seconds left; None if nothing is known yet."""
        if self.entry is not None:
            return seconds_left(self.step, self.steps, self.entry)
        if self.started is None or self.step == self.started[0]:
            return None
        first, began = self.started
        return (time.monotonic() - began) / (self.step - first) * (self.steps - self.step)

    @property
    def texts(self) -> tuple[str, list[str]]:
        """The position, and the details that follow it."""
        head = position(numbers_of(self.step, self.steps), self.step, self.steps, self.left)
        return head, details(self.entry) if self.entry else []

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.steps:
            return
        head, parts = self.texts
        yield drawn(head, parts, self.step, self.steps, options)


@dataclass(frozen=True)
class Following:
    """Callbacks of `train`: for each step, and for each image while a dataset is prepared."""

    report: callbacks.Report
    progress: callbacks.Progress


@contextmanager
def following() -> Iterator[Following]:
    """Yield the callbacks of `train`."""
    if not console.is_terminal or manner.quiet:
        yield Following(plain(), lines(CountLine(label="dataset")))
        return
    training, preparing = ProgressLine(), CountLine(label="dataset")
    with Live(Group(preparing, training), console=console, refresh_per_second=4, transient=True):
        yield Following(training.report, preparing.count)


def notebook_report() -> callbacks.Report:
    """A callback for steps that updates a line in a notebook; elsewhere one that does nothing."""
    if not in_notebook():
        return callbacks.silent
    training, shown_line = ProgressLine(), NotebookLine()

    def report(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        training.report(step, steps, entry)
        head, parts = training.texts
        shown_line.show(GAP.join([head, *parts]), last=step == steps)

    return report


def plain(say: callbacks.Say = say) -> callbacks.Report:
    """Return a callback for steps that says a line of text from time to time, and at the end."""
    began = time.monotonic()
    printed: float | None = None

    def report(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        nonlocal printed
        if entry is None:
            return
        now = time.monotonic()
        due = printed is None or now - printed >= max(EVERY, SHARE * (now - began))
        if due or step == steps:
            printed = now
            say(line(step, steps, entry))

    return report


def ending(run: Run) -> list[str]:
    """What a finished training came to, and the commands to go on with, as lines of text."""
    log, record, path = run.log, run.record, shlex.quote(str(run.path))
    entry = log[-1] if log else {}
    took = "" if record.seconds is None else f" in {duration(record.seconds)}"
    numbers = [f"{name} {value:.2f}" for name, value in shown(entry).items()]
    if "active" in entry:
        numbers.append(f"{entry['active']} of {record.knobs['latents']} latents active")
    texts = []
    if numbers:
        texts.append(f"{entry['step']:,} steps{took}: {', '.join(numbers)}")
    if run.figures.is_dir() and any(run.figures.iterdir()):
        texts.append(f"figures: {run.figures}")
    texts.append(f"next: `disentangle score {path}`")
    texts.append(f"      `disentangle report {path}`")
    return texts
