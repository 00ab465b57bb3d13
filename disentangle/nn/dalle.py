"""The residual network of DALL-E's discrete VAE, as FactorQVAE uses it: `dalle`."""

from itertools import pairwise

from torch import Tensor, nn

from disentangle.errors import UsageError
from disentangle.nn.layers import Convolution
from disentangle.nn.networks import Network, Shape, normal_weights

CHANNELS = (128, 256, 512)
"""Channels of the three groups of the encoder; the decoder's are the same, in reverse."""
BLOCKS = 2
"""Residual blocks in a group."""
HIDDEN = 128
"""Units of the encoder's linear layers."""
START = 64
"""Channels of the decoder's first image."""
SIDE = 16
"""The side of the image between the encoder's last group and its linear layers."""


class Block(nn.Module):
    """skip(x) + f(x) / 36, where f is four convolutions, each after a ReLU.

    f has a quarter of the channels inside. The skip is a 1x1 convolution where the number of
    channels changes. 36 is the square of the number of blocks in an encoder or decoder.

    Args:
        before: channels of the input.
        after: channels of the output.
        sizes: the sizes of the four kernels.
    """

    def __init__(self, before: int, after: int, sizes: tuple[int, int, int, int]) -> None:
        super().__init__()
        same = before == after
        self.skip = nn.Identity() if same else Convolution(before, after, 1)
        channels = (before, *[after // 4] * 3, after)
        layers: list[nn.Module] = []
        for (c, d), size in zip(pairwise(channels), sizes, strict=True):
            layers += [nn.ReLU(inplace=bool(layers)), Convolution(c, d, size, 1, size // 2)]
        self.layers = nn.Sequential(*layers)
        self.gain = 1 / (len(CHANNELS) * BLOCKS) ** 2

    def forward(self, x: Tensor) -> Tensor:
        """Map x [N, before, H, W] to [N, after, H, W]."""
        y: Tensor = self.skip(x) + self.gain * self.layers(x)
        return y


def group(before: int, after: int, sizes: tuple[int, int, int, int]) -> list[nn.Module]:
    """Return the residual blocks of a group, the first of which changes the channels."""
    return [Block(c, after, sizes) for c in (before, *[after] * (BLOCKS - 1))]


def is_large(image_shape: Shape) -> bool:
    """Return True for images of 128x128, False for 64x64.

    Raises:
        UsageError: the images have another size.
    """
    sides = tuple(image_shape[1:])
    if sides not in ((64, 64), (128, 128)):
        raise UsageError(
            f"network 'dalle' needs images of 64x64 or 128x128, got {sides[0]}x{sides[1]}; resize "
            "your own images with --image-size 64"
        )
    return sides == (128, 128)


class DALLE(Network):
    """Baykal et al. (2024), https://arxiv.org/abs/2409.14851, after DALL-E's discrete VAE.

    Encoder: a convolution to 128 channels (3x3), three groups of two residual blocks with 128, 256
    and 512 channels, each halved by a maximum over 2x2 pixels except the last, and linear layers
    128-128. Decoder: a linear layer to 64 x 16 x 16, groups of 512, 256 and 128 channels, each
    doubled by repeating pixels except the last, and a convolution (1x1) to the image. The kernels
    of a block are 3-3-3-1 in the encoder and 1-3-3-3 in the decoder. Initial weights are normal
    with a standard deviation of 0.02, and biases 0. All this is as in the authors' code for 64x64.

    For 128x128 there is one more halving after the last group of the encoder, and one more
    doubling before the first of the decoder: this is our choice, so that the linear layers stay
    the same.
    """

    about = "Residual blocks as in DALL-E, of Baykal et al. (2024)"

    def encoder(self, image_shape: Shape, outputs: int) -> nn.Module:
        """Return a module that maps images [N, C, H, W] to [N, outputs]."""
        layers: list[nn.Module] = [Convolution(image_shape[0], CHANNELS[0], 3, 1, 1)]
        halved = [True, True, is_large(image_shape)]
        groups = pairwise((CHANNELS[0], *CHANNELS))
        for (before, after), halves in zip(groups, halved, strict=True):
            layers += group(before, after, (3, 3, 3, 1))
            layers += [nn.MaxPool2d(2)] if halves else []
        encoder = nn.Sequential(
            *layers,
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(CHANNELS[-1] * SIDE**2, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(HIDDEN, outputs),
        )
        normal_weights(encoder)
        return encoder

    def decoder(self, latents: int, image_shape: Shape) -> nn.Module:
        """Return a module that maps latents [N, latents] to [N, C, H, W]."""
        channels = CHANNELS[::-1]
        layers: list[nn.Module] = [
            nn.Linear(latents, START * SIDE**2),
            nn.Unflatten(1, (START, SIDE, SIDE)),
            *([nn.Upsample(scale_factor=2)] if is_large(image_shape) else []),
        ]
        for before, after in pairwise((START, *channels)):
            layers += group(before, after, (1, 3, 3, 3))
            layers += [nn.Upsample(scale_factor=2)] if after != channels[-1] else []
        decoder = nn.Sequential(
            *layers, nn.ReLU(inplace=True), Convolution(channels[-1], image_shape[0], 1)
        )
        normal_weights(decoder)
        return decoder
