"""The batches of a training: which images, in which order, and loaded onto the device."""

from collections.abc import Iterator
from contextlib import suppress
from math import prod

import numpy as np
import torch
from torch import Tensor

from disentangle._utils.seeds import numpy_rng
from disentangle._utils.tensors import to_device
from disentangle.contracts import entry_points
from disentangle.contracts.dataset import Dataset, Index
from disentangle.errors import BrokenContract

SHARE = 0.5
"""The maximum share of a GPU's free memory for a resident dataset."""
CHUNK = 8_192
"""The number of images that are moved at once."""


def batches(images: int, size: int, seed: int, start: int, steps: int) -> Iterator[Index]:
    """Yield the index of each batch from step `start` on; each epoch is a new permutation.

    An incomplete last batch of an epoch is dropped.
    """
    per_epoch = images // size
    for step in range(start, steps):
        epoch, offset = divmod(step, per_epoch)
        if step == start or offset == 0:
            order = numpy_rng(seed, "order", epoch).permutation(images)
        yield order[offset * size : (offset + 1) * size]


class BatchLoader:
    """Loads batches onto a device as float32 in [0, 1].

    If the whole dataset fits, it stays on the GPU as bytes, so that a batch costs only the transfer
    of its index. Otherwise a batch is transferred while the device computes.
    """

    def __init__(
        self,
        dataset: Dataset,
        device: torch.device,
        *,
        images: int = 0,
        resident: bool | None = None,
    ) -> None:
        """Move all images to the device if that is faster.

        Args:
            dataset: the images.
            device: the model's device.
            images: the number of images that will be requested; fewer than the dataset has are
                transferred batch by batch.
            resident: whether to move all images [default: whichever is faster].
        """
        self.dataset, self.device = dataset, device
        self.images: Tensor | None = None
        if resident is None:
            enough = device.type == "cuda" and images >= len(dataset)
            resident = enough and fits(dataset, device)
        if resident:
            with suppress(torch.OutOfMemoryError):  # another process took the memory meanwhile
                self.images = whole(dataset, device)

    def __call__(self, index: Index) -> Tensor:
        """The images [N, C, H, W] at an index [N], channels last."""
        if self.images is None:
            images = self.dataset.images(index)
            if images.dtype is not torch.uint8 or len(images) != len(index):
                plugin = entry_points.who("dataset", self.dataset.name)
                raise BrokenContract(
                    f"{plugin} must return one uint8 image per index: expected {len(index)} of "
                    f"torch.uint8, got {len(images)} of {images.dtype}"
                )
            return to_device(self._pinned(images), self.device)
        rows = self._pinned(torch.from_numpy(self.dataset._index(index)))
        batch = self.images.index_select(0, rows.to(self.device, non_blocking=True))
        return to_device(batch, self.device)

    def _pinned(self, tensor: Tensor) -> Tensor:
        """The tensor in pinned memory, which a GPU copies asynchronously."""
        return tensor.pin_memory() if self.device.type == "cuda" else tensor


def fits(dataset: Dataset, device: torch.device) -> bool:
    """True if all images fit into `SHARE` of a GPU's free memory."""
    free, _ = torch.cuda.mem_get_info(device)
    return len(dataset) * prod(dataset.image_shape) <= SHARE * free


def whole(dataset: Dataset, device: torch.device) -> Tensor:
    """All images on the device, uint8 [N, C, H, W]."""
    images = torch.empty((len(dataset), *dataset.image_shape), dtype=torch.uint8, device=device)
    for start in range(0, len(dataset), CHUNK):
        index = np.arange(start, min(start + CHUNK, len(dataset)))
        images[start : start + len(index)] = dataset.images(index).to(device)
    return images
