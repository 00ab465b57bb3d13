"""JEMMIG against closed forms, and where codes or factors are odd."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, identity, noise, small

from disentangle.errors import Unavailable
from disentangle_plugins.metrics.jemmig import JEMMIG, jemmig


def test_a_copy_of_the_factor_scores_1_and_a_finer_code_less():
    v = np.arange(80)[:, None] % 4
    assert jemmig(v.astype(float), v) == pytest.approx(1.0)
    # Eight values of z for four of v: H(v, z) - I = ln 8 - ln 4.
    finer = jemmig(np.arange(80.0)[:, None] % 8, v, bins=8)
    assert finer == pytest.approx(1 - np.log(2) / (np.log(4) + np.log(8)))


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
