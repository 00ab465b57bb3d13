"""UDR against the reference's values, scikit-learn, SciPy, and what must not change it."""

import numpy as np
import pytest
from helpers.golden_metrics import ARRAYS, golden
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.linear_model import Lasso

from disentangle import Code
from disentangle._utils.seeds import numpy_rng
from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.run import Run
from disentangle.scoring.codes import RunSource
from disentangle.scoring.udr import (
    agreement,
    lasso,
    pairwise,
    ranks,
    udr,
    udr_of_runs,
    unit_variance,
)
from disentangle.training.train import train

CODES, KL = ARRAYS["udr/codes"].astype(np.float64), ARRAYS["udr/kl"]
METHODS = ["lasso", "spearman"]
OTHERS = ~np.eye(len(CODES), dtype=bool)
QUICK = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}


def reference(method, filtered):
    """Return the reference's scores."""
    (value,) = (v for v in golden(f"udr_{method}") if v["hp"]["filter_low_kl"] == filtered)
    return value["value"]


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_the_references(method):
    np.testing.assert_allclose(udr(CODES, KL, method), reference(method, True), atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_agreement_of_each_pair_is_the_references(method):
    expected = ARRAYS[f"expected/udr/{method}_filt1/pairwise"][OTHERS]
    pairs = pairwise(CODES, KL, method)
    np.testing.assert_allclose(pairs[OTHERS], expected, atol=1e-6)
    assert np.isnan(np.diag(pairs)).all()


def test_agreement_without_the_filter_is_the_references():
    # Collapsed latents are zero there, and count. With Spearman all of it is NaN, and then 0.
    z = [unit_variance(codes) * (kl > 0.01) for codes, kl in zip(CODES, KL, strict=True)]
    n, m = CODES.shape[1], len(CODES)
    for i, j in zip(*np.nonzero(OTHERS), strict=True):
        similar = np.abs(lasso(z[i].T @ z[i] / n, z[i].T @ z[j] / n, 0.1))
        corr = ARRAYS["expected/udr/lasso/corr"][i, j]
        np.testing.assert_allclose(similar, corr, atol=1e-6)
        expected = ARRAYS["expected/udr/lasso_filt0/pairwise"][i, j]
        assert agreement(similar) == pytest.approx(expected, abs=1e-6)
    medians = [
        np.median(ARRAYS["expected/udr/lasso_filt0/pairwise"][OTHERS[i], i]) for i in range(m)
    ]
    np.testing.assert_allclose(medians, reference("lasso", False), atol=1e-12)


def test_lasso_is_scikit_learns():
    rng = np.random.default_rng(0)
    x, mix = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=(5, 7))
    y = unit_variance(x @ mix + rng.normal(size=(200, 7)))
    x = unit_variance(x)
    expected = Lasso(alpha=0.05, tol=1e-12, max_iter=100_000).fit(x, y).coef_.T
    found = lasso(x.T @ x / len(x), x.T @ y / len(x), 0.05)
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_rank_correlation_is_scipys():
    z = np.round(np.random.default_rng(0).normal(size=(50, 4)), 1)  # with ties
    found = unit_variance(ranks(z))
    np.testing.assert_allclose(found.T @ found / len(z), spearmanr(z).statistic, atol=1e-12)


def test_agreement_of_a_permutation_is_one_and_of_equal_weights_one_over_their_number():
    assert agreement(np.eye(4)[[2, 0, 3, 1]]) == pytest.approx(1.0)
    assert agreement(np.ones((5, 5))) == pytest.approx(1 / 5)
    assert agreement(np.zeros((3, 2))) == 0.0


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=5)
@given(
    order=st.permutations(range(6)),
    signs=st.lists(st.sampled_from([-1, 1]), min_size=6, max_size=6),
    seed=st.integers(0, 99),
)
def test_order_sign_and_rows_change_nothing(method, order, signs, seed):
    rows = np.random.default_rng(seed).permutation(300)
    codes, kl = CODES[:, :300].copy(), KL.copy()
    before = udr(codes, kl, method)
    codes[1], kl[1] = codes[1][:, order] * signs, kl[1][order]
    np.testing.assert_allclose(udr(codes[:, rows], kl, method), before, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_scale_and_shift_change_nothing(method):
    factors = np.array([1e-8, 1.0, 1e8, 3.0, -2.0])[:, None, None]
    np.testing.assert_allclose(udr(CODES * factors, KL, method), udr(CODES, KL, method), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_scores_fall_as_noise_is_added(method):
    rng = np.random.default_rng(0)
    u, noise = rng.normal(size=(500, 4)), rng.normal(size=(3, 500, 4))
    kl = np.ones((3, 4))
    scores = [udr(u + amount * noise, kl, method).mean() for amount in (0, 0.3, 1, 3, 10)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.8


def test_models_may_differ_in_their_number_of_latents():
    codes = [z[:, kl > 0.01] for z, kl in zip(CODES, KL, strict=True)]
    kl = [kl[kl > 0.01] for kl in KL]
    assert len({z.shape[1] for z in codes}) > 1
    np.testing.assert_allclose(udr(codes, kl), udr(CODES, KL), atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_collapsed_model_has_no_score_and_counts_for_no_other(method):
    kl = KL.copy()
    kl[2] = 0.0
    found = udr(CODES, kl, method)
    others = [0, 1, 3, 4]
    assert np.isnan(found[2])
    np.testing.assert_allclose(found[others], udr(CODES[others], KL[others], method))


def test_collapsed_models_alone_have_no_scores():
    assert np.isnan(udr(CODES, np.zeros_like(KL))).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "odd",
    [
        lambda z: np.hstack([z[:, :5], np.full((len(z), 1), 0.3)]),
        lambda z: np.full_like(z, 0.1),
        lambda z: z[:, [0, 0, 0, 1, 2, 3]],
        lambda z: z + 1e-9 * z[:, [1, 0, 2, 3, 4, 5]],
        lambda z: z[:, :1],
    ],
    ids=["constant latent", "all constant", "copies", "nearly equal", "one latent"],
)
def test_odd_codes_have_scores_between_0_and_1(method, odd):
    codes = [odd(z) for z in CODES[:3, :200]]
    found = udr(codes, [np.ones(z.shape[1]) for z in codes], method)
    assert ((found >= 0) & (found <= 1)).all()


@pytest.fixture
def runs(run, tmp_path):
    """Return runs that differ in their seed."""
    made = [train("vae", "tiny", seed=seed, results=tmp_path / "more", **QUICK) for seed in (1, 2)]
    return [run, *made]


def posteriors(runs, samples):
    """Return means and KL of the images that seed 0 draws."""
    codes, kl = [], []
    for run in runs:
        index = RunSource(run).points(samples, numpy_rng(0, "udr"))
        code = run.code(run.dataset.images(index))
        codes.append(code.mean.double().numpy())
        kl.append(code.kl().mean(0).numpy())
    return codes, kl


def test_runs_are_compared_by_their_posteriors(runs):
    found = udr_of_runs([runs[0], runs[1].path, runs[2]], samples=60, threshold=1e-5, alpha=1e-3)
    expected = udr(*posteriors(runs, 60), threshold=1e-5, alpha=1e-3)
    assert found.reasons == ("", "", "")
    assert found.scores == pytest.approx(list(expected), abs=1e-3)
    np.testing.assert_allclose(found.scores, np.nanmedian(found.pairs, axis=0))


def test_all_images_count_alike_where_training_drew_them_by_correlated_factors(strangers, tmp_path):
    pair = {"correlate": ["side,x=0.1"], "results": tmp_path, **QUICK}
    runs = [train("vae", "tiny", seed=seed, **pair) for seed in (1, 2)]
    alike, dataset = [], runs[0].dataset.whole
    index = numpy_rng(0, "udr").integers(0, len(dataset), 60)
    for run in runs:
        code = run.code(dataset.images(index))
        alike.append((code.mean.double().numpy(), code.kl().mean(0).numpy()))
    expected = udr(*zip(*alike, strict=True), threshold=1e-5, alpha=1e-3)
    found = udr_of_runs(runs, samples=60, threshold=1e-5, alpha=1e-3)
    assert found.scores == pytest.approx(list(expected), abs=1e-3)


def test_latents_count_from_a_kl_on(runs):
    _, kl = posteriors(runs[1:], 60)
    first, second = sorted(float(nats.max()) for nats in kl)
    found = udr_of_runs(runs[1:], samples=60, threshold=0.999 * first)
    assert None not in found.scores
    assert udr_of_runs(runs[1:], samples=60, threshold=1.001 * first).scores == (None, None)
    found = udr_of_runs(runs[1:], samples=60, threshold=1.001 * second)
    assert all(reason.startswith("all latents are collapsed") for reason in found.reasons)


def test_ranking_depends_on_the_seed_alone(runs):
    first, second, third = (
        udr_of_runs(runs[:2], samples=30, seed=seed, threshold=0.0).pairs for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != third)[~np.isnan(first)].any()


def test_run_without_a_posterior_has_a_reason_and_leaves_the_others_theirs(runs, tmp_path):
    plain = train("plain-code", "tiny", results=tmp_path / "plain", **QUICK)
    found = udr_of_runs([plain, *runs[1:]], samples=20, threshold=0.0)
    assert found.scores[0] is None
    assert "have no posterior" in found.reasons[0]
    assert found.scores[1:] == udr_of_runs(runs[1:], samples=20, threshold=0.0).scores
    alone = udr_of_runs([plain, runs[1]], samples=20, threshold=0.0)
    assert alone.scores == (None, None)
    assert "no other run" in alone.reasons[1]


def test_runs_that_cannot_be_compared_are_refused(run, runs, tmp_path):
    photos = train("vae", "tiny-photos", results=tmp_path / "photos", **QUICK)
    part = train("vae", "tiny", hold_out=["0.2"], results=tmp_path / "part", **QUICK)
    for wrong, message in (
        ([run], "at least two runs, got 1"),
        ([run, run.path], "are the same run"),
        ([run, photos], "same images; got 'tiny' .* and 'tiny-photos'"),
        ([run, part], "same images; .* split=train"),
    ):
        with pytest.raises(UsageError, match=message):
            udr_of_runs(wrong)
    with pytest.raises(UsageError, match="samples must be"):
        udr_of_runs(runs, samples=1)


def test_unfinished_run_is_refused(runs):
    runs[0].save_record(finished=None)
    with pytest.raises(DisentangleError, match=r"Run `disentangle resume .*` first"):
        udr_of_runs(runs)


def test_runs_of_codes_in_blocks_have_a_reason(runs, monkeypatch, tmp_path):
    monkeypatch.setenv("DISENTANGLE_CACHE", str(tmp_path))
    code = Run.code
    blocks = lambda run, x: Code(code(run, x).mean.unflatten(1, (5, 2)))  # noqa: E731
    monkeypatch.setattr(Run, "code", blocks)
    found = udr_of_runs(runs[:2], samples=20)
    assert found.scores == (None, None)
    assert set(found.reasons) == {"UDR compares single latents, and its codes are in blocks"}
