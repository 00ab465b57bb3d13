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
from disentangle_plugins.metrics.mcc import MCC, correlations, matched, mcc


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


def factors_of(n, seed):
    """Five independent standard normal factors, [n, 5], and the generator that goes on."""
    made = np.random.default_rng(seed)
    return made.normal(size=(n, 5)), made


def dense(v, made):
    """A dense mixing of condition 10: E3 of Joshi et al. (2026)."""
    u, _, w = np.linalg.svd(made.normal(size=(5, 5)))
    return v @ (u * np.linspace(1, 0.1, 5) @ w).T


def several_codes(v, made):
    """Six nonlinear codes, two of one factor: E6 of Joshi et al. (2026)."""
    sources = made.permutation([*range(5), made.integers(5)])
    functions = (
        lambda x: np.tanh(2 * x**3 - 0.1),
        lambda x: np.sinh(2 * x**3 + 0.1),
        lambda x: np.sign(x) * np.sqrt(np.abs(x)),
        lambda x: x**3,
        lambda x: x**5,
        np.exp,
    )
    return np.column_stack([f(v[:, k]) for f, k in zip(functions, sources, strict=True)])


def published(codes, rows=1_000, seeds=40):
    """The mean MCC of codes of independent factors, as in an experiment of Joshi et al. (2026).

    Their code holds a fifth of the rows out, and computes MCC on those alone.
    """
    n = rows // 5
    return np.mean(
        [mcc(codes(*made), made[0]) for made in (factors_of(n, s) for s in range(seeds))]
    )


def test_scaled_and_permuted_factors_have_the_published_mcc_of_1():
    assert published(lambda v, made: v[:, ::-1] * [0.5, -2, 1, 1.5, -1]) == pytest.approx(1.0)


def test_sine_and_cosine_have_the_published_mcc_and_that_of_the_closed_form():
    # E[v sin v] = exp(-1/2), and Var sin v = (1 - exp(-2)) / 2; the cosine is uncorrelated.
    exact = np.exp(-0.5) / np.sqrt((1 - np.exp(-2)) / 2)
    assert exact == pytest.approx(0.922, abs=5e-4)
    assert published(lambda v, made: np.hstack([np.sin(v), np.cos(v)])) == pytest.approx(
        exact,
        abs=0.006,  # a little above it, as there are 200 rows
    )


@pytest.mark.parametrize(
    ("codes", "value", "tolerance"), [(dense, 0.687, 0.03), (several_codes, 0.748, 0.03)]
)
def test_other_codes_have_about_the_published_mcc_of_five_seeds(codes, value, tolerance):
    assert published(codes) == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize(
    ("rows", "low", "high"),
    [
        (50, 0.353, 0.510),
        (100, 0.238, 0.413),
        (200, 0.204, 0.267),
        (500, 0.116, 0.161),
        (1_000, 0.096, 0.124),
        (2_000, 0.064, 0.096),
        (5_000, 0.040, 0.048),
        (10_000, 0.031, 0.037),
    ],
)
def test_noise_has_an_mcc_within_the_published_interval(rows, low, high):
    assert low <= published(lambda v, made: made.normal(size=v.shape), rows) <= high
