"""What the program says on standard error."""

import errno

from disentangle._utils import console
from disentangle._utils.progress_line import CountLine


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
    with console.working(CountLine()) as progress:
        progress(1, 2)
    assert closed.written


def test_count_is_printed_as_lines_where_there_is_no_terminal(monkeypatch, capsys):
    clock = iter([0.0, 0.0, 4.0, 4.0, 12.0, 12.0, 12.0, 12.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.counting("encoding dsprites") as progress:
        progress(0, 4_000)
        progress(1_000, 4_000)
        progress(3_000, 4_000)
    assert capsys.readouterr().err.splitlines() == [
        "3,000 of 4,000 images  75 %  4 s left  encoding dsprites"
    ]
