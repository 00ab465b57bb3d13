"""The activations of decoders: of every network, of a third party's, and of none."""

import pytest
import torch
from torch import nn

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.contracts import registry
from disentangle.errors import UsageError
from disentangle.nn import with_activations

Z = torch.randn((3, 5), generator=torch_rng(0, "z"))
LAYERS = {
    "burgess": [(256,), (256,), (512,), (32, 8, 8), (32, 16, 16), (32, 32, 32)],
    "conv": [(256,), (64, 4, 4), (64, 8, 8), (32, 16, 16), (32, 32, 32)],
    "locatello": [(256,), (1024,), (64, 8, 8), (32, 16, 16), (32, 32, 32)],
    "higgins-conv": [(256,), (1024,), (64, 8, 8), (32, 16, 16), (32, 32, 32)],
    "higgins-fc": [(1200,)] * 3,
    "hsu2024": [(256,), (256, 8, 8), (128, 16, 16), (64, 32, 32)],
}


@pytest.mark.parametrize("name", sorted(registry.networks.entries))
def test_hidden_layers_of_every_network_are_observed_and_its_output_is_not(name):
    with initialising(0):
        decoder = registry.networks.load(name)().decoder(5, (1, 64, 64))
    with torch.no_grad():
        output, activations = with_activations(decoder, Z)
        assert torch.equal(output, decoder(Z))
    shapes = [tuple(activation.shape[1:]) for activation in activations]
    assert shapes
    assert shapes == LAYERS.get(name, shapes)
    assert all(len(activation) == len(Z) for activation in activations)
    assert all(activation.isfinite().all() for activation in activations)


def test_sequences_in_sequences_are_observed_but_not_a_last_activation_function():
    block = nn.Sequential(nn.Linear(5, 4), nn.Tanh())
    decoder = nn.Sequential(block, nn.Sequential(nn.Linear(4, 4), nn.Sigmoid()))
    output, activations = with_activations(decoder, Z)
    assert torch.equal(output, decoder(Z))
    assert len(activations) == 1
    assert torch.equal(activations[0], block(Z))


class Observed(nn.Linear):
    """A third party's decoder that names its own activations."""

    def with_activations(self, z):
        return self(z), [z.sin()]


def test_decoder_may_name_its_own_activations():
    decoder = Observed(5, 2)
    output, activations = with_activations(decoder, Z)
    assert torch.equal(output, decoder(Z))
    assert torch.equal(activations[0], Z.sin())


class Hidden(nn.Module):
    """A third party's decoder whose layers cannot be seen."""

    def forward(self, z):
        return z.relu()


@pytest.mark.parametrize("decoder", [Hidden(), nn.Sequential(nn.Linear(5, 2)), nn.ReLU()], ids=str)
def test_decoder_without_activations_is_refused_with_what_to_do(decoder):
    with pytest.raises(UsageError) as caught:
        with_activations(decoder, Z)
    assert str(caught.value) == (
        f"no activations of the decoder `{type(decoder).__name__}` can be observed: expected an "
        "nn.Sequential with activation functions such as nn.ReLU(), or a method "
        "`with_activations(z)` that returns its output and a list of activations [N, ...]; use "
        "another network, such as `--network conv`"
    )
