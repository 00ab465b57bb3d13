"""Arrays and images as the tensors that models take."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from disentangle.errors import DisentangleError


def to_device(images: Tensor, device: torch.device) -> Tensor:
    """Return uint8 images as float32 in [0, 1] on the device, channels last."""
    moved = images.to(device, non_blocking=True)
    return moved.to(torch.float32, memory_format=torch.channels_last).div_(255)


def as_input(
    images: Tensor | ArrayLike, shape: tuple[int, int, int], device: torch.device | str = "cpu"
) -> Tensor:
    """Return images as a model takes them: float32 [N, C, H, W] in [0, 1]; uint8 is divided."""
    x = as_tensor(images)
    if x.ndim != 4 or tuple(x.shape[1:]) != tuple(shape):
        raise DisentangleError(f"images are [N, {', '.join(map(str, shape))}], not {list(x.shape)}")
    x = x.to(device, memory_format=torch.channels_last)
    if x.dtype == torch.uint8:
        return x.to(torch.float32).div_(255)
    if not x.is_floating_point():
        raise DisentangleError(f"images are uint8, 0 to 255, or float, 0 to 1; not {x.dtype}")
    x = x.to(torch.float32)
    if x.numel() and not (x.min() >= 0 and x.max() <= 1):
        raise DisentangleError("float images lie in [0, 1]; for 0 to 255 pass uint8")
    return x


def as_tensor(array: Tensor | ArrayLike) -> Tensor:
    """Return an array as a tensor of the same numbers."""
    if isinstance(array, Tensor):
        return array
    try:
        return torch.from_numpy(np.ascontiguousarray(array))
    except (TypeError, ValueError) as error:
        raise DisentangleError(f"not an array of numbers: {error}") from error
