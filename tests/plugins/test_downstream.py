"""Downstream accuracy against scikit-learn's cross-validation, and where labels are few."""

import warnings

import numpy as np
import pytest
from helpers.golden_metrics import ENCODERS, Coded, case_arrays, golden, small
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import KFold

from disentangle.errors import Unavailable
from disentangle.maths import gradient_boosting as boosting
from disentangle.scoring.arrays import ArraySource, array_source
from disentangle_plugins.metrics.downstream import Downstream, boosted, logistic

CASES = {v["case"]: v for v in golden("dci_informativeness_test", sklearn="1.9.1")}


def rng():
    return np.random.default_rng(0)


def score(z, v, **knobs):
    return Downstream(**knobs).score(array_source(z, v), rng())


@pytest.mark.parametrize("case", ["toy_noisy_dead", "toy_rotation", "toy_noise10"])
def test_logistic_regression_is_scikit_learns_cross_validated_one(case):
    z, v, test_z, test_v = case_arrays(CASES[case])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of changes with its version
        wanted = LogisticRegressionCV(Cs=10, cv=KFold(5), scoring="accuracy")
        wanted.fit(z[:300], v[:300, 0])
        found = logistic(z[:300], v[:300, 0], test_z)
        accuracy = wanted.score(test_z, test_v[:, 0])
    assert np.mean(found == test_v[:, 0]) == pytest.approx(accuracy, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["toy_noisy_dead", "toy_noise10"])
def test_accuracy_of_trees_is_that_of_dci(case, monkeypatch):
    monkeypatch.setattr(boosting, "STAGES", 30)  # enough here
    z, v, test_z, test_v = case_arrays(CASES[case])
    found = [np.mean(boosted(z, v[:, k], test_z, 0) == test_v[:, k]) for k in range(4)]
    assert np.mean(found) == pytest.approx(CASES[case]["value"], abs=2e-2)


@pytest.mark.slow
def test_known_codes_at_full_size():
    sizes = {"shape": 3, "x": 5}
    oracle = Downstream().score(Coded(ENCODERS["identity"], sizes), rng())
    accuracy = [oracle[f"downstream/{n}"] for n in (10, 100, 1000, 10_000)]
    assert accuracy == sorted(accuracy)
    assert accuracy[-1] == pytest.approx(1, abs=1e-3)
    assert oracle["downstream/efficiency"] == accuracy[1] / accuracy[-1]


def test_noise_is_a_guess():
    v = rng().integers(0, 3, (600, 1))
    assert score(rng().normal(size=(600, 4)), v)["downstream/100"] == pytest.approx(1 / 3, abs=0.1)


def test_sizes_that_are_not_there_say_why():
    z, v = small(n=300)  # 200 of them to fit on
    found = score(z, v[:, :1])
    missing = {name for name, value in found.items() if isinstance(value, Unavailable)}
    ratios = {f"downstream/efficiency{n}" for n in ("", "-10", "-1000")}
    assert missing == {"downstream/1000", "downstream/10000", *ratios}
    assert str(found["downstream/1000"]) == "only 200 images to fit on"
    values = {name for name, value in found.items() if isinstance(value, float)}
    assert values == {"downstream/10", "downstream/100"}
    with pytest.raises(Unavailable, match="needs at least 10 images to fit on, got 7"):
        score(z[:10], v[:10])


def test_largest_number_of_labels_is_what_others_are_compared_with():
    z, v = small(n=900)  # 250 of them to fit on at most
    found = score(z, v[:, :1], labels=250, test=650)
    values = {name: value for name, value in found.items() if isinstance(value, float)}
    accuracy = [values[f"downstream/{n}"] for n in (10, 100, 250)]
    ratios = {"downstream/efficiency-10": 0, "downstream/efficiency": 1}
    assert values.keys() == {*(f"downstream/{n}" for n in (10, 100, 250)), *ratios}
    for name, place in ratios.items():
        assert values[name] == accuracy[place] / accuracy[-1]


def test_a_power_of_ten_is_the_largest_number_once():
    found = score(*small(n=900), labels=100, test=800)
    assert {n for n in found if n.startswith("downstream/e")} == {"downstream/efficiency-10"}


def test_factor_that_is_constant_among_few_labels_is_predicted_to_stay_so():
    y, test_y = np.zeros(10, np.int64), np.array([0, 1, 0, 0])
    x, test_x = np.random.default_rng(0).normal(size=(2, 10, 2))
    for predict in (logistic, lambda x, y, test: boosted(x, y, test, 0)):
        np.testing.assert_array_equal(predict(x, y, test_x[:4]), 0 * test_y)


def test_value_that_one_fold_alone_has_is_no_obstacle():
    x = np.arange(10.0)[:, None]
    y = (x[:, 0] == 0).astype(np.int64)  # the other folds are constant
    assert set(logistic(x, y, x)) <= {0, 1}


def test_fewer_images_than_values_are_scored():
    z = np.arange(40.0)[:, None]
    v = np.arange(40)[:, None] // 2
    found = score(z, np.hstack([v, v % 2]))
    assert 0 <= found["downstream/10"] <= 1


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_any_scale_has_a_score(scale):
    z, v = small()
    found = score(scale * z, v[:, :1])
    assert 0.2 < found["downstream/100"] <= 1


def test_constant_codes_predict_what_is_most_frequent():
    _, v = small(n=300)
    found = score(np.full((len(v), 2), 0.7), v[:, 1:2])
    assert found["downstream/100"] == pytest.approx(1 / 4, abs=0.08)


def test_constant_factor_is_left_out():
    z, v = small()[0], small()[1][:, :1]
    still = np.hstack([v, np.zeros((len(v), 1), np.int64)])

    class Still(ArraySource):
        def labels(self, index):
            return still[index]

    found = Downstream().score(Still(z, array_source(z, v).dataset), rng())
    of_factor = found["downstream/100/factors"].values
    np.testing.assert_array_equal(np.isnan(of_factor), [False, True])
    assert found["downstream/100"] == of_factor[0]
    with pytest.raises(Unavailable, match="every factor is constant"):
        score(z, 0 * v)


def test_factors_that_depend_on_one_another_are_no_obstacle():
    assert not Downstream.assumes_independence
