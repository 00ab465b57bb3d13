"""JEMMIG against the review's code, closed forms, and what must not change it."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, case_arrays, golden, identity, noise, small
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.errors import Unavailable
from disentangle_plugins.metrics.jemmig import JEMMIG, jemmig


@pytest.mark.parametrize("value", golden("ubi_jemmig"), ids=lambda v: v["case"])
def test_score_is_the_reviews(value):
    z, v, _, _ = case_arrays(value)
    assert jemmig(z, v, value["hp"]["nb_bins"]) == pytest.approx(value["value"], abs=1e-6)


def test_a_copy_of_the_factor_scores_1_and_a_finer_code_less():
    v = np.arange(80)[:, None] % 4
    assert jemmig(v.astype(float), v) == pytest.approx(1.0)
    # Eight values of z for four of v: H(v, z) - I = ln 8 - ln 4.
    finer = jemmig(np.arange(80.0)[:, None] % 8, v, bins=8)
    assert finer == pytest.approx(1 - np.log(2) / (np.log(4) + np.log(8)))


@settings(max_examples=20)
@given(
    st.permutations(range(3)), st.lists(st.sampled_from([-1, 1e-8, 1e8]), min_size=3, max_size=3)
)
def test_order_sign_scale_and_rows_change_nothing(order, factors):
    z, v = small()
    rows = np.random.default_rng(1).permutation(len(z))
    found = jemmig((z * factors)[rows][:, order], v[rows])
    assert found == pytest.approx(jemmig(z, v), abs=1e-9)


def test_score_falls_as_noise_is_added():
    _, v = small(n=3000)
    noise = np.random.default_rng(2).normal(size=v.shape)
    scores = [jemmig(v + amount * noise, v) for amount in (0, 0.2, 0.5, 1)]
    assert scores == sorted(scores, reverse=True)


def test_known_codes_at_full_size():
    scores = [
        JEMMIG().score(Coded(encoder), np.random.default_rng(0))["jemmig"]
        for encoder in (identity, noise)
    ]
    assert scores[0] > 0.9
    assert scores[1] < 0.3


def test_details_are_the_shares_of_factors():
    found = JEMMIG(samples=500).score(Coded(identity), np.random.default_rng(0))
    shares = found["jemmig/factors"]
    assert shares.axes == ("factor",)
    assert found["jemmig"] == pytest.approx(shares.values.mean())


def test_constant_factors_are_left_out():
    z, v = small()
    more = np.hstack([v, np.ones_like(v[:, :1])])
    assert jemmig(z, more) == pytest.approx(jemmig(z, v))
    with pytest.raises(Unavailable, match="every factor is constant"):
        jemmig(z, np.zeros_like(v))


@pytest.mark.parametrize(
    ("z", "v"),
    [
        (np.zeros((50, 3)), small(n=50)[1]),
        (np.hstack([small()[0], np.ones((300, 1))]), small()[1]),
        (small(n=3)[0], np.arange(3)[:, None]),
        (small()[0][:, [0, 0, 0]], small()[1]),
    ],
    ids=["constant latents", "a constant latent", "values that come once", "copies"],
)
def test_odd_codes_have_a_score_between_0_and_1(z, v):
    assert 0 <= jemmig(z, v) <= 1
