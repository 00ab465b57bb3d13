"""HFS: its loss recomputed in NumPy, and which codes it leaves alone."""

from itertools import product

import numpy as np
import pytest
import torch

from disentangle._utils.seeds import torch_rng
from disentangle.errors import UsageError
from disentangle_plugins.models.hfs_vae import HFSVAE, too_narrow
from tests.helpers.small_vaes import (
    LATENTS,
    SHAPE,
    B,
    batch,
    built,
    cross_entropy,
    kl,
    losses,
    posterior,
    sampled,
)


def hausdorff(mean, i, j, rows):
    """max_c min_n |c - mean_n|^2 by loops."""
    return max(
        min((mean[a, i] - point[i]) ** 2 + (mean[b, j] - point[j]) ** 2 for point in mean)
        for a, b in rows
    )


@pytest.mark.parametrize("pairs", [2, 25])
@pytest.mark.parametrize("combinations", [0, 5, 100])
def test_loss_is_the_papers(combinations, pairs):
    model = built(HFSVAE, beta=2.0, gamma=30.0, combinations=combinations, latent_pairs=pairs)
    mean, scale = posterior(model)
    z, rng = sampled(mean, scale)
    every = [(0, 1), (0, 2), (1, 2)]
    chosen = [every[p] for p in torch.rand(3, generator=rng).argsort().tolist()][:pairs]
    if combinations:
        drawn = torch.randint(B, (combinations, len(chosen), 2), generator=rng).tolist()
        rows = [[row[p] for row in drawn] for p in range(len(chosen))]
    else:
        rows = [list(product(range(B), repeat=2))] * len(chosen)
    distances = [hausdorff(mean, i, j, r) for (i, j), r in zip(chosen, rows, strict=True)]
    assert losses(model) == pytest.approx(
        {
            "reconstruction": cross_entropy(model, z),
            "kl": 2 * kl(mean, scale),
            "support": 30 * sum(distances),
        },
        rel=1e-5,
    )


def test_support_is_of_at_most_25_pairs_of_latents_by_default():
    model = HFSVAE(latents=10)
    z = torch.randn((20, 10), generator=torch_rng(0, "test"))
    assert model.distances(z, torch_rng(0, "noise")).shape == (25,)
    assert HFSVAE(latents=4).distances(z[:, :4], torch_rng(0, "noise")).shape == (6,)


@pytest.mark.parametrize("combinations", [0, 100])
def test_support_of_a_full_grid_is_0_and_of_a_diagonal_is_not(combinations):
    model = HFSVAE(latents=2, combinations=combinations)
    values = torch.linspace(-1, 1, 5)
    grid, diagonal = torch.cartesian_prod(values, values), torch.stack([values, values], 1)
    assert model.distances(grid, torch_rng(0, "noise")).sum() == 0
    assert model.distances(diagonal, torch_rng(0, "noise")).sum() == 2


@pytest.mark.parametrize(("over", "axis"), [("batch", 0), ("latents", 1)])
def test_scale_term_asks_for_values_from_0_to_1(over, axis):
    model = built(HFSVAE, scale_over=over, scale=3.0)
    mean, _ = posterior(model)
    expected = np.maximum(0, 1 - mean.max(axis)) + np.maximum(0, mean.min(axis))
    assert losses(model)["scale"] == pytest.approx(3 * expected.sum(), rel=1e-5)


def test_scale_term_over_the_batch_lets_wide_latents_be():
    z = torch.tensor([[0.0, 0.2], [1.0, 0.7]])
    assert too_narrow(z, "batch").item() == pytest.approx(0.3 + 0.2)
    assert too_narrow(z, "latents").item() == pytest.approx(0.8 + 0.7)


def test_support_has_a_gradient_for_the_encoder_alone():
    model = built(HFSVAE)
    model.terms(batch())["support"].loss.backward()
    assert model.encoder[1].weight.grad[:LATENTS].abs().sum() > 0
    assert model.decoder[0].weight.grad is None


def test_single_latent_is_refused_as_it_has_no_pairs():
    with pytest.raises(UsageError, match=r"pairs of latents: expected `--latents 2` or more"):
        HFSVAE(latents=1).build(SHAPE)
