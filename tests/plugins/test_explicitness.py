"""Explicitness against the reference's values and scikit-learn, and what must not change it."""

import numpy as np
import pytest
from helpers.golden_metrics import (
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
from sklearn.metrics import roc_auc_score

from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.explicitness import Explicitness, area, explicitness

TEST = [v for v in golden("explicitness_test", sklearn="1.9.1") if v["value"] is not None]
SEEDS = st.integers(0, 2**32 - 1)


def halves(z, v):
    return z[::2], v[::2], z[1::2], v[1::2]


@pytest.mark.parametrize("value", TEST, ids=name_of)
def test_explicitness_is_the_references(value):
    areas = explicitness(*case_arrays(value))
    assert areas.mean() == pytest.approx(value["value"], abs=1e-3)
    np.testing.assert_allclose(areas, value["hp"]["per_factor"], atol=1e-3)


@pytest.mark.parametrize("value", golden("explicitness_train", sklearn="1.9.1"), ids=name_of)
def test_explicitness_on_what_it_was_fitted_to_is_the_references(value):
    z, v, _, _ = case_arrays(value)
    assert explicitness(z, v, z, v).mean() == pytest.approx(value["value"], abs=1e-3)


@pytest.mark.parametrize("value", golden("explicitness_test", sklearn="0.20.3"), ids=name_of)
def test_explicitness_is_near_that_of_an_older_scikit_learn(value):
    if value["value"] is not None:
        found = explicitness(*case_arrays(value)).mean()
        assert found == pytest.approx(value["value"], abs=0.04)


@pytest.mark.parametrize(
    ("sizes", "name", "encoder"),
    [
        (DSPRITES, "dsprites", "identity"),
        (DSPRITES, "dsprites", "noisy_dead"),
        (DSPRITES, "dsprites", "noise10"),
        (SHAPES3D, "shapes3d", "noisy_dead"),
        (SHAPES3D, "shapes3d", "noise10"),
    ],
)
def test_explicitness_of_known_codes_at_full_size(sizes, name, encoder):
    found = Explicitness().score(Coded(ENCODERS[encoder], sizes), np.random.default_rng(0))
    expected = single_run("modexp", name, encoder)["explicitness_score_test"]
    assert found["explicitness"] == pytest.approx(expected, abs=0.006)


@settings(max_examples=20)
@given(SEEDS, st.sampled_from([2, 5, 1000]))
def test_area_is_scikit_learns(seed, levels):
    rng = np.random.default_rng(seed)
    p, is_one = rng.integers(0, levels, 50) / levels, rng.permutation(np.arange(50) % 3 == 0)
    assert area(p, is_one) == pytest.approx(roc_auc_score(is_one, p), abs=1e-12)


@settings(max_examples=5)
@given(st.permutations(range(3)), st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
def test_explicitness_does_not_depend_on_order_and_sign_of_latents_or_on_rows(order, signs):
    z, v, test_z, test_v = halves(*small())
    rows = np.random.default_rng(1).permutation(len(z))
    found = explicitness(z[rows][:, order] * signs, v[rows], test_z[:, order] * signs, test_v)
    np.testing.assert_allclose(found, explicitness(z, v, test_z, test_v), atol=1e-3)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_explicitness_does_not_depend_on_scale_and_shift(scale):
    z, v, test_z, test_v = halves(*small())
    found = explicitness(scale * (z + 3), v, scale * (test_z + 3), test_v)
    np.testing.assert_allclose(found, explicitness(z, v, test_z, test_v), atol=1e-6)


def test_explicitness_falls_as_noise_is_added_to_the_factors():
    _, v = small(n=2000)
    noise = np.random.default_rng(2).normal(size=v.shape)
    scores = [explicitness(*halves(v + amount * noise, v)).mean() for amount in (0.1, 0.5, 1, 3, 9)]
    assert scores == sorted(scores, reverse=True)


def test_latent_that_is_constant_where_it_was_fitted_changes_nothing():
    z, v, test_z, test_v = halves(*small())
    still, moving = np.full((len(z), 1), 0.7), np.arange(len(test_z))[:, None]
    found = explicitness(np.hstack([z, still]), v, np.hstack([test_z, moving]), test_v)
    np.testing.assert_allclose(found, explicitness(z, v, test_z, test_v), atol=1e-3)


def test_constant_codes_are_a_guess():
    _, v, _, test_v = halves(*small())
    still = np.full((len(v), 2), 0.7)
    np.testing.assert_array_equal(explicitness(still, v, still, test_v), 0.5)


def test_value_that_only_the_test_set_has_is_a_guess():
    z = np.repeat([0.0, 1.0, 2.0], 4)[:, None]
    v = z.astype(np.int64)
    # The value 0 is told apart, 1 from 0 but not from 2, and 2 from none.
    assert explicitness(z[:8], v[:8], z, v)[0] == pytest.approx((1 + 0.5 + 0.5) / 3)


def test_value_that_the_test_set_lacks_is_left_out():
    z = np.repeat([0.0, 1.0, 2.0], 4)[:, None]
    v = z.astype(np.int64)
    assert explicitness(z, v, z[:8], v[:8])[0] == 1


def test_constant_factor_is_left_out():
    z, v = small()
    constant = np.hstack([np.zeros((len(v), 1), np.int64), v])
    areas = explicitness(*halves(z, constant))
    assert np.isnan(areas[0])
    np.testing.assert_array_equal(areas[1:], explicitness(*halves(z, v)))
    with pytest.raises(Unavailable, match="every factor is constant"):
        Explicitness().score(array_source(z, constant[:, :1]), np.random.default_rng(0))
