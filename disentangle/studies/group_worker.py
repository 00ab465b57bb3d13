"""A worker that trains several runs at once on one GPU, each in a thread; see `training.turns`.

`python -m disentangle.studies.group_worker` reads orders from standard input, each a line of JSON,
and writes a line of JSON to standard output when one has ended. It trains only: another worker
scores the finished run and draws its figures. When the input ends, the parent process is gone or
needs no more, and all trainings stop with a checkpoint.
"""

import gc
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

import torch

from disentangle._utils.callbacks import Say
from disentangle.studies.jobs import Order, log_of
from disentangle.studies.process import AGAIN
from disentangle.studies.worker import outcome, set_threads, train_run
from disentangle.training.loop import deterministic
from disentangle.training.progress import plain
from disentangle.training.tracking import tracking
from disentangle.training.turns import Turns

BROKEN = 70
"""Exit code when the GPU does not answer any more, so that no training can go on here."""


class Stopped(Exception):
    """A signal asks the process to stop."""


class GroupWorker:
    """Trains the orders that it is given, each in a thread.

    Args:
        answers: receives a line of JSON for each order that has ended.
    """

    def __init__(self, answers: IO[str]) -> None:
        self.answers, self.turns = answers, Turns()
        self.threads: list[threading.Thread] = []

    def start(self, order: Order) -> None:
        """Start to train an order."""
        thread = threading.Thread(target=self.execute, args=(order,))
        self.threads.append(thread)
        thread.start()

    def execute(self, order: Order) -> None:
        """Train an order; answer with its exit code and the last line that it said."""
        with self.turns.taken(), Saying(order) as say:
            try:
                code = outcome(order, lambda: train_only(order, say), say)
            except Exception as error:
                say(traceback.format_exc())
                say(f"error: {type(error).__name__}: {error}")
                code = AGAIN
            gc.collect()  # a recorded training holds memory on the GPU
            if code and not gpu_answers():
                os._exit(BROKEN)
            answer = {"path": order.path, "code": code, "why": say.last.removeprefix("error: ")}
            self.answers.write(json.dumps(answer) + "\n")
            self.answers.flush()

    def finish(self, number: int) -> None:
        """Let all trainings write a checkpoint and end."""
        self.turns.stopped.append(number)
        for thread in self.threads:
            thread.join()


class Saying:
    """Says lines in the log of an order."""

    def __init__(self, order: Order) -> None:
        self.path, self.last = log_of(Path(order.path)), ""

    def __enter__(self) -> "Saying":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __call__(self, line: str) -> None:
        """Write a line."""
        self.file.write(line + "\n")
        self.file.flush()
        self.last = line.strip().rpartition("\n")[2]


def train_only(order: Order, say: Say) -> None:
    """Train the run of an order, and send it to its trackers."""
    with tracking(Path(order.path), order.track or None, say) as followers:
        train_run(order, followers.listening(plain(say)), say)


def gpu_answers() -> bool:
    """True if the GPU still works for this process, or it uses none."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True


@contextmanager
def stopping() -> Iterator[list[int]]:
    """End the block at the first signal; the list holds it, and later ones have no effect."""
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            raise Stopped

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, receive)
    try:
        yield received
    except Stopped:
        pass


def main() -> None:
    """Train orders until the input ends, or a signal is received."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what plugins print is no answer
    set_threads()
    worker = GroupWorker(answers)
    with deterministic():
        with stopping() as received:
            for line in sys.stdin:
                worker.start(Order.model_validate_json(line))
        worker.finish(received[0] if received else signal.SIGTERM)


if __name__ == "__main__":
    main()
