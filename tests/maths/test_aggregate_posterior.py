"""The aggregate posterior against torch's densities, closed forms and identities."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal

from disentangle._utils.seeds import torch_rng
from disentangle.contracts.model import Posterior
from disentangle.maths.aggregate_posterior import (
    covariance,
    log_densities,
    log_prior,
    log_weights,
    off_diagonal,
)


def some_posterior(n=8, seed=0):
    return Posterior(*torch.randn((2, n, 4), generator=torch_rng(seed, "posterior")))


def test_log_densities_are_those_of_torch():
    q = some_posterior()
    z = q.sample(torch_rng(1, "z"))
    n = len(z)
    pairs = Normal(q.mean[None], q.scale[None]).log_prob(z[:, None])
    found = log_densities(q, z, torch.full((n, n), -math.log(n)))
    assert torch.allclose(found.posterior, Normal(q.mean, q.scale).log_prob(z).sum(1), atol=1e-5)
    assert torch.allclose(found.joint, pairs.sum(2).logsumexp(1) - math.log(n), atol=1e-5)
    assert torch.allclose(found.product, (pairs.logsumexp(1) - math.log(n)).sum(1), atol=1e-4)
    assert torch.allclose(log_prior(z), Normal(0.0, 1.0).log_prob(z).sum(1), atol=1e-5)


def correlated(n=3000, rho=0.8, d=2, noise=0.3):
    """Return posteriors whose aggregate is a Gaussian of variance 1 with correlation rho."""
    rng = torch_rng(0, "correlated")
    cov = torch.full((d, d), rho) + (1 - rho) * torch.eye(d)
    root = torch.linalg.cholesky(cov - noise**2 * torch.eye(d))
    mean = torch.randn((n, d), generator=rng) @ root.T
    q = Posterior(mean, torch.full((n, d), 2 * math.log(noise)))
    return q, q.sample(rng), -0.5 * torch.linalg.slogdet(cov)[1].item()


def total_correlation(q, z, estimator, dataset):
    found = log_densities(q, z, log_weights(len(z), dataset, estimator))
    return (found.joint - found.product).mean().item()


@pytest.mark.parametrize("d", [2, 3])
def test_total_correlation_of_a_correlated_gaussian_is_its_closed_form(d):
    q, z, expected = correlated(d=d)
    n = len(z)
    assert total_correlation(q, z, "mss", n) == pytest.approx(expected, abs=0.06)
    # The weighted estimator is off by a constant: 1 / N enters each of D dimensions, and once.
    biased = expected + (d - 1) * math.log(n)
    assert total_correlation(q, z, "mws", n) == pytest.approx(biased, abs=0.06)


def test_estimators_have_the_same_gradient_but_for_the_weight_of_the_image_itself():
    q, z, _ = correlated(n=400)
    uniform = log_densities(q, z, torch.full((400, 400), -math.log(400)))
    weighted = log_densities(q, z, log_weights(400, 1000, "mws"))
    assert torch.allclose(weighted.joint + math.log(1000), uniform.joint, atol=1e-4)


@given(st.integers(2, 40), st.integers(0, 100))
def test_stratified_weights_sum_to_1_and_favour_no_other_image(n, more):
    w = log_weights(n, n + more, "mss").exp()
    assert torch.allclose(w.sum(1), torch.ones(n), atol=1e-5)
    assert torch.allclose(w.diagonal(), torch.full((n,), 1 / (n + more)))
    assert torch.allclose(w.sum(0), torch.ones(n), atol=1e-5)


def test_released_weights_lie_in_the_first_columns():
    w = log_weights(5, 50, "mss-as-released").exp()
    rest = (50 - 4) / (50 * 4)
    assert torch.allclose(w[:, 0], torch.tensor([1 / 50, 1 / 50, 1 / 50, rest, 1 / 50]))
    assert torch.allclose(w[:, 1], torch.full((5,), rest))
    assert torch.allclose(w[:, 2:], torch.full((5, 3), 1 / 4))


@given(st.integers(0, 1000), st.floats(0.01, 3))
def test_mutual_information_is_never_above_log_n(seed, spread):
    q = some_posterior(n=12, seed=seed)
    q = Posterior(5 * q.mean, 2 * math.log(spread) + 0 * q.log_variance)
    z = q.sample(torch_rng(seed, "z"))
    for dataset in (12, 300):
        found = log_densities(q, z, log_weights(12, dataset, "mss"))
        assert (found.posterior - found.joint).max() <= math.log(dataset) + 1e-4


def test_covariance_is_numpys():
    z = torch.randn((50, 3), generator=torch_rng(0, "z"))
    assert np.allclose(covariance(z), np.cov(z.T, ddof=0), atol=1e-6)
    assert torch.equal(off_diagonal(covariance(z)).diagonal(), torch.zeros(3))
