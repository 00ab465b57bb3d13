"""SAP against scikit-learn's machines, and where values or latents are missing."""

import numpy as np
import pytest
from helpers.golden_metrics import ENCODERS, Coded, halves, small
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import LinearSVC

from disentangle.errors import Unavailable
from disentangle.maths.information import gaps
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.sap import SAP, accuracies

SEEDS = st.integers(0, 2**32 - 1)


def sap(*arrays):
    return np.nanmean(gaps(accuracies(*arrays)))


def svc(z, v, test_z, test_v):
    """Return what scikit-learn's machines say, [D, K]."""
    matrix = np.empty((z.shape[1], v.shape[1]))
    for i, k in np.ndindex(*matrix.shape):
        machine = LinearSVC(C=0.01, class_weight="balanced", dual=False, tol=1e-8)
        machine.fit(z[:, [i]], v[:, k])
        matrix[i, k] = machine.score(test_z[:, [i]], test_v[:, k])
    return matrix


@pytest.mark.parametrize("encoder", ["rotation", "noisy_dead", "warped"])
def test_accuracies_of_known_codes_at_full_size_are_scikit_learns(encoder):
    rng = np.random.default_rng(0)
    arrays = Coded(ENCODERS[encoder]).train_test(10_000, 5_000, rng)
    np.testing.assert_allclose(accuracies(*arrays), svc(*arrays), atol=1e-3)


@settings(max_examples=10)
@given(SEEDS)
def test_sap_does_not_depend_on_the_order_of_rows(seed):
    z, v, test_z, test_v = halves(*small())
    rng = np.random.default_rng(seed)
    rows, test_rows = rng.permutation(len(z)), rng.permutation(len(test_z))
    found = sap(z[rows], v[rows], test_z[test_rows], test_v[test_rows])
    assert found == pytest.approx(sap(z, v, test_z, test_v), abs=1e-12)


def test_sap_of_two_values_falls_as_noise_is_added():
    rng = np.random.default_rng(0)
    v = rng.integers(0, 2, (4000, 3))
    noise = rng.normal(size=v.shape)
    scores = [sap(*halves(v + amount * noise, v)) for amount in (0, 0.3, 0.6, 1, 3, 10)]
    assert scores == sorted(scores, reverse=True)


def test_value_that_only_the_test_set_has_is_missed():
    z = np.arange(8.0)[:, None] // 4
    v = z.astype(np.int64)
    test_v = np.where(np.arange(8)[:, None] < 2, 7, v)
    np.testing.assert_array_equal(accuracies(z, v, z, test_v, c=1.0), [[0.75]])


def test_constant_factor_is_left_out():
    z, v = small()
    constant = np.hstack([np.zeros((len(v), 1), np.int64), v])
    matrix = accuracies(*halves(z, constant))
    assert np.isnan(matrix[:, 0]).all()
    np.testing.assert_array_equal(matrix[:, 1:], accuracies(*halves(z, v)))
    with pytest.raises(Unavailable, match="every factor is constant"):
        accuracies(*halves(z, constant[:, :1]))


def test_constant_latent_has_the_accuracy_of_a_guess():
    v = np.repeat([0, 1, 2], [10, 30, 20])[:, None]
    matrix = accuracies(np.full((60, 1), 0.7), v, np.full((60, 1), 0.7), v)
    assert matrix[0, 0] in (10 / 60, 30 / 60, 20 / 60)


@pytest.mark.parametrize("codes", ["factor", "noise", "constant"])
def test_one_latent_has_no_sap(codes):
    _, v = small()
    noise = np.random.default_rng(1).normal(size=(len(v), 1))
    z = {"factor": v[:, :1] + 0.0, "noise": noise, "constant": 0 * noise}[codes]
    found = SAP().score(array_source(z, v), np.random.default_rng(0))
    assert isinstance(found["sap"], Unavailable)
    assert str(found["sap"]) == "needs two latents"
    assert found["sap/accuracy"].values.shape == (1, 3)
