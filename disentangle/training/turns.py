"""Trainings that take turns in one process, so that a GPU works on all of them at once.

Each training is a thread with a CUDA stream of its own. Only the thread that holds the turn runs;
it gives the turn away while it waits for the GPU. So nothing in this program, nor in a plugin, has
to be safe for threads, and the kernels of different trainings still run at the same time.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

import torch

from disentangle.training.resident import ResidentImages

_of_thread = threading.local()


class Turns:
    """The turn of several trainings in this process.

    Attributes:
        stopped: the signals that ask all trainings to stop.
        resident: the images on the device, which the trainings share.
    """

    def __init__(self) -> None:
        self.stopped: list[int] = []
        self.resident: WeakValueDictionary[str, ResidentImages] = WeakValueDictionary()
        self._mutex = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the turn during a block, which is one training of this thread."""
        self._take()
        _of_thread.turns = self
        try:
            yield
        finally:
            del _of_thread.turns
            self._give()

    @contextmanager
    def given(self) -> Iterator[None]:
        """Give the turn away during a block, which waits."""
        self._give()
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        """Wait for the turn; threads get it in the order in which they ask."""
        with self._mutex:
            if not self._taken:
                self._taken = True
                return
            ticket = threading.Lock()
            ticket.acquire()
            self._waiting.append(ticket)
        ticket.acquire()  # until the thread before gives its turn

    def _give(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


def turns_of_thread() -> Turns | None:
    """The turns that the training of this thread takes; None if it is the only one."""
    return getattr(_of_thread, "turns", None)


def wait_for(device: torch.device) -> None:
    """Let other trainings go on until the device has done what this one has asked of it."""
    turns = turns_of_thread()
    if turns is None:
        return
    event = torch.cuda.Event() if device.type == "cuda" else None  # type: ignore[no-untyped-call]
    if event is not None:
        event.record()
    with turns.given():
        if event is not None:
            event.synchronize()
