"""Standard output holds results alone: what any other code prints goes to standard error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, TextIO

from disentangle._utils.callbacks import Say
from disentangle.contracts.isolation import Attributed


@contextmanager
def results_alone(say: Say) -> Iterator[None]:
    """Within the block, let only this program write to standard output.

    Args:
        say: called with what plugins print; what other code prints goes to standard error as it is.
    """
    with _own_descriptor() as output:
        attributed: Any = Attributed(output, say)
        with redirect_stdout(attributed):
            yield


@contextmanager
def _own_descriptor() -> Iterator[TextIO]:
    """Yield the stream of results, on a file descriptor that no other code knows.

    Compiled libraries and child processes write to descriptor 1, which is then standard error. A
    terminal shows both streams, so its descriptors stay as they are.
    """
    output = sys.stdout
    try:
        redirected = output is sys.__stdout__ and output.fileno() == 1 and not os.isatty(1)
        os.fstat(2)
    except (AttributeError, OSError, ValueError):  # closed, or not a file
        redirected = False
    if not redirected:
        yield output
        return
    output.flush()
    results = os.dup(1)
    os.dup2(2, 1)
    try:
        with open(
            results, "w", encoding=output.encoding, errors=output.errors, closefd=False
        ) as stream:
            yield stream
    finally:
        with suppress(OSError):
            os.dup2(results, 1)
        os.close(results)
