"""Mutual information by nearest neighbours, against its definition and scikit-learn."""

import numpy as np
import pytest
from helpers.golden_metrics import small
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_classif

from disentangle.maths.knn_information import knn_mutual_information
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
