"""MCC against SciPy's correlations and brute force."""

from itertools import permutations

import numpy as np
import pytest
from helpers.golden_metrics import ENCODERS, Coded, identity, small
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from disentangle import score_codes
from disentangle.errors import Unavailable, UnavailableWarning, UsageError
from disentangle.scoring.arrays import ArraySource, array_source
from disentangle.scoring.metric_spec import MetricSpec
from disentangle_plugins.metrics.mcc import MCC, correlations, matched, mcc, mcc_null


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


def unrelated(n=200, latents=10):
    """Codes that know nothing of the factors, and the factors."""
    made = np.random.default_rng(3)
    return made.normal(size=(n, latents)), made.integers(0, 9, (n, 4))


def by_folds(z, v, statistic, seed, folds=5):
    """Cross-fitting by its definition, with the correlations of SciPy and brute force."""
    scores = []
    for part in np.array_split(np.random.default_rng(seed).permutation(len(z)), folds):
        others = np.delete(np.arange(len(z)), part)
        learned, tested = (
            np.array([[statistic(a[r], b[r]).statistic for b in v.T] for a in z.T])
            for r in (others, part)
        )
        k = np.arange(v.shape[1])
        best = max(
            permutations(range(z.shape[1]), v.shape[1]), key=lambda a: abs(learned[a, k]).sum()
        )
        scores += [(np.sign(learned[best, k]) * tested[best, k]).mean()] * len(part)
    return np.mean(scores)


@pytest.mark.parametrize(("kind", "statistic"), [("pearson", pearsonr), ("spearman", spearmanr)])
def test_crossfit_is_its_definition(kind, statistic):
    z, v = small(n=103)
    z = z + 5 * np.random.default_rng(1).normal(size=z.shape)
    expected = by_folds(z, v, statistic, seed=7)
    assert mcc(z, v, kind, crossfit=True, seed=7) == pytest.approx(expected)


def test_crossfit_of_the_factors_is_1_and_of_unrelated_codes_0_on_average():
    z, v = unrelated(2_000)
    assert score(-v.astype(float), v, crossfit=True)["mcc"] == pytest.approx(1)
    assert abs(score(z, v, crossfit=True)["mcc"]) < 0.02 < score(z, v)["mcc"]


def test_crossfit_counts_a_factor_without_a_latent_as_0():
    _, v = small()
    v = v.astype(float)
    assert score(v[:, :2], v, crossfit=True)["mcc"] == pytest.approx(2 / 3, abs=1e-9)


def test_crossfit_draws_no_image_twice():
    source, drawn = Coded(identity, {"a": 4, "b": 5, "c": 8}), []
    read = source.codes
    source.codes = lambda index: drawn.append(index) or read(index)
    noise = np.random.default_rng(0).normal(size=(160, 3))
    source.encoder = lambda u, index: noise[index]
    got = MCC(crossfit=True).score(source, np.random.default_rng(0))
    assert sorted(drawn[0]) == list(range(160))
    assert source.drawn == 160
    assert abs(got["mcc"]) < 0.2


def test_crossfit_needs_three_images_a_part():
    z, v = small()
    with pytest.raises(Unavailable, match="crossfit needs at least 15 images, got 14"):
        score(z[:14], v[:14], crossfit=True)


def test_crossfit_counts_a_factor_that_is_constant_in_a_part_as_0_there():
    z, v = small()
    rare = (np.arange(len(v)) == 3).astype(float)[:, None]
    got = score(np.hstack([z, rare]), np.hstack([v, rare]), crossfit=True)
    assert np.isfinite(got["mcc"])
    assert got["mcc"] < score(z, v, crossfit=True)["mcc"]


@pytest.mark.parametrize("kind", ["pearson", "spearman", "rdc"])
def test_null_is_the_mean_of_permuted_rows_and_corrects_the_score(kind):
    z, v = unrelated()
    got = score(z, v, correlation=kind, permutations=20)
    made = np.random.default_rng(9)
    apart = [mcc(z, v[made.permutation(len(v))], kind, seed=s) for s in range(20)]
    spread = np.std(apart) / np.sqrt(10)
    assert got["mcc/null"] == pytest.approx(np.mean(apart), abs=4 * spread)
    expected = (got["mcc"] - got["mcc/null"]) / (1 - got["mcc/null"])
    assert got["mcc/corrected"] == pytest.approx(expected)
    assert abs(got["mcc/corrected"]) < 0.05 < got["mcc"]
    assert mcc_null(z, v, kind, permutations=20) == pytest.approx(np.mean(apart), abs=4 * spread)


def test_perfect_codes_stay_perfect_when_corrected():
    _, v = small()
    got = score(v.astype(float), v, permutations=3)
    assert got["mcc/corrected"] == pytest.approx(1)
    assert 0 < got["mcc/null"] < 0.5


def test_null_of_crossfit_is_near_0():
    z, v = unrelated(1_000)
    got = score(z, v, crossfit=True, permutations=10)
    assert abs(got["mcc/null"]) < 0.03 < score(z, v, permutations=10)["mcc/null"]


@pytest.mark.parametrize("knobs", [{}, {"correlation": "rdc"}, {"crossfit": True}])
def test_permutations_change_no_score_and_add_none_unless_asked_for(knobs):
    z, v = small()
    plain, more = score(z, v, **knobs), score(z, v, **knobs, permutations=2)
    assert more["mcc"] == plain["mcc"]
    assert more.keys() - plain.keys() == {"mcc/null", "mcc/corrected"}


def test_dependence_coefficient_sees_periodic_codes():
    made = np.random.default_rng(0)
    v = made.integers(0, 40, (2_000, 2))
    z = np.cos(2 * np.pi * v / 40)
    got = score(z, v, correlation="rdc")
    assert got["mcc"] > 0.99
    assert score(z, v)["mcc"] < 0.2
    np.testing.assert_array_equal(got["mcc/serving"].values, [0, 1])


def test_dependence_coefficient_leaves_constant_columns_out():
    z, v = small()
    still = np.full((len(z), 1), 0.7)
    more = score(np.hstack([z, still]), np.hstack([v, np.ones_like(v[:, :1])]), correlation="rdc")
    assert more["mcc"] == score(z, v, correlation="rdc")["mcc"]


def test_dependence_coefficient_has_no_sign_to_cross_fit():
    with pytest.raises(UsageError, match="crossfit has no effect while correlation is rdc"):
        MetricSpec("mcc:correlation=rdc,crossfit=true")


def of_an_angle(codes, degrees, **knobs):
    factors = {"angle": degrees, "size": np.arange(len(degrees)) % 5}
    metric = ",".join(["mcc:cyclic=angles", *(f"{k}={v}" for k, v in knobs.items())])
    codes = np.column_stack([codes, factors["size"]])
    return score_codes(codes, factors, kinds={"angle": "cyclic=360"}, metrics=[metric])


@pytest.mark.parametrize("degrees", [np.arange(0, 7200, 9), np.linspace(0, 359.9, 800)])
def test_a_latent_that_is_linear_in_cosine_and_sine_is_the_angle(degrees):
    angle = np.radians(degrees)
    both = of_an_angle(np.column_stack([np.cos(angle + 1), np.sin(angle)]), degrees)
    alone = of_an_angle(np.cos(angle), degrees)
    assert both["mcc"] == pytest.approx(1)
    assert alone["mcc"] == pytest.approx(1)


def test_the_angle_itself_jumps_after_a_turn():
    degrees = np.linspace(0, 360, 4000, endpoint=False)
    assert of_an_angle(degrees, degrees)["mcc"] == pytest.approx((1 + np.sqrt(6) / np.pi) / 2, 1e-3)
    assert score_codes(degrees[:, None], degrees[:, None], metrics=["mcc"])["mcc"] == 1


def test_angles_have_no_sign_to_cross_fit():
    degrees = np.linspace(0, 350, 400)
    with pytest.warns(UnavailableWarning, match="needs signs of correlations"):
        assert not of_an_angle(degrees, degrees, crossfit="true")


def test_permuted_angles_are_the_null():
    degrees = np.random.default_rng(0).uniform(0, 360, 2000)
    got = of_an_angle(np.cos(np.radians(degrees)), degrees, permutations=5)
    assert got["mcc/corrected"] == pytest.approx(1)
    assert 0 < got["mcc/null"] < 0.1
