"""Datasets that nobody should write: one cannot be read, others break the contract."""

from types import MappingProxyType

import numpy as np
import torch

from disentangle import Labelled


class Dots(Labelled):
    """One dot in each of 60 images; `wrong` is the index of an image that breaks the contract."""

    image_shape = (1, 64, 64)
    fingerprint = "d" * 64
    source = "drawn"
    every_factor = MappingProxyType({"x": 3, "y": 4})
    nuisance = frozenset()
    values = MappingProxyType({})

    def __init__(self, wrong_label=None, wrong_image=None):
        self.wrong_label, self.wrong_image = wrong_label, wrong_image

    def __len__(self):
        return 60

    def every_label(self, index):
        index = self._index(index)
        labels = np.stack([index % 3, index % 4], 1)
        labels[index == self.wrong_label] = 9
        return labels

    def images(self, index):
        index = self._index(index)
        images = torch.zeros((len(index), 1, 64, 64), dtype=torch.uint8)
        images[torch.arange(len(index)), 0, torch.as_tensor(index), 0] = 255
        return images.float() / 255 if (index == self.wrong_image).any() else images


class SeedingDots(Dots):
    """It seeds the world when it is read."""

    def images(self, index):
        np.random.seed(0)  # noqa: NPY002
        return super().images(index)


def seeding_images(location):
    """Its images are drawn after a seed."""
    return SeedingDots()


def unread(location):
    """Its file is not there."""
    return open("/nowhere/images.npz")


def last_label(location):
    """The label of its last image is none."""
    return Dots(wrong_label=59)


def some_label(location):
    """The label of one image is none."""
    return Dots(wrong_label=1)


def some_image(location):
    """One image is none of bytes, of those that opening does not examine."""
    return Dots(wrong_image=3)
