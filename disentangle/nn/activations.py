"""The activations of a decoder, for penalties on how they depend on the latents."""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.modules import activation

from disentangle.errors import UsageError


def with_activations(decoder: nn.Module, z: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Decode latents, and keep the activations of hidden layers.

    These are what the decoder's method `with_activations(z)` returns beside its output. An
    `nn.Sequential` needs no such method: its activations are the outputs of its activation
    functions (the modules of torch, such as `nn.ReLU`), except for one that is its output.

    Args:
        decoder: the network.
        z: latents, [N, D].

    Returns:
        The output [N, C, H, W], and the activations in order, [N, ...] each.

    Raises:
        UsageError: there are no activations to observe.
    """
    own = getattr(decoder, "with_activations", None)
    output, activations = own(z) if own is not None else in_order(decoder, z)
    if not activations:
        raise UsageError(
            f"no activations of the decoder `{type(decoder).__name__}` can be observed: expected "
            "an nn.Sequential with activation functions such as nn.ReLU(), or a method "
            "`with_activations(z)` that returns its output and a list of activations [N, ...]; "
            "use another network, such as `--network conv`"
        )
    return output, activations


def in_order(decoder: nn.Module, z: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Run a decoder layer by layer; return its output and those of its activation functions."""
    activations = []
    layers = list(layers_of(decoder))
    for layer in layers:
        z = layer(z)
        if is_activation_function(layer) and layer is not layers[-1]:
            activations.append(z)
    return z, activations


def layers_of(module: nn.Module) -> Iterator[nn.Module]:
    """The layers of a sequence, those of sequences in it included; any other module is a layer."""
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        for layer in module:
            yield from layers_of(layer)
    else:
        yield module


def is_activation_function(layer: nn.Module) -> bool:
    """True for modules of torch such as ReLU and Tanh."""
    return type(layer).__module__ == activation.__name__ and not isinstance(
        layer, nn.MultiheadAttention
    )
