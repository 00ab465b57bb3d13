"""Layers that are computed in another way: the same functions, with the same gradients."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.nn.layers import (
    Convolution,
    FromImage,
    FromVector,
    ToImage,
    Transposed,
    Widening,
    cross_entropy,
)


def both(before, after):
    with initialising(0):
        fast = ToImage(before, after)
    plain = nn.ConvTranspose2d(before, after, 4, 2, 1)
    plain.load_state_dict(fast.state_dict())
    return fast, plain


def close(a, b):
    return torch.allclose(a, b, rtol=1e-4, atol=1e-4 * float(b.detach().abs().max()))


@settings(deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 8), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6),
    st.booleans(),
)  # fmt: skip
def test_image_and_gradients_are_torchs(n, before, after, height, width, last):
    fast, plain = both(before, after)
    x = torch.randn((n, before, height, width), generator=torch_rng(0, "x"))
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    weights = torch.randn((n, after, 2 * height, 2 * width), generator=torch_rng(1, "x"))
    found = []
    for layer in (fast, plain):
        given_x = x.clone().requires_grad_()
        image = layer(given_x)
        (image * weights).sum().backward()
        found.append((image, given_x.grad, layer.weight.grad, layer.bias.grad))
    for a, b in zip(*found, strict=True):
        assert a.shape == b.shape
        assert close(a, b)


@given(
    st.sampled_from([(Convolution, nn.Conv2d), (Transposed, nn.ConvTranspose2d)]),
    st.sampled_from([(4, 2, 1), (2, 2, 0), (3, 1, 0)]), st.integers(1, 5), st.integers(1, 5),
    st.booleans(),
)  # fmt: skip
def test_convolution_and_its_gradients_are_torchs(kinds, form, before, after, bias):
    fast, plain = (kind(before, after, *form, bias=bias) for kind in kinds)
    plain.load_state_dict(fast.state_dict())
    found = []
    for layer in (fast, plain):
        x = torch.randn((3, before, 6, 6), generator=torch_rng(0, "x")).requires_grad_()
        image = layer(x)
        image.square().sum().backward()
        found.append((image, x.grad, *(p.grad for p in layer.parameters())))
    assert all(a.shape == b.shape and close(a, b) for a, b in zip(*found, strict=True))


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 8), st.sampled_from([2, 4, 6]))
def test_what_a_gpu_computes_is_torchs(n, few, many, side):
    with initialising(0):
        first, last = FromImage(few, many), ToImage(many, few)
    plain = nn.Conv2d(few, many, 4, 2, 1), nn.ConvTranspose2d(many, few, 4, 2, 1)
    found = []
    for layer, other, compute, channels in (
        (first, plain[0], first.by_product, few),
        (last, plain[1], lambda x: Widening.apply(x, last.weight, last.bias), many),
    ):
        other.load_state_dict(layer.state_dict())
        for function, mine in ((compute, layer), (other, other)):
            x = torch.randn((n, channels, side, side), generator=torch_rng(0, "x"))
            image = function(x.requires_grad_())
            image.square().sum().backward()
            found.append((image, x.grad, mine.weight.grad, mine.bias.grad))
    for ours, torchs in (found[:2], found[2:]):
        assert all(a.shape == b.shape and close(a, b) for a, b in zip(ours, torchs, strict=True))


def test_jacobians_are_torchs():
    fast, plain = both(3, 1)
    x = torch.randn((2, 3, 4, 4), generator=torch_rng(0, "x"))
    ours, torchs = (torch.func.jacrev(layer)(x) for layer in (fast, plain))
    assert close(ours, torchs)
    pixels = torch.rand((2, 1, 8, 8), generator=torch_rng(1, "x"))
    expected = partial(F.binary_cross_entropy_with_logits, reduction="none")
    ours, torchs = (torch.func.jacrev(f)(pixels - 0.5, pixels) for f in (cross_entropy, expected))
    assert close(ours, torchs)


def test_input_is_left_as_it_was():
    fast, _ = both(3, 1)
    x = torch.randn((2, 3, 4, 4), generator=torch_rng(0, "x"))
    before = x.clone()
    fast(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("kind", [ToImage, FromVector])
def test_layer_has_torchs_names_of_weights(kind):
    fast, plain = kind(3, 1), nn.ConvTranspose2d(3, 1, 4)
    assert isinstance(fast, nn.ConvTranspose2d)
    assert list(fast.state_dict()) == list(plain.state_dict())


@given(st.integers(1, 5), st.integers(1, 8), st.integers(1, 5), st.sampled_from([1, 2]))
def test_first_layer_and_its_gradients_are_torchs(n, before, after, side):
    fast, plain = FromVector(before, after), nn.ConvTranspose2d(before, after, 4)
    plain.load_state_dict(fast.state_dict())
    found = []
    for layer in (fast, plain):
        x = torch.randn((n, before, side, side), generator=torch_rng(0, "x")).requires_grad_()
        image = layer(x)
        image.square().sum().backward()
        found.append((image, x.grad, layer.weight.grad, layer.bias.grad))
    assert all(a.shape == b.shape and close(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_other_numbers_are_torchs_own(kind):
    fast, plain = both(3, 1)
    x = torch.randn((2, 3, 4, 4), generator=torch_rng(0, "x")).to(kind)
    assert torch.equal(fast.to(kind)(x), plain.to(kind)(x))


def test_autocast_is_torchs_own():
    fast, plain = both(3, 1)
    x = torch.randn((2, 3, 4, 4), generator=torch_rng(0, "x"))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fast(x), plain(x))


@given(st.integers(0, 1000), st.sampled_from([0.01, 1.0, 30.0, 200.0]))
def test_cross_entropy_and_its_gradient_are_torchs(seed, scale):
    rng = torch_rng(seed, "logits")
    x = torch.rand((3, 1, 5, 5), generator=rng)
    x[0] = x[0].round()
    start = scale * torch.randn((3, 1, 5, 5), generator=rng)
    weights = torch.randn((3, 1, 5, 5), generator=rng)
    found = []
    for loss in (cross_entropy, partial(F.binary_cross_entropy_with_logits, reduction="none")):
        logits = start.clone().requires_grad_()
        value = loss(logits, x)
        (value * weights).sum().backward()
        found.append((value, logits.grad))
    for ours, torchs in zip(*found, strict=True):
        assert torch.allclose(ours, torchs, rtol=1e-5, atol=1e-6 * max(1, scale))
