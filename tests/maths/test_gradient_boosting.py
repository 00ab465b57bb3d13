"""Boosted trees against scikit-learn's own, which they are to equal."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn
from helpers.golden_metrics import ARRAYS, case_arrays, golden, name_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from disentangle.maths import gradient_boosting as boosting
from disentangle.maths.gradient_boosting import GradientBoosting, Unclear

STAGES = 12


@pytest.fixture(autouse=True)
def fewer_stages(monkeypatch):
    monkeypatch.setattr(boosting, "STAGES", STAGES)


def codes(kind, n, rng):
    noise = rng.normal(size=(n, 4))
    return {
        "noise": noise,
        "discrete": rng.integers(0, (2, 3, 9, 9), (n, 4)).astype(float),
        "mixed": np.hstack([noise[:, :2], rng.integers(0, 4, (n, 2))]),
        "duplicated": noise[:, [0, 1, 2, 0]],
        "repeated rows": noise[rng.integers(0, n // 2, n)],
        "constant": 0 * noise,
        "one constant": noise * [1, 1, 0, 1],
        "large": 1e8 * noise + 1e6,
        "one latent": noise[:, :1],
    }[kind]


KINDS = (
    "noise",
    "discrete",
    "mixed",
    "duplicated",
    "repeated rows",
    "constant",
    "one constant",
    "large",
    "one latent",
)


def classes(x, values, rng):
    blurred = x.sum(axis=1) / (x.sum(axis=1).std() or 1) + 0.5 * rng.normal(size=len(x))
    y = np.digitize(blurred, np.quantile(blurred, np.arange(1, values) / values))
    y[:values] = np.arange(values)
    return y


def assert_scikit_learns(x, y, test, seed):
    importances, predicted = GradientBoosting(x, test).classify(y, seed)
    wanted = GradientBoostingClassifier(n_estimators=STAGES, random_state=seed).fit(x, y)
    np.testing.assert_array_equal(predicted, wanted.predict(test))
    np.testing.assert_allclose(importances, wanted.feature_importances_, atol=1e-9)


@pytest.mark.parametrize("values", [2, 3, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_trees_are_scikit_learns(kind, values):
    rng = np.random.default_rng(values)
    x = codes(kind, 400, rng)
    assert_scikit_learns(x[:300], classes(x[:300], values, rng), x[300:], values)


@settings(max_examples=15)
@given(
    st.sampled_from(["noise", "discrete", "mixed", "duplicated", "repeated rows"]),
    st.integers(2, 5),
    st.integers(6, 60),
    st.integers(0, 2**31 - 1),
)
def test_trees_of_few_points_are_scikit_learns(kind, values, n, seed):
    rng = np.random.default_rng(seed)
    x = codes(kind, 2 * n, rng)
    assert_scikit_learns(x[:n], classes(x[:n], values, rng), x[n:], seed)


@pytest.mark.parametrize("value", golden("dci_disentanglement", sklearn="1.9.1")[:4], ids=name_of)
def test_first_factors_importances_are_the_references(value, monkeypatch):
    monkeypatch.setattr(boosting, "STAGES", 100)
    z, v, test_z, _ = case_arrays(value)
    wanted = ARRAYS[f"expected_sk1.9.1/{value['case']}/dci_importance"][:, 0]
    found, _ = GradientBoosting(z, test_z).classify(v[:, 0], value["hp"]["numpy_seed"])
    same = sklearn.__version__ == value["versions"]["sklearn"]
    np.testing.assert_allclose(found, wanted, atol=1e-6 if same else 2e-2)


def test_most_trees_of_continuous_codes_are_found_without_sorting():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 4))
    x[:, 0] += classes(x, 3, rng)
    trees = GradientBoosting(x, x[:5])
    clear = [trees._clear_tree(x[:, 0] + rng.normal(size=3000)) for _ in range(10)]
    assert sum(tree is not None for tree in clear) >= 8


def test_split_of_a_tie_is_unclear():
    x = np.arange(6.0)[:, None] * [1, 1]
    with pytest.raises(Unclear):
        GradientBoosting(x, x)._split(np.array([0.0, 0, 0, 1, 1, 1]), GradientBoosting(x, x).order)


def test_split_is_the_best_and_says_by_how_much():
    x = np.array([[3.0, 0], [1, 5], [2, 7], [0, 2]])
    g = np.array([5.0, 1, 4, 1])
    trees = GradientBoosting(x, x)
    d, rank, gain = trees._split(g, trees.order)
    assert (d, rank) == (0, 1)
    assert gain == pytest.approx(np.var(g) * 4 - (0 + 0.5))


@pytest.mark.parametrize("classes", [2, 4])
def test_residual_is_membership_minus_probability(classes):
    scores = np.array([-800.0, -37.5, -36, -1, 0, 2, 40, 800])
    scores = scores * np.arange(1, 2 if classes == 2 else classes + 1)[:, None]
    member = np.arange(8)[None, :] % 3 == np.arange(len(scores))[:, None]
    p = expit(scores) if classes == 2 else softmax(scores, axis=0)
    np.testing.assert_allclose(boosting._residual(scores, member), member - p, atol=1e-12)


def test_threads_change_nothing():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    y = classes(x, 5, rng)
    with ThreadPoolExecutor(3) as pool:
        found = GradientBoosting(x, x).classify(y, 0, pool.map)
    alone = GradientBoosting(x, x).classify(y, 0)
    for threaded, plain in zip(found, alone, strict=True):
        np.testing.assert_array_equal(threaded, plain)


@pytest.mark.parametrize("exponent", [-60, 60, 200])
def test_scale_changes_nothing(exponent):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    y = classes(x, 3, rng)
    found, plain = (GradientBoosting(a, a).classify(y, 0) for a in (x * 2.0**exponent, x))
    np.testing.assert_allclose(found[0], plain[0], atol=1e-9)
    np.testing.assert_array_equal(found[1], plain[1])


def test_a_regression_is_scikit_learns():
    rng = np.random.default_rng(0)
    x, test = rng.normal(size=(300, 4)), rng.normal(size=(80, 4))
    y = x[:, 0] + np.sin(2 * x[:, 1])
    importance, predicted = GradientBoosting(x, test).regress(y, 5)
    theirs = GradientBoostingRegressor(random_state=5).fit(x, y)
    assert importance == pytest.approx(theirs.feature_importances_)
    assert predicted == pytest.approx(theirs.predict(test))


def test_a_regression_reads_small_latents_beside_a_huge_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    importance, predicted = GradientBoosting(x * [1e30, 1], x).regress(x[:, 1], 0)
    assert importance == pytest.approx([0, 1], abs=0.01)
    assert np.corrcoef(predicted, x[:, 1])[0, 1] > 0.99
