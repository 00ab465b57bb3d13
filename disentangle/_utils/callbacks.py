"""Types of callbacks that report progress, and a callback that does nothing."""

from collections.abc import Callable
from typing import Any, TypeAlias

Say: TypeAlias = Callable[[str], None]
"""Called with a line of text for the user."""
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the amount done so far and the total."""
Report: TypeAlias = Callable[[int, int, dict[str, Any] | None], None]
"""Called after every step with its number (from 1), the number of steps, and a log entry if due."""


def silent(*arguments: object) -> None:
    """Ignore progress: the default of all of these."""


def once(say: Say) -> Say:
    """Return `say`, but for lines that it was already called with."""
    lines: set[str] = set()

    def say_once(line: str) -> None:
        if line not in lines:
            lines.add(line)
            say(line)

    return say_once
