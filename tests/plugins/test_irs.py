"""IRS against the reference's values, and against what must not change it."""

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
from disentangle_plugins.metrics.irs import IRS, irs, robustness


def score(z, v, **kwargs):
    return irs(*robustness(z, v, **kwargs))


@pytest.mark.parametrize(
    "value", golden("irs"), ids=lambda v: f"{v['case']}-{v['hp']['diff_quantile']:g}"
)
def test_irs_is_the_references(value):
    z, v, _, _ = case_arrays(value)
    quantile = value["hp"]["diff_quantile"]
    matrix, weights = robustness(z, v, quantile, value["hp"]["num_bins"])
    assert irs(matrix, weights) == pytest.approx(value["value"], abs=1e-6)
    expected = ARRAYS[f"expected/{value['case']}/irs_matrix_q{quantile:g}"]
    np.testing.assert_allclose(matrix[weights > 0], expected, atol=1e-6)


@pytest.mark.parametrize("value", golden("ubi_irs"), ids=lambda v: v["case"])
def test_irs_is_the_reviews(value):
    z, v, _, _ = case_arrays(value)
    # The review takes the maximum, and the factors' values as they are.
    found = score(z, v, quantile=1.0, bins=100)
    assert found == pytest.approx(value["value"], abs=1e-6)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    ("sizes", "name"), [(DSPRITES, "dsprites"), (SHAPES3D, "shapes3d")], ids=["dsprites", "shapes"]
)
def test_irs_of_known_codes_at_full_size(sizes, name, encoder):
    mean, std = published("irs", name, encoder)
    found = IRS().score(Coded(ENCODERS[encoder], sizes), np.random.default_rng(0))
    assert found["irs"] == pytest.approx(mean, abs=4 * std + 1e-9)


@settings(max_examples=10)
@given(st.permutations(range(3)), st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
def test_irs_does_not_depend_on_order_and_sign_of_latents_or_on_rows(order, signs):
    z, v = small()
    rows = np.random.default_rng(1).permutation(len(z))
    assert score(z[rows][:, order] * signs, v[rows]) == pytest.approx(score(z, v), abs=1e-9)


@settings(max_examples=10)
@given(st.floats(1e-8, 1e8), st.floats(-10, 10))
def test_irs_does_not_depend_on_scale_and_shift(scale, shift):
    z, v = small()
    assert score(scale * (z + shift), v) == pytest.approx(score(z, v), abs=1e-9)


def test_irs_falls_as_noise_is_added_to_the_factors():
    _, v = small(n=3000)
    noise = np.random.default_rng(2).normal(size=v.shape)
    scores = [score(v + amount * noise, v) for amount in (0, 0.2, 0.5, 1, 2, 5)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(1)


def test_constant_latent_is_left_out():
    z, v = small()
    matrix, weights = robustness(np.hstack([z, np.full((len(z), 1), 0.7)]), v)
    assert np.isnan(matrix[3]).all()
    assert irs(matrix, weights) == score(z, v)


def test_irs_of_constant_codes_is_the_references_zero():
    _, v = small()
    assert score(np.full((len(v), 2), 0.7), v) == 0


def test_constant_factor_is_left_out():
    z, v = small()
    constant = np.hstack([np.zeros((len(v), 1), np.int64), v])
    assert score(z, constant) == score(z, v)
    with pytest.raises(Unavailable, match="every factor is constant"):
        robustness(z, constant[:, :1])
