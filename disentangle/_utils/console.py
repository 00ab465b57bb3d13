"""Progress on standard error: a live bar in a terminal, plain lines elsewhere."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from disentangle._utils import callbacks
from disentangle._utils.text import WARNING, duration, reflow, wrap

console = Console(stderr=True, emoji=False)
EVERY = 10.0
"""Seconds between plain lines."""


@dataclass
class Manner:
    """Verbosity of the command line.

    Attributes:
        quiet: print only warnings and errors.
        verbose: also print which plugins and files are used, and full tracebacks.
    """

    quiet: bool = False
    verbose: bool = False


manner = Manner()


def say(text: str) -> None:
    """Print lines to standard error, apart from the results on standard output."""
    if not manner.quiet or text.startswith(WARNING):
        width = console.width if console.is_terminal else None
        console.print(marked(wrap(text, width)), soft_wrap=True, highlight=False)


def tell(text: str) -> None:
    """Print results in words to standard output; a terminal gets lines that fit it."""
    Console(emoji=False).print(
        marked(reflow(text, output_width())), soft_wrap=True, highlight=False
    )


def output_width() -> int | None:
    """The characters of a line of the terminal; None if standard output is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def marked(text: str) -> str:
    """A text as markup: nothing but a warning's first word is coloured."""
    if text.startswith(WARNING):
        word = WARNING.strip()
        return f"[yellow]{word}[/yellow]{escape(text.removeprefix(word))}"
    return escape(text)


def describe(step: int, steps: int, entry: dict[str, Any]) -> str:
    """Format a log entry: terms in nats per image, active units, images/s, time left."""
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
    """Callbacks of `train`: for each step, and for each image while a dataset is prepared."""

    report: callbacks.Report
    progress: callbacks.Progress


@contextmanager
def following() -> Iterator[Following]:
    """Yield the callbacks of `train`."""
    if console.is_terminal and not manner.quiet:
        with bars() as progress:
            yield Following(live(progress), counter(progress, "{0:.0f} %"))
    else:
        yield Following(plain(), lines("{0:.0f} %"))


@contextmanager
def counting(label: str) -> Iterator[callbacks.Progress]:
    """Yield a progress callback for encoding; its total is an upper bound of the images needed."""
    with working(f"{label}: {{1:,}} of at most {{2:,}} images") as progress:
        yield progress


@contextmanager
def working(text: str = "{0:.0f} %") -> Iterator[callbacks.Progress]:
    """Yield a progress callback.

    Args:
        text: format of the message, with arguments percentage, done and total.
    """
    if console.is_terminal and not manner.quiet:
        with bars() as progress:
            yield counter(progress, text)
    else:
        yield lines(text)


def bars() -> Progress:
    """Make progress bars for a terminal, which disappear when done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def live(progress: Progress) -> callbacks.Report:
    """Return a callback for steps that moves a bar."""
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
    """Return a progress callback that moves a bar, with a new bar for each new total."""
    tasks: dict[int, TaskID] = {}

    def count(done: int, total: int) -> None:
        if total not in tasks:
            tasks[total] = progress.add_task("", total=total or None, text="")
        description = text.format(100 * done / max(total, 1), done, total)
        progress.update(tasks[total], completed=done, description=description)
        if done >= total > 0:
            progress.update(tasks[total], visible=False)

    return count


def plain() -> callbacks.Report:
    """Return a callback for steps that prints a line every `EVERY` seconds and at the end."""
    printed = -EVERY

    def report(step: int, steps: int, entry: dict[str, Any] | None) -> None:
        nonlocal printed
        if entry is not None and (step == steps or time.monotonic() - printed >= EVERY):
            printed = time.monotonic()
            say(f"step {step} of {steps}  {describe(step, steps, entry)}")

    return report


def lines(text: str) -> callbacks.Progress:
    """Return a progress callback that prints a line every `EVERY` seconds."""
    printed = time.monotonic()

    def count(done: int, total: int) -> None:
        nonlocal printed
        if time.monotonic() - printed >= EVERY:
            printed = time.monotonic()
            say(text.format(100 * done / max(total, 1), done, total))

    return count
