"""SAP of numbers against the reference's values, and against what must not change it."""

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
    published,
    small,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.errors import Unavailable
from disentangle.maths.information import gaps
from disentangle_plugins.metrics.sap_r2 import SAPR2, squared_correlations


def sap_r2(z, v):
    return np.nanmean(gaps(squared_correlations(z, v)))


@pytest.mark.parametrize("value", golden("sap_continuous"), ids=lambda v: v["case"])
def test_sap_r2_is_the_references(value):
    z, v, _, _ = case_arrays(value)
    assert sap_r2(z, v) == pytest.approx(value["value"], abs=1e-6)
    expected = ARRAYS[f"expected/{value['case']}/sap_r2_matrix"]
    np.testing.assert_allclose(squared_correlations(z, v), expected, atol=1e-6)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    ("sizes", "name"), [(DSPRITES, "dsprites"), (SHAPES3D, "shapes3d")], ids=["dsprites", "shapes"]
)
def test_sap_r2_of_known_codes_at_full_size(sizes, name, encoder):
    mean, std = published("sap_cont", name, encoder)
    found = SAPR2().score(Coded(ENCODERS[encoder], sizes), np.random.default_rng(0))
    assert found["sap-r2"] == pytest.approx(mean, abs=4 * std)


@settings(max_examples=10)
@given(st.permutations(range(3)), st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
def test_sap_r2_does_not_depend_on_order_and_sign_of_latents_or_on_rows(order, signs):
    z, v = small()
    rows = np.random.default_rng(1).permutation(len(z))
    assert sap_r2(z[rows][:, order] * signs, v[rows]) == pytest.approx(sap_r2(z, v), abs=1e-12)


@settings(max_examples=10)
@given(st.floats(1e-4, 1e8), st.floats(-10, 10))
def test_squared_correlations_do_not_depend_on_scale_and_shift(scale, shift):
    z, v = small()
    moved = squared_correlations(scale * (z + shift), v)
    np.testing.assert_allclose(moved, squared_correlations(z, v), atol=1e-9)


def test_sap_r2_falls_as_noise_is_added_to_the_factors():
    _, v = small(n=3000)
    noise = np.random.default_rng(2).normal(size=v.shape)
    scores = [sap_r2(v + amount * noise, v) for amount in (0, 0.2, 0.5, 1, 2, 5, 20)]
    assert scores == sorted(scores, reverse=True)


def test_latents_that_hardly_vary_tell_nothing():
    z, v = small()
    still = np.hstack([z, 1e-8 * z, np.full((len(z), 1), 0.7)])
    assert (squared_correlations(still, v)[3:] == 0).all()


def test_constant_factor_is_left_out():
    z, v = small()
    constant = np.hstack([np.zeros((len(v), 1), np.int64), v])
    assert np.isnan(squared_correlations(z, constant)[:, 0]).all()
    assert sap_r2(z, constant) == pytest.approx(sap_r2(z, v), abs=1e-12)
    with pytest.raises(Unavailable, match="every factor is constant"):
        squared_correlations(z, constant[:, :1])
