"""NashAE: both losses recomputed in NumPy, the opponents, traversals."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.nn import LatentPredictors
from disentangle_plugins.models.nash_ae import NashAE
from tests.helpers.small_vaes import (
    LATENTS,
    PIXELS,
    B,
    X,
    array,
    batch,
    built,
    cross_entropy,
    encoded,
    losses,
    probabilities,
)


def selu(x):
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return scale * np.where(x > 0, x, alpha * (np.exp(x) - 1))


def predicted(predictors, z):
    """Each latent by a network of its own that sees a 0 in its place: a loop over latents."""
    columns = []
    for d in range(z.shape[1]):
        h = z.copy()
        h[:, d] = 0
        for i in (0, 2, 4):
            h = h @ array(predictors.networks[i].weight[d]) + array(predictors.networks[i].bias[d])
            h = h if i == 4 else selu(h)
        columns.append(h[:, 0])
    return np.stack(columns, 1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("share", [0.2, 0.008])
def test_loss_is_the_papers_times_the_number_of_pixels(share):
    model = built(NashAE, LATENTS, adversarial=share)
    z = sigmoid(encoded(model))
    guess = predicted(model.predictors, z)
    covariances = [np.cov(z[:, d], guess[:, d], bias=True)[0, 1] for d in range(LATENTS)]
    found = losses(model)
    assert found["reconstruction"] == pytest.approx(cross_entropy(model, z), rel=1e-5)
    weight = PIXELS * share / (1 - share)
    assert found["covariance"] == pytest.approx(weight * sum(covariances), rel=1e-4, abs=1e-6)
    assert losses(model, 1) == {"prediction": pytest.approx(np.mean((guess - z) ** 2) / 2)}


def test_loss_with_variance_1_is_the_authors_up_to_the_factor():
    model = built(NashAE, LATENTS, likelihood="gaussian", variance=1.0)
    z = sigmoid(encoded(model))
    guess = predicted(model.predictors, z)
    covariance = np.sum((z * guess).mean(0) - z.mean(0) * guess.mean(0))
    error = np.mean((probabilities(model, z) - array(X).reshape(B, -1)) ** 2)
    authors = 0.8 * error / 2 + 0.2 * covariance
    assert sum(losses(model).values()) == pytest.approx(PIXELS / 0.8 * authors, rel=1e-5)


def test_covariance_reaches_the_encoder_through_the_predictions_alone():
    model = built(NashAE, LATENTS)
    model.terms(batch())[0]["covariance"].loss.backward()
    found = model.encoder[1].weight.grad.clone()
    model.zero_grad()
    z = model.encode(X).mean
    fixed = z.detach() - z.detach().mean(0)
    (0.25 * PIXELS * (fixed * model.predictors(z)).mean(0).sum()).backward()
    torch.testing.assert_close(found, model.encoder[1].weight.grad)


def test_opponents_loss_trains_the_opponents_alone():
    model = built(NashAE, LATENTS)
    model.terms(batch())[1]["prediction"].backward()
    assert all(p.grad is not None for p in model.predictors.parameters())
    assert all(p.grad is None for p in model.encoder.parameters())
    own = {id(p) for group in model.opponent().param_groups for p in group["params"]}
    assert own == {id(p) for p in model.predictors.parameters()}
    assert model.opponent().defaults["lr"] == 0.01


def test_code_is_between_0_and_1_and_the_page_computes_it():
    model = built(NashAE, LATENTS)
    code = model.encode(X).mean
    assert bool(((code > 0) & (code < 1)).all())
    torch.testing.assert_close(nn.Sequential(*model.page_encoder())(X), code)


def test_traversal_stays_between_0_and_1():
    model = built(NashAE, LATENTS)
    model.spread.mean[:] = torch.tensor([0.5, 0.1, 0.95])
    model.spread.variance[:] = torch.tensor([0.01, 0.01, 0.01])
    expected = [(0.2, 0.8), (0, 0.4), (0.65, 1)]
    for latent, (low, high) in enumerate(expected):
        torch.testing.assert_close(model.traversal(latent, 5), torch.linspace(low, high, 5))


def test_opponents_find_what_latents_share():
    """Of three latents the second repeats the first, so only the third cannot be predicted."""
    rng = torch_rng(0, "test")
    with initialising(0):
        predictors = LatentPredictors(3)
    optimizer = torch.optim.Adam(predictors.parameters(), lr=0.01)
    for _ in range(150):
        z = torch.rand((64, 3), generator=rng)
        z[:, 1] = z[:, 0]
        optimizer.zero_grad()
        error = (predictors(z) - z).square().mean(0)
        error.sum().backward()
        optimizer.step()
    assert error[:2].max() < 0.01
    assert error[2] > 0.05  # the variance of a uniform number is 1 / 12


def test_masked_latent_has_no_influence_on_its_prediction():
    with initialising(0):
        predictors = LatentPredictors(4)
    z = torch.rand((5, 4), generator=torch_rng(0, "test")).requires_grad_()
    for d in range(4):
        (slope,) = torch.autograd.grad(predictors(z)[:, d].sum(), z)
        assert bool((slope[:, d] == 0).all())
        assert bool((slope[:, [k for k in range(4) if k != d]] != 0).all())


def test_weights_of_opponents_have_the_variance_of_selus():
    with initialising(0):
        predictors = LatentPredictors(30)
    for i, inputs in ((0, 30), (2, 40)):
        assert predictors.networks[i].weight.std().item() == pytest.approx(inputs**-0.5, rel=0.05)
        assert predictors.networks[i].bias.abs().max() <= 1 / math.sqrt(inputs)
