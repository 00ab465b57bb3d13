"""Random streams derived from (seed, purpose, step), without any global seed.

A stream needs no stored state: the step's number is enough to resume.
"""

import contextlib
import hashlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

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


def global_states() -> tuple[Any, ...]:
    """The states of the global generators of torch (CPU), NumPy and `random`."""
    import torch

    return torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002


def set_global_states(states: tuple[Any, ...]) -> None:
    """Set the states of the global generators; see `global_states`."""
    import torch

    torch.set_rng_state(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    random.setstate(states[2])


class OwnRandomness:
    """Global generators that user code may draw from, without moving those of other code."""

    def __init__(self) -> None:
        self._states: tuple[Any, ...] | None = None

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Give the block the states that the last block left; restore the others' afterwards."""
        outside = global_states()
        if self._states is not None:
            set_global_states(self._states)
        try:
            yield
        finally:
            self._states = global_states()
            set_global_states(outside)


@contextlib.contextmanager
def initialising(seed: int, purpose: str = "weights") -> Iterator[None]:
    """Initialise modules within the block from a separate stream.

    torch's initialisers accept no generator, so the global CPU generator is seeded for the block
    and restored afterwards.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, purpose))
        yield
