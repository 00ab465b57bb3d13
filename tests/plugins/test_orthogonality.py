"""Orthogonality and Procrustes errors, against SciPy, the authors' formulas and closed forms."""

import numpy as np
import pytest
from helpers.golden_metrics import ENCODERS, Coded, small
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group

from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.orthogonality import Orthogonality, orthogonality

ERROR, PROCRUSTES = "orthogonality/error", "orthogonality/procrustes"


def rng(seed=0):
    return np.random.default_rng(seed)


def standard(columns):
    return (columns - columns.mean(axis=0)) / columns.std(axis=0)


def mixed(latents=4, n=500):
    """Codes that are a noisy linear map of three dependent factors, and the factors."""
    made = rng(1)
    v = made.normal(size=(n, 3)) @ [[1, 0.4, 0], [0, 1, 0.2], [0, 0, 1]]
    z = v @ made.normal(size=(3, latents)) + 0.3 * made.normal(size=(n, latents))
    return 5 * z + 2, v


def whitened(n=400, k=3):
    """Uncorrelated columns of mean 0 and variance 1, up to rounding."""
    x = rng(2).normal(size=(n, k))
    return np.linalg.qr(x - x.mean(axis=0))[0] * np.sqrt(n)


@pytest.mark.parametrize("latents", [2, 3, 4, 7])
def test_procrustes_error_is_scipys(latents):
    z, v = mixed(latents)
    size = max(latents, 3)
    x, y = (np.pad(standard(a), [(0, 0), (0, size - a.shape[1])]) for a in (z, v))
    turn, _ = orthogonal_procrustes(y, x)
    expected = np.square(x - y @ turn).sum(axis=1).mean() / size
    assert orthogonality(z, v)[PROCRUSTES] == pytest.approx(expected)


def test_errors_are_those_of_the_authors_formulas():
    z, v = mixed(3)
    h, factors = standard(z), standard(v)
    ones = np.ones((len(v), 1))
    a = np.linalg.lstsq(np.hstack([factors, ones]), h, rcond=None)[0][:3].T
    error = np.linalg.norm(a.T @ a - np.eye(3), "fro") / 3**0.5
    u, _, w = np.linalg.svd(h.T @ factors / len(h))
    mean_squared = np.square(h - factors @ (u @ w).T).sum(axis=1).mean()
    got = orthogonality(z, v)
    assert got == pytest.approx({ERROR: error, PROCRUSTES: mean_squared / 3})
    assert error > 0.1


def test_turned_or_reordered_factors_have_no_error():
    v = whitened()
    turned = v @ ortho_group(3, seed=3).rvs() / 7 + 4
    for z in (turned, v[:, ::-1] * [-2, 1, 9]):
        assert orthogonality(z, v) == pytest.approx({ERROR: 0, PROCRUSTES: 0}, abs=1e-12)


def test_map_that_is_no_rotation_has_an_error_that_r2_does_not_see():
    v = whitened()
    z = v @ np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]]).T  # z2 = v1 + v2
    a = np.array([[1, 0, 0], [np.sqrt(0.5), np.sqrt(0.5), 0], [0, 0, 1]])
    assert orthogonality(z, v)[ERROR] == pytest.approx(
        np.linalg.norm(a.T @ a - np.eye(3)) / np.sqrt(3)
    )


def test_codes_that_know_nothing_have_the_errors_of_chance():
    made = rng(4)
    z, v = made.normal(size=(20_000, 6)), made.normal(size=(20_000, 3))
    got = orthogonality(z, v)
    assert got[ERROR] == pytest.approx(1, abs=0.01)
    assert got[PROCRUSTES] == pytest.approx(1 + 3 / 6, abs=0.03)


def test_other_latents_count_for_procrustes_alone():
    v = whitened(20_000)
    z = np.hstack([v, rng(5).normal(size=(20_000, 2))])
    got = orthogonality(z, v)
    assert got[ERROR] == pytest.approx(0, abs=0.01)
    assert got[PROCRUSTES] == pytest.approx(2 / 5, abs=0.01)


def test_a_factor_that_two_latents_copy_is_stretched():
    v = whitened()
    z = np.hstack([v, v[:, :1]])
    assert orthogonality(z, v)[ERROR] == pytest.approx(1 / np.sqrt(3))  # A^T A = diag(2, 1, 1)


def test_a_lost_factor_has_an_error():
    v = whitened()
    assert orthogonality(v[:, :2], v)[ERROR] == pytest.approx(1 / np.sqrt(3))


def test_constant_columns_are_left_out():
    z, v = mixed()
    still = np.full((len(z), 1), 0.7)
    assert orthogonality(np.hstack([z, still]), v) == pytest.approx(orthogonality(z, v))
    assert orthogonality(z, np.hstack([still, v])) == pytest.approx(orthogonality(z, v))
    assert orthogonality(np.hstack([still, still]), v) == pytest.approx({ERROR: 1, PROCRUSTES: 1})
    with pytest.raises(Unavailable, match="every factor is constant"):
        orthogonality(z, 0 * v)


def test_map_has_a_slope_for_each_latent_and_factor():
    z, v = small()
    more = np.hstack([v, np.ones_like(v[:, :1])])

    class Still(type(array_source(z, v))):
        def values(self, index):
            return more[index].astype(float)

    source = Still(z, array_source(z, v).dataset)
    slopes = Orthogonality().score(source, rng())["orthogonality/map"].values
    expected = np.linalg.lstsq(standard(v), standard(z), rcond=None)[0].T
    np.testing.assert_allclose(slopes[:, :3], expected, atol=1e-9)
    assert np.isnan(slopes[:, 3]).all()


@pytest.mark.parametrize(("encoder", "error"), [("identity", 0), ("rotation", 0), ("noise10", 1)])
def test_error_of_known_codes_at_full_size(encoder, error):
    got = Orthogonality().score(Coded(ENCODERS[encoder]), rng())
    assert got[ERROR] == pytest.approx(error, abs=0.05)
