"""Mutual information by nearest neighbours, against its definition and scikit-learn."""

import numpy as np
import pytest
from helpers.golden_metrics import small
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from disentangle.maths.knn_information import knn_mutual_information, ksg_mutual_information
from disentangle.maths.probes import standardised


def rng(seed=0):
    return np.random.default_rng(seed)


def by_definition(x, y, neighbours):
    size = np.array([(y == label).sum() for label in y])
    x, y, size = x[size > 1], y[size > 1], size[size > 1]
    apart = np.abs(x[:, None] - x)
    k = np.minimum(neighbours, size - 1)
    radius = [np.sort(apart[i, y == y[i]])[k[i]] for i in range(len(x))]
    m = (apart < np.array(radius)[:, None]).sum(axis=1)
    terms = digamma(k) - digamma(size) - digamma(m)
    return max(0, digamma(len(x)) + terms.mean())


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 5), st.sampled_from([8, 30, 100]))
def test_information_by_neighbours_is_what_the_definition_says(seed, neighbours, n):
    made = rng(seed)
    y = made.integers(0, 3, n)
    x = standardised(made.normal(size=(n, 1)) + y[:, None], np.zeros((0, 1)))[0]
    found = knn_mutual_information(x, y[:, None], rng(), neighbours)[0, 0]
    assert found == pytest.approx(by_definition(x[:, 0], y, neighbours), abs=1e-9)


@settings(max_examples=5)
@given(st.integers(0, 2**31), st.integers(1, 5))
def test_information_by_neighbours_is_scikit_learns(seed, neighbours):
    made = rng(seed)
    v = made.integers(0, (2, 5), (300, 2))
    z = made.normal(size=(300, 2)) * [1, 100] + v * [2, 10]
    found = knn_mutual_information(z, v, rng(), neighbours)
    for information, y in zip(found.T, v.T, strict=True):
        wanted = mutual_info_classif(z, y, n_neighbors=neighbours, random_state=0)
        np.testing.assert_allclose(information, wanted, atol=1e-9)


def test_label_of_one_image_is_left_out():
    z, v = small()
    z, v = np.vstack([z, z[:1] + 0.01]), np.vstack([v, [[9, 9, 9]]])
    found = knn_mutual_information(z, v, rng())
    np.testing.assert_allclose(found, knn_mutual_information(z[:-1], v[:-1], rng()), atol=1e-9)


def test_images_with_labels_of_their_own_have_no_information():
    z = np.arange(4.0)[:, None]
    assert knn_mutual_information(z, np.arange(4)[:, None], rng()) == 0


def ksg_by_definition(x, y, neighbours):
    """The first estimator of Kraskov et al. (2004), equation 8, by all distances."""
    apart = np.abs(x[:, None] - x), np.abs(y[:, None] - y)
    radius = np.sort(np.maximum(*apart), axis=1)[:, neighbours]
    nearer = [(distances < radius[:, None]).sum(axis=1) for distances in apart]  # itself included
    mean = np.mean(digamma(nearer[0]) + digamma(nearer[1]))
    return max(0, digamma(len(x)) + digamma(neighbours) - mean)


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 5), st.sampled_from([8, 30, 100]))
def test_information_of_real_variables_is_what_the_definition_says(seed, neighbours, n):
    made = rng(seed)
    v = made.normal(size=(n, 2))
    z = np.column_stack([v.sum(axis=1), made.normal(size=n), np.exp(v[:, 0])])
    found = ksg_mutual_information(z, v, rng(), neighbours)
    x, y = z / z.std(axis=0), v / v.std(axis=0)
    expected = [[ksg_by_definition(a, b, neighbours) for b in y.T] for a in x.T]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@settings(max_examples=5)
@given(st.integers(0, 2**31), st.integers(1, 5))
def test_information_of_real_variables_is_scikit_learns(seed, neighbours):
    made = rng(seed)
    v = made.normal(size=(300, 2)) * [1, 100] + [0, 7]
    z = np.column_stack([np.sin(v[:, 0]), v @ [0.5, 0.01], made.normal(size=300)]) * [1, 20, 0.1]
    found = ksg_mutual_information(z, v, rng(), neighbours)
    for information, y in zip(found.T, v.T, strict=True):
        expected = mutual_info_regression(z, y, n_neighbors=neighbours, random_state=0)
        np.testing.assert_allclose(information, expected, atol=1e-9)


@pytest.mark.parametrize("correlation", [0, 0.5, -0.9])
def test_information_of_gaussian_variables_is_the_closed_form(correlation):
    made = rng(3)
    v = made.normal(size=(5_000, 1))
    z = correlation * v + np.sqrt(1 - correlation**2) * made.normal(size=v.shape)
    exact = -0.5 * np.log(1 - correlation**2)
    assert ksg_mutual_information(z, v, rng())[0, 0] == pytest.approx(exact, abs=0.05)


def test_information_of_a_real_variable_with_itself_is_the_most_there_is():
    x = rng().normal(size=(400, 1))
    found = ksg_mutual_information(np.hstack([x, -3 * x]), x, rng(), 4)
    np.testing.assert_allclose(found, digamma(400) - digamma(5), atol=1e-9)


def test_constant_and_repeated_real_variables_have_little_information():
    made = rng()
    v = np.column_stack([made.normal(size=500), made.integers(0, 2, 500)])
    found = ksg_mutual_information(np.ones((500, 1)), v, rng())
    assert found[0, 0] == pytest.approx(0, abs=0.02)
    assert np.isfinite(ksg_mutual_information(v, v, rng())).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows_of_real_variables_have_some_information(n):
    found = ksg_mutual_information(rng().normal(size=(n, 2)), rng(1).normal(size=(n, 1)), rng())
    assert found.shape == (2, 1)
    assert np.isfinite(found).all()
