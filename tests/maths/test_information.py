"""Entropy and mutual information, against scikit-learn and closed forms."""

import tracemalloc

import numpy as np
import pytest
from helpers.golden_metrics import ARRAYS, case_arrays, golden
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from disentangle.errors import Unavailable, UsageError
from disentangle.maths import information as module
from disentangle.maths.information import discretise, entropies, gaps, joint, mutual_information

SEEDS = st.integers(0, 2**32 - 1)


def variables(seed, n=200, columns=3, values=5):
    return np.random.default_rng(seed).integers(0, values, (n, columns))


@given(SEEDS)
def test_mutual_information_is_scikit_learns(seed):
    a, b = variables(seed), variables(seed + 1, columns=2, values=7)
    expected = [[mutual_info_score(x, y) for y in b.T] for x in a.T]
    np.testing.assert_allclose(mutual_information(a, b), expected, atol=1e-12)


@pytest.mark.parametrize("value", golden("mig"), ids=lambda v: v["case"])
def test_information_of_binned_codes_is_the_references(value):
    z, v, _, _ = case_arrays(value)
    expected = ARRAYS[f"expected/{value['case']}/mi_matrix"]
    np.testing.assert_allclose(mutual_information(discretise(z, 20), v), expected, atol=1e-12)


@pytest.mark.parametrize("block", [1, 64, 1000, 2**18])
def test_information_does_not_depend_on_blocks(monkeypatch, block):
    a, b = variables(0, columns=7, values=9), variables(1, columns=2, values=70)
    expected = [[mutual_info_score(x, y) for y in b.T] for x in a.T]
    monkeypatch.setattr(module, "BLOCK", block)
    np.testing.assert_allclose(mutual_information(a, b), expected, atol=1e-12)


def test_values_may_be_many_and_far_apart():
    a, b = variables(0, n=50), variables(1, n=50) * 10**6
    expected = [[mutual_info_score(x, y) for y in b.T] for x in a.T]
    np.testing.assert_allclose(mutual_information(a, b), expected, atol=1e-12)


def test_counts_are_of_pairs_of_values():
    a, b = np.array([0, 2, 2, 1]), np.array([1, 0, 0, 1])
    assert joint(a, b).tolist() == [[0, 1], [0, 1], [2, 0]]


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
def test_any_whole_numbers_will_do(kind):
    a, b = variables(0, values=200), variables(1, values=100)
    found = mutual_information(a.astype(kind), b.astype(kind))
    np.testing.assert_allclose(found, mutual_information(a, b), atol=1e-12)


def test_memory_does_not_grow_with_the_number_of_pairs():
    a = variables(0, n=2000, columns=200, values=20)
    tracemalloc.start()
    mutual_information(a, a[:, :50])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 32 * 2**20


@given(SEEDS)
def test_information_of_a_variable_about_itself_is_its_entropy(seed):
    a = variables(seed)
    np.testing.assert_allclose(np.diag(mutual_information(a, a)), entropies(a), atol=1e-12)


@given(SEEDS)
def test_renaming_values_changes_nothing(seed):
    a, b = variables(seed), variables(seed + 1)
    renamed = np.random.default_rng(seed).permutation(5)[a]
    np.testing.assert_allclose(mutual_information(renamed, b), mutual_information(a, b), atol=1e-12)


def test_entropy_of_equal_shares_is_their_logarithm():
    assert entropies(np.arange(8)[:, None]) == pytest.approx([np.log(8)])


def test_constant_variable_has_no_entropy_and_tells_nothing():
    a = np.zeros((10, 1), np.int64)
    assert entropies(a) == pytest.approx([0.0])
    assert mutual_information(a, variables(0, n=10)) == pytest.approx(0.0)


def test_bins_are_equal_in_width_and_closed_at_the_right_end():
    codes = np.array([[0.0], [0.999], [1.0], [3.999], [4.0]])
    assert discretise(codes, 4)[:, 0].tolist() == [0, 0, 1, 3, 3]


@settings(max_examples=50)
@given(SEEDS, st.integers(2, 60), st.sampled_from([1e-8, 1.0, 1e8]), st.booleans())
def test_bins_are_numpys(seed, bins, scale, on_edges):
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 2 * bins + 1, (100, 2)) / 7 if on_edges else rng.normal(size=(100, 2))
    z = z * scale + rng.choice([0.0, scale, -1e3 * scale])
    edges = [np.histogram_bin_edges(column, bins) for column in z.T]
    expected = [np.digitize(x, e[:-1]) - 1 for x, e in zip(z.T, edges, strict=True)]
    np.testing.assert_array_equal(discretise(z, bins), np.transpose(expected))


def test_gap_is_between_the_two_largest_and_the_second_of_one_is_0():
    assert gaps([[1.0, 4.0], [3.0, 4.0], [0.5, 1.0]]) == pytest.approx([2.0, 0.0])
    assert gaps([[1.0, 4.0]]) == pytest.approx([1.0, 4.0])


def test_column_that_is_constant_but_for_rounding_falls_into_one_bin():
    codes = np.where(np.arange(50) % 2, 0.3, 0.1 + 0.2)[:, None]
    assert len(np.unique(codes)) == 2
    assert (discretise(codes, 20) == 0).all()


def test_column_beyond_all_numbers_is_unavailable():
    with pytest.raises(Unavailable, match="cannot bin z0"):
        discretise(np.array([[-1.7e308], [1.7e308]]), 20)


def test_constant_column_falls_into_one_bin():
    assert len(np.unique(discretise(np.full((9, 1), 0.7), 20))) == 1


@pytest.mark.parametrize("bins", [0, -1, 2.5])
def test_number_of_bins_that_is_none_is_refused(bins):
    with pytest.raises(UsageError, match=f"bins must be a whole number, at least 1; got {bins}"):
        discretise(np.zeros((3, 1)), bins)
