"""Progress as one line: how much is done and the time left first, then as much as fits."""

import time
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from disentangle._utils.text import duration

GAP = "  "
BAR = 20
"""Width of a bar."""


def position(numbers: str, done: int, total: int, left: float | None) -> str:
    """The numbers, the percentage and, if known, the time left."""
    parts = [numbers, f"{100 * done // total} %"]
    if left is not None and done < total:
        parts.append(f"{duration(left)} left")
    return GAP.join(filter(None, parts))


def fitting(head: str, parts: Sequence[str], width: int) -> str:
    """Join a head and as many of the parts as fit; the last ones are left out first."""
    text = head
    for part in parts:
        if len(text) + len(GAP) + len(part) > width:
            break
        text += GAP + part
    return text


def drawn(head: str, parts: Sequence[str], done: int, total: int, options: ConsoleOptions) -> Text:
    """The line in a terminal, with a bar where nothing is left out for it."""
    text = fitting(head, parts, options.max_width)
    bar = Text()
    whole = len(GAP.join([head, *parts]))
    if whole + len(GAP) + BAR <= options.max_width and not options.ascii_only:
        full = BAR * done // total
        bar = Text.assemble(GAP, ("━" * full, "green"), ("━" * (BAR - full), "bright_black"))
    return Text.assemble(head, bar, text[len(head) :], no_wrap=True, overflow="ellipsis")


class CountLine:
    """The line of a count of images or bytes; empty before the first one and after the last.

    Args:
        numbers: format of the numbers, with arguments `done` and `total`.
        label: what is being done.
    """

    def __init__(self, numbers: str = "", label: str = "") -> None:
        self.numbers, self.label = numbers, label
        self.done = self.total = 0
        self.began = (0, 0.0)  # what was done when this total was first seen, and when that was

    def count(self, done: int, total: int) -> None:
        """Move on; another total is another count, with a time of its own."""
        if total != self.total or done < self.done:
            self.began = done, time.monotonic()
        self.done, self.total = done, total

    @property
    def left(self) -> float | None:
        """The estimated seconds left; None if nothing is known yet."""
        first, began = self.began
        if self.done <= first:
            return None
        return (time.monotonic() - began) / (self.done - first) * (self.total - self.done)

    @property
    def head(self) -> str:
        """The numbers, the percentage and the time left."""
        numbers = self.numbers.format(done=self.done, total=self.total)
        return position(numbers, self.done, self.total, self.left)

    @property
    def parts(self) -> list[str]:
        """What follows if it fits."""
        return [self.label] if self.label else []

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.done < self.total:
            yield drawn(self.head, self.parts, self.done, self.total, options)

    def __str__(self) -> str:
        return GAP.join([self.head, *self.parts])
