"""Images that lie on the device, so that a batch costs the transfer of its index only."""

from math import prod

import numpy as np
import torch
from torch import Tensor

from disentangle._utils.tensors import to_device
from disentangle.contracts.dataset import Dataset

SHARE = 0.5
"""The maximum share of a GPU's free memory for resident images."""
CHUNK = 8_192
"""The number of images that are moved at once."""


class ResidentImages:
    """All images of a dataset on a device; images with the values 0 and 255 only lie there as bits.

    Args:
        dataset: the images.
        device: the device.
        free: the bytes that they may take there.

    Raises:
        torch.OutOfMemoryError: they take more.
    """

    def __init__(self, dataset: Dataset, device: torch.device, free: float) -> None:
        self.shape = dataset.image_shape
        self.shifts = torch.arange(8, dtype=torch.uint8, device=device)
        packed = packed_images(dataset, device, free)
        self.is_packed = packed is not None
        self.images = bytes_of(dataset, device, free) if packed is None else packed
        if device.type == "cuda":  # other streams will read them
            torch.cuda.current_stream(device).synchronize()

    def __call__(self, rows: Tensor) -> Tensor:
        """The images at an index [N] on the device: float32 [N, C, H, W] in [0, 1]."""
        chosen = self.images.index_select(0, rows)
        if not self.is_packed:
            return to_device(chosen, chosen.device)
        bits = (chosen.unsqueeze(-1) >> self.shifts) & 1
        images = bits.view(-1, *self.shape)
        return images.to(torch.float32, memory_format=torch.channels_last)


def bytes_of(dataset: Dataset, device: torch.device, free: float) -> Tensor:
    """All images on the device, uint8 [N, C, H, W]; see `ResidentImages`."""
    check_space(len(dataset) * prod(dataset.image_shape), free)
    images = torch.empty((len(dataset), *dataset.image_shape), dtype=torch.uint8, device=device)
    for start in range(0, len(dataset), CHUNK):
        index = np.arange(start, min(start + CHUNK, len(dataset)))
        images[start : start + len(index)] = dataset.images(index).to(device)
    return images


def packed_images(dataset: Dataset, device: torch.device, free: float) -> Tensor | None:
    """All images on the device as bits, uint8 [N, C * H * W / 8]; None if they have other values.

    Bit 0 is the first of eight pixels.
    """
    pixels = prod(dataset.image_shape)
    if pixels % 8 or len(dataset) * pixels // 8 > free:
        return None
    powers = 2 ** torch.arange(8, dtype=torch.uint8, device=device)
    packed = torch.empty((len(dataset), pixels // 8), dtype=torch.uint8, device=device)
    for start in range(0, len(dataset), CHUNK):
        index = np.arange(start, min(start + CHUNK, len(dataset)))
        images = dataset.images(index).to(device)
        if not ((images == 0) | (images == 255)).all():
            return None
        bits = (images > 0).view(len(index), -1, 8)
        packed[start : start + len(index)] = (bits * powers).sum(-1, dtype=torch.uint8)
    return packed


def check_space(needed: int, free: float) -> None:
    """Raise `torch.OutOfMemoryError` if so many bytes are more than there may be."""
    if needed > free:
        raise torch.OutOfMemoryError(f"{needed:,} bytes of images exceed {free:,.0f}")


def free_bytes(device: torch.device) -> float:
    """The bytes of a GPU's memory that resident images may take."""
    free, _ = torch.cuda.mem_get_info(device)
    return SHARE * free
