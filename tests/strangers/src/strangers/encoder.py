"""Corners of images: an encoder of somebody else's."""

import torch

from disentangle import ExternalEncoder, Reference, UsageError
from disentangle.nn import FrozenEncoder, Preprocessing


def load(reference: Reference, *, download: bool) -> ExternalEncoder:
    """Load `corners:COUNT`, the mean of the first COUNT rows of pixels, and of the columns."""
    reference.check_options("size")
    if not reference.name.isdecimal():
        raise UsageError(f"expected corners:COUNT, got '{reference}'")
    count, side = int(reference.name), reference.whole_number("size", 64)

    def corners(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x[:, 0, :count].mean(2), x[:, 0, :, :count].mean(1)], 1)

    preprocessing = Preprocessing((side, side), channels=1)
    origin = {"library": "strangers 3.1", "preprocessing": str(preprocessing)}
    return ExternalEncoder(FrozenEncoder(corners, preprocessing), origin)
