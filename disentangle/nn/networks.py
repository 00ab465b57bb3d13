"""The papers' encoders and decoders, by name: the entry-point group `disentangle.networks`."""

from abc import ABC, abstractmethod
from itertools import pairwise
from math import prod
from typing import ClassVar

from torch import nn

from disentangle.errors import UsageError
from disentangle.nn.layers import Convolution, FromImage, FromVector, ToImage, Transposed

Shape = tuple[int, int, int]
"""(channels, height, width)"""
HALVINGS = {32: 3, 64: 4, 128: 5}
"""Image side -> the number of halvings to 4x4, for the sizes that the networks accept."""


class Network(ABC):
    """An encoder from images to real outputs, and a decoder from latents to one logit per pixel."""

    about: ClassVar[str] = ""
    """The network in a line, for `disentangle list`; a literal, as it is read from the source."""
    version: ClassVar[int] = 1

    @abstractmethod
    def encoder(self, image_shape: Shape, outputs: int) -> nn.Module:
        """Return a module that maps images [N, C, H, W] to [N, outputs]."""

    @abstractmethod
    def decoder(self, latents: int, image_shape: Shape) -> nn.Module:
        """Return a module that maps latents [N, latents] to [N, C, H, W]."""


def down(*channels: int) -> list[nn.Module]:
    """Return convolutions that each halve the image: 4x4, stride 2, padding 1, with a ReLU."""
    layers: list[nn.Module] = [FromImage(channels[0], channels[1]), nn.ReLU(inplace=True)]
    for before, after in pairwise(channels[1:]):
        layers += [Convolution(before, after, 4, 2, 1), nn.ReLU(inplace=True)]
    return layers


def up(*channels: int) -> list[nn.Module]:
    """Return transposed convolutions that each double the image; no ReLU after the last."""
    layers: list[nn.Module] = []
    for before, after in pairwise(channels[:-1]):
        layers += [Transposed(before, after, 4, 2, 1), nn.ReLU(inplace=True)]
    return [*layers, ToImage(channels[-2], channels[-1])]


def dense(*units: int) -> list[nn.Module]:
    """Return linear layers, each with a ReLU."""
    layers: list[nn.Module] = []
    for before, after in pairwise(units):
        layers += [nn.Linear(before, after), nn.ReLU(inplace=True)]
    return layers


def normal_weights(module: nn.Module, deviation: float = 0.02) -> None:
    """Draw weights of layers from a normal distribution of mean 0; set biases to 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def halvings(name: str, image_shape: Shape) -> int:
    """Return the number of halvings of images to 4x4.

    Raises:
        UsageError: the network `name` does not accept images of this size.
    """
    _, height, width = image_shape
    if height != width or height not in HALVINGS:
        raise UsageError(
            f"network '{name}' needs images of 32x32, 64x64 or 128x128, got {height}x{width}; "
            "resize your own images with --image-size 64"
        )
    return HALVINGS[height]


def only_64(name: str, image_shape: Shape) -> None:
    """Raise a UsageError unless images are 64x64."""
    if tuple(image_shape[1:]) != (64, 64):
        raise UsageError(
            f"network '{name}' needs images of 64x64, got {image_shape[1]}x{image_shape[2]}; "
            "resize your own images with --image-size 64"
        )


def small_encoder(channels: int, halved: int, outputs: int) -> nn.Module:
    """Return an encoder: a convolution of 32 channels per halving, then linear layers 256-256."""
    return nn.Sequential(
        *down(channels, *[32] * halved),
        nn.Flatten(),
        *dense(32 * 4 * 4, 256, 256),
        nn.Linear(256, outputs),
    )


class Conv(Network):
    """The network of most beta-VAE replications, and of the preset `replication`.

    For images of 64x64, the encoder has convolutions 32-32-32-32 (4x4, stride 2) and linear layers
    256-256; the decoder a linear layer 256 and transposed convolutions 64-64-32-32-C, the first
    from 1x1 to 4x4. For 32x32, both have one convolution of 32 channels fewer, for 128x128 one
    more.
    """

    about = "Four convolutions of 32 channels, as in most replications"

    def encoder(self, image_shape: Shape, outputs: int) -> nn.Module:
        """Return a module that maps images [N, C, H, W] to [N, outputs]."""
        return small_encoder(image_shape[0], halvings("conv", image_shape), outputs)

    def decoder(self, latents: int, image_shape: Shape) -> nn.Module:
        """Return a module that maps latents [N, latents] to [N, C, H, W]."""
        halved = halvings("conv", image_shape)
        return nn.Sequential(
            *dense(latents, 256),
            nn.Unflatten(1, (256, 1, 1)),
            FromVector(256, 64),
            nn.ReLU(inplace=True),
            *up(64, 64, *[32] * (halved - 2), image_shape[0]),
        )


class Burgess(Network):
    """Burgess et al. (2018), https://arxiv.org/abs/1804.03599, appendix A.

    For images of 64x64, as in the paper, the encoder has convolutions 32-32-32-32 (4x4, stride 2)
    and linear layers 256-256; the decoder mirrors it. For 32x32, both have one convolution fewer,
    for 128x128 one more.
    """

    about = "The network of Burgess et al. (2018)"

    def encoder(self, image_shape: Shape, outputs: int) -> nn.Module:
        """Return a module that maps images [N, C, H, W] to [N, outputs]."""
        return small_encoder(image_shape[0], halvings("burgess", image_shape), outputs)

    def decoder(self, latents: int, image_shape: Shape) -> nn.Module:
        """Return a module that maps latents [N, latents] to [N, C, H, W]."""
        halved = halvings("burgess", image_shape)
        return nn.Sequential(
            *dense(latents, 256, 256, 32 * 4 * 4),
            nn.Unflatten(1, (32, 4, 4)),
            *up(*[32] * halved, image_shape[0]),
        )


class Locatello(Network):
    """Locatello et al. (2019), https://arxiv.org/abs/1811.12359, as in disentanglement_lib.

    Encoder: convolutions 32-32 (4x4) and 64-64 (2x2), stride 2, linear 256. This follows the
    paper's code; its table has 4x4 for all four. Decoder: linear 256-1024, transposed convolutions
    64-32-32-C (4x4).
    """

    about = "The network of disentanglement_lib, Locatello et al. (2019)"

    def encoder(self, image_shape: Shape, outputs: int) -> nn.Module:
        """Return a module that maps images [N, C, 64, 64] to [N, outputs]."""
        only_64("locatello", image_shape)
        return nn.Sequential(
            *down(image_shape[0], 32, 32),
            *[
                layer
                for c in (32, 64)
                for layer in (Convolution(c, 64, 2, 2), nn.ReLU(inplace=True))
            ],
            nn.Flatten(),
            *dense(64 * 4 * 4, 256),
            nn.Linear(256, outputs),
        )

    def decoder(self, latents: int, image_shape: Shape) -> nn.Module:
        """Return a module that maps latents [N, latents] to [N, C, 64, 64]."""
        only_64("locatello", image_shape)
        return nn.Sequential(
            *dense(latents, 256, 64 * 4 * 4),
            nn.Unflatten(1, (64, 4, 4)),
            *up(64, 64, 32, 32, image_shape[0]),
        )


class HigginsConv(Network):
    """Higgins et al. (2017), https://openreview.net/forum?id=Sy2fzU9gl, for chairs and CelebA.

    Encoder: convolutions 32-32-64-64 (4x4, stride 2), linear 256; the decoder mirrors it.
    """

    about = "The network of Higgins et al. (2017) for chairs and CelebA"

    def encoder(self, image_shape: Shape, outputs: int) -> nn.Module:
        """Return a module that maps images [N, C, 64, 64] to [N, outputs]."""
        only_64("higgins-conv", image_shape)
        return nn.Sequential(
            *down(image_shape[0], 32, 32, 64, 64),
            nn.Flatten(),
            *dense(64 * 4 * 4, 256),
            nn.Linear(256, outputs),
        )

    def decoder(self, latents: int, image_shape: Shape) -> nn.Module:
        """Return a module that maps latents [N, latents] to [N, C, 64, 64]."""
        only_64("higgins-conv", image_shape)
        return nn.Sequential(
            *dense(latents, 256, 64 * 4 * 4),
            nn.Unflatten(1, (64, 4, 4)),
            *up(64, 64, 32, 32, image_shape[0]),
        )


class HigginsFC(Network):
    """Higgins et al. (2017), https://openreview.net/forum?id=Sy2fzU9gl, for dSprites; any size.

    Encoder: linear 1200-1200 with ReLUs. Decoder: linear 1200-1200-1200 with tanh.
    """

    about = "The network of Higgins et al. (2017) for dSprites"

    def encoder(self, image_shape: Shape, outputs: int) -> nn.Module:
        """Return a module that maps images [N, C, H, W] to [N, outputs]."""
        return nn.Sequential(
            nn.Flatten(), *dense(prod(image_shape), 1200, 1200), nn.Linear(1200, outputs)
        )

    def decoder(self, latents: int, image_shape: Shape) -> nn.Module:
        """Return a module that maps latents [N, latents] to [N, C, H, W]."""
        hidden = [layer for n in (latents, 1200, 1200) for layer in (nn.Linear(n, 1200), nn.Tanh())]
        return nn.Sequential(
            *hidden, nn.Linear(1200, prod(image_shape)), nn.Unflatten(1, image_shape)
        )
