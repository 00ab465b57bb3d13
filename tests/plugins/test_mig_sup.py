"""MIG-sup against the paper's form and closed forms, and where nothing varies."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, case_arrays, golden, identity, noise, small
from sklearn.metrics import mutual_info_score

from disentangle.errors import Unavailable
from disentangle.maths.information import discretise, entropies
from disentangle_plugins.metrics.mig import mig
from disentangle_plugins.metrics.mig_sup import MIGSup, mig_sup

VALUES = golden("ubi_mig_sup")


def test_constant_latent_is_left_out_where_the_review_has_nan():
    (value,) = (v for v in VALUES if v["value"] == "nan")
    z, v, _, _ = case_arrays(value)
    varying = np.ptp(z, axis=0) > 0
    assert 0 < varying.sum() < z.shape[1]
    assert mig_sup(z, v) == pytest.approx(mig_sup(z[:, varying], v), abs=1e-12)


def test_papers_form_divides_by_the_entropy_of_factors():
    z, v = small()
    b = discretise(z, 10)
    m = np.array([[mutual_info_score(x, y) for y in v.T] for x in b.T]) / entropies(v)
    top = np.sort(m, axis=1)
    expected = (top[:, -1] - top[:, -2]).mean()
    assert mig_sup(z, v, bins=10, entropy="factor") == pytest.approx(expected, abs=1e-12)


def test_latents_that_vary_too_little_are_left_out():
    z, v = small()
    dead = 0.01 * np.random.default_rng(1).normal(size=(len(z), 4))
    both = np.hstack([z, dead])
    assert mig_sup(both, v) < 0.8 * mig_sup(z, v)
    assert mig_sup(both, v, variance=0.01) == pytest.approx(mig_sup(z, v), abs=1e-12)
    with pytest.raises(Unavailable, match="every latent is constant"):
        mig_sup(dead, v, variance=0.01)


def test_one_factor_is_its_share_of_the_latents_entropy():
    v = np.arange(40)[:, None] % 4
    assert mig_sup(v.astype(float), v) == pytest.approx(1.0)
    assert mig_sup(np.arange(40.0)[:, None] % 8, v, bins=8) == pytest.approx(2 / 3)


def test_latent_of_two_factors_is_seen_where_mig_sees_nothing():
    v = np.random.default_rng(0).integers(0, 4, (4000, 2))
    z = (4 * v[:, :1] + v[:, 1:]).astype(float)
    assert mig(z, v, bins=16) > 0.9
    assert mig_sup(z, v, bins=16) < 0.01


def test_known_codes_at_full_size():
    for encoder, least, most in ((identity, 0.95, 1.0), (noise, 0.0, 0.01)):
        found = MIGSup().score(Coded(encoder), np.random.default_rng(0))
        assert least <= found["mig-sup"] <= most


def test_details_are_the_matrix_and_the_gaps_behind_the_score():
    def with_constant(u, index):
        return np.hstack([u, np.ones((len(u), 1))])

    found = MIGSup(samples=500).score(Coded(with_constant), np.random.default_rng(0))
    information, gap = found["mig-sup/information"], found["mig-sup/gaps"]
    assert (information.axes, gap.axes) == (("latent", "factor"), ("latent",))
    assert np.isnan(gap.values).tolist() == [False] * 5 + [True]
    assert np.isnan(information.values).all(axis=1).tolist() == np.isnan(gap.values).tolist()
    assert found["mig-sup"] == pytest.approx(np.nanmean(gap.values))


def test_nothing_that_varies_is_unavailable():
    z, v = small()
    with pytest.raises(Unavailable, match="every factor is constant"):
        mig_sup(z, np.zeros_like(v))
    with pytest.raises(Unavailable, match="every latent is constant"):
        mig_sup(np.ones_like(z), v)


@pytest.mark.parametrize("entropy", ["latent", "factor"])
def test_constant_factor_changes_nothing(entropy):
    z, v = small()
    more = np.hstack([v[:, :1], np.ones_like(v[:, :1])])
    assert mig_sup(z, more, entropy=entropy) == pytest.approx(mig_sup(z, v[:, :1], entropy=entropy))
