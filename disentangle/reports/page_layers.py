"""A network as the list of layers that a page can run: `layers_of` walks its modules.

`WALKS` says of which layers a module consists.
"""

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from disentangle.nn.blocks import MostProbable, Nearest, Residual
from disentangle.nn.layers import PLAIN
from disentangle.reports.page_functions import (
    Layer,
    Shape,
    UnknownLayer,
    shape_after,
    tensor,
)


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
