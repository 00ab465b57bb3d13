"""Memory: kept when it is freed, taken when it is written, and not searched for garbage."""

import ctypes
import gc
import mmap
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TRIM, MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
LARGE = 2**30, 2**25
"""Largest threshold in bytes of newer and of older versions of the C library."""


def keep_freed_memory() -> bool:
    """Let this process keep the memory of freed tensors for the next step.

    By default the GNU C library returns large blocks to the system at once, so that each training
    step touches thousands of fresh pages, which takes a third of its time on a CPU. With this
    setting, the process keeps its peak memory. Other C libraries are not changed.

    Returns:
        True if the library accepted the setting.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # another C library
    trims = bool(mallopt(TRIM, 2**31 - 1))
    return trims and any(mallopt(MMAP, size) for size in LARGE)


def sparse_table(shape: tuple[int, int]) -> "NDArray[np.float32]":
    """A table of zeros, float32, whose rows take memory once they are written.

    A large array of NumPy takes pages of 2 MiB on Linux, so that a few rows in random places take
    all of the table's memory.

    Raises:
        MemoryError: the table is larger than the memory that can be reserved.
    """
    import numpy as np

    size = 4 * prod(shape)
    try:
        pages = mmap.mmap(-1, max(1, size))
    except OSError as error:
        raise MemoryError(f"{size} bytes") from error
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(pages, np.float32, prod(shape)).reshape(shape)


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the garbage collector within the block.

    For a million new objects, none of them garbage, it takes longer than creating them.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
