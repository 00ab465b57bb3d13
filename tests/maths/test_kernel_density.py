"""Multi-information by kernels, against a transcription and a Gaussian's closed form."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from disentangle._utils.seeds import torch_rng
from disentangle.maths import kernel_multi_information


def gaussian(n, correlation):
    z = torch.randn((n, 2), generator=torch_rng(0, "z"), dtype=torch.float64)
    return z @ torch.tensor([[1.0, correlation], [0.0, math.sqrt(1 - correlation**2)]]).double()


def test_estimate_is_its_formula():
    """Loops over images, kernels and latents, of the authors' formula."""
    b, latents = 7, 3
    z = torch.randn((b, latents), generator=torch_rng(0, "z"), dtype=torch.float64)
    std = z.std(0, correction=0).numpy()
    s = std * (4 / (latents + 2)) ** (1 / (latents + 4)) * b ** (-1 / (latents + 4))
    points, expected = z.numpy(), []
    for row in points:
        kernels = [np.prod([norm.pdf(row[k], o[k], s[k]) for k in range(latents)]) for o in points]
        marginals = [
            sum(norm.pdf(row[k], o[k], std[k]) for o in points) / b for k in range(latents)
        ]
        expected.append(math.log(sum(kernels) / b) - sum(map(math.log, marginals)))
    got = kernel_multi_information(z, torch.from_numpy(std))
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_estimate_of_a_gaussian_is_that_of_its_smoothed_densities(correlation):
    """The closed form of E log N(z; 0, S + H) - sum_d E log N(z_d; 0, 2), for z ~ N(0, S).

    H is the joint kernel's variance. What is left is the kernel of each point on itself, 1/N of the
    density. The bias of the estimate is the smoothing, which lowers each marginal log density by
    (ln 2 - 1/2) / 2: of the true values -ln(1 - r^2) / 2, 0 and 0.511 nats, it makes 0.19 and 0.68.
    """
    n = 3000
    z = gaussian(n, correlation)
    covariance = np.array([[1, correlation], [correlation, 1]])
    h2 = (4 / 4) ** (2 / 6) * n ** (-2 / 6)
    smooth = covariance + h2 * np.eye(2)
    joint = -math.log(2 * math.pi) - 0.5 * math.log(np.linalg.det(smooth))
    joint -= 0.5 * np.trace(np.linalg.solve(smooth, covariance))
    marginal = -0.5 * math.log(2 * math.pi * 2) - 0.25
    got = kernel_multi_information(z, torch.ones(2, dtype=torch.float64)).mean().item()
    assert got == pytest.approx(joint - 2 * marginal, abs=0.03)
    assert got - -0.5 * math.log(1 - correlation**2) == pytest.approx(0.2, abs=0.02)


def test_far_points_do_not_underflow():
    z = torch.tensor([[0.0] * 20, [1e4] * 20])
    assert kernel_multi_information(z, torch.full((20,), 1e-3)).isfinite().all()
