"""Images that lie on the device: as bits where they have two values, else as bytes."""

from math import inf

import numpy as np
import pytest
import torch

from disentangle.contracts.dataset import Dataset
from disentangle.training import resident
from disentangle.training.resident import ResidentImages

CPU = torch.device("cpu")


class Images(Dataset):
    """Ten images from memory."""

    fingerprint, source = "0" * 64, "a test"

    def __init__(self, values, shape=(3, 8, 8)):
        rng = np.random.default_rng(0)
        self.array = torch.from_numpy(rng.choice(values, (10, *shape)).astype(np.uint8))
        self.image_shape = shape

    def __len__(self):
        return len(self.array)

    def images(self, index):
        return self.array[torch.as_tensor(index)]


CASES = {
    "two values": (Images([0, 255]), True),
    "all values": (Images(range(256)), False),
    "other two values": (Images([0, 254]), False),
    "pixels that are no multiple of 8": (Images([0, 255], (1, 3, 3)), False),
}


@pytest.mark.parametrize("case", CASES)
def test_resident_images_are_the_images(case, monkeypatch):
    monkeypatch.setattr(resident, "CHUNK", 3)
    images, are_bits = CASES[case]
    rows = torch.tensor([9, 0, 4, 4])
    lying = ResidentImages(images, CPU, inf)
    batch = lying(rows)
    assert torch.equal(batch, images.images(rows) / 255)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert lying.is_packed is are_bits


def test_first_images_of_two_values_do_not_speak_for_the_others(monkeypatch):
    monkeypatch.setattr(resident, "CHUNK", 3)
    images = Images([0, 255])
    images.array[9, 0, 0, 0] = 7
    rows = torch.arange(10)
    assert torch.equal(ResidentImages(images, CPU, inf)(rows), images.images(rows) / 255)


def test_bits_take_an_eighth_of_the_memory():
    needed = 10 * 3 * 8 * 8
    lying = ResidentImages(Images([0, 255]), CPU, needed / 8)
    assert lying.images.nbytes == needed / 8
    with pytest.raises(torch.OutOfMemoryError):
        ResidentImages(Images(range(256)), CPU, needed - 1)
