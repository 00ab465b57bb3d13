"""What the program says on standard error."""

import errno

import pytest
from rich.console import Console

from disentangle._utils import console


class Closed:
    """A standard error whose terminal was closed."""

    encoding = "utf-8"
    written = 0

    def write(self, text):
        self.written += 1
        raise OSError(errno.EIO, "Input/output error")

    def flush(self):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    def isatty(self):
        return True

    def fileno(self):
        raise OSError("no descriptor")


def test_closed_terminal_ends_nothing(monkeypatch):
    closed = Closed()
    monkeypatch.setattr("sys.stderr", closed)
    console.say("nobody reads this")
    with console.working() as progress:
        progress(1, 2)
    assert closed.written


@pytest.mark.parametrize(("width", "bar"), [(60, False), (80, False), (120, True)])
def test_bar_is_left_out_before_a_number_is_cut(monkeypatch, width, bar):
    monkeypatch.setattr(console, "console", Console(width=width))
    bars = console.bars()
    count = console.counter(bars, "{1:,} of at most {2:,} images: encoding dsprites")
    count(700_000, 737_280)
    with console.console.capture() as captured:
        console.console.print(bars)
    assert "700,000 of at most 737,280 images" in captured.get()
    assert ("━" in captured.get()) == bar
