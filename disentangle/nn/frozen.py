"""Networks trained elsewhere as encoders: their weights, preprocessing and features."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from disentangle._utils.seeds import initialising
from disentangle._utils.tensors import digest
from disentangle.errors import DisentangleError, UsageError

M = TypeVar("M", bound=nn.Module)

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's pixels in [0, 1], for red, green and blue."""
NUMBERS = 2**24
"""Numbers in the images that a network is given at once: 64 MiB, or 111 images of 224 x 224."""
POOLS = ("cls", "mean")


class Preprocessing(nn.Module):
    """Images as a network expects them: grey to RGB, the whole image resized, normalised.

    Nothing is cropped, as a crop would cut off factors such as positions.
    """

    def __init__(
        self,
        size: tuple[int, int] | None = None,
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
        *,
        channels: int = 3,
        interpolation: str = "bilinear",
    ) -> None:
        """Define the preprocessing.

        Args:
            size: height and width to resize to, with anti-aliasing; None leaves images as they are.
            mean: subtracted from each channel; empty for none.
            std: the divisor of each channel.
            channels: the number of channels, to which a grey image is repeated.
            interpolation: `bilinear` or `bicubic`.
        """
        super().__init__()
        self.size, self.channels, self.interpolation = size, channels, interpolation
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor([float(v) for v in values]).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W], uint8 or float in [0, 1], as float32 [N, channels, *size]."""
        if x.dtype == torch.uint8:
            x = x.float() / 255
        if x.shape[1] == 1:
            x = x.expand(-1, self.channels, -1, -1)
        if x.shape[1] != self.channels:
            raise UsageError(
                f"the network takes images of {self.channels} channels, got {x.shape[1]}"
            )
        if self.size is not None and tuple(x.shape[-2:]) != self.size:
            x = nn.functional.interpolate(x, self.size, mode=self.interpolation, antialias=True)
            x = x.clamp(0, 1)  # bicubic interpolation exceeds the range at edges
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        return (x - mean) / std if mean.numel() else x

    def __str__(self) -> str:
        """The preprocessing in words, for records."""
        parts = [{1: "grey", 3: "RGB"}.get(self.channels, f"{self.channels} channels")]
        if self.size is not None:
            height, width = self.size
            parts.append(f"{height} x {width} pixels ({self.interpolation})")
        for word, name in (("mean", "mean"), ("deviation", "std")):
            if values := self.get_buffer(name).flatten().tolist():
                parts.append(f"{word} {' '.join(f'{value:.4g}' for value in values)}")
        return ", ".join(parts)


class FrozenEncoder(nn.Module):
    """A network with its preprocessing, and the choice of its output that is the code."""

    def __init__(
        self,
        network: Callable[[Any], Any],
        preprocessing: Preprocessing | None = None,
        *,
        output: str = "",
        pool: str = "",
    ) -> None:
        """Define the encoder.

        Args:
            network: maps images to features; a module, or any function.
            preprocessing: what the images need.
            output: the key or index of the features in a dictionary or tuple.
            pool: `cls` for the first of several tokens, `mean` for the mean over tokens or pixels.
        """
        super().__init__()
        if pool and pool not in POOLS:
            raise UsageError(f"pool must be {' or '.join(POOLS)}, got '{pool}'")
        self.network, self.preprocessing = network, preprocessing
        self.output, self.pool = output, pool

    def forward(self, x: Tensor) -> Any:
        """The features of images [N, C, H, W], in blocks that bound the memory."""
        if self.preprocessing is None:
            return features(self.network(x), self.output, self.pool)
        height, width = self.preprocessing.size or x.shape[-2:]
        block = max(1, NUMBERS // (self.preprocessing.channels * height * width))
        codes = [
            features(self.network(self.preprocessing(part)), self.output, self.pool)
            for part in torch.split(x, block)
        ]
        return torch.cat(codes) if isinstance(codes[0], Tensor) else np.concatenate(codes)


def entries(output: Any) -> dict[str, Any]:
    """The parts of a network's output by key or index; empty if it is a single array."""
    if isinstance(output, Mapping):
        return {str(key): value for key, value in output.items()}
    if isinstance(output, tuple | list):
        named = {name: getattr(output, name) for name in getattr(output, "_fields", ())}
        return named or {str(number): value for number, value in enumerate(output)}
    return {}


def listed(output: Any) -> str:
    """The parts of a network's output with their shapes: `z [2, 10], logvar [2, 10]`."""
    return ", ".join(
        f"{name} {list(part.shape) if hasattr(part, 'shape') else type(part).__name__}"
        for name, part in entries(output).items()
    )


def features(output: Any, key: str = "", pool: str = "") -> Any:
    """Choose and pool the part of a network's output that is the code of each image.

    Args:
        output: an array, or several in a dictionary or tuple.
        key: the key or index of one of several.
        pool: `cls` takes the first of tokens [N, T, D], `mean` the mean over tokens, or over the
            pixels of [N, D, H, W].

    Raises:
        UsageError: there is no such part, or the choice is open.
    """
    parts = entries(output)
    kind = type(output).__name__
    if parts and key not in parts:
        wrong = f"has no output '{key}'" if key else f"returns a {kind}"
        raise UsageError(
            f"the encoder {wrong}: {listed(output)}. Choose one by an option at the end of the "
            f"reference, such as `:output={next(iter(parts))}`"
        )
    if key and not parts:
        raise UsageError(f"the encoder returns one {kind}, so there is no output '{key}' to choose")
    chosen = parts[key] if key else output
    shape = tuple(getattr(chosen, "shape", ()))
    if len(shape) > 2 and all(side == 1 for side in shape[2:]):
        return chosen.reshape(shape[:2])
    if not pool:
        return chosen
    if len(shape) == 3:
        return chosen[:, 0] if pool == "cls" else chosen.mean(1)
    if len(shape) == 4 and pool == "mean":
        return chosen.mean((2, 3))
    raise UsageError(f"pool={pool} needs tokens [N, T, D], got {list(shape)}")


def load_weights(
    network: nn.Module, state: Mapping[str, Tensor], source: str, *, without: Sequence[str] = ()
) -> None:
    """Load a state dict into a network; each tensor must be there, in its shape.

    Args:
        network: the network, changed in place.
        state: tensors by name.
        source: the file, for messages.
        without: names of layers whose tensors are left out, such as a classifier that is removed.

    Raises:
        DisentangleError: the weights are those of another network.
    """
    left_out = tuple(f"{name}." for name in without if name)
    given = {name: t for name, t in state.items() if not (left_out and name.startswith(left_out))}
    ours = network.state_dict()
    missing = [
        name for name in ours if name not in given and not name.endswith("num_batches_tracked")
    ]
    unexpected = [name for name in given if name not in ours]
    shapes = [
        f"{name} {list(ours[name].shape)}, got {list(tensor.shape)}"
        for name, tensor in given.items()
        if name in ours and ours[name].shape != tensor.shape
    ]
    problems = [
        f"{len(names)} tensors {what}, such as {names[0]}"
        for names, what in (
            (missing, "are missing"),
            (unexpected, "are not of this network"),
            (shapes, "have another shape"),
        )
        if names
    ]
    if problems:
        raise DisentangleError(f"{source}: weights of another network: {'; '.join(problems)}")
    network.load_state_dict(given, strict=False)


def random_weights(make: Callable[[], M], seed: int = 0) -> tuple[M, str]:
    """A network with random weights from a separate stream, and words for records."""
    with initialising(seed):
        network = make()
    return network, f"random (seed {seed}) {digest(network.state_dict())[:16]}"


def weights_digest(network: nn.Module) -> str:
    """A digest of all tensors of a network, 16 hexadecimal digits."""
    return digest(network.state_dict())[:16]
