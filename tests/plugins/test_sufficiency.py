"""Sufficiency against closed forms, and what it does not see."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, identity, noise, small

from disentangle.errors import Unavailable
from disentangle_plugins.metrics.sufficiency import Sufficiency, sufficiency


def test_share_of_a_factors_entropy_in_its_best_latent():
    v = np.stack(np.meshgrid(np.arange(4), np.arange(2)), -1).reshape(-1, 2)
    assert sufficiency(v.astype(float), v) == pytest.approx(1)
    assert sufficiency(v[:, :1] // 2 + 0.0, v) == pytest.approx(1 / 4)  # mean of 1/2 and 0
    assert sufficiency(2.0 * v[:, :1] + v[:, 1:], v) == pytest.approx(1)  # one latent for both


def test_dependent_factors_lower_nothing():
    a = np.random.default_rng(0).integers(0, 4, 1000)
    v = np.stack([a, a // 2], axis=1)
    assert sufficiency(v + 0.0, v) == pytest.approx(1)


def test_copies_and_latents_of_noise_change_nothing():
    z, v = small(n=3000)
    more = np.hstack([z, z, np.random.default_rng(1).normal(size=(len(z), 3)), np.ones_like(z)])
    assert sufficiency(more, v) == pytest.approx(sufficiency(z, v))


def test_known_codes_at_full_size():
    # 15 bins hold ln 15 of the entropies ln 40 and ln 32.
    ceiling = (2 + np.log(15) * (1 / np.log(40) + 2 / np.log(32))) / 5
    for encoder, expected in ((identity, ceiling), (noise, 0)):
        scores = Sufficiency().score(Coded(encoder), np.random.default_rng(0))
        assert scores["sufficiency"] == pytest.approx(expected, abs=0.01)


def test_detail_is_the_matrix_behind_the_score():
    scores = Sufficiency(samples=500).score(Coded(identity), np.random.default_rng(0))
    information = scores["sufficiency/information"]
    assert information.axes == ("latent", "factor")
    assert scores["sufficiency"] == pytest.approx(information.values.max(axis=0).mean())


def test_constant_factors_are_left_out():
    z, v = small()
    more = np.hstack([v, np.ones_like(v[:, :1])])
    assert sufficiency(z, more) == pytest.approx(sufficiency(z, v))
    with pytest.raises(Unavailable, match="every factor is constant"):
        sufficiency(z, np.zeros_like(v))


def test_constant_codes_score_0():
    z, v = small()
    assert sufficiency(np.ones_like(z), v) == pytest.approx(0, abs=1e-12)
