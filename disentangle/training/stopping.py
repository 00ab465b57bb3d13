"""What stops a training before its last step: a signal, or the end of its time limit."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from disentangle._utils.time_limit import alarm_signals
from disentangle.errors import DisentangleError, OutOfTime
from disentangle.runs.run import Run
from disentangle.training.turns import turns_of_thread


class Interrupted(DisentangleError):
    """Training was stopped by a signal, after a checkpoint was written."""

    def __init__(self, number: int, run: Run, step: int) -> None:
        super().__init__(
            f"stopped after step {step}. Run `disentangle resume {run.path}` to continue."
        )
        self.exit_code = 128 + number


def reason_to_stop(stopped: list[int], run: Run, step: int, steps: int) -> DisentangleError:
    """The error that ends a training before its last step: a signal's, or that of a time limit."""
    if stopped and stopped[0] not in alarm_signals():
        return Interrupted(stopped[0], run, step)
    return OutOfTime(
        f"stopped at the time limit, after step {step:,} of {steps:,}. "
        f"Run `disentangle resume {run.path}` to continue."
    )


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect the signals that end a process in a list instead of exiting.

    These are SIGINT, SIGTERM and SIGHUP, which a closed terminal sends, and the alarm of a time
    limit. A second SIGINT interrupts; a second SIGTERM or SIGHUP does not, as schedulers and shells
    repeat them.
    """
    if turns := turns_of_thread():
        yield turns.stopped
        return
    stopped: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def note(number: int, frame: FrameType | None) -> None:
        if stopped and number == signal.SIGINT:
            raise KeyboardInterrupt
        stopped.append(number)

    hangup = getattr(signal, "SIGHUP", None)
    numbers = [signal.SIGINT, signal.SIGTERM, *alarm_signals()]
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:  # as nohup does
        numbers.append(hangup)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
