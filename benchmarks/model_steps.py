"""Time of a training step of models, relative to the first, on one CPU thread.

    python benchmarks/model_steps.py vae qvae factor-qvae dvae factor-dvae

Forward and backward pass and update, with the network `locatello` and 64 random images of 64x64x1
that lie in memory. The models take turns, several steps each, in one process; the time is that of
the processor, so that other work on the machine matters less, and its median over the turns.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.model import Batch
from disentangle.training.optimizers import make_optimizers, updating

BATCH, SHAPE, WARM, STEPS, TURNS = 64, (1, 64, 64), 5, 5, 12


def stepping(name: str, network: str) -> Callable[[], object]:
    """Return a function that takes one training step of a model."""
    model = registry.models.load(name)(network=network)
    with initialising(0):
        model.build(SHAPE)
    model.to(memory_format=torch.channels_last).train()
    training = Training(batch_size=BATCH)
    update = updating(model, make_optimizers(model, training), training, torch.device("cpu"))
    x, pair = torch.rand((2, BATCH, *SHAPE), generator=torch_rng(0, "images"))
    rng = torch_rng(0, "noise")
    return lambda: update(Batch(x=x, pair=pair, step=0, steps=1, dataset_size=BATCH, rng=rng))


def seconds(step: Callable[[], object], count: int) -> float:
    """Return the processor's seconds for a step, over this many."""
    began = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - began) / count


def main() -> None:
    """Print a row for each model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--network", default="locatello")
    given = parser.parse_args()
    torch.set_num_threads(1)
    steps = {name: stepping(name, given.network) for name in given.models}
    for step in steps.values():
        seconds(step, WARM)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(TURNS):
        for name, step in steps.items():
            times[name].append(seconds(step, STEPS))
    medians = {name: statistics.median(each) for name, each in times.items()}
    first = medians[given.models[0]]
    print("| model | milliseconds | ratio |\n| --- | --- | --- |")
    for name, median in medians.items():
        print(f"| `{name}` | {1000 * median:.0f} | {median / first:.2f} |")


if __name__ == "__main__":
    main()
