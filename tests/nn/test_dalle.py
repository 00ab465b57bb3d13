"""The network `dalle` against its description."""

import numpy as np
import pytest
import torch

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.nn import DALLE
from disentangle.nn.dalle import Block


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def block(before, after, sizes):
    """The parameters of a block, by hand."""
    channels = [before, *[after // 4] * 3, after]
    pairs = list(zip(channels, channels[1:], sizes, strict=False))
    skip = 0 if before == after else before * after + after
    return skip + sum(c * d * k * k + d for c, d, k in pairs)


def test_networks_have_the_papers_parameters():
    down = [(128, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    encoder = 3 * 128 * 9 + 128 + sum(block(*pair, (3, 3, 3, 1)) for pair in down)
    encoder += 512 * 256 * 128 + 128 + 128 * 128 + 128 + 128 * 12 + 12
    up = [(64, 512), (512, 512), (512, 256), (256, 256), (256, 128), (128, 128)]
    decoder = 12 * 64 * 256 + 64 * 256 + sum(block(*pair, (1, 3, 3, 3)) for pair in up)
    decoder += 128 * 3 + 3
    assert parameters(DALLE().encoder((3, 64, 64), 12)) == encoder
    assert parameters(DALLE().decoder(12, (3, 64, 64))) == decoder


def test_images_of_128x128_take_the_same_layers():
    small, large = (1, 64, 64), (1, 128, 128)
    assert parameters(DALLE().encoder(large, 5)) == parameters(DALLE().encoder(small, 5))
    assert parameters(DALLE().decoder(5, large)) == parameters(DALLE().decoder(5, small))
    assert DALLE().encoder(large, 5)(torch.zeros(1, *large)).shape == (1, 5)
    assert DALLE().decoder(5, large)(torch.zeros(1, 5)).shape == (1, *large)


def test_block_is_its_skip_and_a_36th_of_its_convolutions():
    """Kernels of 1x1 on one pixel: each convolution is a matrix product."""
    with initialising(0):
        made = Block(6, 8, (1, 1, 1, 1))
    x = torch.randn((3, 6, 1, 1), generator=torch_rng(0, "x"))

    def product(layer, y):
        return y @ layer.weight.detach().numpy()[:, :, 0, 0].T + layer.bias.detach().numpy()

    start = x.numpy()[:, :, 0, 0]
    y = start
    for layer in made.layers[1::2]:
        y = product(layer, np.maximum(y, 0))
    expected = product(made.skip, start) + y / 36
    np.testing.assert_allclose(made(x).detach().numpy()[:, :, 0, 0], expected, atol=1e-6)
    assert isinstance(Block(8, 8, (1, 1, 1, 1)).skip, torch.nn.Identity)


def test_input_of_a_block_is_left_as_it_was():
    x = torch.randn((2, 8, 4, 4), generator=torch_rng(0, "x"))
    before = x.clone()
    Block(8, 8, (3, 3, 3, 1))(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_initial_weights_are_normal_and_biases_zero(part):
    with initialising(0):
        made = {
            "encoder": lambda: DALLE().encoder((1, 64, 64), 5),
            "decoder": lambda: DALLE().decoder(5, (1, 64, 64)),
        }[part]()
    for name, parameter in made.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        elif parameter.numel() > 5000:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.05)
