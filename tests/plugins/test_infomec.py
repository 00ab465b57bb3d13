"""InfoMEC against the authors' values and scikit-learn, and what must not change it."""

import numpy as np
import pytest
from helpers.golden_metrics import ARRAYS, ENCODERS, Coded, case_arrays, defined, golden, small
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_classif

from disentangle.errors import Unavailable
from disentangle.maths.information import discretise, entropies, mutual_information
from disentangle.maths.knn_information import knn_mutual_information
from disentangle.maths.probes import standardised
from disentangle.scoring.arrays import ArraySource, array_source
from disentangle_plugins.metrics.infomec import (
    InfoMEC,
    explicitness,
    explicitness_regression,
    modularity,
)

REAL = [v for v in golden("InfoM_ratio") if v["hp"]["estimator"] == "continuous-discrete"]
INTEGER = [v for v in golden("InfoM_ratio") if v["hp"]["estimator"] == "discrete-discrete"]


def case(value):
    return value["case"]


def rng(seed=0):
    return np.random.default_rng(seed)


def score(z, v, **knobs):
    return defined(InfoMEC(**knobs).score(array_source(z, v), rng()))


def infoc(value):
    (found,) = [
        v["value"]
        for v in golden("InfoC_ratio")
        if v["case"] == value["case"] and v["hp"]["estimator"] == value["hp"]["estimator"]
    ]
    return found


@pytest.mark.parametrize("value", INTEGER, ids=case)
def test_infom_and_infoc_from_counts_are_the_authors(value):
    z, v, _, _ = case_arrays(value)
    nmi = mutual_information(discretise(z, value["hp"]["bins"]), v) / entropies(v)
    wanted = ARRAYS[f"expected_kyle/{value['case']}/nmi_discrete-discrete"]
    np.testing.assert_allclose(nmi, wanted, atol=1e-6)
    active = nmi[value["hp"]["mask"]]
    assert modularity(active) == pytest.approx(value["value"], abs=1e-6)
    assert modularity(active.T) == pytest.approx(infoc(value), abs=1e-6)


@pytest.mark.parametrize("value", REAL, ids=case)
def test_infom_and_infoc_from_neighbours_are_the_authors(value):
    z, v, _, _ = case_arrays(value)
    # Where codes have few values the noise of 1e-10 decides: hence a mean of several.
    both = []
    for seed in range(12):
        nmi = knn_mutual_information(z, v, rng(seed)) / entropies(v)
        active = nmi[value["hp"]["mask"]]
        both.append((modularity(active), modularity(active.T)))
    found = np.mean(both, axis=0)
    np.testing.assert_allclose(found, [value["value"], infoc(value)], atol=1e-2)


@pytest.mark.parametrize("value", REAL, ids=case)
def test_active_latents_are_the_authors(value):
    z, v, _, _ = case_arrays(value)
    found = score(z, v[:, :2])["infomec/active"].values
    np.testing.assert_array_equal(found, value["hp"]["mask"])


@pytest.mark.parametrize("value", golden("InfoE_classification"), ids=case)
def test_infoe_is_the_authors(value):
    z, v, _, _ = case_arrays(value)
    x, _ = standardised(z, z)
    assert explicitness(x, v, x, v).mean() == pytest.approx(value["value"], abs=1e-2)


@pytest.mark.parametrize("value", golden("InfoE_regression"), ids=case)
def test_infoe_of_a_regression_is_the_authors(value):
    z, v, _, _ = case_arrays(value)
    assert explicitness_regression(z, v) == pytest.approx(value["value"], abs=1e-6)


def by_definition(x, y, neighbours):
    size = np.array([(y == label).sum() for label in y])
    x, y, size = x[size > 1], y[size > 1], size[size > 1]
    apart = np.abs(x[:, None] - x)
    k = np.minimum(neighbours, size - 1)
    radius = [np.sort(apart[i, y == y[i]])[k[i]] for i in range(len(x))]
    m = (apart < np.array(radius)[:, None]).sum(axis=1)
    terms = digamma(k) - digamma(size) - digamma(m)
    return max(0, digamma(len(x)) + terms.mean())


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 5), st.sampled_from([8, 30, 100]))
def test_information_by_neighbours_is_what_the_definition_says(seed, neighbours, n):
    made = rng(seed)
    y = made.integers(0, 3, n)
    x = standardised(made.normal(size=(n, 1)) + y[:, None], np.zeros((0, 1)))[0]
    found = knn_mutual_information(x, y[:, None], rng(), neighbours)[0, 0]
    assert found == pytest.approx(by_definition(x[:, 0], y, neighbours), abs=1e-9)


@settings(max_examples=5)
@given(st.integers(0, 2**31), st.integers(1, 5))
def test_information_by_neighbours_is_scikit_learns(seed, neighbours):
    made = rng(seed)
    v = made.integers(0, (2, 5), (300, 2))
    z = made.normal(size=(300, 2)) * [1, 100] + v * [2, 10]
    found = knn_mutual_information(z, v, rng(), neighbours)
    for information, y in zip(found.T, v.T, strict=True):
        wanted = mutual_info_classif(z, y, n_neighbors=neighbours, random_state=0)
        np.testing.assert_allclose(information, wanted, atol=1e-9)


def test_label_of_one_image_is_left_out():
    z, v = small()
    z, v = np.vstack([z, z[:1] + 0.01]), np.vstack([v, [[9, 9, 9]]])
    found = knn_mutual_information(z, v, rng())
    np.testing.assert_allclose(found, knn_mutual_information(z[:-1], v[:-1], rng()), atol=1e-9)


def test_images_with_labels_of_their_own_have_no_information():
    z = np.arange(4.0)[:, None]
    assert knn_mutual_information(z, np.arange(4)[:, None], rng()) == 0


def test_null_fit_has_the_entropy_of_as_many_values():
    v = np.repeat([0, 1, 2], [50, 30, 20])[:, None]
    nothing = np.zeros((100, 1))
    assert explicitness(nothing, v, nothing, v)[0] == pytest.approx(1 - np.log(3) / np.log(3))


def test_infomec_of_known_codes_at_full_size():
    sizes = {"shape": 3, "scale": 6, "x": 32, "y": 32, "more": 4}
    oracle, noise = (
        InfoMEC().score(Coded(ENCODERS[name], sizes), rng()) for name in ("identity", "noise10")
    )
    for name, chance in (("infom", 0.75), ("infoc", 0.5), ("infoe", 0.02)):
        assert oracle[f"infomec/{name}"] > 0.95
        assert noise[f"infomec/{name}"] < chance


@settings(max_examples=5)
@given(st.permutations(range(3)), st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
def test_infomec_does_not_depend_on_order_and_sign_of_latents_or_on_rows(order, signs):
    z, v = small()
    rows = rng(1).permutation(len(z))
    first, second = score(z, v), score(z[rows][:, order] * signs, v[rows])
    for name in ("infomec/infom", "infomec/infoc", "infomec/infoe"):
        assert second[name] == pytest.approx(first[name], abs=1e-3)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_infomec_does_not_depend_on_scale_and_shift(scale):
    z, v = small()
    first, second = score(z, v), score(scale * (z + 3), v)
    for name in ("infomec/infom", "infomec/infoc", "infomec/infoe"):
        assert second[name] == pytest.approx(first[name], abs=1e-3)


def test_infoe_falls_as_noise_is_added_to_the_factors():
    _, v = small(n=2000)
    noise = rng(2).normal(size=v.shape)
    scores = [score(v + amount * noise, v)["infomec/infoe"] for amount in (0.2, 0.5, 1, 3)]
    assert scores == sorted(scores, reverse=True)


def test_infoe_of_other_images_is_lower():
    z, v = small()
    z = np.hstack([z, rng(3).normal(size=(len(z), 20))])
    within, beyond = (score(z, v, out_of_sample=b)["infomec/infoe"] for b in (False, True))
    assert beyond < within - 0.05


def test_value_that_only_the_test_set_has_is_left_out():
    v = np.repeat([0, 1, 2], 5)[:, None]
    x = v + 0.0
    both = explicitness(x[:10], v[:10], x, v), explicitness(x[:10], v[:10], x[:10], v[:10])
    np.testing.assert_array_equal(*both)
    assert np.isnan(explicitness(x[:10], v[:10], x[10:], v[10:]))


def test_integer_codes_are_counted_and_take_one_input_a_value():
    v = rng().integers(0, (3, 4), (400, 2))
    # Neither code is linear in its factor, which inputs for each value do not mind.
    z = np.stack([np.array([2, 0, 5])[v[:, 0]], np.array([1, -3, 0, 7])[v[:, 1]]], 1)
    found = score(z, v, codes="integer")
    assert found["infomec/infom"] > 0.95
    assert found["infomec/infoe"] == pytest.approx(1, abs=1e-2)
    apart = score(z, v, codes="integer", out_of_sample=True)
    assert apart["infomec/infoe"] == pytest.approx(1, abs=1e-2)
    with pytest.raises(Unavailable, match="codes are not whole numbers"):
        score(z + 0.5, v, codes="integer")


def test_one_active_latent_has_no_infoc():
    z, v = small()
    found = score(z * [1, 0.01, 0.01], v)
    assert "infomec/infoc" not in found
    assert found["infomec/infom"] > 0.3
    assert found["infomec/infoe"] > 0.3
    assert "infomec/infoc" not in score(z[:, :1], v)


def test_one_factor_has_no_infom():
    z, v = small()
    found = score(z, v[:, :1])
    assert "infomec/infom" not in found
    assert found["infomec/infoc"] > 0.9


def test_constant_codes_have_infoe_alone():
    _, v = small()
    found = score(np.full((len(v), 2), 0.7), v)
    assert {"infomec/infom", "infomec/infoc"}.isdisjoint(found)
    assert found["infomec/infoe"] == pytest.approx(0, abs=1e-6)


def test_latent_that_knows_nothing_counts_as_chance():
    assert modularity(np.array([[0.0, 0.0], [0.3, 0.0]])) == pytest.approx(0.5)


def test_constant_factor_is_left_out():
    z, v = small()
    constant = np.hstack([v, np.zeros((len(v), 1), np.int64)])

    class Still(ArraySource):
        def labels(self, index):
            return constant[index]

    found = InfoMEC().score(Still(z, array_source(z, v).dataset), rng())
    for name in ("infomec/infom", "infomec/infoc", "infomec/infoe"):
        assert found[name] == pytest.approx(score(z, v)[name])
    assert np.isnan(found["infomec/information"].values[:, 3]).all()
    assert np.isnan(found["infomec/explicitness"].values[3])


def test_constant_factors_alone_are_unavailable():
    z, v = small()
    with pytest.raises(Unavailable, match="every factor is constant"):
        score(z, 0 * v)
