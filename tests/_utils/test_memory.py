"""Memory: what is freed is kept for the next step, and what is kept is not searched for garbage."""

import gc
import resource
import subprocess
import sys

import numpy as np
import pytest

from disentangle._utils.memory import sparse_table, uncollected

PROGRAM = """
import resource, torch
from disentangle._utils.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        blocks = [torch.zeros(2**21) for _ in range(6)]  # of 8 MiB
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 10

first = faults()
assert keep_freed_memory()
faults()
# The system may take pages back for reasons of its own, but not each time.
print(first, min(faults() for _ in range(5)))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a matter of the GNU C library")
def test_freed_memory_is_used_again():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert after < before / 10


def test_collection_is_as_it_was_after_a_block_without():
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def resident():
    """Bytes of memory that this process takes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_rows_of_a_sparse_table_take_memory_once_they_are_written():
    before = resident()
    table = sparse_table((400_000, 2_000))  # 3.2 GB
    rows = np.random.default_rng(0).integers(0, len(table), 1000)
    table[rows] = 1.5
    assert resident() - before < 2**26
    assert (table[rows] == 1.5).all()


def test_sparse_table_of_nothing_is_empty():
    assert sparse_table((0, 5)).shape == (0, 5)
