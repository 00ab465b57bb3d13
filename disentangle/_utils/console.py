"""Progress for people: a live bar in a terminal, plain lines elsewhere; all on standard error."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from disentangle._utils import callbacks
from disentangle._utils.text import duration

console = Console(stderr=True, emoji=False)
EVERY = 10.0
"""Seconds between plain lines."""
WARNING = "WARNING: "
"""What a line begins with that `--quiet` leaves."""


@dataclass
class Manner:
    """How much the command line says beside its results.

    Attributes:
        quiet: only warnings and errors.
        verbose: also which plugins and files are used, and whole tracebacks.
    """

    quiet: bool = False
    verbose: bool = False


manner = Manner()


def say(text: str) -> None:
    """Print a line for the user, beside the results on standard output."""
    if not manner.quiet or text.startswith(WARNING):
        console.print(escape(text), soft_wrap=True, highlight=False)


def describe(step: int, steps: int, entry: dict[str, Any]) -> str:
    """Return a log entry in words: terms in nats per image, active units, images/s, time left."""
    terms = "  ".join(f"{name} {value:.2f}" for name, value in entry["terms"].items())
    scores = "".join(
        f"  {name} {'n/a' if value is None else format(value, '.3f')}"
        for name, value in entry.get("scores", {}).items()
    )
    left = entry["seconds"] / step * (steps - step)
    return (
        f"{terms}  active {entry['active']}  {entry['images_per_second']:.0f} images/s  "
        f"{duration(left)} left{scores}"
    )


@dataclass(frozen=True)
class Following:
    """What `train` reports to: each step, and while a dataset is prepared, its images."""

    report: callbacks.Report
    progress: callbacks.Progress


@contextmanager
def following() -> Iterator[Following]:
    """Yield what `train` reports to."""
    if console.is_terminal and not manner.quiet:
        with bars() as progress:
            yield Following(live(progress), counter(progress, "{0:.0f} %"))
    else:
        yield Following(plain(), lines("{0:.0f} %"))


@contextmanager
def counting(label: str) -> Iterator[callbacks.Progress]:
    """Yield what encoding reports to; the images of all are an upper bound of those needed."""
    with working(f"{label}: {{1:,}} of at most {{2:,}} images") as progress:
        yield progress


@contextmanager
def working(text: str = "{0:.0f} %") -> Iterator[callbacks.Progress]:
    """Yield what preparing images reports to.

    Args:
        text: how to say it, with the percentage, what is done, and all.
    """
    if console.is_terminal and not manner.quiet:
        with bars() as progress:
            yield counter(progress, text)
    else:
        yield lines(text)


def bars() -> Progress:
    """Return bars for a terminal, which go when they are done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def live(progress: Progress) -> callbacks.Report:
    """Return a report that moves a bar."""
    task: TaskID | None = None

    def report(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        nonlocal task
        if task is None:
            task = progress.add_task("", total=steps, text="")
        if entry is not None:
            progress.update(task, text=describe(step, steps, entry))
        progress.update(task, completed=step, description=f"step {step} of {steps}")

    return report


def counter(progress: Progress, text: str) -> callbacks.Progress:
    """Return a report that moves a bar, a new one for each new total."""
    tasks: dict[int, TaskID] = {}

    def count(done: int, total: int) -> None:
        if total not in tasks:
            tasks[total] = progress.add_task("", total=total or None, text="")
        said = text.format(100 * done / max(total, 1), done, total)
        progress.update(tasks[total], completed=done, description=said)
        if done >= total > 0:
            progress.update(tasks[total], visible=False)

    return count


def plain() -> callbacks.Report:
    """Return a report that prints a line, at most one in so many seconds, and one at the end."""
    printed = -EVERY

    def report(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        nonlocal printed
        if entry is not None and (step == steps or time.monotonic() - printed >= EVERY):
            printed = time.monotonic()
            say(f"step {step} of {steps}  {describe(step, steps, entry)}")

    return report


def lines(text: str) -> callbacks.Progress:
    """Return a report that prints a line every so many seconds."""
    printed = time.monotonic()

    def count(done: int, total: int) -> None:
        nonlocal printed
        if time.monotonic() - printed >= EVERY:
            printed = time.monotonic()
            say(text.format(100 * done / max(total, 1), done, total))

    return count
