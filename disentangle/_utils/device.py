"""Compute devices: the requested device or an error, never a fallback."""

import os
from typing import TYPE_CHECKING

from disentangle.errors import UsageError

if TYPE_CHECKING:
    import torch


CHUNK = {"cpu": 64, "other": 2048}
"""Images encoded at once. On a CPU, larger batches take 1.8 times as long, for fresh memory."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_device(name: str = "auto") -> "torch.device":
    """Return the device of this name; `auto` is CUDA, else MPS, else the CPU.

    Raises:
        UsageError: the device is unknown or not available.
    """
    import torch

    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, available in present.items() if available))
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device '{name}'; use auto, cuda, mps or cpu") from None
    is_available = present.get(device.type, False)
    if is_available and device.type == "cuda" and device.index is not None:
        is_available = device.index < torch.cuda.device_count()
    if not is_available:
        raise UsageError(
            f"device '{name}' is not available on this machine; omit --device or use cpu"
        )
    return device


def device_name(device: "torch.device") -> str:
    """Return the device's name; for a GPU, with its model."""
    import torch

    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type
