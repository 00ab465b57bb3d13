"""Isolation of plugins: attribute errors, prints and use of global random state to a plugin."""

import random
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, TypeVar

from disentangle._utils.callbacks import Say
from disentangle.contracts import entry_points
from disentangle.contracts.entry_points import Entry
from disentangle.errors import PluginWarning

PRINTERS = frozenset({"typer", "click", "rich"})
"""Packages through which this program prints its results."""
MOST = 5
"""Maximum number of printed lines reported per plugin."""
A = TypeVar("A")
R = TypeVar("R")


@cache
def homes() -> dict[str, set[Entry]]:
    """Plugins by the module that defines them, and by its top-level package.

    Plugins defined in the core are left out.
    """
    plugins: dict[str, set[Entry]] = {}
    for entry in entry_points.every_entry():
        module = entry.target.partition(":")[0]
        package = module.partition(".")[0]
        if package != "disentangle":
            for name in {module, package}:
                plugins.setdefault(name, set()).add(entry)
    return plugins


def owner(frame: FrameType) -> str:
    """The plugin whose code a frame runs, in words.

    Its distribution if several plugins are possible; empty if the code is not a plugin's.
    """
    module = frame.f_globals.get("__name__", "")
    entries = homes().get(module) or homes().get(module.partition(".")[0])
    if not entries:
        return ""
    cls = type(frame.f_locals.get("self"))
    targets = f"{cls.__module__}:{cls.__qualname__}", f"{module}:{frame.f_code.co_qualname}"
    matches = {e for e in entries if e.target in targets}
    if len(matches or entries) == 1:
        return next(iter(matches or entries)).who
    return " and ".join(sorted({f"{e.distribution} {e.version}" for e in entries}))


def culprit(error: BaseException) -> tuple[str, str]:
    """The plugin that raised an error and the place in its code; empty if no plugin did."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if plugin := owner(frame):
            file, function = Path(frame.f_code.co_filename).name, frame.f_code.co_name
            return plugin, f"{file}, line {line}, in {function}"
    return "", ""


def blame(error: BaseException) -> str:
    """Format an error raised by a plugin, with plugin and place; empty if no plugin raised it."""
    plugin, where = culprit(error)
    what = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
    return f"{plugin} failed: {what} ({where})" if plugin else ""


def refusal(error: OSError) -> str:
    """Format an error of the operating system, with the plugin that caused it if one did."""
    where = f"{error.filename}: " if error.filename else ""
    plugin, _ = culprit(error)
    return f"{where}{error.strerror or error}" + (f" (caused by {plugin})" if plugin else "")


class Attributed:
    """A stdout wrapper that passes through what this program prints.

    Args:
        output: receives what this program prints. What other code prints goes to standard error.
        say: called with each line that a plugin prints, preceded by the plugin's name.
    """

    def __init__(self, output: TextIO, say: Say) -> None:
        self._output, self._say = output, say
        self._lines: dict[str, str] = {}
        self._printed: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)

    def write(self, text: str) -> int:
        """Write text to where it belongs; report the complete lines that a plugin printed."""
        plugin, is_ours = printing(sys._getframe(1))
        if not plugin:
            stream = self._output if is_ours else sys.stderr  # None if closed
            return stream.write(text) if stream else len(text)
        *lines, self._lines[plugin] = (self._lines.get(plugin, "") + text).split("\n")
        for line in lines:
            self._printed[plugin] += 1
            if self._printed[plugin] <= MOST:
                self._say(f"{plugin} printed: {line}")
            elif self._printed[plugin] == MOST + 1:
                self._say(f"{plugin} printed more lines, which are not shown")
        return len(text)


def printing(frame: FrameType) -> tuple[str, bool]:
    """The plugin whose code prints, empty if none, and whether this program itself does.

    A library such as torch may stand between the code that prints and this program.
    """
    is_ours = True
    for caller, _ in traceback.walk_stack(frame):
        if plugin := owner(caller):
            return plugin, False
        package = caller.f_globals.get("__name__", "").partition(".")[0]
        if package == "disentangle":
            return "", is_ours
        is_ours = is_ours and package in PRINTERS
    return "", False


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
"""The global random generators and the functions that read their states."""


@contextmanager
def watched(who: str, harm: str, *, restore: bool = False) -> Iterator[None]:
    """Warn if a block seeds a global random generator or draws from it.

    Args:
        who: the plugin that runs in the block.
        harm: the consequence, and the generator to use instead.
        restore: if True, restore the states of the generators after the block.
    """
    import rich.style  # noqa: F401 (scikit-learn imports it, and its import draws a random number)

    from disentangle._utils.seeds import global_states, set_global_states

    states = global_states()
    before = {name: state() for name, state in GENERATORS.items()}
    try:
        yield
    finally:
        moved = [name for name, state in GENERATORS.items() if state() != before[name]]
        if moved and restore:
            set_global_states(states)
    if moved:
        text = f"{who} seeds or draws from {' and '.join(moved)} global generator: {harm}"
        warnings.warn(text, PluginWarning, stacklevel=3)


def watched_once(function: Callable[[A], R], who: str, harm: str) -> Callable[[A], R]:
    """Wrap a function so that its first call is watched; see `watched`."""
    calls = 0

    def call(argument: A) -> R:
        nonlocal calls
        calls += 1
        if calls > 1:
            return function(argument)
        with watched(who, harm):
            return function(argument)

    return call
