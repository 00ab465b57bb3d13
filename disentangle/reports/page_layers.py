"""A network as the list of layers that a page can run: `layers_of` walks its modules.

`FUNCTIONS` defines what each kind of layer computes, in torch; `templates/network.js` computes the
same. `WALKS` says of which layers a module consists.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from disentangle.nn.blocks import MostProbable, Nearest, Residual
from disentangle.nn.layers import PLAIN
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


def layers_of(modules: Iterable[nn.Module], shape: Shape) -> tuple[list[Layer], Shape]:
    """Return the layers of modules that are applied in order, and the shape of their output.

    Raises:
        UnknownLayer: a module is unknown, or has settings that a page does not support.
        NotFinite: a weight is not finite.
    """
    layers: list[Layer] = []
    for module in modules:
        for layer in walk(module, shape):
            layers.append(layer)
            shape = shape_after(layer, shape)
    return layers, shape


def run_layers(layers: Iterable[Layer], x: Tensor) -> Tensor:
    """Compute the output [N, ...] of layers in torch, with the weights that the page has."""
    for layer in layers:
        x = FUNCTIONS[layer.kind](x, layer)
    return x


def shape_after(layer: Layer, shape: Shape) -> Shape:
    """The shape of a layer's output."""
    return tuple(run_layers([layer], torch.zeros(1, *shape)).shape[1:])


def walk(module: nn.Module, shape: Shape) -> Iterable[Layer]:
    """Yield the layers that a module consists of.

    Raises:
        UnknownLayer: the module is unknown, or has settings that a page does not support.
    """
    if (own := getattr(module, "page_layers", None)) is not None:
        return layers_of(own(), shape)[0]
    return WALKS[known_class(module)](module, shape)


def known_class(module: nn.Module) -> type[nn.Module]:
    """The class in `WALKS` that computes the same as this module.

    It is the module's own, or one from which the module's class inherits `forward`.

    Raises:
        UnknownLayer: there is none.
    """
    kind = type(module)
    for base in (b for b in kind.__mro__ if issubclass(b, nn.Module)):
        known = PLAIN.get(base, base)
        if known in WALKS and kind.forward is base.forward:
            return known
    raise UnknownLayer(f"layer `{kind.__name__}` is unknown")


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


def supported(module: nn.Module, **settings: Any) -> None:
    """Raise an UnknownLayer unless the module has these settings."""
    for name, expected in settings.items():
        got = getattr(module, name)
        if got != expected:
            raise UnknownLayer(
                f"layer `{type(module).__name__}` has {name}={got!r}, which a page does not support"
            )


def pair(value: Any) -> list[int]:
    """A setting for height and width."""
    return [int(v) for v in value] if isinstance(value, Iterable) else [int(value)] * 2


def number(kind: str, **names: str) -> Callable[[Any, Shape], list[Layer]]:
    """A walk of a layer without weights, whose options are attributes: option=attribute."""
    return lambda module, shape: [
        Layer(kind, {option: float(getattr(module, name)) for option, name in names.items()})
    ]


def nothing(module: nn.Module, shape: Shape) -> list[Layer]:
    """The walk of a module that does nothing in evaluation mode."""
    return []


def reshape(module: nn.Module, shape: Shape) -> list[Layer]:
    """The walk of a module that changes the shape alone."""
    return [Layer("reshape", {"to": list(module(torch.zeros(1, *shape)).shape[1:])})]


def weight_and_bias(module: Any, outputs: int) -> dict[str, Tensor]:
    """The weights of a layer, with a bias of zeros if it has none."""
    bias = torch.zeros(outputs) if module.bias is None else module.bias
    return {"weight": tensor(module.weight), "bias": tensor(bias)}


def linear(module: nn.Linear, shape: Shape) -> list[Layer]:
    """The walk of a linear layer, applied to the last axis."""
    return [Layer("linear", {}, weight_and_bias(module, module.out_features))]


def conv(module: nn.Conv2d, shape: Shape) -> list[Layer]:
    """The walk of a convolution; `pad` is left, right, top, bottom."""
    supported(module, padding_mode="zeros")
    if isinstance(module.padding, str):
        ends = zip(module.dilation, module.kernel_size, strict=True)
        total = [d * (k - 1) if module.padding == "same" else 0 for d, k in ends]
        top, left = (n // 2 for n in total)
        pad = [left, total[1] - left, top, total[0] - top]
    else:
        vertical, horizontal = pair(module.padding)
        pad = [horizontal, horizontal, vertical, vertical]
    options = {"stride": pair(module.stride), "pad": pad, "dilation": pair(module.dilation)}
    tensors = weight_and_bias(module, module.out_channels)
    return [Layer("conv", {**options, "groups": module.groups}, tensors)]


def transposed(module: nn.ConvTranspose2d, shape: Shape) -> list[Layer]:
    """The walk of a transposed convolution; `pad` is what is cut: left, right, top, bottom."""
    supported(module, padding_mode="zeros")
    cut, more = pair(module.padding), pair(module.output_padding)
    pad = [cut[1], cut[1] - more[1], cut[0], cut[0] - more[0]]
    options = {"stride": pair(module.stride), "pad": pad, "dilation": pair(module.dilation)}
    tensors = weight_and_bias(module, module.out_channels)
    return [Layer("transposed", {**options, "groups": module.groups}, tensors)]


def affine(scale: Tensor, shift: Tensor, inner: int) -> Layer:
    """A scale and a shift, each for `inner` values in a row, then again from the first."""
    tensors = {"scale": tensor(scale.flatten()), "shift": tensor(shift.flatten())}
    return Layer("affine", {"inner": inner}, tensors)


def batch_norm(module: Any, shape: Shape) -> list[Layer]:
    """The walk of a normalisation by running statistics."""
    if module.running_mean is None:
        raise UnknownLayer(f"layer `{type(module).__name__}` normalises by its batch")
    scale = (module.running_var + module.eps).rsqrt()
    if module.weight is not None:
        scale = scale * module.weight
    shift = -module.running_mean * scale
    if module.bias is not None:
        shift = shift + module.bias
    return [affine(scale, shift, prod(shape[1:]))]


def norm(module: Any, groups: int, inner: int) -> list[Layer]:
    """The layers of a normalisation of each of so many equal groups of values in a row."""
    layers = [Layer("norm", {"groups": groups, "eps": module.eps})]
    if module.weight is None:
        return layers
    shift = torch.zeros_like(module.weight) if module.bias is None else module.bias
    return [*layers, affine(module.weight, shift, inner)]


def group_norm(module: nn.GroupNorm, shape: Shape) -> list[Layer]:
    """The walk of a normalisation of groups of channels."""
    return norm(module, module.num_groups, prod(shape[1:]))


def instance_norm(module: Any, shape: Shape) -> list[Layer]:
    """The walk of a normalisation of each channel."""
    if module.running_mean is not None:
        return batch_norm(module, shape)
    return norm(module, shape[0], prod(shape[1:]))


def layer_norm(module: nn.LayerNorm, shape: Shape) -> list[Layer]:
    """The walk of a normalisation over the last axes."""
    return norm(module, prod(shape) // prod(module.normalized_shape), 1)


def window(module: Any) -> dict[str, Any]:
    """The options that the two kinds of pooling share."""
    return {
        "kernel": pair(module.kernel_size),
        "stride": pair(module.stride),
        "padding": pair(module.padding),
        "ceil": bool(module.ceil_mode),
    }


def max_pool(module: nn.MaxPool2d, shape: Shape) -> list[Layer]:
    """The walk of a maximum over windows."""
    supported(module, return_indices=False)
    return [Layer("max-pool", {**window(module), "dilation": pair(module.dilation)})]


def average_pool(module: nn.AvgPool2d, shape: Shape) -> list[Layer]:
    """The walk of a mean over windows."""
    padded, divisor = bool(module.count_include_pad), module.divisor_override
    return [Layer("average-pool", {**window(module), "padded": padded, "divisor": divisor})]


def adaptive_pool(module: nn.AdaptiveAvgPool2d, shape: Shape) -> list[Layer]:
    """The walk of a mean over windows that give an image of a certain size."""
    size = list(module(torch.zeros(1, *shape)).shape[2:])
    return [Layer("adaptive-pool", {"size": size})]


def upsample(module: nn.Upsample, shape: Shape) -> list[Layer]:
    """The walk of an enlargement; `step` is the distance of new pixels in old ones."""
    if module.mode not in ("nearest", "bilinear"):
        supported(module, mode="bilinear")
    size = list(module(torch.zeros(1, *shape)).shape[2:])
    given = module.scale_factor if not module.recompute_scale_factor else None
    if given is None:
        step = [old / new for old, new in zip(shape[1:], size, strict=True)]
    else:
        each = given if isinstance(given, tuple) else (given, given)
        step = [1 / float(factor) for factor in each]
    corners = bool(module.align_corners)
    return [
        Layer("upsample", {"mode": module.mode, "size": size, "step": step, "corners": corners})
    ]


def shuffle(kind: str, name: str) -> Callable[[Any, Shape], list[Layer]]:
    """A walk of pixels moved into channels, or back, by a factor."""
    return lambda module, shape: [Layer(kind, {"factor": int(getattr(module, name))})]


def gelu(module: nn.GELU, shape: Shape) -> list[Layer]:
    """The walk of a GELU, exact or by tanh."""
    return [Layer("gelu" if module.approximate == "none" else "gelu-tanh")]


def nearest(module: Nearest, shape: Shape) -> list[Layer]:
    """The walk of latents that take the nearest of a few values."""
    return [Layer("nearest", {}, {"values": tensor(module.values)})]


def probable(module: MostProbable, shape: Shape) -> list[Layer]:
    """The walk of latents that take the value with the largest logit."""
    return [Layer("most-probable", {}, {"values": tensor(module.values)})]


def sequence(module: nn.Sequential, shape: Shape) -> list[Layer]:
    """The walk of modules in order."""
    return layers_of(module.children(), shape)[0]


def residual(module: Residual, shape: Shape) -> list[Layer]:
    """The walk of x + f(x)."""
    layers, after = layers_of(module.children(), shape)
    if after != shape:
        raise UnknownLayer(f"a `Residual` maps {list(shape)} to {list(after)}, expected the same")
    return [Layer("residual", layers=layers)]


WALKS: Mapping[type[nn.Module], Callable[[Any, Shape], Iterable[Layer]]] = {
    nn.Sequential: sequence,
    Residual: residual,
    nn.Identity: nothing,
    **dict.fromkeys((nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout), nothing),
    nn.Flatten: reshape,
    nn.Unflatten: reshape,
    nn.Linear: linear,
    nn.Conv2d: conv,
    nn.ConvTranspose2d: transposed,
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d), batch_norm),
    **dict.fromkeys((nn.InstanceNorm1d, nn.InstanceNorm2d), instance_norm),
    nn.GroupNorm: group_norm,
    nn.LayerNorm: layer_norm,
    nn.MaxPool2d: max_pool,
    nn.AvgPool2d: average_pool,
    nn.AdaptiveAvgPool2d: adaptive_pool,
    nn.Upsample: upsample,
    nn.PixelShuffle: shuffle("shuffle", "upscale_factor"),
    nn.PixelUnshuffle: shuffle("unshuffle", "downscale_factor"),
    nn.ReLU: number("relu"),
    nn.LeakyReLU: number("leaky-relu", slope="negative_slope"),
    nn.ELU: number("elu", alpha="alpha"),
    nn.GELU: gelu,
    nn.SiLU: number("silu"),
    nn.Tanh: number("tanh"),
    nn.Sigmoid: number("sigmoid"),
    nn.Softplus: number("softplus", beta="beta", threshold="threshold"),
    Nearest: nearest,
    MostProbable: probable,
}
"""Module class -> a function that returns the layers of such a module for inputs of a shape."""


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
