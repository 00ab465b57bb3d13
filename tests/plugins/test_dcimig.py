"""DCIMIG against closed forms, and where codes or factors are odd."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, identity, noise, small

from disentangle.errors import Unavailable
from disentangle_plugins.metrics.dcimig import DCIMIG, dcimig


def test_independent_factors_score_what_is_encoded_of_their_entropy():
    v = np.stack(np.meshgrid(np.arange(4), np.arange(2)), -1).reshape(-1, 2)
    assert dcimig(v.astype(float), v) == pytest.approx(1.0)
    assert dcimig(v[:, :1].astype(float), v) == pytest.approx(np.log(4) / np.log(8))
    assert dcimig(4.0 * v[:, 1:] + v[:, :1], v) == pytest.approx(np.log(2) / np.log(8))


def test_copies_of_latents_change_nothing():
    z, v = small()
    assert dcimig(z[:, [0, 1, 2, 2, 0]], v) == pytest.approx(dcimig(z, v), abs=1e-12)


def test_known_codes_at_full_size():
    scores = [
        DCIMIG().score(Coded(encoder), np.random.default_rng(0))["dcimig"]
        for encoder in (identity, noise)
    ]
    assert scores[0] > 0.85
    assert scores[1] < 0.01


def test_details_are_the_gaps_that_latents_give():
    found = DCIMIG(samples=500).score(Coded(identity), np.random.default_rng(0))
    parts = found["dcimig/gaps"]
    assert parts.axes == ("latent", "factor")
    assert ((parts.values > 0).sum(axis=1) == 1).all()
    assert found["dcimig"] == pytest.approx(parts.values.max(axis=0).sum())


def test_constant_factors_change_nothing():
    z, v = small()
    more = np.hstack([v, np.ones_like(v[:, :1])])
    assert dcimig(z, more) == pytest.approx(dcimig(z, v))
    with pytest.raises(Unavailable, match="every factor is constant"):
        dcimig(z, np.zeros_like(v))


@pytest.mark.parametrize(
    ("z", "v"),
    [
        (np.zeros((50, 3)), small(n=50)[1]),
        (small(n=3)[0], np.arange(3)[:, None]),
        (small()[0][:, :1], small()[1][:, :1]),
    ],
    ids=["constant latents", "values that come once", "one latent of one factor"],
)
def test_odd_codes_have_a_score_between_0_and_1(z, v):
    assert 0 <= dcimig(z, v) <= 1
