"""Seconds and memory of each metric on codes of hundreds of latents, as of a frozen network.

    python benchmarks/wide_codes.py [--latents 512] [--metric mig]

Each metric scores 20,000 rows of synthetic features in a process of its own; a line has the seconds
of the processor and the largest memory, both without those before the metric.
"""

import argparse
import resource
import subprocess
import sys
import time
import warnings

import numpy as np

import disentangle
from disentangle.contracts import registry

FACTORS = (3, 6, 40, 32, 32)
"""The numbers of values of dSprites' factors."""
ROWS = 20_000


def features(latents: int) -> tuple[np.ndarray, np.ndarray]:
    """Rectified mixtures of the factors' values and noise, and the factors."""
    rng = np.random.default_rng(0)
    v = rng.integers(0, FACTORS, (ROWS, len(FACTORS)))
    values = np.concatenate([np.eye(n)[v[:, k]] for k, n in enumerate(FACTORS)], 1)
    z = values @ rng.normal(size=(values.shape[1], latents))
    return np.maximum(z + 0.3 * rng.normal(size=z.shape), 0).astype(np.float32), v


def measure(metric: str, latents: int) -> None:
    """Score the features by one metric and print what it took."""
    z, v = features(latents)
    disentangle.score_codes(z[:100], v[:100] % 3, metrics=["mig"])  # imports
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    scores = disentangle.score_codes(z, v, metrics=[metric])
    seconds = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        f"{metric:20} {seconds:8.1f} s {memory / 1e3:8,.0f} MB", scores.unavailable.get(metric, "")
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latents", type=int, default=512)
    parser.add_argument("--metric", choices=sorted(registry.metrics.entries))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.metric:
        measure(options.metric, options.latents)
    else:
        for name in registry.metrics.entries:
            command = [sys.executable, __file__, "--latents", str(options.latents)]
            subprocess.run([*command, "--metric", name], check=True)
