"""The discriminator of codes, and the permutation of their latents."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.nn import Discriminator, permute_latents


def made(inputs=3, layers=6):
    with initialising(0):
        return Discriminator(inputs, layers)


@pytest.mark.parametrize("layers", [5, 6])
def test_discriminator_has_hidden_layers_of_1000_units_and_two_logits(layers):
    hidden = (layers - 1) * (1000 * 1000 + 1000)
    expected = 3 * 1000 + 1000 + hidden + 1000 * 2 + 2
    assert sum(p.numel() for p in made(3, layers).parameters()) == expected


def test_discriminators_values_are_the_formulas():
    model = made()
    z, permuted = torch.randn((2, 7, 3), generator=torch_rng(0, "z"))

    def logits(codes):
        x = codes.numpy().astype(float)
        layers = [m for m in model if isinstance(m, torch.nn.Linear)]
        for i, layer in enumerate(layers):
            weight, bias = (p.detach().numpy().astype(float) for p in (layer.weight, layer.bias))
            x = x @ weight.T + bias
            x = np.where(x > 0, x, 0.2 * x) if i < len(layers) - 1 else x
        return x

    def entropy(logits, k):
        return np.mean([np.log(np.exp(row).sum()) - row[k] for row in logits])

    a, b = logits(z), logits(permuted)
    assert model.total_correlation(z).item() == pytest.approx(np.mean(a[:, 0] - a[:, 1]), rel=1e-4)
    expected = 0.5 * (entropy(a, 0) + entropy(b, 1))
    assert model.loss(z, permuted).item() == pytest.approx(expected, rel=1e-5)


def test_total_correlation_of_a_trained_discriminator_is_that_of_the_codes():
    """Two latents of two values that are equal in 90 % of codes: TC = ln 2 - H(0.9)."""
    share = 0.9
    expected = math.log(2) + share * math.log(share) + (1 - share) * math.log(1 - share)
    rng = torch_rng(0, "codes")
    a = (torch.rand((4000,), generator=rng) < 0.5).float()
    b = torch.where(torch.rand((4000,), generator=rng) < share, a, 1 - a)
    z = torch.nn.functional.one_hot(torch.stack([a, b], 1).long(), 2).float()  # [N, 2, value]
    with initialising(0):
        model = Discriminator(4, layers=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(100):
        optimizer.zero_grad()
        model.loss(z.flatten(1), permute_latents(z, rng).flatten(1)).backward()
        optimizer.step()
    assert model.total_correlation(z.flatten(1)).item() == pytest.approx(expected, abs=0.05)


@given(st.integers(2, 30), st.integers(1, 5), st.integers(0, 3))
def test_permutation_keeps_the_codes_of_each_latent(n, d, values):
    z = torch.randn((n, d, values) if values else (n, d), generator=torch_rng(n, "z"))
    permuted = permute_latents(z, torch_rng(d, "permute"))
    for k in range(d):
        before, after = (sorted(t[:, k].reshape(n, -1).tolist()) for t in (z, permuted))
        assert before == after


def test_permutation_makes_latents_independent():
    z = torch.randn((2000, 1), generator=torch_rng(0, "z")).repeat(1, 2)
    corr = np.corrcoef(permute_latents(z, torch_rng(0, "permute")).T)[0, 1]
    assert abs(corr) < 0.08


def test_one_hot_codes_are_permuted_as_numbers_are():
    z = torch.randint(0, 4, (9, 3), generator=torch_rng(0, "z"))
    one_hot = permute_latents(torch.nn.functional.one_hot(z, 4), torch_rng(1, "permute"))
    assert torch.equal(one_hot.argmax(2), permute_latents(z, torch_rng(1, "permute")))
