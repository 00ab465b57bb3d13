"""DCI against the reference's values, and against what must not change it."""

import numpy as np
import pytest
from helpers.golden_metrics import ARRAYS, case_arrays, defined, golden, name_of, small
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.contracts.metric import Detail
from disentangle.errors import Unavailable
from disentangle.maths import gradient_boosting as boosting
from disentangle.maths.importance import completeness, disentanglement
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.dci import DCI, probe

TOYS = [v for v in golden("dci_disentanglement", sklearn="1.9.1") if v["case"][:3] == "toy"]


def rng():
    return np.random.default_rng(0)


@pytest.fixture
def fewer_stages(monkeypatch):
    monkeypatch.setattr(boosting, "STAGES", 10)


def halves(z, v):
    return z[::2], v[::2], z[1::2], v[1::2]


def expected(part, case):
    (value,) = [v["value"] for v in golden(f"dci_{part}", sklearn="1.9.1") if v["case"] == case]
    return value


@pytest.mark.parametrize("value", TOYS, ids=name_of)
def test_dci_is_the_references(value):
    importance, accuracy = probe(*case_arrays(value), rng())
    case = value["case"]
    assert disentanglement(importance)[0] == pytest.approx(value["value"], abs=2e-2)
    assert completeness(importance)[0] == pytest.approx(expected("completeness", case), abs=2e-2)
    assert accuracy.mean() == pytest.approx(expected("informativeness_test", case), abs=2e-2)


def test_importances_of_dsprites_are_the_references():
    (value,) = golden("dci_disentanglement", sklearn="1.9.1")[-1:]
    z, v, test_z, test_v = case_arrays(value)
    importance, _ = probe(z, v[:, :1], test_z, test_v[:, :1], rng())  # all take a minute
    wanted = ARRAYS[f"expected_sk1.9.1/{value['case']}/dci_importance"][:, :1]
    np.testing.assert_allclose(importance, wanted, atol=2e-2)


@settings(max_examples=4)
@given(st.permutations(range(3)), st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
def test_dci_does_not_depend_on_order_and_sign_of_latents_or_on_rows(order, signs):
    z, v, test_z, test_v = halves(*small(n=600))
    rows = np.random.default_rng(1).permutation(len(z))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boosting, "STAGES", 10)
        first, accuracy = probe(z, v, test_z, test_v, rng())
        turned = (z[rows][:, order] * signs, v[rows], test_z[:, order] * signs, test_v)
        second, turned_accuracy = probe(*turned, rng())
    np.testing.assert_allclose(second, first[order], atol=0.02)
    np.testing.assert_allclose(turned_accuracy, accuracy, atol=0.02)


@pytest.mark.usefixtures("fewer_stages")
@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_dci_does_not_depend_on_scale(scale):
    z, v, test_z, test_v = halves(*small())
    first, _ = probe(z, v, test_z, test_v, rng())
    second, _ = probe(scale * z, v, scale * test_z, test_v, rng())
    np.testing.assert_allclose(second, first, atol=0.02)


@pytest.mark.usefixtures("fewer_stages")
def test_dci_falls_as_noise_is_added_to_the_factors():
    _, v = small(n=1500)
    noise = np.random.default_rng(2).normal(size=v.shape)
    found = [probe(*halves(v + amount * noise, v), rng()) for amount in (0.1, 0.5, 1, 3)]
    for scores in ([disentanglement(i)[0] for i, _ in found], [a.mean() for _, a in found]):
        assert scores == sorted(scores, reverse=True)


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
