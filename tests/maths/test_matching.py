"""Bins of equal count and the matching of factors with latents, against brute force."""

from itertools import permutations

import numpy as np
import pytest
from helpers.golden_metrics import case_arrays, golden, small
from sklearn.metrics import mutual_info_score

from disentangle.maths import equal_count_bins, information_in_equal_bins, matched_latents


def test_bins_of_different_codes_hold_the_same_number():
    x = np.random.default_rng(0).normal(size=120)
    binned, _ = equal_count_bins(x, x, 8)
    assert np.bincount(binned).tolist() == [15] * 8
    np.testing.assert_array_equal(binned, np.argsort(np.argsort(x)) // 15)


def test_codes_outside_the_range_fall_into_the_outer_bins():
    _, tested = equal_count_bins(np.arange(10.0), np.array([-5.0, 4.6, 5.0, 99.0]), 2)
    assert tested.tolist() == [0, 0, 1, 1]


def test_equal_codes_share_a_bin_however_often_they_come():
    x = np.repeat([3.0, 1.0, 2.0], [130, 90, 80])
    binned, tested = equal_count_bins(x, np.array([1.0, 2.0, 3.0]), 3)
    assert tested.tolist() == [0, 1, 2]
    assert np.bincount(binned).tolist() == [90, 80, 130]
    binned, _ = equal_count_bins(np.repeat([0.0, 1, 2, 3], [70, 10, 20, 20]), np.zeros(1), 3)
    assert np.bincount(binned).tolist() == [70, 10, 40]  # middles 35, 75, 90 and 110 of 120


@pytest.mark.parametrize("bins", [3, 9])
def test_few_values_have_a_bin_each_however_uneven(bins):
    x = np.repeat([0.0, 1.0, 2.0], [600, 300, 100])
    binned, tested = equal_count_bins(x, np.array([0.0, 1, 2]), bins)
    assert np.bincount(binned).tolist() == [600, 300, 100]
    assert tested.tolist() == [0, 1, 2]


def test_constant_code_has_one_bin():
    binned, tested = equal_count_bins(np.full(9, 0.7), np.array([0.0, 1.0]), 4)
    assert not binned.any()
    assert not tested.any()


def test_information_is_that_of_equal_bins():
    z, v = small(n=360)
    expected = [
        [mutual_info_score(np.argsort(np.argsort(x)) * (y.max() + 1) // 360, y) for y in v.T]
        for x in z.T
    ]
    np.testing.assert_allclose(information_in_equal_bins(z, v), expected, atol=1e-9)


@pytest.mark.parametrize("case", ["toy_noise10", "toy_dup_noisy"])
def test_information_is_the_authors(case):
    (value,) = (value for value in golden("snc") if value["case"] == case)
    z, v, _, _ = case_arrays(value)
    expected = np.array(value["hp"]["information"])
    information = information_in_equal_bins(z, v)
    np.testing.assert_allclose(information[:, :2], expected[:, :2], atol=1e-9)
    # 2,000 rows are no multiple of 6 and 3 values, so a row at a border may be in the other bin.
    np.testing.assert_allclose(information[:, 2:], expected[:, 2:], atol=6e-3)


@pytest.mark.parametrize("latents", [3, 5])
def test_matching_is_the_best_of_all(latents):
    for seed in range(10):
        matrix = np.random.default_rng(seed).random((latents, 3))
        best = max(permutations(range(latents), 3), key=lambda a: matrix[list(a), range(3)].sum())
        assert matched_latents(matrix).tolist() == list(best)


def test_factor_beyond_the_latents_has_none():
    np.testing.assert_array_equal(matched_latents(np.array([[0.2, 0.9, 0.1]])), [np.nan, 0, np.nan])
