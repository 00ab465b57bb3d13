"""DCI with LightGBM against DCI's known values, and what must not change it."""

import sys

import numpy as np
import pytest
from helpers.golden_metrics import ENCODERS, Coded, case_arrays, defined, golden, name_of, small
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.errors import Unavailable
from disentangle.maths.importance import disentanglement
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.dci_lgbm import DCILightGBM, probe

TOYS = [v for v in golden("dci_disentanglement", sklearn="1.9.1") if v["case"][:3] == "toy"]


def rng():
    return np.random.default_rng(0)


def score(z, v):
    return defined(DCILightGBM().score(array_source(z, v), rng()))


def halves(z, v):
    return z[::2], v[::2], z[1::2], v[1::2]


@pytest.mark.parametrize("value", TOYS, ids=name_of)
def test_dci_is_near_that_of_scikit_learns_trees(value):
    importance, accuracy = probe(*case_arrays(value), rng())
    assert disentanglement(importance)[0] == pytest.approx(value["value"], abs=0.08)
    (informative,) = [
        v["value"]
        for v in golden("dci_informativeness_test", sklearn="1.9.1")
        if v["case"] == value["case"]
    ]
    assert accuracy.mean() == pytest.approx(informative, abs=0.02)


def test_known_codes_at_full_size():
    sizes = {"shape": 3, "scale": 6, "a": 8, "b": 8, "c": 8}
    oracle, noise = (
        DCILightGBM().score(Coded(ENCODERS[name], sizes), rng()) for name in ("identity", "noise10")
    )
    assert oracle["dci-lgbm/disentanglement"] == pytest.approx(1, abs=1e-6)
    assert oracle["dci-lgbm/completeness"] == pytest.approx(1, abs=1e-6)
    assert oracle["dci-lgbm/informativeness"] == 1
    assert noise["dci-lgbm/disentanglement"] < 0.05


@settings(max_examples=3)
@given(st.permutations(range(3)), st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
def test_dci_does_not_depend_on_order_and_sign_of_latents_or_on_rows(order, signs):
    z, v, test_z, test_v = halves(*small(n=600))
    rows = np.random.default_rng(1).permutation(len(z))
    turned = (z[rows][:, order] * signs, v[rows], test_z[:, order] * signs, test_v)
    first, second = probe(z, v, test_z, test_v, rng()), probe(*turned, rng())
    np.testing.assert_allclose(second[0], first[0][order], atol=0.03)
    np.testing.assert_allclose(second[1], first[1], atol=0.03)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_scale_changes_nothing(scale):
    z, v, test_z, test_v = halves(*small())
    first, second = (probe(a * z, v, a * test_z, test_v, rng()) for a in (1, scale))
    np.testing.assert_allclose(second[0], first[0], atol=0.02)


def test_dci_falls_as_noise_is_added_to_the_factors():
    _, v = small(n=1500)
    noise = np.random.default_rng(2).normal(size=v.shape)
    found = [probe(*halves(v + amount * noise, v), rng()) for amount in (0.1, 0.5, 1, 3)]
    for scores in ([disentanglement(i)[0] for i, _ in found], [a.mean() for _, a in found]):
        assert scores == sorted(scores, reverse=True)


def test_same_latent_twice_changes_no_disentanglement():
    z, v = small()
    importance, _ = probe(*halves(np.hstack([z, z]), v), rng())
    plain, _ = probe(*halves(z, v), rng())
    assert disentanglement(importance)[0] == pytest.approx(disentanglement(plain)[0], abs=0.02)


def test_constant_factor_is_left_out():
    z, v, test_z, test_v = halves(*small())
    v = np.hstack([v, np.zeros((len(v), 1), np.int64)])
    importance, accuracy = probe(z, v, test_z, np.hstack([test_v, test_v[:, :1]]), rng())
    assert np.isnan(importance[:, 3]).all()
    assert np.isnan(accuracy[3])
    assert not np.isnan(importance[:, :3]).any()
    with pytest.raises(Unavailable, match="every factor is constant"):
        score(z, 0 * v)


@pytest.mark.parametrize("latents", [1, 2])
def test_constant_codes_have_no_importance(latents):
    _, v = small()
    found = score(np.full((len(v), latents), 0.7), v)
    assert found["dci-lgbm/disentanglement"] == 0
    assert found.get("dci-lgbm/completeness", 0) == 0


def test_few_images_with_values_of_their_own_are_scored():
    z = np.arange(12.0).reshape(6, 2)
    v = np.array([[0, 0], [1, 0], [2, 1], [3, 1]])
    importance, accuracy = probe(z[:4], v, z[4:], np.array([[4, 0], [3, 1]]), rng())
    assert np.isfinite(importance).all()
    assert 0 <= accuracy[0] <= 0.5  # no image to fit on has the value 4


def test_without_lightgbm_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(Unavailable, match=r"pip install 'disentangle-bench\[fast\]'"):
        score(*small())
