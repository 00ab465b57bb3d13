"""DCI with LightGBM: known codes, and where a factor, codes or the library are missing."""

import sys

import numpy as np
import pytest
from helpers.golden_metrics import ENCODERS, Coded, defined, halves, small

from disentangle.errors import Unavailable
from disentangle.maths.importance import disentanglement
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.dci_lgbm import DCILightGBM, probe


def rng():
    return np.random.default_rng(0)


def score(z, v):
    return defined(DCILightGBM().score(array_source(z, v), rng()))


@pytest.mark.slow
def test_known_codes_at_full_size():
    sizes = {"shape": 3, "scale": 6, "a": 8, "b": 8, "c": 8}
    oracle, noise = (
        DCILightGBM().score(Coded(ENCODERS[name], sizes), rng()) for name in ("identity", "noise10")
    )
    assert oracle["dci-lgbm/disentanglement"] == pytest.approx(1, abs=1e-6)
    assert oracle["dci-lgbm/completeness"] == pytest.approx(1, abs=1e-6)
    assert oracle["dci-lgbm/informativeness"] == 1
    assert noise["dci-lgbm/disentanglement"] < 0.05


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
