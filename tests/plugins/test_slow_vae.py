"""SlowVAE against numerical integration, and one step recomputed with NumPy."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.contracts.model import Batch, Posterior
from disentangle_plugins.models.slow_vae import SlowVAE, entropy, laplace_cross_entropy

N, LATENTS = 6, 4


@pytest.mark.parametrize("rate", [0.5, 6.0])
@pytest.mark.parametrize("scale", [1e-3, 0.2, 3.0])
@pytest.mark.parametrize("mean", [-2.0, 0.0, 0.01, 1.5])
def test_cross_entropy_is_the_integral(mean, scale, rate):
    def integrand(z):
        return -stats.norm.pdf(z, mean, scale) * stats.laplace.logpdf(z, 0, 1 / rate)

    edges = [mean - 12 * scale, mean + 12 * scale]
    points = sorted({*edges, mean, *([0.0] if edges[0] < 0 < edges[1] else [])})
    expected = sum(integrate.quad(integrand, a, b, epsabs=1e-10)[0] for a, b in pairwise(points))
    found = laplace_cross_entropy(torch.tensor(mean), torch.tensor(scale), rate)
    assert found.item() == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_cross_entropy_is_the_authors_formula():
    m, log_variance = np.random.default_rng(0).normal(size=(2, 50)) * 2
    s = np.exp(log_variance / 2)
    expected = (
        -np.log(6 / 2)
        + 6 * s * np.sqrt(2 / np.pi) * np.exp(-(m**2) / (2 * s**2))
        - 6 * m * (1 - 2 * stats.norm.cdf(m / s))
    )
    found = laplace_cross_entropy(torch.tensor(m), torch.tensor(s), 6.0)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("log_variance", [-200.0, -100.0, -40.0])
@pytest.mark.parametrize("mean", [0.0, 1e-30, 1e-6, -3.0, 1e4])
def test_cross_entropy_and_its_slopes_are_finite_for_small_scales(mean, log_variance):
    m, v = torch.tensor(mean, requires_grad=True), torch.tensor(log_variance, requires_grad=True)
    found = laplace_cross_entropy(m, (0.5 * v).exp(), 6.0)
    found.backward()
    scale = math.exp(log_variance / 2)
    expected = 6 * max(abs(mean), 0.8 * scale) - math.log(3)
    assert found.item() == pytest.approx(expected, rel=1e-6, abs=1e-5)
    assert abs(m.grad.item()) <= 6
    assert abs(v.grad.item()) <= 3 * scale
    if abs(mean) > 20 * max(scale, 1e-12):
        assert m.grad.item() == pytest.approx(math.copysign(6, mean))


def test_entropy_is_scipys():
    log_variance = torch.linspace(-5, 5, 11)
    expected = stats.norm.entropy(scale=(0.5 * log_variance).exp().numpy())
    np.testing.assert_allclose(entropy(log_variance), expected, rtol=1e-5)


def test_step_is_the_authors_recomputed_with_numpy():
    """The authors' batch holds the images of all pairs: x_1, x_1', x_2, x_2', ..."""
    numbers = torch.randn((2, 2, N, LATENTS), generator=torch_rng(0, "posterior"))
    first, second = (Posterior(*both) for both in numbers)
    mu = numbers[:, 0].transpose(0, 1).reshape(2 * N, LATENTS).double().numpy()
    logvar = numbers[:, 1].transpose(0, 1).reshape(2 * N, LATENTS).double().numpy()
    entropies = 0.5 * (logvar + np.log(2 * np.pi * np.e))
    cross_normal = 0.5 * (mu**2 + np.exp(logvar)) + np.log(np.sqrt(2 * np.pi))

    def cross_laplace(mean, logvar):
        sigma = np.exp(logvar / 2)
        near = 5.0 * sigma * np.sqrt(2 / np.pi) * np.exp(-(mean**2) / (2 * sigma**2))
        return -np.log(5.0 / 2) + near - 5.0 * mean * (1 - 2 * stats.norm.cdf(mean / sigma))

    forth = cross_laplace(mu[::2] - mu[1::2], logvar[::2])
    back = cross_laplace(mu[1::2] - mu[::2], logvar[1::2])
    h, ce_normal, ce_laplace = (t.sum(1).mean() for t in (entropies, cross_normal, forth + back))
    rng = torch_rng(0, "noise")
    noise = torch.stack([torch.randn((N, LATENTS), generator=rng) for _ in range(2)], 1)
    z = mu + np.exp(logvar / 2) * noise.reshape(2 * N, LATENTS).double().numpy()
    error = ((z - 1) ** 2).sum(1).mean()
    expected = 2 * error + 1.5 * (ce_normal - h) + 7.0 * (ce_laplace - h)

    model = SlowVAE(latents=LATENTS, beta=1.5, gamma=7.0, laplace_rate=5.0)
    with initialising(0):
        model.build((1, 32, 32))
    model.encode = lambda x: second if x[0, 0, 0, 0] else first
    model.reconstruction = lambda x, z: (z - 1).square().sum(1).mean()
    x = torch.zeros(N, 1, 32, 32)
    about = {"step": 0, "steps": 10, "dataset_size": 99, "rng": torch_rng(0, "noise")}
    terms = model.terms(Batch(x=x, pair=x + 1, **about))
    assert sum(term.loss.item() for term in terms.values()) == pytest.approx(expected, rel=1e-5)
    assert terms["reconstruction"].value.item() == pytest.approx(error, rel=1e-5)
    assert terms["kl"].value.item() == pytest.approx(ce_normal - h, rel=1e-4)
