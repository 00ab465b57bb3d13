"""Progress on standard error: a live line in a terminal, plain lines elsewhere."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from disentangle._utils import callbacks
from disentangle._utils.progress_line import CountLine
from disentangle._utils.text import WARNING, reflow, wrap


class StandardError:
    """The standard error of the moment; a terminal that was closed ends no command."""

    @property
    def stream(self) -> Any:
        """The stream behind what a live display puts in its place."""
        return getattr(sys.stderr, "rich_proxied_file", sys.stderr)

    def write(self, text: str) -> int:
        """Write text, or nothing from the moment when nobody can read it."""
        try:
            return int(self.stream.write(text))
        except OSError:
            self.close()
            return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            self.stream.flush()
        except OSError:
            self.close()

    def close(self) -> None:
        """Send further output nowhere, so that Python can end without an error."""
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


console = Console(file=cast(IO[str], StandardError()), emoji=False)
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


def say(text: str, *, broken: bool = True) -> None:
    """Print lines to standard error, apart from the results on standard output.

    Args:
        text: the lines.
        broken: False for a line to be copied, which is not broken to fit the terminal.
    """
    if not manner.quiet or text.startswith(WARNING):
        lines = wrap(text, message_width()) if broken else text
        console.print(marked(lines), soft_wrap=True, highlight=False)


def tell(text: str) -> None:
    """Print results in words to standard output; a terminal gets lines that fit it."""
    Console(emoji=False).print(
        marked(reflow(text, output_width())), soft_wrap=True, highlight=False
    )


def message_width() -> int | None:
    """The characters of a line of standard error; None if it is no terminal."""
    return console.width if console.is_terminal else None


def output_width() -> int | None:
    """The characters of a line of the terminal; None if standard output is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def marked(text: str) -> str:
    """A text as markup: nothing but a warning's first word is coloured."""
    if text.startswith(WARNING):
        word = WARNING.strip()
        return f"[yellow]{word}[/yellow]{escape(text.removeprefix(word))}"
    return escape(text)


@contextmanager
def counting(label: str) -> Iterator[callbacks.Progress]:
    """Yield a progress callback for encoding, which counts the images of each request anew."""
    with working(CountLine("{done:,} of {total:,} images", label)) as progress:
        yield progress


@contextmanager
def working(line: CountLine) -> Iterator[callbacks.Progress]:
    """Yield a progress callback that redraws a line in a terminal, and prints lines elsewhere.

    The line disappears when done.
    """
    if console.is_terminal and not manner.quiet:
        with Live(line, console=console, refresh_per_second=4, transient=True):
            yield line.count
    else:
        yield lines(line)


def lines(line: CountLine) -> callbacks.Progress:
    """Return a progress callback that prints a line every `EVERY` seconds."""
    printed = time.monotonic()

    def count(done: int, total: int) -> None:
        nonlocal printed
        line.count(done, total)
        if total and time.monotonic() - printed >= EVERY:
            printed = time.monotonic()
            say(str(line))

    return count
