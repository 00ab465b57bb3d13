"""The FactorVAE score where latents are dead, codes are wide and images serve once."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, identity

from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.factor_vae_score import FactorVAEScore


def score(source, seed=0, **knobs):
    return FactorVAEScore(**knobs).score(source, np.random.default_rng(seed))["factor-vae-score"]


def test_score_falls_as_noise_is_added_to_the_factors():
    rng = np.random.default_rng(1)
    v = rng.integers(0, (3, 4, 5), (5000, 3))
    noise = rng.normal(size=v.shape)
    scores = [score(array_source(v + amount * noise, v)) for amount in (0, 2, 5, 10, 50)]
    assert scores[0] == 1
    assert scores == sorted(scores, reverse=True)


def test_score_without_an_active_latent_is_the_references_zero():
    found = FactorVAEScore().score(Coded(lambda u, index: 0.01 * u), np.random.default_rng(0))
    assert found["factor-vae-score"] == 0
    assert (found["factor-vae-score/votes"].values == 0).all()


def test_dead_latents_get_no_votes():
    def dead(u, index):
        return np.hstack([u, 0.01 * u, np.full((len(u), 1), 0.7)])

    found = FactorVAEScore(train=200, test=100).score(Coded(dead), np.random.default_rng(0))
    votes = found["factor-vae-score/votes"].values
    assert votes.shape == (11, 5)
    assert votes[5:].sum() == 0
    assert found["factor-vae-score"] == 1


def test_variance_of_codes_far_from_zero_is_not_lost():
    assert score(Coded(lambda u, index: u + 1e8), train=200, test=100) == 1


def test_wide_codes_are_read_in_blocks():
    largest = 0

    class Wide(Coded):
        def codes(self, index):
            nonlocal largest
            z = np.repeat(super().codes(index), 800, axis=1)
            largest = max(largest, z.nbytes)
            return z

    assert score(Wide(identity), train=50, test=20, variances=1000) == 1
    assert largest < 2**23


def test_votes_where_images_serve_once_come_from_two_parts():
    source = Coded(identity)
    source.disjoint = True
    assert score(source, train=200, test=100) == 1


def test_single_factor_is_unavailable():
    with pytest.raises(Unavailable, match="needs at least two factors, got 1"):
        score(Coded(identity, {"only": 9}))
