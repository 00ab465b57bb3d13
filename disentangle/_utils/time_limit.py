"""Time limits: how they are written, the deadline that follows, and how a command keeps to it."""

import atexit
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self, TypeAlias

from disentangle.errors import OutOfTime, UsageError

ALARM = 2.0
"""Seconds before its deadline at which a command is interrupted."""
EXIT = 0.5
"""Seconds before its deadline at which a command exits that could not be interrupted."""
CHECK = 5.0
"""Seconds between looks at the clock, which may be set while a command runs."""
UNITS = 86_400.0, 3_600.0, 60.0, 1.0
"""Seconds of a day, an hour, a minute and a second."""
NUMBER = r"(\d+(?:\.\d+)?)"
DURATION = re.compile(f"(?:{NUMBER}d)?(?:{NUMBER}h)?(?:{NUMBER}m(?:in)?)?(?:{NUMBER}s)?")
"""A duration: numbers with units, the largest unit first."""
IMPORTED = time.time()
IMPORT = 60.0
"""Seconds from the start of a process to the import of this module, at most."""


def parse_duration(text: str) -> float:
    """Parse a duration such as 90s, 12m, 1h30m or 2d into seconds.

    Raises:
        UsageError: the text is something else.
    """
    match = DURATION.fullmatch(text.replace(" ", ""))
    if match is None or not any(match.groups()):
        raise UsageError(f"expected a duration such as 90s, 12m, 1h30m or 2d, got '{text}'")
    return sum(float(n or 0) * unit for n, unit in zip(match.groups(), UNITS, strict=True))


@dataclass(frozen=True)
class Deadline:
    """The time by which a command must have ended.

    Attributes:
        at: the time in seconds since the epoch, which means the same in another process.
        clock: the function that returns the current time.
    """

    at: float
    clock: Callable[[], float] = field(default=time.time, compare=False, repr=False)

    @classmethod
    def after(cls, limit: "TimeLimit", start: float | None = None) -> Self | None:
        """The end of a time limit; None if there is no limit.

        Args:
            limit: a duration as text, or in seconds; a deadline stays as it is.
            start: when the time limit began, in seconds since the epoch [default: now].

        Raises:
            UsageError: the limit is not a positive duration.
        """
        if limit is None or isinstance(limit, cls):
            return limit
        try:
            seconds = parse_duration(limit) if isinstance(limit, str) else float(limit)  # type: ignore[arg-type]
        except UsageError as error:
            raise UsageError(f"--time-limit: {error}") from None
        except (TypeError, ValueError):
            raise UsageError(f"--time-limit: expected text or seconds, got {limit!r}") from None
        if not 0 < seconds < math.inf:
            raise UsageError(f"--time-limit: expected more than 0 seconds, got '{limit}'")
        return cls((time.time() if start is None else start) + seconds)

    @property
    def left(self) -> float:
        """The seconds left; below 0 after the deadline."""
        return self.at - self.clock()


TimeLimit: TypeAlias = str | float | Deadline | None
"""A duration such as `"12m"`, seconds, or a deadline; None for no limit."""


def process_start() -> float:
    """The time at which this process started; where it is not known, that of the import of this."""
    try:
        words = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        since_boot = int(words[19]) / os.sysconf("SC_CLK_TCK")
        start = time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)
    except (OSError, AttributeError, ValueError, IndexError):  # not on Linux
        return IMPORTED
    return start if 0 <= IMPORTED - start < IMPORT else IMPORTED  # some sandboxes give another time


class Alarm(KeyboardInterrupt):
    """Time is nearly up; like Ctrl-C, no code takes it for a failure of its own."""


def sound_alarm(number: int, frame: FrameType | None) -> NoReturn:
    """Handle SIGALRM while a command has a deadline."""
    raise Alarm


def alarm_signals() -> list[int]:
    """SIGALRM if it tells this process that its time is nearly up; else nothing."""
    number = getattr(signal, "SIGALRM", None)
    return [number] if number is not None and signal.getsignal(number) is sound_alarm else []


@contextmanager
def within(deadline: Deadline | None, message: str) -> Iterator[None]:
    """End the block, and if need be this process, before a deadline.

    Shortly before the deadline the block is interrupted, as by Ctrl-C; a training that is under way
    writes its checkpoint. A block that goes on nevertheless is ended with the process. Files are
    written atomically, so what was complete stays.

    Args:
        deadline: the deadline; without one, nothing happens.
        message: what to say of a block that was interrupted.

    Raises:
        OutOfTime: the block was interrupted.
    """
    if deadline is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    over = threading.Event()
    watcher = threading.Thread(target=watch, args=(deadline, over, message), daemon=True)
    before = signal.signal(signal.SIGALRM, sound_alarm)
    try:
        try:
            watcher.start()
            yield
        finally:
            over.set()
            watcher.join()
    except Alarm:
        raise OutOfTime(message) from None
    finally:
        signal.signal(signal.SIGALRM, before)


def watch(deadline: Deadline, over: threading.Event, message: str) -> None:
    """Interrupt the main thread shortly before a deadline; end the process if that is no use."""
    main = threading.main_thread().ident
    assert main is not None
    if not passed(deadline, ALARM, over):
        return
    signal.pthread_kill(main, signal.SIGALRM)
    if not passed(deadline, EXIT, over):
        return
    cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""  # a progress line hides it
    os.write(2, f"{cursor}error: {message}\n".encode())
    os._exit(OutOfTime.exit_code)


def exit_at_once(code: int) -> NoReturn:
    """Exit in time: what clears up at the exit is given a moment, and memory is not released."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    limit = threading.Timer(ALARM - EXIT, os._exit, (code,))
    limit.daemon = True
    limit.start()
    atexit._run_exitfuncs()  # Ray stops its processes in one
    os._exit(code)


def passed(deadline: Deadline, early: float, over: threading.Event) -> bool:
    """Wait until some seconds before a deadline; return False at once if the block is over."""
    while (left := deadline.left - early) > 0:
        if over.wait(min(left, CHECK)):
            return False
    return not over.is_set()
