"""Memory: what is freed is kept for the next step, and what is kept is not searched for garbage."""

import gc
import subprocess
import sys

import pytest

from disentangle._utils.memory import uncollected

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
