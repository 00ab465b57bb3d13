"""Progress in a notebook: one line that is updated, not many lines."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from disentangle._utils import text
from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.progress_line import CountLine

EVERY = 0.25
"""Seconds between updates of a line."""


def in_notebook() -> bool:
    """True if this code runs in the kernel of a notebook, not in a script or a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class NotebookLine:
    """A line of text below a notebook's cell, which each `show` replaces."""

    def __init__(self) -> None:
        self.handle: Any = None
        self.shown = 0.0

    def show(self, content: str, *, last: bool = False) -> None:
        """Replace the line; unless it is the last one, at most once every `EVERY` seconds."""
        from IPython.display import display

        show_object: Any = display

        now = time.monotonic()
        if now - self.shown < EVERY and not last:
            return
        self.shown = now
        bundle = {"text/plain": content}
        if self.handle is None:
            self.handle = show_object(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)


@contextmanager
def encoding_line(progress: Progress | None) -> Iterator[Progress]:
    """Yield a progress callback of images: the given one, or in a notebook one that shows a line.

    At the end the line says how many images were encoded.
    """
    if progress is not None or not in_notebook():
        yield progress or silent
        return
    count, line = CountLine("{done:,} of {total:,} images", "encoding"), NotebookLine()
    encoded = 0

    def show(done: int, total: int) -> None:
        nonlocal encoded
        encoded += max(0, done - count.done)  # a request begins at 0
        count.count(done, total)
        line.show(str(count))

    yield show
    if encoded:
        line.show(f"encoded {encoded:,} images", last=True)


@contextmanager
def baselines_line(progress: Progress | None, say: Say) -> Iterator[tuple[Progress, Say]]:
    """Yield the callbacks of `baselines`: the given ones, or in a notebook ones that show a line.

    It names the baseline that is being scored, and counts images while they are encoded. At the end
    it says how many baselines were scored.
    """
    if progress is not None or not in_notebook():
        yield progress or silent, say
        return
    count, line, names = CountLine("{done:,} of {total:,} images"), NotebookLine(), []

    def show(done: int, total: int) -> None:
        count.count(done, total)
        line.show(str(count))

    def begin(name: str) -> None:
        say(name)
        names.append(name)
        count.label = name
        line.show(f"scoring {name}", last=True)

    yield show, begin
    if names:
        line.show(f"scored {text.count(len(names), 'baseline')}", last=True)


def preparing_line(progress: Progress | None) -> Progress:
    """A progress callback of a dataset: the given one, or in a notebook one that shows a line."""
    if progress is not None or not in_notebook():
        return progress or silent
    count, line = CountLine(label="dataset"), NotebookLine()

    def show(done: int, total: int) -> None:
        count.count(done, total)
        line.show(str(count), last=done >= total)

    return show
