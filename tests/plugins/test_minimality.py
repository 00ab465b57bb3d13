"""Minimality against closed forms, and what it leaves out."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, case_arrays, golden, identity, noise, small

from disentangle.errors import Unavailable
from disentangle_plugins.metrics.minimality import Minimality, minimality

VALUES = golden("minimality")


def test_share_of_the_entropy_that_one_factor_explains():
    v = np.stack(np.meshgrid(np.arange(4), np.arange(2)), -1).reshape(-1, 2)
    assert minimality(v.astype(float), v) == pytest.approx(1)
    assert minimality(2.0 * v[:, :1] + v[:, 1:], v) == pytest.approx(2 / 3)  # ln 4 / ln 8


def test_latent_may_drop_information():
    v = np.arange(8)[:, None]
    assert minimality(v // 4 + 0.0, v) == pytest.approx(1)


def test_dependent_factors_lower_nothing():
    a = np.random.default_rng(0).integers(0, 4, 1000)
    v = np.stack([a, a // 2], axis=1)
    assert minimality(v + 0.0, v) == pytest.approx(1)


def test_constant_latents_are_left_out_where_the_authors_have_nan():
    values = [value for value in VALUES if value["value"] == "nan"]
    assert {value["case"] for value in values} == {"toy_const_dim"}
    for value in values:
        z, v, _, _ = case_arrays(value)
        varying = z[:, np.ptp(z, axis=0) > 0]
        assert varying.shape[1] == z.shape[1] - 1
        assert minimality(z, v) == pytest.approx(minimality(varying, v), abs=1e-12)


def test_noise_lowers_the_mean_and_a_copy_does_not():
    z, v = small(n=3000)
    noisy = np.hstack([z, np.random.default_rng(1).normal(size=(len(z), 3))])
    assert minimality(noisy, v) == pytest.approx(minimality(z, v) / 2, abs=0.01)
    assert minimality(np.hstack([z, z]), v) == pytest.approx(minimality(z, v))


def test_known_codes_at_full_size():
    for encoder, least, most in ((identity, 1 - 1e-9, 1), (noise, 0, 0.02)):
        scores = Minimality().score(Coded(encoder), np.random.default_rng(0))
        assert least <= scores["minimality"] <= most + 1e-9


def test_detail_is_the_matrix_behind_the_score():
    def with_constant(u, index):
        return np.hstack([u, np.ones((len(u), 1))])

    scores = Minimality(samples=500).score(Coded(with_constant), np.random.default_rng(0))
    information = scores["minimality/information"]
    assert information.axes == ("latent", "factor")
    assert np.isnan(information.values).all(axis=1).tolist() == [False] * 5 + [True]
    expected = np.nanmax(information.values[:5], axis=1).mean()
    assert scores["minimality"] == pytest.approx(expected)


def test_nothing_that_varies_is_unavailable():
    z, v = small()
    with pytest.raises(Unavailable, match="every factor is constant"):
        minimality(z, np.zeros_like(v))
    with pytest.raises(Unavailable, match="every latent is constant"):
        minimality(np.ones_like(z), v)
