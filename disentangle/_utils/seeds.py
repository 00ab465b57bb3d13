"""Random streams derived from (seed, purpose, step), so that nothing seeds the world.

A stream needs no stored state: resuming at a step only takes the step.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, purpose: str, step: int = 0) -> int:
    """Return the 63-bit seed of a stream; different arguments give unrelated streams."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{step}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def numpy_rng(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """Return a NumPy generator for this stream."""
    return np.random.default_rng(derive(seed, purpose, step))


def torch_rng(
    seed: int, purpose: str, step: int = 0, device: "torch.device | str" = "cpu"
) -> "torch.Generator":
    """Return a torch generator for this stream, on this device."""
    import torch

    return torch.Generator(device).manual_seed(derive(seed, purpose, step))


@contextlib.contextmanager
def initialising(seed: int, purpose: str = "weights") -> Iterator[None]:
    """Run a block, in which modules draw their weights, on a stream of its own.

    torch's initialisers take no generator, so the global CPU one is seeded for the block and
    put back after it.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, purpose))
        yield
