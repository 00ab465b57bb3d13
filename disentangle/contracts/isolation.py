"""Plugins kept apart: what one of them breaks, prints or seeds is told by whose it is."""

import random
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, TypeVar

from disentangle._utils.callbacks import Say
from disentangle.contracts import entry_points
from disentangle.contracts.entry_points import Entry
from disentangle.errors import PluginWarning

MOST = 5
"""Lines of a plugin's prints that are told."""
A = TypeVar("A")
R = TypeVar("R")


@cache
def homes() -> dict[str, set[Entry]]:
    """The plugins by the modules that hold them, and by those modules' packages.

    Those that the core holds itself are left out.
    """
    found: dict[str, set[Entry]] = {}
    for entry in entry_points.every_entry():
        module = entry.target.partition(":")[0]
        package = module.partition(".")[0]
        if package != "disentangle":
            for name in {module, package}:
                found.setdefault(name, set()).add(entry)
    return found


def owner(frame: FrameType) -> str:
    """Return whose code a frame runs, in words: a plugin's, or, where several could be meant, their
    distribution's; empty if no plugin's.
    """
    module = frame.f_globals.get("__name__", "")
    entries = homes().get(module) or homes().get(module.partition(".")[0])
    if not entries:
        return ""
    kind = type(frame.f_locals.get("self"))
    meant = f"{kind.__module__}:{kind.__qualname__}", f"{module}:{frame.f_code.co_qualname}"
    named = {e for e in entries if e.target in meant}
    if len(named or entries) == 1:
        return next(iter(named or entries)).who
    return " and ".join(sorted({f"{e.distribution} {e.version}" for e in entries}))


def culprit(error: BaseException) -> tuple[str, str]:
    """Return which plugin raised an error, and where; empty where none had a hand in it."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if whose := owner(frame):
            file, function = Path(frame.f_code.co_filename).name, frame.f_code.co_name
            return whose, f"{file}, line {line}, in {function}"
    return "", ""


def blame(error: BaseException) -> str:
    """Return which plugin raised an error, what and where; empty where none had a hand in it."""
    whose, where = culprit(error)
    what = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
    return f"{whose} failed: {what} ({where})" if whose else ""


def refusal(error: OSError) -> str:
    """Return what the system refused, in words, and which plugin asked for it, if one did."""
    where = f"{error.filename}: " if error.filename else ""
    whose, _ = culprit(error)
    return f"{where}{error.strerror or error}" + (f" (asked for by {whose})" if whose else "")


class Attributed:
    """An output that passes on what is written to it, but for what a plugin prints: that is told.

    Args:
        output: takes everything else.
        say: told each line that a plugin prints, with whose it is.
    """

    def __init__(self, output: TextIO, say: Say) -> None:
        self._output, self._say = output, say
        self._lines: dict[str, str] = {}
        self._told: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)

    def write(self, text: str) -> int:
        """Write, or tell the lines that are whole."""
        whose = printing(sys._getframe(1))
        if not whose:
            return self._output.write(text)
        *lines, self._lines[whose] = (self._lines.get(whose, "") + text).split("\n")
        for line in lines:
            self._told[whose] += 1
            if self._told[whose] <= MOST:
                self._say(f"{whose} printed: {line}")
            elif self._told[whose] == MOST + 1:
                self._say(f"{whose} prints more, which is not shown")
        return len(text)


def printing(frame: FrameType) -> str:
    """Return whose code prints, where it is a plugin's that the core called."""
    for caller, _ in traceback.walk_stack(frame):
        if whose := owner(caller):
            return whose
        if caller.f_globals.get("__name__", "").partition(".")[0] == "disentangle":
            return ""
    return ""


def prints_told(say: Say) -> AbstractContextManager[Any]:
    """Keep what plugins print out of standard output, which holds results; `say` it instead."""
    output: Any = Attributed(sys.stdout, say)
    return redirect_stdout(output)


def _numpy_state() -> tuple[Any, ...]:
    import numpy as np

    state: Any = np.random.get_state()  # noqa: NPY002
    return tuple(part.tobytes() if isinstance(part, np.ndarray) else part for part in state)


def _torch_state() -> bytes:
    import torch

    return torch.get_rng_state().numpy().tobytes()


GENERATORS: dict[str, Callable[[], Any]] = {
    "torch's": _torch_state,
    "NumPy's": _numpy_state,
    "random's": random.getstate,
}
"""The global generators, and how to read where they are."""


@contextmanager
def watched(who: str, harm: str, *, restore: bool = False) -> Iterator[None]:
    """Warn if a block moves a global generator.

    Args:
        who: the plugin that runs in the block.
        harm: what comes of it, and what to draw from instead.
        restore: whether the generators are put back, for whoever draws from them after it.
    """
    import numpy as np
    import rich.style  # noqa: F401 (scikit-learn imports it, and its import draws a random number)
    import torch

    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    before = {name: state() for name, state in GENERATORS.items()}
    try:
        yield
    finally:
        moved = [name for name, state in GENERATORS.items() if state() != before[name]]
        if moved and restore:
            torch.set_rng_state(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
            random.setstate(states[2])
    if moved:
        whose = " and ".join(moved)
        text = f"{who} seeds or draws from {whose} global generator: {harm}"
        warnings.warn(text, PluginWarning, stacklevel=3)


def watched_once(function: Callable[[A], R], who: str, harm: str) -> Callable[[A], R]:
    """Return a function that is watched the first time it is called; see `watched`."""
    calls = 0

    def call(argument: A) -> R:
        nonlocal calls
        calls += 1
        if calls > 1:
            return function(argument)
        with watched(who, harm):
            return function(argument)

    return call
