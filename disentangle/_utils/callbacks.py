"""Types of functions that report to a caller, and one that does nothing."""

from collections.abc import Callable
from typing import Any, TypeAlias

Say: TypeAlias = Callable[[str], None]
"""Called with a line of text for the user."""
Progress: TypeAlias = Callable[[int, int], None]
"""Called with what is done so far, and with all that is to be done."""
Report: TypeAlias = Callable[[int, int, dict[str, Any] | None], None]
"""Called after every step: its number, from 1, the number of all, the log entry if one is due."""


def silent(*arguments: object) -> None:
    """Report nothing: the default of all of them."""
