"""The network of Tripod: its parameters by hand, its sizes, its layers."""

import pytest
import torch

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.nn import Hsu2024
from disentangle.nn.hsu2024 import Conditioned


def made(side=64, channels=3, latents=12):
    shape = (channels, side, side)
    with initialising(0):
        return Hsu2024().encoder(shape, latents), Hsu2024().decoder(latents, shape)


def conv(before, after, kernel=3):
    return before * after * kernel**2 + after


def dense(before, after):
    return before * after + after + 2 * after


def test_parameters_are_those_of_the_papers_layers():
    """By hand, for 64x64x3 and 12 latents."""
    encoder, decoder = made()
    expected = conv(3, 32, 1)  # the only shortcut that changes the number of channels
    for before, width in ((3, 32), (64, 64), (128, 128), (256, 256)):
        expected += conv(before, width) + 3 * conv(width, width) + 4 * 2 * width
        expected += conv(4 * width, 2 * width, 1)
    expected += dense(512, 512) + 512 * 12 + 12
    assert sum(p.numel() for p in encoder.parameters()) == expected
    expected = dense(12, 256) + dense(256, 256)
    for before, after in ((512, 256), (256, 128), (128, 64), (64, 3)):
        expected += 4 * (conv(before, before) + 256 * 2 * before + 2 * before)
        expected += conv(before, after)
    assert sum(p.numel() for p in decoder.parameters()) == expected


@pytest.mark.parametrize("side", [32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_three_sizes_are_taken(side, channels):
    encoder, decoder = made(side, channels, latents=4)
    x = torch.rand((2, channels, side, side), generator=torch_rng(0, "x"))
    with torch.no_grad():
        z = encoder(x)
        assert z.shape == (2, 4)
        assert decoder(z).shape == x.shape


def test_latents_of_an_image_do_not_depend_on_the_others_in_a_batch():
    encoder, decoder = made(32, 1, 4)
    x = torch.rand((3, 1, 32, 32), generator=torch_rng(0, "x"))
    with torch.no_grad():
        z = encoder(x)
        torch.testing.assert_close(encoder(x[:1]), z[:1], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(decoder(z)[:1], decoder(z[:1]), rtol=1e-4, atol=1e-5)


def test_conditioned_layer_is_an_instance_norm_with_scale_and_shift():
    with initialising(0):
        layer = Conditioned(3)
    x = torch.randn((2, 3, 5, 5), generator=torch_rng(0, "x"))
    condition = torch.randn((2, 256), generator=torch_rng(1, "x"))
    y = layer.convolution(x)
    norm = (y - y.mean((2, 3), keepdim=True)) / (
        y.var((2, 3), correction=0, keepdim=True) + 1e-5
    ) ** 0.5
    scale, shift = layer.projection(condition).chunk(2, 1)
    u = norm * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
    inner = (2 / torch.pi) ** 0.5 * (u + 0.044715 * u**3)
    torch.testing.assert_close(
        layer(x, condition), 0.5 * u * (1 + inner.tanh()), rtol=1e-4, atol=1e-5
    )


def test_every_parameter_has_a_gradient():
    encoder, decoder = made(32, 1, 4)
    x = torch.rand((3, 1, 32, 32), generator=torch_rng(0, "x"))
    decoder(encoder(x)).square().sum().backward()
    for module in (encoder, decoder):
        for name, parameter in module.named_parameters():
            assert parameter.grad.abs().sum() > 0, name


def test_images_are_centred_as_in_the_paper():
    encoder, _ = made(32, 1, 4)
    assert torch.equal(encoder[0](torch.tensor([0.0, 0.5, 1.0])), torch.tensor([-1.0, 0.0, 1.0]))
