"""Entropy and mutual information, against scikit-learn and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from disentangle.errors import Unavailable
from disentangle.information import discretise, entropies, mutual_information

SEEDS = st.integers(0, 2**32 - 1)


def variables(seed, n=200, columns=3, values=5):
    return np.random.default_rng(seed).integers(0, values, (n, columns))


@given(SEEDS)
def test_mutual_information_is_scikit_learns(seed):
    a, b = variables(seed), variables(seed + 1, columns=2, values=7)
    expected = [[mutual_info_score(x, y) for y in b.T] for x in a.T]
    np.testing.assert_allclose(mutual_information(a, b), expected, atol=1e-12)


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


def test_column_that_is_constant_but_for_rounding_falls_into_one_bin():
    codes = np.where(np.arange(50) % 2, 0.3, 0.1 + 0.2)[:, None]
    assert len(np.unique(codes)) == 2
    assert (discretise(codes, 20) == 0).all()


def test_column_beyond_all_numbers_is_unavailable():
    with pytest.raises(Unavailable, match="latent 0 spreads too far"):
        discretise(np.array([[-1.7e308], [1.7e308]]), 20)


def test_constant_column_falls_into_one_bin():
    assert len(np.unique(discretise(np.full((9, 1), 0.7), 20))) == 1
