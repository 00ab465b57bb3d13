"""Names of latents: the factor that each is most informative of."""

import numpy as np
import pytest

from disentangle.figures import factor_names
from disentangle.figures.factor_names import Informed, shares_of, with_factors
from disentangle.figures.latents import Latents


def test_latent_that_is_a_factor_informs_of_all_of_it_and_noise_of_nothing():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, [3, 30], (1000, 2))
    codes = np.stack([labels[:, 1], rng.integers(0, 10, 1000)], axis=1)
    shares = shares_of(codes, labels)
    assert shares[0, 1] == pytest.approx(1, abs=0.15)  # the correction is of noise
    np.testing.assert_allclose(shares[1], 0, atol=0.01)
    np.testing.assert_allclose(shares[0, 0], 0, atol=0.02)


def test_factor_that_does_not_vary_is_of_no_share():
    labels = np.stack([np.zeros(20, int), np.arange(20) % 2], axis=1)
    assert shares_of(labels, labels)[:, 0].tolist() == [0, 0]


def test_active_latents_have_the_name_of_their_factor():
    latents = Latents(
        [2, 0, 1], ["KL 3", "KL 1", "KL 0"], [True, True, False], ["", "", "inactive"]
    )
    shares = np.array([[0.05, 0.01], [0.9, 0.9], [0.2, 0.4]])
    empty = np.zeros((0, 3))
    named = with_factors(latents, Informed(("shape", "scale"), shares, empty, empty.astype(int)))
    assert named.labels == ["z2  KL 3\nscale", "z0  KL 1", "z1  KL 0\ninactive"]
    assert named.named
    assert not with_factors(latents, None).named


def test_images_without_factors_name_nothing(run, monkeypatch):
    monkeypatch.setitem(run.__dict__, "dataset", object())
    assert factor_names.measure_factors(run) is None


def test_factors_of_a_run_are_those_of_its_dataset(run):
    informed = factor_names.measure_factors(run)
    assert informed.factors == tuple(run.dataset.factors)
    assert informed.shares.shape == (10, len(informed.factors))


def test_factor_of_real_numbers_is_measured_in_bins(run, monkeypatch):
    monkeypatch.setattr(run.dataset, "kinds", {"x": "continuous"})
    monkeypatch.setattr(factor_names, "BINS", 2)
    informed = factor_names.measure_factors(run)
    assert set(informed.labels[:, informed.factors.index("x")]) == {0, 1}
    assert informed.labels[:, informed.factors.index("y")].max() > 1
