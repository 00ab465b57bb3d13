"""The time of a training step of each model on a CPU, relative to that of `vae`.

All models take steps in turn in one process with one thread, on random images; the time is that of
the processor, so that other load of the machine counts little. A step is the loop's: terms,
gradients and Adam; no data loading.

    python benchmarks/speed/models.py                                     # all models, `locatello`
    python benchmarks/speed/models.py vae qlae tripod --network hsu2024 --channels 3 --steps 3
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from disentangle._utils.memory import keep_freed_memory
from disentangle._utils.seeds import initialising, torch_rng
from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.model import Batch
from disentangle.training.loop import deterministic
from disentangle.training.optimizers import make_optimizers, updating

BATCH, SIDE, WARM = 64, 64, 3


def stepper(name: str, network: str, channels: int) -> Callable[[], None]:
    """Make a function that takes one training step of a model."""
    model = registry.models.load(name)(network=network)
    with initialising(0):
        model.build((channels, SIDE, SIDE))
    model.to(memory_format=torch.channels_last)
    training = Training()
    update = updating(model, make_optimizers(model, training), training, torch.device("cpu"))
    x, pair = torch.rand((2, BATCH, channels, SIDE, SIDE), generator=torch_rng(0, "images"))
    rng = torch_rng(0, "noise")
    labels = {"changed": torch.zeros((BATCH, 5), dtype=torch.bool), "labels": torch.zeros(BATCH, 5)}
    about = {"step": 0, "steps": 100, "dataset_size": 100_000, "rng": rng}
    batch = Batch(x=x, pair=pair, **labels, **about)
    return lambda: update(batch) and None


def main() -> None:
    """Print a row of the table for each model: milliseconds, and the ratio to `vae`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", default=sorted(registry.models.entries))
    parser.add_argument("--network", default="locatello")
    parser.add_argument("--channels", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    names = ["vae", *(name for name in options.models if name != "vae")]
    for channels in options.channels:
        print(f"{options.network}, {BATCH} images of {SIDE}x{SIDE}x{channels}")
        steps = {name: stepper(name, options.network, channels) for name in names}
        seconds: dict[str, list[float]] = {name: [] for name in names}
        with deterministic():
            for turn in range(WARM + options.steps):
                for name, step in steps.items():
                    start = time.process_time()
                    step()
                    if turn >= WARM:
                        seconds[name].append(time.process_time() - start)
        for name, taken in seconds.items():
            ratios = [t / v for t, v in zip(taken, seconds["vae"], strict=True)]
            low, *_, high = statistics.quantiles(ratios, n=10)
            print(
                f"| `{name}` | {1000 * statistics.median(taken):.0f} | "
                f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f}) |"
            )


if __name__ == "__main__":
    main()
