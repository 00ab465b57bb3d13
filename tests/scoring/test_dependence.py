"""How much the scored factors of a dataset depend on one another."""

import numpy as np
import pytest
from scipy.stats.contingency import association

from disentangle import score_codes
from disentangle.auditing.factor_sets import correlated, grid
from disentangle.scoring.arrays import array_source
from disentangle.scoring.dependence import cramers_v, in_classes, largest_dependence

RNG = np.random.default_rng


def dependence_of(*columns, **kinds):
    """The largest dependence of these columns, named a, b, ..."""
    v = np.stack(columns, axis=1)
    return largest_dependence(
        array_source(v, v, names=list("abcdef"[: v.shape[1]]), kinds=kinds).dataset
    )


def test_v_of_many_rows_is_scipys():
    rng = RNG(0)
    a = rng.integers(0, 4, 200_000)
    b = np.where(rng.random(len(a)) < 0.4, a, rng.integers(0, 6, len(a)))
    v, chance = cramers_v(a, b)
    table = np.zeros((4, 6), int)
    np.add.at(table, (a, b), 1)
    assert v == pytest.approx(association(table, method="cramer"), abs=1e-3)
    assert chance < 1e-9


def test_v_is_1_of_a_copy_and_0_of_chance():
    a = RNG(0).integers(0, 7, 500)
    assert cramers_v(a, 6 - a) == pytest.approx((1, 0))
    of_chance = [cramers_v(RNG(i).integers(0, 7, 500), a) for i in range(1, 21)]
    assert np.mean([v for v, _ in of_chance]) < 0.06  # without the correction it is 0.12
    assert min(chance for _, chance in of_chance) > 1e-3


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_v_of_a_constant_or_of_rows_of_their_own_is_0(rows):
    assert cramers_v(np.zeros(rows, int), np.arange(rows)) == (0, 1)
    assert cramers_v(np.arange(rows), np.arange(rows)) == (0, 1)


def test_classes_are_equally_many_images_in_order():
    labels = np.repeat(np.arange(30), 4)
    classes = in_classes(labels, 6)
    assert (np.bincount(classes) == 20).all()
    assert (np.diff(classes) >= 0).all()
    assert (in_classes(np.array([2, 0, 5]), 6) == [1, 0, 2]).all()


@pytest.mark.parametrize("rows", [200, 2000])
def test_independent_numbers_have_no_dependence(rows):
    assert dependence_of(*RNG(3).normal(size=(5, rows))) is None


@pytest.mark.parametrize("rows", [200, 2000, 20_000])
def test_the_largest_dependence_names_its_factors(rows):
    a, b, c = RNG(0).normal(size=(3, rows))
    dependence = dependence_of(a, b, 0.9 * a + 0.4 * c, 0.5 * b + c)
    assert dependence.factors == ("a", "c")
    assert 0.4 < dependence.v < 0.7


def test_a_function_of_a_factor_depends_on_it_in_full():
    a, b = RNG(0).integers(0, 6, (2, 3000))
    dependence = dependence_of(a, b, a // 3)
    assert dependence.factors == ("a", "c")
    assert dependence.v == pytest.approx(1, abs=0.005)


def test_a_grid_has_no_dependence():
    assert largest_dependence(grid("small")) is None


def test_dependence_grows_with_the_correlation():
    values = [largest_dependence(correlated(5000, rho, RNG(0))) for rho in (0.0, 0.3, 0.6, 0.9)]
    assert values[0] is None
    assert 0.1 < values[1].v < values[2].v < values[3].v < 0.8


def test_scores_of_metrics_of_independent_factors_record_it():
    a, b = RNG(0).normal(size=(2, 500))
    v = np.stack([a, a + b], axis=1)
    kinds = {"a": "continuous", "b": "continuous"}
    records = score_codes(v, v, names=["a", "b"], kinds=kinds, metrics=["mig", "r2"]).records
    recorded = {score.name: score.dependence for score in records}
    assert recorded["mig"].factors == ("a", "b")
    assert recorded["mig"].v > 0.2
    assert recorded["r2"] is None
