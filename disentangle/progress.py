"""Progress for people: a live bar in a terminal, plain lines elsewhere; all on standard error."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from disentangle.training import Report

console = Console(stderr=True, emoji=False)
EVERY = 10.0
"""Seconds between plain lines."""


def say(text: str) -> None:
    """Print a line for the user, beside the results on standard output."""
    console.print(escape(text), soft_wrap=True, highlight=False)


def describe(step: int, steps: int, entry: dict[str, Any]) -> str:
    """Return a log entry in words: terms in nats per image, active units, images/s, time left."""
    terms = "  ".join(f"{name} {value:.2f}" for name, value in entry["terms"].items())
    left = entry["seconds"] / step * (steps - step)
    return (
        f"{terms}  active {entry['active']}  {entry['images_per_second']:.0f} images/s  "
        f"{duration(left)} left"
    )


def duration(seconds: float) -> str:
    """Return a time in the units that a person would use."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


@contextmanager
def following() -> "Iterator[Report]":
    """Yield what `train` reports to."""
    if console.is_terminal:
        with Progress(
            TextColumn("step {task.completed:.0f} of {task.total:.0f}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
            console=console,
        ) as progress:
            yield live(progress)
    else:
        yield plain()


def live(progress: Progress) -> "Report":
    """Return a report that moves a bar."""
    task: TaskID | None = None

    def report(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        nonlocal task
        if task is None:
            task = progress.add_task("", total=steps, text="")
        if entry is not None:
            progress.update(task, text=describe(step, steps, entry))
        progress.update(task, completed=step)

    return report


def plain() -> "Report":
    """Return a report that prints a line, at most one in so many seconds, and one at the end."""
    printed = -EVERY

    def report(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        nonlocal printed
        if entry is not None and (step == steps or time.monotonic() - printed >= EVERY):
            printed = time.monotonic()
            say(f"step {step} of {steps}  {describe(step, steps, entry)}")

    return report


@contextmanager
def counting(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield what encoding reports to; the images of all are an upper bound of those needed."""
    if console.is_terminal:
        with Progress(
            TextColumn(f"{label}: {{task.completed:.0f}} of at most {{task.total:.0f}} images"),
            BarColumn(bar_width=24),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        ) as progress:
            task = progress.add_task("", total=0)
            yield lambda done, images: progress.update(task, completed=done, total=images)
        return
    printed = time.monotonic()

    def line(done: int, images: int) -> None:
        nonlocal printed
        if time.monotonic() - printed >= EVERY:
            printed = time.monotonic()
            say(f"{label}: {done} of at most {images} images")

    yield line
