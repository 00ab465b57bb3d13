"""SAP against the reference's values and scikit-learn's machines, and what must not change it."""

import numpy as np
import pytest
from helpers.golden_metrics import (
    ARRAYS,
    DSPRITES,
    ENCODERS,
    SHAPES3D,
    Coded,
    case_arrays,
    golden,
    name_of,
    single_run,
    small,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import LinearSVC

from disentangle.errors import Unavailable
from disentangle.maths.information import gaps
from disentangle.maths.linear_svm import fit_svms
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.sap import SAP, accuracies

SEEDS = st.integers(0, 2**32 - 1)


def sap(*arrays):
    return np.nanmean(gaps(accuracies(*arrays)))


def halves(z, v):
    return z[::2], v[::2], z[1::2], v[1::2]


def svc(z, v, test_z, test_v):
    """Return what scikit-learn's machines say, [D, K]."""
    matrix = np.empty((z.shape[1], v.shape[1]))
    for i, k in np.ndindex(*matrix.shape):
        machine = LinearSVC(C=0.01, class_weight="balanced", dual=False, tol=1e-8)
        machine.fit(z[:, [i]], v[:, k])
        matrix[i, k] = machine.score(test_z[:, [i]], test_v[:, k])
    return matrix


@pytest.mark.parametrize("value", golden("sap_discrete"), ids=name_of)
def test_sap_is_the_references(value):
    assert sap(*case_arrays(value)) == pytest.approx(value["value"], abs=5e-3)


@pytest.mark.parametrize("value", golden("sap_discrete"), ids=name_of)
def test_accuracies_are_the_references(value):
    version = value["versions"]["sklearn"]
    expected = ARRAYS[f"expected_sk{version}/{value['case']}/sap_svc_matrix"]
    np.testing.assert_allclose(accuracies(*case_arrays(value)), expected, atol=1.5e-3)


@pytest.mark.parametrize("value", golden("aggregate"), ids=name_of)
def test_mean_gap_of_a_matrix_is_the_references(value):
    matrix = ARRAYS["expected/agg/" + value["case"].removeprefix("agg:")]
    assert np.mean(gaps(matrix)) == pytest.approx(value["value"]["sap"], abs=1e-6)


@pytest.mark.parametrize("encoder", ["rotation", "noisy_dead", "warped"])
def test_accuracies_of_known_codes_at_full_size_are_scikit_learns(encoder):
    rng = np.random.default_rng(0)
    arrays = Coded(ENCODERS[encoder]).train_test(10_000, 5_000, rng)
    np.testing.assert_allclose(accuracies(*arrays), svc(*arrays), atol=1e-3)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    ("sizes", "name"), [(DSPRITES, "dsprites"), (SHAPES3D, "shapes3d")], ids=["dsprites", "shapes"]
)
def test_sap_of_known_codes_at_full_size(sizes, name, encoder):
    # Which of the machines of neighbouring values is the higher one hangs on the sample.
    found = SAP().score(Coded(ENCODERS[encoder], sizes), np.random.default_rng(0))
    expected = single_run("sap_discrete", name, encoder)["SAP_score"]
    assert found["sap"] == pytest.approx(expected, abs=0.04)


@settings(max_examples=25)
@given(
    SEEDS,
    st.integers(2, 5),
    st.sampled_from([1e-4, 1.0, 1e3]),
    st.sampled_from([0.0, 3.0]),
    st.sampled_from([1e-4, 0.01, 1.0]),
)
def test_machines_are_scikit_learns(seed, values, scale, shift, c):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(120) % 7 % values)
    x = scale * (shift + y % 3 + rng.normal(size=len(y)))
    count = np.bincount(y)
    own = c * len(y) / (values * count)
    others = own[::-1] if values == 2 else np.full(values, c)
    w, b = fit_svms(x, y[:, None], own, others)
    expected = LinearSVC(C=c, class_weight="balanced", dual=False, tol=1e-10, max_iter=10_000)
    expected.fit(x[:, None], y)
    w, b = (w[1:], b[1:]) if values == 2 else (w, b)
    np.testing.assert_allclose(w * scale, expected.coef_[:, 0] * scale, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(b, expected.intercept_, rtol=1e-4, atol=1e-6)


@settings(max_examples=10)
@given(st.permutations(range(3)), st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
def test_sap_does_not_depend_on_order_or_sign_of_latents(order, signs):
    z, v = small()
    assert sap(*halves(z[:, order] * signs, v)) == pytest.approx(sap(*halves(z, v)), abs=1e-12)


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


def test_sap_of_one_latent_is_its_accuracy():
    z, v = small()
    found = SAP().score(array_source(z[:, :1], v[:, :1]), np.random.default_rng(0))
    assert found["sap"] == found["sap/accuracy"].values[0, 0]
