"""Explicitness against scikit-learn's areas, and where values or latents are missing."""

import numpy as np
import pytest
from helpers.golden_metrics import halves, small
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.explicitness import Explicitness, area, roc_areas

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=20)
@given(SEEDS, st.sampled_from([2, 5, 1000]))
def test_area_is_scikit_learns(seed, levels):
    rng = np.random.default_rng(seed)
    p, is_one = rng.integers(0, levels, 50) / levels, rng.permutation(np.arange(50) % 3 == 0)
    assert area(p, is_one) == pytest.approx(roc_auc_score(is_one, p), abs=1e-12)


def test_latent_that_is_constant_where_it_was_fitted_changes_nothing():
    z, v, test_z, test_v = halves(*small())
    still, moving = np.full((len(z), 1), 0.7), np.arange(len(test_z))[:, None]
    found = roc_areas(np.hstack([z, still]), v, np.hstack([test_z, moving]), test_v)
    np.testing.assert_allclose(found, roc_areas(z, v, test_z, test_v), atol=1e-3)


def test_constant_codes_are_a_guess():
    _, v, _, test_v = halves(*small())
    still = np.full((len(v), 2), 0.7)
    np.testing.assert_array_equal(roc_areas(still, v, still, test_v), 0.5)


def test_value_that_only_the_test_set_has_is_a_guess():
    z = np.repeat([0.0, 1.0, 2.0], 4)[:, None]
    v = z.astype(np.int64)
    # The value 0 is told apart, 1 from 0 but not from 2, and 2 from none.
    assert roc_areas(z[:8], v[:8], z, v)[0] == pytest.approx((1 + 0.5 + 0.5) / 3)


def test_value_that_the_test_set_lacks_is_left_out():
    z = np.repeat([0.0, 1.0, 2.0], 4)[:, None]
    v = z.astype(np.int64)
    assert roc_areas(z, v, z[:8], v[:8])[0] == 1


def test_constant_factor_is_left_out():
    z, v = small()
    constant = np.hstack([np.zeros((len(v), 1), np.int64), v])
    areas = roc_areas(*halves(z, constant))
    assert np.isnan(areas[0])
    np.testing.assert_array_equal(areas[1:], roc_areas(*halves(z, v)))
    with pytest.raises(Unavailable, match="every factor is constant"):
        Explicitness().score(array_source(z, constant[:, :1]), np.random.default_rng(0))
