"""JL1-VAE: its loss recomputed in NumPy, and the Jacobian of decoders where it is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from disentangle._utils.seeds import torch_rng
from disentangle_plugins.models.jl1_vae import JL1VAE
from tests.helpers.small_vaes import (
    LATENTS,
    PIXELS,
    B,
    array,
    batch,
    built,
    cross_entropy,
    kl,
    losses,
    posterior,
    probabilities,
    sampled,
)

Z = torch.randn((B, LATENTS), generator=torch_rng(0, "test"))


def absolute_slopes(model, z):
    """sum_{pixels, d} |J| by hand: the derivative of the sigmoid of a linear layer, [N]."""
    p = probabilities(model, z)
    return ((p * (1 - p)) @ np.abs(array(model.decoder[0].weight))).sum(1)


@pytest.mark.parametrize(
    ("warm_up", "step", "risen"), [(0, 0, 1), (10, 0, 0), (10, 4, 0.4), (10, 12, 1)]
)
def test_loss_is_the_papers_and_both_weights_rise(warm_up, step, risen):
    model = built(JL1VAE, beta=2.0, gamma=0.3, kl_warmup=warm_up)
    mean, scale = posterior(model)
    z, _ = sampled(mean, scale)
    found = losses(model, step=step)
    assert found["reconstruction"] == pytest.approx(cross_entropy(model, z), rel=1e-5)
    assert found["kl"] == pytest.approx(risen * 2 * kl(mean, scale), rel=1e-5)
    jacobian = absolute_slopes(model, z).mean()
    assert found["jacobian"] == pytest.approx(risen * 0.3 * jacobian, rel=1e-3)


def test_jacobian_is_the_forward_difference_with_steps_of_a_thousandth():
    model = built(JL1VAE).double()
    z = Z.double()
    at = probabilities(model, array(z))
    moved = [probabilities(model, array(z) + 1e-3 * np.eye(LATENTS)[d]) for d in range(LATENTS)]
    expected = sum(np.abs(m - at).sum(1) for m in moved) / 1e-3
    model.decode = lambda z: model.decoder(z)  # the model's own is in single precision
    np.testing.assert_allclose(
        array(model.jacobian(z)), expected, rtol=1e-6
    )  # the step is in single precision


def test_jacobian_of_a_linear_decoder_is_its_weights(monkeypatch):
    model = built(JL1VAE)
    linear = SimpleNamespace(mean=lambda decoded: decoded)
    monkeypatch.setattr(JL1VAE, "observation", linear)
    weights = model.decoder[0].weight.abs().sum().item()
    np.testing.assert_allclose(array(model.jacobian(Z)), [weights] * B, rtol=2e-3)


def test_jacobian_of_a_decoder_that_ignores_the_latents_is_0():
    model = built(JL1VAE)
    torch.nn.init.zeros_(model.decoder[0].weight)
    assert losses(model)["jacobian"] == 0


def test_jacobian_trains_the_decoder_alone():
    model = built(JL1VAE, kl_warmup=0)
    model.terms(batch())["jacobian"].loss.backward()
    assert model.decoder[0].weight.grad.abs().sum() > 0
    assert model.encoder[1].weight.grad is None


def test_gradient_of_the_jacobian_is_that_of_its_closed_form():
    model = built(JL1VAE)
    layer = model.decoder[0]
    found = torch.autograd.grad(model.jacobian(Z).mean(), layer.weight)[0]
    p = model.decoder(Z).flatten(1).sigmoid()
    closed = ((p * (1 - p)) @ layer.weight.abs()).sum(1).mean()
    expected = torch.autograd.grad(closed, layer.weight)[0]
    torch.testing.assert_close(found, expected, rtol=2e-2, atol=2e-3)


def test_images_are_decoded_in_one_batch_and_in_single_precision():
    model = built(JL1VAE)
    seen = []
    model.decoder.register_forward_hook(lambda _, inputs, out: seen.append((inputs[0], out)))
    with torch.autocast("cpu", torch.bfloat16):
        model.jacobian(Z)
    assert [(len(points), out.dtype) for points, out in seen] == [
        ((LATENTS + 1) * B, torch.float32)
    ]
    assert seen[0][1][0].numel() == PIXELS
