"""The layers that a page can run, and what each computes of its weights.

`FUNCTIONS` defines each kind of layer in torch; `templates/network.js` computes the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from disentangle.nn.blocks import MostProbable, Nearest
from disentangle.nn.likelihoods import ContinuousBernoulli

Shape: TypeAlias = tuple[int, ...]
"""The shape of a layer's input or output, without the batch."""
LARGEST = 2**15 - 1
"""The largest whole number of 16 bits."""


class UnknownLayer(Exception):
    """A page cannot run a layer; the message says which and why."""


class NotFinite(Exception):
    """A layer has weights that are not finite."""


@dataclass(frozen=True)
class Layer:
    """One step of a network.

    Attributes:
        kind: a key of `FUNCTIONS`.
        options: its numbers by name.
        tensors: its weights by name, rounded to 16 bits if they have several axes.
        layers: the layers inside it, if it is `residual`.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    layers: "Sequence[Layer]" = ()

    def __getitem__(self, option: str) -> Any:
        return self.options[option]


def run_layers(layers: Iterable[Layer], x: Tensor) -> Tensor:
    """Compute the output [N, ...] of layers in torch, with the weights that the page has."""
    for layer in layers:
        x = FUNCTIONS[layer.kind](x, layer)
    return x


def shape_after(layer: Layer, shape: Shape) -> Shape:
    """The shape of a layer's output."""
    return tuple(run_layers([layer], torch.zeros(1, *shape)).shape[1:])


def tensor(values: Tensor) -> Tensor:
    """Weights on the CPU, as a page has them; see `rounded`.

    Raises:
        NotFinite: some are not finite.
    """
    values = values.detach().float().cpu()
    if not values.isfinite().all():
        raise NotFinite("its weights are not all finite, as after a training that diverged")
    whole, scale = rounded(values)
    return (whole * scale).view_as(values) if values.ndim > 1 else values


def rounded(values: Tensor) -> tuple[Tensor, Tensor]:
    """Weights as whole numbers of 16 bits [rows, ...] times a scale for each row, [rows, 1].

    A row is an entry of the first axis. At the same size their rounding error is about a sixth of
    that of half precision. Rounding twice is rounding once.
    """
    rows = values.reshape(len(values), -1)
    scale = rows.abs().amax(1, keepdim=True) / LARGEST
    return (rows / scale.where(scale > 0, 1.0)).round(), scale


def convolved(x: Tensor, layer: Layer) -> Tensor:
    """A convolution of padded images."""
    weight, bias = layer.tensors["weight"], layer.tensors["bias"]
    padded = F.pad(x, layer["pad"])
    return F.conv2d(padded, weight, bias, layer["stride"], 0, layer["dilation"], layer["groups"])


def spread(x: Tensor, layer: Layer) -> Tensor:
    """A transposed convolution, with its borders cut, or extended where `pad` is negative."""
    weight, bias = layer.tensors["weight"], layer.tensors["bias"]
    stride, dilation, groups = layer["stride"], layer["dilation"], layer["groups"]
    y = F.conv_transpose2d(x, weight, None, stride, 0, 0, groups, dilation)
    return F.pad(y, [-n for n in layer["pad"]]) + bias.view(-1, 1, 1)


def scaled(x: Tensor, layer: Layer) -> Tensor:
    """A scale and a shift of values in a row."""
    scale, shift = layer.tensors["scale"], layer.tensors["shift"]
    rows = x.reshape(len(x), -1, len(scale), layer["inner"])
    return (rows * scale[:, None] + shift[:, None]).view_as(x)


def normalised(x: Tensor, layer: Layer) -> Tensor:
    """Groups of values in a row with mean 0 and variance 1."""
    rows = x.reshape(len(x), layer["groups"], -1)
    return F.layer_norm(rows, rows.shape[2:], eps=layer["eps"]).view_as(x)


def maxima(x: Tensor, layer: Layer) -> Tensor:
    """Maxima over windows."""
    kernel, stride, padding = layer["kernel"], layer["stride"], layer["padding"]
    return F.max_pool2d(x, kernel, stride, padding, layer["dilation"], layer["ceil"])


def averages(x: Tensor, layer: Layer) -> Tensor:
    """Means over windows."""
    kernel, stride, padding = layer["kernel"], layer["stride"], layer["padding"]
    rest = layer["ceil"], layer["padded"], layer["divisor"]
    return F.avg_pool2d(x, kernel, stride, padding, *rest)


def enlarged(x: Tensor, layer: Layer) -> Tensor:
    """Images enlarged, by the pixels or lines that are nearest."""
    y, x_ = (places(layer, axis, x.shape[axis + 2]) for axis in (0, 1))
    if layer["mode"] == "nearest":
        return x[:, :, y.long()][:, :, :, x_.long()]
    return between(between(x, y, 2), x_, 3)


def places(layer: Layer, axis: int, old: int) -> Tensor:
    """The place of each new pixel among the old ones along an axis."""
    new = torch.arange(layer["size"][axis], dtype=torch.float32)
    step: float = layer["step"][axis]
    if layer["mode"] == "nearest":
        return (new * step).clamp(max=old - 1)
    if layer["corners"]:
        return new * ((old - 1) / max(1, len(new) - 1))
    return ((new + 0.5) * step - 0.5).clamp(0, old - 1)


def between(x: Tensor, place: Tensor, axis: int) -> Tensor:
    """Linear interpolation at places along an axis."""
    low = place.long()
    high = (low + 1).clamp(max=x.shape[axis] - 1)
    share = (place - low).view(-1, *[1] * (3 - axis))
    return x.index_select(axis, low) * (1 - share) + x.index_select(axis, high) * share


def chosen(x: Tensor, layer: Layer) -> Tensor:
    """The nearest of each latent's values."""
    return Nearest(layer.tensors["values"]).forward(x)


def most_probable(x: Tensor, layer: Layer) -> Tensor:
    """The value of each latent with the largest logit."""
    return MostProbable(layer.tensors["values"]).forward(x)


def with_deviations(x: Tensor, layer: Layer) -> Tensor:
    """Means and standard deviations, of means and log variances."""
    mean, log_variance = x.chunk(2, 1)
    return torch.cat([mean, (0.5 * log_variance).exp()], 1)


FUNCTIONS: Mapping[str, Callable[[Tensor, Layer], Tensor]] = {
    "residual": lambda x, layer: x + run_layers(layer.layers, x),
    "reshape": lambda x, layer: x.reshape(len(x), *layer["to"]),
    "linear": lambda x, layer: F.linear(x, layer.tensors["weight"], layer.tensors["bias"]),
    "conv": convolved,
    "transposed": spread,
    "affine": scaled,
    "norm": normalised,
    "max-pool": maxima,
    "average-pool": averages,
    "adaptive-pool": lambda x, layer: F.adaptive_avg_pool2d(x, layer["size"]),
    "upsample": enlarged,
    "shuffle": lambda x, layer: F.pixel_shuffle(x, layer["factor"]),
    "unshuffle": lambda x, layer: F.pixel_unshuffle(x, layer["factor"]),
    "relu": lambda x, layer: x.relu(),
    "leaky-relu": lambda x, layer: F.leaky_relu(x, layer["slope"]),
    "elu": lambda x, layer: F.elu(x, layer["alpha"]),
    "gelu": lambda x, layer: F.gelu(x),
    "gelu-tanh": lambda x, layer: F.gelu(x, approximate="tanh"),
    "silu": lambda x, layer: F.silu(x),
    "tanh": lambda x, layer: x.tanh(),
    "sigmoid": lambda x, layer: x.sigmoid(),
    "softplus": lambda x, layer: F.softplus(x, layer["beta"], layer["threshold"]),
    "continuous-bernoulli": lambda x, layer: ContinuousBernoulli().mean(x.double()).float(),
    "nearest": chosen,
    "most-probable": most_probable,
    "deviations": with_deviations,
}
"""Kind of layer -> what it computes of inputs [N, ...]."""
