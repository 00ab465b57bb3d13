"""Seconds and memory of a reduction of large codes in blocks, which lie in a file.

    python benchmarks/block_codes.py [--rows 100000] [--blocks 20] [--numbers 256] [--reduce pca1]

The file has float32 codes of synthetic tokens, 2 GB by default, in a temporary folder. Memory is
the largest that the process took of its own, without pages of the file, and without that before.
"""

import argparse
import resource
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import disentangle

VALUES = 5
"""The number of values of each of the three factors."""


def write_tokens(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Write codes [N, B, M], each block moving in a direction with one factor; return factors."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, VALUES, (shape[0], 3))
    directions = rng.normal(size=shape[1:]).astype(np.float32)
    codes = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for rows in np.array_split(np.arange(shape[0]), max(1, shape[0] // 1000)):
        moved = factors[rows][:, np.arange(shape[1]) % 3, None].astype(np.float32) * directions
        codes[rows] = moved + rng.standard_normal(moved.shape, dtype=np.float32)
    codes.flush()
    return factors


def own_memory() -> int:
    """The memory of this process in kB, without pages of files (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def watch(largest: list[int]) -> None:
    """Keep the largest memory."""
    while True:
        largest[0] = max(largest[0], own_memory())
        time.sleep(0.02)


def main() -> None:
    """Reduce the codes, score them by MIG, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("rows", 100_000), ("blocks", 20), ("numbers", 256)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--reduce", default="pca1")
    options = parser.parse_args()
    shape = options.rows, options.blocks, options.numbers
    small = np.random.default_rng(0).normal(size=(100, 2, 3))
    disentangle.score_codes(small, np.arange(100)[:, None] % 3, metrics=["mig"], reduce="pca1")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codes.npy"
        factors = write_tokens(path, shape)
        codes = np.load(path, mmap_mode="r")
        before = own_memory()
        held = [before]
        threading.Thread(target=watch, args=(held,), daemon=True).start()
        began, cpu = time.perf_counter(), time.process_time()
        disentangle.score_codes(codes, factors, metrics=["mig"], reduce=options.reduce)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{options.reduce}: {codes.nbytes / 1e9:.1f} GB of codes in {seconds:.1f} s "
        f"({cpu:.1f} s of the processor), {(held[0] - before) / 1e6:.2f} GB of memory beside the "
        f"file; {whole / 1e6:.1f} GB with its pages"
    )


if __name__ == "__main__":
    main()
