"""The batches of a training: which images, in which order, and loaded onto the device."""

from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from math import inf

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from disentangle._utils.seeds import numpy_rng
from disentangle._utils.tensors import to_device
from disentangle.contracts import entry_points
from disentangle.contracts.dataset import Dataset, Index
from disentangle.errors import BrokenContract
from disentangle.runs.records import DatasetRecord, uncorrelated
from disentangle.training.resident import ResidentImages, free_bytes

Shared = MutableMapping[str, ResidentImages]
"""Resident images by the dataset that they are of, for trainings in the same process."""


def batches(dataset: Dataset, size: int, seed: int, start: int, steps: int) -> Iterator[Index]:
    """Yield the index of each batch from step `start` on; each epoch has a new order.

    An incomplete last batch of an epoch is dropped.
    """
    per_epoch = len(dataset) // size
    for step in range(start, steps):
        epoch, offset = divmod(step, per_epoch)
        if step == start or offset == 0:
            order = order_of(dataset, seed, epoch)
        yield order[offset * size : (offset + 1) * size]


def order_of(dataset: Dataset, seed: int, epoch: int) -> Index:
    """The images of an epoch: a permutation, or as many draws by weight if factors are correlated.

    Draws are independent, so an image can occur several times in an epoch, or never.
    """
    if dataset.correlation:
        return dataset.draw(len(dataset), numpy_rng(seed, "weighted order", epoch))
    return numpy_rng(seed, "order", epoch).permutation(len(dataset))


class BatchLoader:
    """Loads batches onto a device as float32 in [0, 1].

    If the whole dataset fits, it stays on the GPU, so that a batch costs only the transfer of its
    index. Otherwise a batch is transferred while the device computes.
    """

    def __init__(
        self,
        dataset: Dataset,
        device: torch.device,
        *,
        images: int = 0,
        resident: bool | None = None,
        shared: Shared | None = None,
    ) -> None:
        """Move all images to the device if that is faster.

        Args:
            dataset: the images.
            device: the model's device.
            images: the number of images that will be requested; fewer than the dataset has are
                transferred batch by batch.
            resident: whether to move all images [default: whichever is faster].
            shared: resident images of other trainings in this process, to which these are added.
        """
        self.dataset, self.device = dataset, device
        self.images: ResidentImages | None = None
        if resident is None:
            resident = device.type == "cuda" and images >= len(dataset)
        if resident:
            shared = {} if shared is None else shared
            record = DatasetRecord.of(dataset)
            record = record.model_copy(update={"view": uncorrelated(record.view)})
            key = record.model_dump_json()
            self.images = shared.get(key)
            if self.images is None:
                with suppress(torch.OutOfMemoryError):
                    free = free_bytes(device) if device.type == "cuda" else inf
                    self.images = shared[key] = ResidentImages(dataset, device, free)

    def __call__(self, index: Index) -> Tensor:
        """The images [N, C, H, W] at an index [N], channels last."""
        if self.images is None:
            return to_device(self.bytes(index), self.device)
        return self.images(self.rows(index).to(self.device, non_blocking=True))

    def rows(self, index: Index) -> Tensor:
        """The rows of resident images at an index [N], on the host."""
        return self._pinned(torch.from_numpy(self.dataset._index(index)))

    def bytes(self, index: Index) -> Tensor:
        """The images at an index [N] on the host, uint8 [N, C, H, W]."""
        images = self.dataset.images(index)
        if images.dtype is not torch.uint8 or len(images) != len(index):
            plugin = entry_points.who("dataset", self.dataset.name)
            raise BrokenContract(
                f"{plugin} must return one uint8 image per index: expected {len(index)} of "
                f"torch.uint8, got {len(images)} of {images.dtype}"
            )
        return self._pinned(images)

    def moved(self, values: NDArray[np.generic]) -> Tensor:
        """An array of truth values or numbers on the device."""
        return self._pinned(torch.from_numpy(values)).to(self.device, non_blocking=True)

    def _pinned(self, tensor: Tensor) -> Tensor:
        """The tensor in pinned memory, which a GPU copies asynchronously."""
        return tensor.pin_memory() if self.device.type == "cuda" else tensor
