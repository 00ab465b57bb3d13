"""OMES against its formula written out, closed forms on grids, and where it misleads."""

import numpy as np
import pytest
from helpers.golden_metrics import DSPRITES, Coded, Factors, identity, noise, rotation, small

from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics import omes as module
from disentangle_plugins.metrics.omes import OMES, differing, encoding, omes, scores_of_factors

FEW = {"a": 4, "b": 5, "c": 6, "d": 2}


def rng(seed=0):
    return np.random.default_rng(seed)


def grid(*sizes):
    return np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), -1).reshape(-1, len(sizes))


def written_out(c, alpha, pooling):
    """The scores of factors, by the definition's sums one by one."""
    latents, factors = c.shape
    scores = []
    for k in range(factors):
        pooled = []
        for of in ("overlap", "multiple"):
            terms = []
            for i in range(latents):
                if of == "overlap":
                    off = np.mean([abs((j == k) - c[i, j]) for j in range(factors)])
                else:
                    off = np.mean([abs((j == i) - c[j, k]) for j in range(latents)])
                terms.append((1 - off) * c[i, k])
            best, mean = max(terms), np.average(terms, weights=c[:, k])
            pooled.append(best if pooling == "max" else mean)
        scores.append(alpha * pooled[0] + (1 - alpha) * pooled[1])
    return scores


@pytest.mark.parametrize("pooling", ["avg", "max"])
@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_scores_are_the_sums_of_the_definition(alpha, pooling):
    c = rng().random((5, 3))
    np.testing.assert_allclose(scores_of_factors(c, alpha, pooling), written_out(c, alpha, pooling))


def test_encoding_is_one_minus_numpys_correlation():
    x, y = rng().normal(size=(2, 200, 3))
    y += x * [0, 1, -3]
    expected = [1 - abs(np.corrcoef(a, b)[0, 1]) for a, b in zip(x.T, y.T, strict=True)]
    np.testing.assert_allclose(encoding(x, y), expected, atol=1e-12)
    np.testing.assert_allclose(encoding(1e-150 * x, 1e-150 * y), expected, atol=1e-9)
    np.testing.assert_allclose(encoding(1e5 + x, 1e5 + y), expected, atol=1e-9)


@pytest.mark.parametrize("largest", [2**40, 1])
def test_pairs_differ_in_one_factor_alone_and_are_uniform(largest, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", largest)
    labels = grid(3, 4, 5)[rng(1).permutation(60)]
    labels = np.vstack([labels, labels])  # each image twice
    first, second = differing(labels, 1, 60_000, rng(), "b")
    assert (labels[first] != labels[second]).any(axis=0).tolist() == [False, True, False]
    assert (labels[first] != labels[second]).sum() == 60_000
    values = np.bincount(labels[first, 1] * 4 + labels[second, 1], minlength=16).reshape(4, 4)
    np.testing.assert_allclose(values, 5000 * (1 - np.eye(4)), atol=300)
    np.testing.assert_allclose(np.bincount(first, minlength=120), 500, atol=110)
    np.testing.assert_allclose(np.bincount(second, minlength=120), 500, atol=110)


def test_factors_themselves_score_by_their_numbers_of_values():
    c = 1 - 1 / (np.array(list(DSPRITES.values())) - 1)
    expected = np.mean(c * (1 - (1 - c) / 5))
    for pooling in ("avg", "max"):
        scores = OMES(pooling=pooling).score(Coded(identity), rng())
        assert scores["omes"] == pytest.approx(expected, abs=0.015)
    np.testing.assert_allclose(scores["omes/encoding"].values, np.diag(c), atol=0.04)


def test_factor_of_two_values_counts_as_not_encoded():
    scores = OMES().score(Coded(lambda u, index: u, FEW), rng())
    assert scores["omes/factors"].values[3] == pytest.approx(0, abs=1e-9)
    assert scores["omes/factors"].values[2] > 0.7


def test_mixture_of_factors_with_few_values_beats_them():
    q = np.linalg.qr(rng().normal(size=(4, 4)))[0]
    factors, mixture = (
        OMES(pooling="max").score(Coded(encoder, FEW), rng())["omes"]
        for encoder in (lambda u, index: u, lambda u, index: u @ q)
    )
    assert mixture > factors


def test_noise_seems_to_encode_every_factor():
    scores = OMES().score(Coded(noise), rng())
    assert scores["omes"] == pytest.approx((1 / 5 + 1 / 10) / 2, abs=0.02)
    assert scores["omes/encoding"].values.min() > 0.9


def test_factors_beat_their_rotation_and_noise_at_full_size():
    of = [OMES().score(Coded(encoder), rng())["omes"] for encoder in (identity, rotation, noise)]
    assert of == sorted(of, reverse=True)
    assert of[0] - of[1] > 0.3


def test_latents_of_small_deviation_are_left_out():
    z, v = small(n=2000)
    quiet = np.hstack([z, 0.01 * rng().normal(size=(len(z), 2)), np.ones((len(z), 1))])
    assert omes(quiet, v) == pytest.approx(omes(z, v))
    assert omes(quiet, v, threshold=0.001) < omes(z, v) - 0.01
    encoded = OMES().score(array_source(quiet, v), rng())["omes/encoding"].values
    assert np.isnan(encoded).all(axis=1).tolist() == [False] * 3 + [True] * 3


def test_no_active_latent_scores_0():
    z, v = small()
    assert omes(0.001 * z, v) == 0
    assert OMES().score(array_source(np.ones_like(z), v), rng())["omes"] == 0


def test_factor_that_no_latent_encodes_scores_0():
    v = np.vstack([grid(6, 5)] * 5)
    z = v[:, :1].astype(float)
    scores = OMES().score(array_source(z, v), rng())
    assert scores["omes/factors"].values[1] == pytest.approx(0, abs=1e-9)
    assert scores["omes"] == pytest.approx(scores["omes/factors"].values[0] / 2)


def test_nuisance_is_the_same_in_both_images():
    source = Coded(lambda u, index: u)
    source.dataset = Factors({"a": 6, "light": 50, "b": 5}, nuisance=["light"])
    source.codes = lambda index: source.dataset.every_label(index).astype(float)
    encoded = OMES().score(source, rng())["omes/encoding"].values
    np.testing.assert_allclose(encoded[1], 0, atol=1e-9)


def test_half_of_a_grid_has_nearly_its_score():
    v = grid(8, 9, 10)
    z = v + 0.1 * rng().normal(size=v.shape)
    half = rng(1).permutation(len(v))[: len(v) // 2]
    assert omes(z[half], v[half]) == pytest.approx(omes(z, v), abs=0.04)


def test_images_without_partners_are_unavailable():
    z, v = rng().normal(size=(500, 3)), rng().integers(0, 50, (500, 3))
    with pytest.raises(Unavailable, match="needs 100 images that differ from another one in fac"):
        omes(z, v)
    with pytest.raises(Unavailable, match="in 'factor 1' alone, got"):
        OMES().score(array_source(z, v), rng())


def test_constant_factor_is_left_out():
    z, v = small(n=2000)
    more = np.hstack([v, np.ones_like(v[:, :1])])
    assert omes(z, more) == omes(z, v)
    with pytest.raises(Unavailable, match="every factor is constant"):
        omes(z, 0 * v)
