"""SNC against closed forms, and where codes repeat, are missing or are uneven."""

import numpy as np
import pytest
from helpers.golden_metrics import ENCODERS, Coded, halves, small
from scipy.stats import norm

from disentangle.errors import Unavailable
from disentangle_plugins.metrics.snc import SNC, accuracies, read, snc


@pytest.mark.parametrize(
    ("encoder", "low", "high"),
    [
        ("identity", 1, 1),
        ("warped", 1, 1),
        ("duplicated", 1, 1),
        ("rotation", 0.2, 0.4),
        ("noise10", 0.11, 0.14),
    ],
)
def test_known_codes_at_full_size(encoder, low, high):
    scores = SNC().score(Coded(ENCODERS[encoder]), np.random.default_rng(0))
    assert low <= scores["snc"] <= high


def test_noise_scores_one_over_the_number_of_values():
    scores = SNC().score(Coded(ENCODERS["noise10"]), np.random.default_rng(0))
    chance = 1 / np.array([3, 6, 40, 32, 32])
    np.testing.assert_allclose(scores["snc/accuracies"].values, chance, atol=0.03)


def test_accuracy_of_overlapping_codes_is_the_normal_distributions():
    rng = np.random.default_rng(0)
    v = rng.integers(0, 2, (20_000, 1))
    z = v + 0.5 * rng.normal(size=v.shape)
    assert snc(*halves(z, v)) == pytest.approx(norm.cdf(1), abs=0.01)


def test_each_factor_has_a_latent_of_its_own():
    v = np.random.default_rng(0).integers(0, 4, (2000, 2))
    z = np.hstack([4.0 * v[:, :1] + v[:, 1:], v[:, 1:] + 0.0])
    accuracy, latents = accuracies(z, v, z, v)
    assert latents.tolist() == [0, 1]
    np.testing.assert_allclose(accuracy, 1)
    _, latents = accuracies(z[:, :1], v, z[:, :1], v)
    assert latents[0] == 0
    assert np.isnan(latents[1])


def test_factor_without_a_latent_counts_0():
    z, v = small(n=2000)
    accuracy, _ = accuracies(z[:, :1], v, z[:, :1], v)
    assert accuracy[1:].tolist() == [0, 0]
    assert snc(z[:, :1], v, z[:, :1], v) == pytest.approx(accuracy[0] / 3)


def test_exact_codes_are_read_exactly_however_uneven_and_many_their_values():
    v = np.minimum(np.random.default_rng(0).geometric(0.05, (4000, 1)), 60)
    assert snc(*halves(v**3.0, v)) > 0.99


def test_bins_predict_different_values_whatever_the_order():
    x = np.arange(300.0)
    y = np.array([5, 0, 9])[np.arange(300) // 100]
    assert read(x, y, np.array([-1.0, 50, 150, 250, 999])).tolist() == [5, 5, 0, 9, 9]


def test_constant_latent_predicts_the_most_frequent_value():
    y = np.repeat([0, 1, 2], [20, 50, 30])
    assert read(np.ones(100), y, np.zeros(2)).tolist() == [1, 1]


def test_values_of_unequal_frequency_are_read_worse():
    v = np.repeat([0, 1], [900, 100])[:, None]
    z = v + 0.1 * np.random.default_rng(0).normal(size=v.shape)
    assert snc(z, v, z, v) == pytest.approx(0.6)  # half of the rows are in each bin


def test_constant_factors_are_left_out():
    z, v, test_z, test_v = halves(*small())
    more, test_more = (np.hstack([a, np.ones_like(a[:, :1])]) for a in (v, test_v))
    assert snc(z, more, test_z, test_more) == snc(z, v, test_z, test_v)
    with pytest.raises(Unavailable, match="every factor is constant"):
        snc(z, 0 * v, test_z, test_v)


def test_details_name_the_latents():
    scores = SNC(train=500).score(Coded(lambda u, index: u[:, ::-1]), np.random.default_rng(0))
    assert scores["snc/latents"].values.tolist() == [4, 3, 2, 1, 0]
    assert scores["snc"] == pytest.approx(scores["snc/accuracies"].values.mean())
