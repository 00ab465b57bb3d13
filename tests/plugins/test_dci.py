"""DCI: its parts, and where a factor, codes or most images are missing."""

import numpy as np
import pytest
from helpers.golden_metrics import defined, halves, small

from disentangle.contracts.metric import Detail
from disentangle.errors import Unavailable
from disentangle.maths import gradient_boosting as boosting
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.dci import DCI, probe


def rng():
    return np.random.default_rng(0)


@pytest.fixture
def fewer_stages(monkeypatch):
    monkeypatch.setattr(boosting, "STAGES", 10)


@pytest.mark.usefixtures("fewer_stages")
def test_parts_and_what_is_behind_them_have_their_names_and_shapes():
    z, v = small()
    found = DCI().score(array_source(np.hstack([z, z[:, :1]]), v), rng())
    shapes = {k: d.values.shape for k, d in found.items() if isinstance(d, Detail)}
    assert shapes == {
        "dci/latents": (4,),
        "dci/factors": (3,),
        "dci/importance": (4, 3),
        "dci/accuracy": (3,),
    }
    scores = {"dci/disentanglement", "dci/completeness", "dci/informativeness"}
    assert found.keys() - shapes.keys() == scores
    assert all(0 <= found[name] <= 1 for name in scores)


@pytest.mark.usefixtures("fewer_stages")
def test_constant_factor_is_left_out():
    z, v = small()
    constant = np.hstack([v, np.zeros((len(v), 1), np.int64)])
    importance, accuracy = probe(*halves(z, constant), rng())
    assert np.isnan(importance[:, 3]).all()
    assert np.isnan(accuracy[3])
    assert not np.isnan(importance[:, :3]).any()
    with pytest.raises(Unavailable, match="every factor is constant"):
        DCI().score(array_source(z, constant[:, 3:]), rng())


@pytest.mark.usefixtures("fewer_stages")
def test_constant_codes_have_no_importance():
    _, v = small()
    found = DCI().score(array_source(np.full((len(v), 2), 0.7), v), rng())
    assert found["dci/disentanglement"] == found["dci/completeness"] == 0


@pytest.mark.usefixtures("fewer_stages")
def test_one_latent_has_no_completeness_and_one_factor_no_disentanglement():
    z, v = small()
    one_latent = defined(DCI().score(array_source(z[:, :1], v), rng()))
    assert "dci/completeness" not in one_latent
    assert "dci/disentanglement" in one_latent
    one_factor = defined(DCI().score(array_source(z, v[:, :1]), rng()))
    assert one_factor["dci/completeness"] > 0.5
    assert "dci/disentanglement" not in one_factor


@pytest.mark.usefixtures("fewer_stages")
def test_few_images_with_values_of_their_own_are_scored():
    z = np.arange(12.0).reshape(6, 2)
    v = np.array([[0, 0], [1, 0], [2, 1], [3, 1]])
    importance, accuracy = probe(z[:4], v, z[4:], np.array([[4, 0], [3, 1]]), rng())
    assert np.isfinite(importance).all()
    assert accuracy[0] == 0.5  # no image to fit on has the value 4
