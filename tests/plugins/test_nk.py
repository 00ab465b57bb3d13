"""NK: what is lost without a latent, where that is known."""

import numpy as np
import pytest
from helpers.golden_metrics import halves, small

from disentangle.errors import Unavailable
from disentangle.maths import small_fit
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.nk import NK, accuracies, classify, nk


def factors(n=2000):
    rng = np.random.default_rng(0)
    v = rng.integers(0, (2, 4), (n, 2))
    return v + 0.05 * rng.normal(size=v.shape), v


def parts(z, v):
    return accuracies(*halves(z, v), np.random.default_rng(0), 20)


def test_factor_of_one_latent_falls_to_chance_without_it():
    every, without, latents = parts(*factors())
    assert latents.tolist() == [0, 1]
    np.testing.assert_allclose(every, 1, atol=0.01)
    np.testing.assert_allclose(without, [1 / 2, 1 / 4], atol=0.06)


def test_nothing_is_lost_with_a_copy():
    z, v = factors()
    copied = np.hstack([z, z + 0.05 * np.random.default_rng(1).normal(size=z.shape)])
    assert nk(*halves(copied, v)) == pytest.approx(0, abs=0.01)


def test_nothing_is_lost_from_noise():
    _, v = factors()
    z = np.random.default_rng(1).normal(size=(len(v), 4))
    assert nk(*halves(z, v)) == pytest.approx(0, abs=0.05)


def test_last_latent_leaves_the_most_frequent_value():
    v = np.repeat([0, 1], [300, 700])[:, None]
    every, without, _ = parts(v + 0.0, v)
    assert every.tolist() == [1]
    assert without.tolist() == [0.7]


def test_factor_without_a_latent_loses_nothing():
    z, v = factors()
    every, without, latents = parts(z[:, 1:], v)
    assert np.isnan(latents[0])
    assert without[0] == every[0]
    assert without[1] < every[1] - 0.5


def test_same_seed_is_the_same_network():
    arrays = halves(*small())
    assert nk(*arrays, seed=3) == nk(*arrays, seed=3)
    x, y, test_x, _ = arrays
    with small_fit():
        first, second = (classify(x, y[:, 0], test_x, 5, seed) for seed in (0, 1))
    assert (first != second).any()


def test_order_of_latents_changes_nothing():
    z, v, test_z, test_v = halves(*small())
    order = [2, 0, 1]
    assert nk(z[:, order], v, test_z[:, order], test_v) == nk(z, v, test_z, test_v)


def test_constant_latents_change_nothing():
    z, v, test_z, test_v = halves(*small())
    more, test_more = (np.hstack([np.full_like(a[:, :2], 0.7), a]) for a in (z, test_z))
    assert nk(more, v, test_more, test_v) == nk(z, v, test_z, test_v)
    assert nk(more[:, :2], v, test_more[:, :2], test_v) == 0


def test_constant_factors_are_left_out():
    z, v, test_z, test_v = halves(*small())
    more, test_more = (np.hstack([a, np.ones_like(a[:, :1])]) for a in (v, test_v))
    every, without, _ = accuracies(z, more, test_z, test_more, np.random.default_rng(0), 2)
    assert np.isnan(every).tolist() == np.isnan(without).tolist() == [False] * 3 + [True]
    with pytest.raises(Unavailable, match="every factor is constant"):
        nk(z, 0 * v, test_z, test_v)


def test_details_are_behind_the_score():
    scores = NK(epochs=5).score(array_source(*factors(600)), np.random.default_rng(0))
    lost = scores["nk/all"].values - scores["nk/without"].values
    assert scores["nk"] == pytest.approx(lost.mean())
    assert scores["nk/latents"].values.tolist() == [0, 1]
