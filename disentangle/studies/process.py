"""Start, watch and stop the process of a worker.

This module imports nothing heavy: a cluster machine runs one watching process per training.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from disentangle.errors import OutOfTime

POLL = 0.2
"""Seconds between checks of processes."""
PATIENCE = 20.0
"""Seconds for processes to write their checkpoints when they are stopped."""
COMMAND = (sys.executable, "-P", "-m", "disentangle.studies.worker")
DONE = 0
"""Exit code of a worker whose run is trained and scored."""
AGAIN = 1
"""Exit code after a failure that may not occur again."""
USAGE = 2
"""Exit code after a user's mistake."""
FINAL = 64
"""Exit code after a failure that would occur again."""
BUSY = 69
"""Exit code if another process holds the run."""
OUT_OF_TIME = OutOfTime.exit_code
"""Exit code of a worker that stopped before its deadline."""
GPU = "CUDA_VISIBLE_DEVICES"
"""Environment variable that names the GPU of a process."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Environment variables that set the threads of a process."""


class Child:
    """A worker process and its log. The worker stops if the parent process ends.

    Args:
        order: the order, as JSON.
        log: the log file; output is appended.
        place: additional environment variables: number of threads, GPU.
    """

    def __init__(self, order: str, log: Path, place: Mapping[str, str]) -> None:
        self.open(COMMAND, log, place)
        self.send(order)

    def open(
        self, command: Sequence[str], log: Path, place: Mapping[str, str], stdout: int | None = None
    ) -> None:
        """Start the process. What it prints goes to the log, except for a separate `stdout`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            self.log, self.start = log, file.tell()
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=file if stdout is None else stdout,
                stderr=file,
                text=True,
                env={**os.environ, **place, "PYTHONUNBUFFERED": "1"},
                process_group=0,  # not interrupted by the terminal
            )

    def send(self, order: str) -> None:
        """Send an order to the process."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it crashed at once; its exit code reports that
            self.process.stdin.write(order + "\n")
            self.process.stdin.flush()

    def ended(self) -> tuple[int, str] | None:
        """The exit code of the process and the reason; None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        self.close()
        return code, self.last_words(code)

    def last_words(self, code: int) -> str:
        """The reason for the end of the process: its last line of output, or the signal."""
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
        """Send a signal to the process and all of its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def close(self) -> None:
        """Close the pipe to the ended process."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()


def stop(children: Sequence[Child]) -> None:
    """Let processes write a checkpoint and end; kill those that do not end in time."""
    for child in children:
        child.signal(signal.SIGTERM)
    try:
        deadline = time.monotonic() + PATIENCE
        for child in children:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
    finally:  # also after a second interrupt
        for child in children:
            child.signal(signal.SIGKILL)
            child.process.wait()
            child.close()


def attend(order: str, log: str, place: Mapping[str, str]) -> Iterator[tuple[int, str] | None]:
    """Run an order in a new process: yield None at its start, then its exit code and reason.

    An interrupt, or closing the generator, stops the process with a checkpoint.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
    child = Child(order, Path(log), place)
    try:
        yield None
        while (end := child.ended()) is None:
            time.sleep(POLL)
        yield end
    finally:
        stop([child])
