"""Memory that is soon wanted again: kept, where the C library can; or not searched in vain."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRIM, MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
LARGE = 2**30, 2**25
"""Bytes: what newer versions of the library take as a threshold, and what older ones do."""


def keep_freed_memory() -> bool:
    """Let this process keep what tensors free, for the tensors of the next step.

    By default the GNU C library gives large blocks back to the system at once, and each step of
    training touches thousands of fresh pages: a third of its time on a CPU. The process then holds
    on to the most that it ever needed. Elsewhere nothing happens.

    Returns:
        Whether the library took it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # another C library
    trims = bool(mallopt(TRIM, 2**31 - 1))
    return trims and any(mallopt(MMAP, size) for size in LARGE)


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no cycles among the objects that the block makes.

    Of a million, none garbage, that would take longer than to make them.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
