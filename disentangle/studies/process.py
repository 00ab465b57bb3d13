"""The process of a worker, as whoever starts it sees it.

Nothing heavy is imported: a machine of a cluster has one such onlooker for each training.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

POLL = 0.2
"""Seconds between looks at processes."""
PATIENCE = 20.0
"""Seconds that processes get to write their checkpoints, once all are to stop."""
COMMAND = (sys.executable, "-P", "-m", "disentangle.studies.worker")
DONE = 0
"""Exit code of a worker whose run is trained and scored."""
AGAIN = 1
"""Exit code after a failure that another attempt may not meet."""
USAGE = 2
"""Exit code after a user's mistake."""
FINAL = 64
"""Exit code after a failure that would come again."""
BUSY = 75
"""Exit code where another process holds the run."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Environment variables that set the threads of a process."""


class Child:
    """A process that does an order, and the log it writes to. It stops when this one is gone.

    Args:
        order: the order, as JSON.
        log: the file that its lines are added to.
        place: its environment, beside this process's own: its threads, its GPU.
    """

    def __init__(self, order: str, log: Path, place: Mapping[str, str]) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            self.log, self.start = log, file.tell()
            self.process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, **place, "PYTHONUNBUFFERED": "1"},
                process_group=0,  # an interrupt from the terminal is not for it
            )
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it died at once: that is seen by its exit
            self.process.stdin.write(order + "\n")
            self.process.stdin.flush()

    def ended(self) -> tuple[int, str] | None:
        """Return how the process ended, its exit code and why; None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        self.close()
        return code, self.last_words(code)

    def last_words(self, code: int) -> str:
        """Return why the process ended: its last line, or the signal that killed it."""
        if code < 0:
            name = signal.Signals(-code).name
            return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
        with suppress(OSError), self.log.open(encoding="utf-8", errors="replace") as file:
            file.seek(self.start)
            lines = [line.strip() for line in file if line.strip()]
            if lines:
                return lines[-1].removeprefix("error: ")
        return f"exit code {code}"

    def signal(self, number: int) -> None:
        """Send a signal to the process and to all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def close(self) -> None:
        """Close the pipe to a process that ended."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()


def stop(children: Sequence[Child]) -> None:
    """Let processes write a checkpoint and end; kill those that take too long."""
    for child in children:
        child.signal(signal.SIGTERM)
    try:
        until = time.monotonic() + PATIENCE
        for child in children:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, until - time.monotonic()))
    finally:  # also when a second interrupt comes
        for child in children:
            child.signal(signal.SIGKILL)
            child.process.wait()
            child.close()


def attend(order: str, log: str, place: Mapping[str, str]) -> Iterator[tuple[int, str] | None]:
    """Do an order in a process of its own: yield None when that began, then how it ended.

    Whatever ends this early, an interrupt or the generator's close, stops it with a checkpoint.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a script put behind
    child = Child(order, Path(log), place)
    try:
        yield None
        while (end := child.ended()) is None:
            time.sleep(POLL)
        yield end
    finally:
        stop([child])
