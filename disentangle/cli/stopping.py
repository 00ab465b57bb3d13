"""How a command ends before its work does: the line to continue with, and `--time-limit`."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from disentangle._utils.console import say
from disentangle._utils.text import duration
from disentangle._utils.time_limit import ALARM, Deadline, process_start, within
from disentangle.errors import OutOfTime, UsageError


def say_stopped() -> None:
    """Say which command continues the runs that were stopped: the one that was typed."""
    say("stopped; to continue from the checkpoints, run")
    say(f"`{continue_command()}`", broken=False)


def continue_command() -> str:
    """The command line as it was typed; running it again continues the runs."""
    return shlex.join(["disentangle", *sys.argv[1:]])


def to_continue(error: OutOfTime) -> OutOfTime:
    """The error of a time limit, with the command that continues."""
    return OutOfTime(f"{error}. Run `{continue_command()}` to continue.")


@contextmanager
def time_limited(limit: str | None) -> Iterator[Deadline | None]:
    """End a block before a time limit, which counts from the start of this process.

    Args:
        limit: the value of `--time-limit`.

    Raises:
        UsageError: the limit is no duration, or is over before the work begins.
        OutOfTime: the block was interrupted.
    """
    start = process_start()
    deadline = Deadline.after(limit, start)
    if deadline is not None and deadline.left < ALARM:
        least = duration(deadline.clock() - start + ALARM)
        raise UsageError(
            f"--time-limit {limit}: too short, as starting and ending this command takes {least}"
        )
    interrupted = f"stopped at the time limit of {limit}; what is complete is kept"
    with within(deadline, str(to_continue(OutOfTime(interrupted)))):
        yield deadline
