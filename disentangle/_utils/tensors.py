"""Conversion of arrays and images to the tensors that models expect."""

import hashlib
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from disentangle.errors import DisentangleError


def to_device(images: Tensor, device: torch.device) -> Tensor:
    """Convert uint8 images to float32 in [0, 1] on the device, channels last; leave vectors."""
    moved = images.to(device, non_blocking=True)
    if moved.ndim == 2:
        return moved
    return moved.to(torch.float32, memory_format=torch.channels_last).div_(255)


def as_input(
    images: Tensor | ArrayLike, shape: tuple[int, int, int], device: torch.device | str = "cpu"
) -> Tensor:
    """Convert images to a model's input: float32 [N, C, H, W] in [0, 1]; scale uint8 by 1 / 255."""
    x = as_tensor(images)
    if x.ndim != 4 or tuple(x.shape[1:]) != tuple(shape):
        expected = f"[N, {', '.join(map(str, shape))}]"
        raise DisentangleError(f"expected images {expected}, got {list(x.shape)}")
    x = x.to(device, memory_format=torch.channels_last)
    if x.dtype == torch.uint8:
        return x.to(torch.float32).div_(255)
    if not x.is_floating_point():
        raise DisentangleError(
            f"expected images as uint8 (0 to 255) or float (0 to 1), got {x.dtype}"
        )
    x = x.to(torch.float32)
    if x.numel() and not (x.min() >= 0 and x.max() <= 1):
        raise DisentangleError("expected float images in [0, 1]; for 0 to 255 use uint8")
    return x


def as_tensor(array: Tensor | ArrayLike) -> Tensor:
    """Convert an array to a tensor."""
    if isinstance(array, Tensor):
        return array
    try:
        return torch.from_numpy(np.ascontiguousarray(array))
    except (TypeError, ValueError) as error:
        raise DisentangleError(f"expected an array of numbers: {error}") from error


def digest(tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of named tensors: their names, dtypes, shapes and bytes."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
