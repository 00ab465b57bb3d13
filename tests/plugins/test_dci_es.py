"""DCI-ES against closed forms and scikit-learn's trees."""

import numpy as np
import pytest
from helpers.golden_metrics import halves, small
from sklearn.tree import DecisionTreeClassifier

from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.dci_es import DCIES, DEPTHS, curves, explicitness, votes


def rng():
    return np.random.default_rng(0)


def score(z, v, **knobs):
    return DCIES(**{"trees": 10} | knobs).score(array_source(z, v), rng())


def column(losses):
    return np.array(losses)[:, None]


def test_explicitness_of_a_straight_line_to_no_loss_is_0():
    line = column(np.interp(DEPTHS, [1, 32], [0.8, 0]))
    assert explicitness(line, np.array([0.8]), 1000) == pytest.approx(0)


def test_explicitness_is_1_where_the_least_probe_does_as_well_as_any():
    flat = column([0.3] * len(DEPTHS))
    assert explicitness(flat, np.array([0.8]), 1000) == pytest.approx(1)


def test_explicitness_is_least_where_only_the_largest_probe_is_good():
    late = column([0.8] * (len(DEPTHS) - 1) + [0.0])
    # The curve falls between depths 20 and 32: 1 - 2 (19 + 12 / 2) / 31.
    assert explicitness(late, np.array([0.8]), 1000) == pytest.approx(1 - 50 / 31)


def test_larger_loss_of_a_larger_probe_does_not_count():
    curve = column([0.4, 0.5, 0.9, 0.4] + [0.2] * (len(DEPTHS) - 4))
    smooth = column([0.4] * 4 + [0.2] * (len(DEPTHS) - 4))
    both = (explicitness(losses, np.array([0.8]), 1000) for losses in (curve, smooth))
    np.testing.assert_array_equal(*both)


def test_factor_that_no_probe_tells_has_no_explicitness():
    flat = column([0.79] * len(DEPTHS))
    assert explicitness(flat, np.array([0.8]), 1000) == 0
    assert explicitness(flat, np.array([0.8]), 100_000) == 1


@pytest.mark.parametrize("seed", range(3))
def test_cut_off_tree_is_scikit_learns_of_that_depth(seed):
    z, v = small(seed)
    x, test_x = z[:200, :1].astype(np.float32), z[200:, :1].astype(np.float32)
    y = v[:200, 1]
    times = np.bincount(np.random.default_rng(seed).integers(200, size=200), minlength=200)
    found = votes(x, y, test_x.astype(np.float64), seed)
    for depth, share in zip(DEPTHS, found, strict=True):
        tree = DecisionTreeClassifier(max_depth=depth, random_state=seed)
        wanted = tree.fit(x, y, sample_weight=times).predict_proba(test_x)
        np.testing.assert_allclose(share, wanted, atol=1e-12)


def test_losses_fall_from_the_baseline_to_the_best():
    z, v, test_z, test_v = halves(*small(n=1000))
    losses, baseline = curves(z, v, test_z, test_v, rng(), 10)
    assert losses.shape == (len(DEPTHS), 3)
    assert (losses[-1] < 0.2).all()
    assert (losses[0] < baseline).all()
    np.testing.assert_allclose(baseline, [1 - 1 / 3, 1 - 1 / 4, 1 - 1 / 5], atol=0.05)


def test_noise_has_no_explicitness_and_a_rotation_less_than_an_oracle():
    _, v = small(n=3000)
    blur = np.random.default_rng(1).normal(size=v.shape)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    oracle, rotated, noise = (
        score(z, v)["dci-es/explicitness"]
        for z in (v + 0.01 * blur, (v + 0.01 * blur) @ turn, blur)
    )
    assert noise == 0
    assert 0.8 < rotated < oracle <= 1


def test_size_is_factors_over_latents():
    z, v = small()
    assert score(z, v)["dci-es/size"] == 1
    assert score(np.hstack([z, z]), v)["dci-es/size"] == 1 / 2
    assert score(z[:, :1], v)["dci-es/size"] == 3


def test_constant_codes_have_no_explicitness():
    _, v = small()
    assert score(np.zeros((len(v), 2)), v)["dci-es/explicitness"] == 0


def test_one_factor_with_a_constant_latent_is_scored():
    z, v = small()
    found = score(np.hstack([z[:, :1], np.full((len(z), 1), 0.7)]), v[:, :1])
    assert found["dci-es/explicitness"] > 0.8
    assert found["dci-es/size"] == 0.5


def test_values_that_only_the_test_set_has_are_wrong_answers():
    v = np.repeat([0, 1, 2], 5)[:, None]
    z = v + 0.0
    losses, baseline = curves(z[:10], v[:10], z, v, rng(), 5)
    assert losses[-1] == pytest.approx(1 / 3)
    assert baseline == pytest.approx(2 / 3)


def test_constant_factor_is_left_out():
    z, v, test_z, test_v = halves(*small())
    v, test_v = v.copy(), test_v.copy()
    v[:, 0] = 0
    losses, baseline = curves(z, v, test_z, test_v, rng(), 5)
    assert np.isnan(losses[:, 0]).all()
    assert np.isnan(baseline[0])
    assert not np.isnan(losses[:, 1:]).any()
    with pytest.raises(Unavailable, match="every factor is constant"):
        score(test_z, 0 * test_v)
