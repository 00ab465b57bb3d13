"""Where to compute: the device that was asked for, or an error, never another."""

import os
from typing import TYPE_CHECKING

from disentangle.errors import UsageError

if TYPE_CHECKING:
    import torch


CHUNK = {"cpu": 64, "other": 2048}
"""Images encoded at once; on a CPU, larger ones spend their time on fresh memory (1.8 times)."""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_device(name: str = "auto") -> "torch.device":
    """Return the device of this name; `auto` is CUDA, else MPS, else the CPU.

    Raises:
        UsageError: the device was named and is not here.
    """
    import torch

    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, here in present.items() if here))
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device '{name}'; known: auto, cuda, mps, cpu") from None
    here = present.get(device.type, False)
    if here and device.type == "cuda" and device.index is not None:
        here = device.index < torch.cuda.device_count()
    if not here:
        raise UsageError(f"device '{name}' is not on this machine; leave --device out, or name cpu")
    return device


def device_name(device: "torch.device") -> str:
    """Return the device, with the name of the GPU where it is one."""
    import torch

    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type
