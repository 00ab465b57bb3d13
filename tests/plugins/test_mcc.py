"""MCC against SciPy's correlations and brute force."""

from itertools import permutations

import numpy as np
import pytest
from helpers.golden_metrics import ENCODERS, Coded, identity, small
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from disentangle.errors import Unavailable
from disentangle.scoring.arrays import ArraySource, array_source
from disentangle_plugins.metrics.mcc import MCC, correlations, matched


def score(z, v, **knobs):
    return MCC(**knobs).score(array_source(z, v), np.random.default_rng(0))


def test_correlations_are_scipys():
    z, v = small()
    wanted = [[abs(pearsonr(a, b).statistic) for b in v.T] for a in z.T]
    np.testing.assert_allclose(correlations(z, v), wanted, atol=1e-12)


def test_correlations_of_ranks_are_scipys():
    z, v = small()
    wanted = [[abs(spearmanr(a, b).statistic) for b in v.T] for a in z.T]
    found = score(z, v, correlation="spearman")["mcc/correlation"].values
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.integers(3, 5))
def test_assignment_is_the_best_of_all(seed, latents):
    matrix = np.random.default_rng(seed).random((latents, 3))
    best = max(matrix[list(a), range(3)].mean() for a in permutations(range(latents), 3))
    found, serving = matched(matrix)
    assert found == pytest.approx(best)
    assert matrix[serving.astype(int), range(3)].mean() == pytest.approx(best)


def test_factor_without_a_latent_counts_nothing():
    found, serving = matched(np.array([[0.2, 0.9, 0.1]]))
    assert found == pytest.approx(0.3)
    np.testing.assert_array_equal(serving, [np.nan, 0, np.nan])


@pytest.mark.parametrize(
    ("encoder", "low", "high"),
    [("identity", 1 - 1e-9, 1), ("duplicated", 1 - 1e-9, 1), ("noise10", 0, 0.03)],
)
def test_mcc_of_known_codes_at_full_size(encoder, low, high):
    found = MCC().score(Coded(ENCODERS[encoder]), np.random.default_rng(0))["mcc"]
    assert low <= found <= high


def test_ranks_see_through_monotone_functions():
    def cubed(u, index):
        return np.exp(3 * identity(u, index))

    pearson, spearman = (
        MCC(correlation=kind).score(Coded(cubed), np.random.default_rng(0))["mcc"]
        for kind in ("pearson", "spearman")
    )
    assert spearman == pytest.approx(1)
    assert pearson < 0.9


def test_constant_latents_correlate_with_nothing():
    z, v = small()
    still = np.full((len(z), 1), 0.7)
    assert score(np.hstack([z, still]), v)["mcc"] == score(z, v)["mcc"]
    assert score(np.hstack([still, still]), v)["mcc"] == 0


def test_one_latent_serves_the_factor_that_it_knows():
    z, v = small()
    found = score(z[:, [1]], v)
    np.testing.assert_array_equal(found["mcc/serving"].values, [np.nan, 0, np.nan])
    assert 0.3 < found["mcc"] < 1 / 3


def test_constant_factor_is_left_out():
    z, v = small()
    constant = np.hstack([np.zeros((len(v), 1), np.int64), v])
    found = correlations(z, constant)
    assert np.isnan(found[:, 0]).all()
    np.testing.assert_allclose(found[:, 1:], correlations(z, v), rtol=1e-12)

    class Still(ArraySource):
        def labels(self, index):
            return constant[index]

    behind = MCC().score(Still(z, array_source(z, v).dataset), np.random.default_rng(0))
    assert behind["mcc"] == pytest.approx(score(z, v)["mcc"])
    np.testing.assert_array_equal(behind["mcc/serving"].values, [np.nan, 0, 1, 2])
    with pytest.raises(Unavailable, match="every factor is constant"):
        score(z, 0 * v)
