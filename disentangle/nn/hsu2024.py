"""The network of Tripod: Hsu et al. (2024), https://arxiv.org/abs/2404.10282."""

from itertools import pairwise

from torch import Tensor, nn

from disentangle.nn.networks import Network, Shape, halvings

DEEPEST = 512
"""The number of channels at 4x4 pixels."""
CONDITION = 256
"""The number of units of the decoder's condition."""


class Hsu2024(Network):
    """The residual network of Tripod, Hsu et al. (2024), https://arxiv.org/abs/2404.10282.

    Encoder, for images of 64x64: two residual blocks of 32, 64, 128 and 256 channels, each pair
    followed by space-to-depth and a 1x1 convolution that doubles the channels; the mean over
    pixels, linear 512. Decoder: a constant [512, 4, 4] through pairs of residual blocks of 512,
    256, 128 and 64 channels, each pair followed by nearest-neighbour upsampling and a 3x3
    convolution; the latents set scale and shift of the instance norms, through linear 256-256. All
    with GELUs. For 32x32, both have one stage fewer, with no blocks of 32 channels (decoder: 64);
    for 128x128 one more, with blocks of 16 channels (decoder: 32).
    """

    about = "The residual network of Hsu et al. (2024), Tripod"

    def encoder(self, image_shape: Shape, outputs: int) -> nn.Module:
        """Return a module that maps images [N, C, H, W] to [N, outputs]."""
        widths = widths_of(halvings("hsu2024", image_shape))
        inputs = (image_shape[0], *widths[1:-1])
        stages: list[nn.Module] = [Centred()]
        for before, (width, after) in zip(inputs, pairwise(widths), strict=True):
            stages += [Block(before, width), Block(width, width), downsampling(width, after)]
        return nn.Sequential(
            *stages,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            *dense(DEEPEST, DEEPEST),
            nn.Linear(DEEPEST, outputs),
        )

    def decoder(self, latents: int, image_shape: Shape) -> nn.Module:
        """Return a module that maps latents [N, latents] to [N, C, H, W]."""
        return Decoder(latents, halvings("hsu2024", image_shape), image_shape[0])


def widths_of(halved: int) -> list[int]:
    """The numbers of channels of each stage and after the last, such as 32, 64, 128, 256, 512."""
    return [DEEPEST >> stage for stage in range(halved, -1, -1)]


def gelu() -> nn.Module:
    """Return a GELU by tanh, JAX's default."""
    return nn.GELU(approximate="tanh")


def dense(before: int, after: int) -> list[nn.Module]:
    """Return a linear layer with a layer norm and a GELU."""
    return [nn.Linear(before, after), nn.LayerNorm(after), gelu()]


def convolution(before: int, after: int) -> list[nn.Module]:
    """Return a 3x3 convolution with an instance norm and a GELU."""
    return [nn.Conv2d(before, after, 3, padding=1), instance_norm(after), gelu()]


def instance_norm(channels: int, affine: bool = True) -> nn.Module:
    """Return an instance norm; as a group norm it leaves channels last, unlike torch's own."""
    return nn.GroupNorm(channels, channels, affine=affine)


def shortcut(before: int, after: int) -> nn.Module:
    """Return the identity, or a 1x1 convolution if the numbers of channels differ."""
    return nn.Identity() if before == after else nn.Conv2d(before, after, 1)


def downsampling(before: int, after: int) -> nn.Module:
    """Return space-to-depth by 2 and a 1x1 convolution."""
    return nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * before, after, 1))


def upsampling(before: int, after: int) -> nn.Module:
    """Return nearest-neighbour upsampling by 2 and a 3x3 convolution."""
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1))


class Centred(nn.Module):
    """Images in [0, 1] mapped to [-1, 1], as the paper's encoder takes them."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x to 2 x - 1."""
        return 2 * x - 1


class Block(nn.Module):
    """A residual block: two convolutions beside a shortcut."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*convolution(before, after), *convolution(after, after))
        self.shortcut = shortcut(before, after)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [N, before, H, W] to [N, after, H, W]."""
        y: Tensor = self.shortcut(x) + self.layers(x)
        return y


class Conditioned(nn.Module):
    """A 3x3 convolution with an instance norm, whose scale and shift are linear in a condition."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = instance_norm(channels, affine=False)
        self.projection = nn.Linear(CONDITION, 2 * channels)
        self.activation = gelu()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map x [N or 1, channels, H, W] and the condition [N, units] to [N, channels, H, W]."""
        scale, shift = self.projection(condition)[:, :, None, None].chunk(2, 1)
        y: Tensor = self.activation(self.norm(self.convolution(x)) * (1 + scale) + shift)
        return y


class ConditionedBlock(nn.Module):
    """A residual block of two conditioned convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Conditioned(channels), Conditioned(channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map x [N or 1, channels, H, W] and the condition [N, units] to [N, channels, H, W]."""
        y: Tensor = x + self.second(self.first(x, condition), condition)
        return y


class Stage(nn.Module):
    """Two conditioned residual blocks, and upsampling."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([ConditionedBlock(before), ConditionedBlock(before)])
        self.upsampling = upsampling(before, after)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map x [N or 1, before, H, W] to [N, after, 2H, 2W]."""
        for block in self.blocks:
            x = block(x, condition)
        y: Tensor = self.upsampling(x)
        return y


class Decoder(nn.Module):
    """The decoder: latents condition the layers that turn a constant into an image."""

    def __init__(self, latents: int, doublings: int, channels: int) -> None:
        super().__init__()
        self.condition = nn.Sequential(*dense(latents, CONDITION), *dense(CONDITION, CONDITION))
        widths = [*widths_of(doublings)[:0:-1], channels]
        self.stages = nn.ModuleList(Stage(before, after) for before, after in pairwise(widths))

    def forward(self, z: Tensor) -> Tensor:
        """Map latents [N, D] to images [N, C, H, W]."""
        return self.with_activations(z)[0]

    def with_activations(self, z: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The images, and the condition and the outputs of all stages but the last."""
        condition = self.condition(z)
        x = z.new_ones(1, DEEPEST, 4, 4)  # one for all images, until it is conditioned
        outputs = [condition]
        for stage in self.stages:
            x = stage(x, condition)
            outputs.append(x)
        return x, outputs[:-1]
