"""MIG: what is behind it, odd codes, and what the review's code makes of it."""

import numpy as np
import pytest
from helpers.golden_metrics import (
    ENCODERS,
    Coded,
    case_arrays,
    golden,
    identity,
    noise,
    rotation,
    small,
)
from hypothesis import given
from hypothesis import strategies as st

from disentangle.errors import Unavailable
from disentangle.maths.information import discretise, entropies, gaps, mutual_information
from disentangle_plugins.metrics.mig import MIG, mig, normalised_information


@pytest.mark.parametrize("value", golden("ubi_mig"), ids=lambda v: v["case"])
def test_reviews_code_divides_by_the_entropy_of_the_code(value):
    z, v, _, _ = case_arrays(value)
    b = discretise(z, value["hp"]["nb_bins"])
    h = entropies(b)
    if value["value"] == "nan":  # and is undefined for a constant latent, where MIG is not
        assert (h == 0).any()
        assert 0 < mig(z, v) < 1
        return
    other = gaps(mutual_information(b, v) / h[:, None]).mean()
    assert other == pytest.approx(value["value"], abs=1e-6)


def test_details_are_the_matrix_and_the_gaps_behind_the_score():
    found = MIG(samples=500).score(Coded(ENCODERS["rotation"]), np.random.default_rng(0))
    information, gap = found["mig/information"], found["mig/gaps"]
    assert (information.axes, gap.axes) == (("latent", "factor"), ("factor",))
    assert ((information.values >= 0) & (information.values <= 1)).all()
    np.testing.assert_allclose(gap.values, gaps(information.values))
    assert found["mig"] == pytest.approx(gap.values.mean())


def test_constant_factor_is_undefined_in_the_details_and_left_out_of_the_score():
    z, v = small()
    v[:, 1] = 0
    found = normalised_information(z, v)
    assert np.isnan(found).all(axis=0).tolist() == [False, True, False]
    assert mig(z, v) == pytest.approx(mig(z, v[:, [0, 2]]))
    with pytest.raises(Unavailable, match="every factor is constant"):
        mig(z, v[:, [1]])


@pytest.mark.parametrize(
    ("z", "v"),
    [
        (np.zeros((50, 3)), small(n=50)[1]),
        (small(n=3)[0], np.arange(3)[:, None]),
        (small(n=1)[0][:, :1].repeat(2, 0), np.arange(2)[:, None]),
        (small()[0][:, [0, 0, 0]], small()[1]),
    ],
    ids=["constant latents", "values that come once", "one latent", "copies"],
)
def test_odd_codes_have_a_score_between_0_and_1(z, v):
    assert 0 <= mig(z, v) <= 1


@pytest.mark.parametrize(
    ("encoder", "expected", "tolerance"),
    [(identity, 0.8957, 0.004), (rotation, 0.2214, 0.006), (noise, 0.0, 0.005)],
    ids=["identity", "rotation", "noise"],
)
def test_mig_of_known_codes_at_full_size(encoder, expected, tolerance):
    found = MIG().score(Coded(encoder), np.random.default_rng(0))
    assert found["mig"] == pytest.approx(expected, abs=tolerance)


@given(st.floats(0.01, 100), st.floats(-10, 10))
def test_mig_does_not_depend_on_scale_and_shift(scale, shift):
    z, v = np.round(small()[0], 3), small()[1]
    assert mig(z * scale + shift, v, bins=3) == pytest.approx(mig(z, v, bins=3), abs=0.05)


def test_mig_of_one_latent_is_its_share_of_the_factor():
    v = np.arange(40)[:, None] % 4
    assert mig(v.astype(float), v) == pytest.approx(1.0)


def test_mig_leaves_constant_factors_out():
    z, v = small()
    constant = np.zeros((len(v), 1), np.int64)
    assert mig(z, np.hstack([constant, v])) == mig(z, v)
    with pytest.raises(Unavailable, match="every factor is constant"):
        mig(z, constant)


def test_mig_with_a_constant_latent_is_finite():
    z, v = small()
    assert mig(np.hstack([z, np.full((len(z), 1), 0.7)]), v) == pytest.approx(mig(z, v))
