"""The Hessian penalty against a transcription, and functions whose Hessian is known."""

import numpy as np
import pytest
import torch

from disentangle._utils.seeds import torch_rng
from disentangle.maths import HessianPenalty

N, D, UNITS = 5, 3, 4
Z = torch.randn((N, D), generator=torch_rng(0, "z"), dtype=torch.float64)
SCALE = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
WEIGHTS = torch.randn((D, UNITS), generator=torch_rng(0, "weights"), dtype=torch.float64)


def of(function, penalty=None, z=Z):
    """The penalty of a function of latents [N, D]."""
    penalty = penalty or HessianPenalty()
    return penalty([function(penalty.probes(z, SCALE, torch_rng(1, "draws")))])


def mixed(z):
    return (z @ WEIGHTS.to(z)).tanh()


def additive(z):
    return z.sin() @ WEIGHTS.to(z).abs() + z**3 @ WEIGHTS.to(z)


def product(z):
    return z[:, :1] * z[:, 1:2]


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("draws", [2, 5])
def test_penalty_is_its_formula(draws, normalised):
    """A transcription in loops, of the definition by one image, unit and draw."""
    epsilon = 0.1
    rng = torch_rng(1, "draws")
    coins = torch.randint(2, (draws, N, D), generator=rng).numpy()
    normal = torch.randn((draws, N, D), generator=rng, dtype=torch.float64).numpy()
    weights, scale = WEIGHTS.numpy(), SCALE.numpy()

    def variance(i, directions):
        each = []
        for unit in range(UNITS):

            def a(z, unit=unit):
                return np.tanh(sum(z[d] * weights[d, unit] for d in range(D)))

            z = Z[i].numpy()
            differences = []
            for draw in range(draws):
                h = epsilon * directions[draw, i] * scale
                differences.append((a(z + h) - 2 * a(z) + a(z - h)) / epsilon**2)
            mean = sum(differences) / draws
            each.append(sum((d - mean) ** 2 for d in differences) / draws)
        return sum(each) / UNITS

    expected = []
    for i in range(N):
        off_diagonal = variance(i, np.where(coins == 1, 1.0, -1.0))
        whole = variance(i, normal) + 1e-10
        expected.append(off_diagonal / whole if normalised else off_diagonal)
    penalty = HessianPenalty(draws, epsilon, normalised)
    np.testing.assert_allclose(of(mixed, penalty).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_penalty_of_an_additive_function_is_0_to_rounding_and_of_a_product_is_not(dtype):
    """Rounding of a second difference is about 2 u |a| / epsilon^2, for a unit u of rounding."""
    plain = HessianPenalty(draws=8, normalised=False)
    z = Z.to(dtype)
    rounding = 20 * (2 * torch.finfo(dtype).eps * additive(z).abs().max() / 0.1**2) ** 2
    assert of(additive, plain, z).max() < rounding < 1e-4
    assert of(product, plain, z).min() > 0.1
    assert of(additive, HessianPenalty(draws=8), z).max() < 1e-4
    assert of(product, HessianPenalty(draws=8), z).min() > 0.05


@pytest.mark.parametrize("normalised", [True, False])
def test_penalty_is_the_off_diagonal_part_of_a_known_hessian(normalised):
    """Var(h' H h) is 2 sum_(i != j) H_ij^2 for signs and 2 sum_ij H_ij^2 for Gaussians."""
    half = torch.tensor([[1.0, 0.5, 0.0], [0.0, -0.3, 0.8], [0.0, 0.0, 0.2]], dtype=torch.float64)
    hessian = (half + half.T) * SCALE * SCALE[:, None]
    off = hessian - torch.diag(hessian.diagonal())
    expected = 2 * off.square().sum()
    if normalised:
        expected = expected / (2 * hessian.square().sum())

    def quadratic(z):
        return ((z @ half) * z).sum(1, keepdim=True)

    penalty = HessianPenalty(draws=40_000, normalised=normalised)
    torch.testing.assert_close(of(quadratic, penalty, Z[:2]), expected.expand(2), rtol=0.03, atol=0)


def test_normalised_penalty_does_not_depend_on_the_size_of_a_function():
    large = of(lambda z: 100 * mixed(z))
    torch.testing.assert_close(large, of(mixed), rtol=1e-4, atol=0)


def test_penalties_of_functions_are_added():
    penalty = HessianPenalty()
    probes = penalty.probes(Z, SCALE, torch_rng(1, "draws"))
    both = penalty([mixed(probes), product(probes)])
    torch.testing.assert_close(both, penalty([mixed(probes)]) + penalty([product(probes)]))


def test_probes_are_steps_from_the_latents_both_ways():
    """Of 4 per draw, those of random signs come first; 2 per draw without the whole Hessian."""
    probes = HessianPenalty().probes(Z, SCALE, torch_rng(1, "draws"))
    assert probes.shape == (8 * N, D)
    steps = probes.unflatten(0, (2, 2, 2, N)) - Z
    torch.testing.assert_close(steps[:, 0], -steps[:, 1])
    signs = steps[0] / (0.1 * SCALE)
    torch.testing.assert_close(signs.abs(), torch.ones_like(signs))
    few = HessianPenalty(normalised=False).probes(Z, SCALE, torch_rng(1, "draws"))
    assert torch.equal(few, probes[: 4 * N])


def test_gradient_is_that_of_the_formula():
    z = Z.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: of(mixed, z=z), [z])
