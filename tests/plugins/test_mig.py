"""MIG: what is behind it, its value at full size, and what the review's code makes of it."""

import numpy as np
import pytest
from helpers.golden_metrics import (
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
from disentangle.maths.information import discretise, entropies, gaps, mutual_information
from disentangle_plugins.metrics.mig import MIG, mig, normalised_information

SIZES = {"dsprites": DSPRITES, "shapes3d": SHAPES3D}


@pytest.mark.parametrize("value", golden("mig"), ids=lambda v: v["case"])
def test_gaps_of_factors_are_the_references(value):
    z, v, _, _ = case_arrays(value)
    found = gaps(normalised_information(z, v))
    np.testing.assert_allclose(found, value["hp"]["per_factor"], atol=1e-6)


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


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_mig_at_full_size_is_the_references(sizes, encoder):
    mean, std = published("mig", sizes, encoder)
    source = Coded(ENCODERS[encoder], SIZES[sizes])
    found = MIG().score(source, np.random.default_rng(0))
    assert found["mig"] == pytest.approx(mean, abs=5 * std + 1e-4)


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


@settings(max_examples=20)
@given(st.lists(st.sampled_from([-1.0, 1.0, 1e-8, 1e8]), min_size=3, max_size=3))
def test_sign_and_scale_change_nothing_where_no_code_is_on_an_edge(factors):
    z, v = small()
    assert mig(z * factors, v) == pytest.approx(mig(z, v), abs=1e-9)


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
