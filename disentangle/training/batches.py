"""Batches of images as a model takes them, on the device where it is."""

from contextlib import suppress
from math import prod

import numpy as np
import torch
from torch import Tensor

from disentangle._utils.tensors import to_device
from disentangle.contracts import entry_points
from disentangle.contracts.dataset import Dataset, Index
from disentangle.errors import BrokenContract

SHARE = 0.5
"""Of a GPU's free memory, what a dataset may take to lie there whole."""
CHUNK = 8_192
"""Images that are moved at once."""


class BatchLoader:
    """Gives batches of a dataset, float32 in [0, 1], on a device.

    On a GPU the images lie there whole, as bytes, if they fit, so that a batch costs the moving of
    its index; else a batch is moved while the device computes.
    """

    def __init__(
        self,
        dataset: Dataset,
        device: torch.device,
        *,
        images: int = 0,
        resident: bool | None = None,
    ) -> None:
        """Move the images to the device, where that is best.

        Args:
            dataset: the images.
            device: where the model is.
            images: how many will be asked for; fewer than there are are moved batch by batch.
            resident: whether to move all of them; what is best unless given.
        """
        self.dataset, self.device = dataset, device
        self.images: Tensor | None = None
        if resident is None:
            enough = device.type == "cuda" and images >= len(dataset)
            resident = enough and fits(dataset, device)
        if resident:
            with suppress(torch.OutOfMemoryError):  # somebody else took the memory meanwhile
                self.images = whole(dataset, device)

    def __call__(self, index: Index) -> Tensor:
        """Return images [N, C, H, W] of this index [N], channels last."""
        if self.images is None:
            images = self.dataset.images(index)
            if images.dtype is not torch.uint8 or len(images) != len(index):
                whose = entry_points.who("dataset", self.dataset.name)
                raise BrokenContract(
                    f"{whose} gave {len(images)} images of "
                    f"{images.dtype} for {len(index)}: they are to be uint8, one for each index"
                )
            return to_device(self._pinned(images), self.device)
        place = self._pinned(torch.from_numpy(self.dataset._index(index)))
        chosen = self.images.index_select(0, place.to(self.device, non_blocking=True))
        return to_device(chosen, self.device)

    def _pinned(self, tensor: Tensor) -> Tensor:
        """Return a tensor that a GPU takes without making this process wait."""
        return tensor.pin_memory() if self.device.type == "cuda" else tensor


def fits(dataset: Dataset, device: torch.device) -> bool:
    """Say whether all images fit into the share of a GPU's free memory."""
    free, _ = torch.cuda.mem_get_info(device)
    return len(dataset) * prod(dataset.image_shape) <= SHARE * free


def whole(dataset: Dataset, device: torch.device) -> Tensor:
    """Return all images on the device, uint8 [N, C, H, W]."""
    images = torch.empty((len(dataset), *dataset.image_shape), dtype=torch.uint8, device=device)
    for start in range(0, len(dataset), CHUNK):
        index = np.arange(start, min(start + CHUNK, len(dataset)))
        images[start : start + len(index)] = dataset.images(index).to(device)
    return images
