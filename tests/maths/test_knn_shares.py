"""Information of latents about factors by nearest neighbours, on a scale of 0 to 1."""

import numpy as np
import pytest

from disentangle.maths import (
    entropies,
    knn_mutual_information,
    ksg_mutual_information,
    neighbour_shares,
    real_numbers,
)
from disentangle.scoring.arrays import array_source


def arrays():
    rng = np.random.default_rng(0)
    v = np.stack([np.arange(600) % 5, rng.normal(size=600), np.zeros(600)], 1)
    z = np.stack([v[:, 0] + 0.2 * rng.normal(size=600), v[:, 1] + rng.normal(size=600)], 1)
    return z, v


def test_shares_are_of_the_entropy_of_labels_and_the_r2_of_numbers():
    z, v = arrays()
    labels = np.unique(v, return_inverse=True, axis=None)[1].reshape(v.shape)
    shares = neighbour_shares(z, labels, {1: v[:, 1]}, np.random.default_rng(0))
    of_labels = knn_mutual_information(z, labels[:, :1], np.random.default_rng(0))
    of_numbers = ksg_mutual_information(z, v[:, [1]], np.random.default_rng(0))
    assert shares[:, 0] == pytest.approx(of_labels[:, 0] / entropies(labels[:, :1]))
    assert shares[:, 1] == pytest.approx(1 - np.exp(-2 * of_numbers[:, 0]), abs=1e-6)
    assert np.isnan(shares[:, 2]).all()


def test_two_gaussians_share_their_squared_correlation():
    rng = np.random.default_rng(0)
    v = rng.normal(size=(5000, 1))
    z = 0.8 * v + 0.6 * rng.normal(size=v.shape)
    labels = np.argsort(np.argsort(v, axis=0), axis=0)
    share = neighbour_shares(z, labels, {0: v[:, 0]}, rng)
    assert share[0, 0] == pytest.approx(0.64, abs=0.03)


def test_real_numbers_of_a_cyclic_factor_are_within_its_period():
    rng = np.random.default_rng(0)
    v = np.stack([rng.uniform(-180, 180, 50), rng.normal(size=50), np.arange(50) % 2], 1)
    kinds = {"turn": "cyclic=360", "x": "continuous", "side": "categorical"}
    source = array_source(v, v, names=list(kinds), kinds=kinds)
    numbers = real_numbers(source, source.labels(np.arange(50)))
    assert numbers.keys() == {0, 1}
    assert numbers[0] == pytest.approx(v[:, 0] % 360)
    assert (numbers[1] == v[:, 1]).all()
