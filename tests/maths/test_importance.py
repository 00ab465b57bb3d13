"""What the DCI metrics share, against the reference's values and closed forms."""

import numpy as np
import pytest
from helpers.golden_metrics import ARRAYS, defined, golden
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from disentangle.contracts.metric import Detail
from disentangle.errors import Unavailable
from disentangle.maths.importance import completeness, dci_scores, disentanglement


@pytest.mark.parametrize("value", golden("aggregate"), ids=lambda v: v["case"])
def test_disentanglement_and_completeness_are_the_references(value):
    matrix = ARRAYS["expected/" + value["case"].replace(":", "/")]
    assert disentanglement(matrix)[0] == pytest.approx(value["value"]["dci_d"], abs=1e-6)
    assert completeness(matrix)[0] == pytest.approx(value["value"]["dci_c"], abs=1e-6)


@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(2, 6))
def test_disentanglement_is_one_minus_the_entropy_weighted_by_importance(seed, latents, factors):
    matrix = np.random.default_rng(seed).random((latents, factors)) + 0.01
    wanted = 1 - entropy(matrix.T, base=factors)
    score, of_latent = disentanglement(matrix)
    np.testing.assert_allclose(of_latent, wanted, atol=1e-7)
    assert score == pytest.approx(np.average(wanted, weights=matrix.sum(axis=1)), abs=1e-7)


def test_latent_of_no_importance_counts_nothing():
    matrix = np.array([[1.0, 0], [0, 1], [0, 0]])
    score, of_latent = disentanglement(matrix)
    assert score == pytest.approx(1)
    np.testing.assert_allclose(of_latent, [1, 1, 0], atol=1e-6)


def test_matrix_is_left_as_it_is():
    matrix = np.eye(3)
    disentanglement(matrix)
    completeness(matrix)
    np.testing.assert_array_equal(matrix, np.eye(3))


def test_parts_leave_a_constant_factor_out():
    importance = np.array([[0.9, np.nan, 0.2], [0.1, np.nan, 0.8]])
    found = dci_scores("m", importance, np.array([0.5, np.nan, 0.7]))
    plain = dci_scores("m", importance[:, [0, 2]], np.array([0.5, 0.7]))
    names = [name for name in found if not isinstance(found[name], Detail)]
    assert names == ["m/disentanglement", "m/completeness", "m/informativeness"]
    assert [found[name] for name in names] == [plain[name] for name in names]
    np.testing.assert_array_equal(np.isnan(found["m/factors"].values), [False, True, False])


def test_parts_of_one_factor_or_one_latent_lack_what_is_not_defined():
    one_factor = defined(dci_scores("m", np.array([[0.5], [0.5]]), np.array([0.5])))
    assert one_factor["m/completeness"] == pytest.approx(0)
    assert "m/disentanglement" not in one_factor
    one_latent = defined(dci_scores("m", np.array([[1.0, 1.0]]), np.array([0.5, 0.5])))
    assert one_latent["m/disentanglement"] == pytest.approx(0)
    assert "m/completeness" not in one_latent


def test_parts_without_a_factor_that_varies_are_unavailable():
    with pytest.raises(Unavailable, match="every factor is constant"):
        dci_scores("m", np.full((2, 1), np.nan), np.array([np.nan]))
