"""Time to fetch and convert a batch, as a share of a training step on the same machine.

The images (64 x 64 x 3) are in a memory-mapped file, as in every prepared dataset. A random batch
of 64 is fetched and converted to float; then a beta-VAE is trained on it for one step. Both are
timed in the same loop, and their medians are compared.

    python benchmarks/batches.py [--images 100000] [--steps 40] [--force]
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from disentangle._utils.seeds import initialising
from disentangle._utils.tensors import to_device
from disentangle.contracts import registry
from disentangle.contracts.model import Batch
from disentangle.data.array_datasets import as_dataset
from disentangle.data.prepared import Content, Preparation
from disentangle.training.checks import checked, term_sets


def main() -> None:
    """Print the share for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--force", action="store_true", help="measure on a busy machine")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    if load > 0.5 and not options.force:
        sys.exit(f"the load is {load:.2f}: wait until it is below 0.5, or use --force")
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        shape = (options.images, 64, 64, 3)
        blocks = (
            rng.integers(0, 256, (min(1000, options.images - i), *shape[1:]), np.uint8)
            for i in range(0, options.images, 1000)
        )
        preparation = Preparation(folder=Path(folder), version=1)
        content = Content(blocks=blocks, shape=shape, source="noise")
        data = as_dataset(preparation.get(lambda stack: content))
        print(f"{options.images:,} images, {torch.get_num_threads()} threads, load {load:.2f}")
        for network in ("conv", "burgess"):
            fetching, step = measure(data, network, options.steps, rng)
            print(
                f"{network:8} fetch and convert {1e3 * fetching:6.2f} ms, training step "
                f"{1e3 * step:6.1f} ms: {100 * fetching / step:.1f} %"
            )


def measure(data, network: str, steps: int, rng: np.random.Generator) -> tuple[float, float]:
    """Measure the median seconds to fetch a batch and to train on it."""
    model = registry.models.load("beta-vae")(network=network)
    with initialising(0):
        model.build(data.image_shape)
    model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    noise = torch.Generator().manual_seed(0)
    fetching, training = [], []
    for step in range(steps + 5):
        index = rng.permutation(len(data))[:64]
        began = time.perf_counter()
        x = to_device(data.images(index), torch.device("cpu"))
        fetched = time.perf_counter()
        batch = Batch(x=x, step=step, steps=steps, dataset_size=len(data), rng=noise)
        optimizer.zero_grad(set_to_none=True)
        (terms,) = checked(term_sets(model.terms(batch)))
        torch.stack([term.loss for term in terms.values()]).sum().backward()
        optimizer.step()
        trained = time.perf_counter()
        fetching.append(fetched - began)
        training.append(trained - fetched)
    return statistics.median(fetching[5:]), statistics.median(training[5:])


if __name__ == "__main__":
    main()
