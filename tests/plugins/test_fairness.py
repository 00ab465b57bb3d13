"""Unfairness against the procedure of the paper's code, written out loop by loop."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, Factors
from sklearn.ensemble import GradientBoostingClassifier

import disentangle
from disentangle import Unavailable
from disentangle.maths import gradient_boosting as boosting
from disentangle_plugins.metrics.fairness import (
    Fairness,
    interventions,
    predictions,
    unfairness,
    unfairness_of_pairs,
)

SIZES = {"a": 3, "b": 4, "c": 2}


def rng(seed=0):
    return np.random.default_rng(seed)


def coded(mix):
    """A source on a small grid whose codes are a function of the standardised factors."""
    return Coded(lambda u, index: mix(u), SIZES)


def half_mixed(u):
    """Codes in which the first factor leaks into that of the second, and the third is lost."""
    return u[:, :1] + u[:, 1:2]


def total_variations(predicted, sensitive, classes, values):
    """The mean over sensitive values of the total variation to the distribution over all."""
    everything = np.array([np.mean(predicted == c) for c in range(classes)])
    distances = []
    for value in range(values):
        group = predicted[sensitive == value]
        own = np.array([np.mean(group == c) for c in range(classes)])
        distances.append(np.abs(own - everything).sum() / 2)
    return np.mean(distances)


@pytest.fixture(autouse=True)
def fewer_stages(monkeypatch):
    """Fewer stages of trees, which take most of the time."""
    monkeypatch.setattr(boosting, "STAGES", 10)


def test_score_is_that_of_the_procedure_with_the_same_draws():
    metric, source, found = Fairness(train=500, test=50), coded(half_mixed), {}
    result = metric.score(source, rng())
    z, v, test_z, test_v, tested = metric.draw(source, made := rng())
    seeds = made.integers(2**31, size=3)
    for target, (_, classes) in enumerate(SIZES.items()):
        trees = GradientBoostingClassifier(n_estimators=10, random_state=int(seeds[target]))
        predicted = trees.fit(z, v[:, target]).predict(test_z)
        for sensitive, (_, values) in enumerate(SIZES.items()):
            rows = tested[:, sensitive]
            if target != sensitive:
                found[target, sensitive] = total_variations(
                    predicted[rows], test_v[rows, sensitive], classes, values
                )
    assert result["fairness"] == pytest.approx(np.mean(list(found.values())))
    assert result["fairness/max"] == pytest.approx(max(found.values()))
    of_targets = [np.mean([x for (y, _), x in found.items() if y == k]) for k in range(3)]
    assert result["fairness/targets"].values == pytest.approx(of_targets)
    of_sensitive = [np.mean([x for (_, s), x in found.items() if s == k]) for k in range(3)]
    assert result["fairness/sensitive"].values == pytest.approx(of_sensitive)
    assert result["fairness"] > 0.05


def test_predictions_that_repeat_the_sensitive_factor_are_as_unfair_as_can_be():
    s = np.repeat(np.arange(4), 25)
    assert unfairness(s, s) == pytest.approx(1 - 1 / 4)
    assert unfairness(np.zeros(100), s) == 0
    assert unfairness(np.tile(np.arange(5), 20), s) == pytest.approx(0)


def test_values_weigh_as_much_as_they_have_images():
    predicted, sensitive = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 1])
    assert unfairness(predicted, sensitive) == pytest.approx(0.75 * 0.25 + 0.25 * 0.75)


def test_interventions_set_one_factor_and_keep_the_others():
    grid = Factors({"a": 3, "nuisance": 5, "b": 4}, ("nuisance",))
    index, factors = interventions(grid, 6, rng())
    labels = grid.every_label(index)
    first, second = labels[factors == 0], labels[factors == 1]
    assert first[:, 0].tolist() == np.repeat(range(3), 6).tolist()
    assert second[:, 2].tolist() == np.repeat(range(4), 6).tolist()
    for group in np.split(first[:, 1:], 3)[1:]:
        assert (group == first[:6, 1:]).all()
    for group in np.split(second[:, :2], 4)[1:]:
        assert (group == second[:6, :2]).all()


def test_interventions_are_on_images_drawn_by_correlated_factors():
    view = Factors({"a": 5, "b": 5, "c": 2}).view(correlate="a,b=0.000001")
    index, factors = interventions(view, 40, rng())
    labels = view.every_label(index)
    set_c = labels[factors == 2]
    assert (set_c[:, 0] == set_c[:, 1]).all()
    assert len(np.unique(set_c[:, 0])) == 5
    assert (labels[factors == 0][:, 0] != labels[factors == 0][:, 1]).any()


def test_trees_that_do_not_read_the_sensitive_factor_are_fair():
    result = Fairness(train=500, test=20).score(coded(lambda u: u), rng())
    assert result["fairness"] == result["fairness/max"] == 0


def test_a_constant_target_is_predicted_as_such():
    z, v = rng().normal(size=(50, 2)), np.stack([np.full(50, 3), np.arange(50) % 2], 1)
    assert (predictions(z, v, z, rng())[:, 0] == 3).all()


def test_pairs_without_two_values_are_left_out():
    v = np.stack([np.arange(8) % 2, np.zeros(8, int), np.arange(8) // 4], 1)
    pairs = unfairness_of_pairs(v, v, np.ones_like(v, dtype=bool))
    assert np.isnan(pairs[[0, 1, 2], [0, 1, 2]]).all()
    assert np.isnan(pairs[:, 1]).all()
    assert pairs[0, 2] == 0


def test_disjoint_images_to_test_on_were_not_fitted_on():
    source = coded(half_mixed)
    source.disjoint = True
    metric = Fairness(train=500, test=20)
    draws = {}
    source.lookup = lambda *used: (
        draws.setdefault("used", used) and (lambda index: source.codes(index))
    )
    metric.draw(source, rng())
    fitted, tested = draws["used"]
    assert len(fitted) == len(source) // 2
    assert len(tested)
    assert not np.isin(tested, fitted).any()
    assert source.overlap == 0


def test_arrays_are_grouped_by_the_values_that_they_have():
    v = rng().integers(0, (3, 4), (3000, 2))
    own, mixed = v.astype(float), v + 0.9 * v[:, ::-1]
    fair, unfair = (
        disentangle.score_codes(z + 0.3 * rng(1).normal(size=v.shape), v, metrics=["fairness"])
        for z in (own, mixed)
    )
    assert fair["fairness"] < 0.05
    assert unfair["fairness"] > fair["fairness"] + 0.02


def test_one_factor_has_no_pair():
    with pytest.raises(Unavailable, match="two factors"):
        Fairness().score(Coded(lambda u, index: u, {"a": 3}), rng())
