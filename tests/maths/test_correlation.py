"""Canonical, circular and randomised correlations, against closed forms and other computations."""

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.stats import pearsonr, rankdata

from disentangle.maths.correlation import (
    angular_correlation,
    angular_correlations,
    canonical_correlations,
    circular_correlation,
    orthonormal_basis,
    randomised_dependence,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def uniform(n=3600):
    """Angles, evenly spaced over the circle, in random order."""
    return rng().permutation(2 * np.pi * np.arange(n) / n)


def circle(angle):
    return np.column_stack([np.cos(angle), np.sin(angle)])


def by_eigenvalues(x, y):
    """Canonical correlations by the generalised eigenproblem of Hotelling."""
    joint = np.cov(np.hstack([x, y]), rowvar=False)
    c = x.shape[1]
    across, inside = joint[:c, c:], joint[:c, :c]
    squares = eigh(across @ np.linalg.solve(joint[c:, c:], across.T), inside, eigvals_only=True)
    return np.sqrt(np.maximum(squares, 0))[::-1]


def test_canonical_correlations_are_the_eigenvalues_of_hotelling():
    made = rng()
    y = made.normal(size=(500, 3))
    x = y[:, :2] @ made.normal(size=(2, 2)) + made.normal(size=(500, 2))
    np.testing.assert_allclose(canonical_correlations(x, y), by_eigenvalues(x, y), atol=1e-12)


def test_canonical_correlation_of_two_columns_is_pearsons():
    x, y = rng().normal(size=(2, 300))
    expected = abs(pearsonr(x, y).statistic)
    assert canonical_correlations(x[:, None], y[:, None]) == pytest.approx([expected])


def test_constant_and_repeated_columns_add_no_canonical_correlation():
    made = rng()
    x, y = made.normal(size=(2, 300, 2))
    more = np.hstack([x, np.full((300, 1), 0.3), x[:, :1] - 2 * x[:, 1:], 1e-9 * x])
    np.testing.assert_allclose(canonical_correlations(more, y), canonical_correlations(x, y))
    assert orthonormal_basis(more).shape == (300, 2)
    assert canonical_correlations(np.ones((300, 2)), y).shape == (0,)


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1e9, 1e200])
def test_scale_and_shift_change_no_canonical_correlation(scale):
    x, y = rng().normal(size=(2, 300, 2))
    moved = canonical_correlations(scale * (x + 3), y)
    np.testing.assert_allclose(moved, canonical_correlations(x, y), atol=1e-9)


def test_cosine_and_sine_of_an_angle_correlate_fully_with_it_turned_or_mirrored():
    angle = uniform()
    code = circle(angle)
    for columns in (code, code @ [[0.6, -0.8], [0.8, 0.6]] * [1, -7] + 3, code[:, 0], code[:, 1:]):
        assert angular_correlation(columns, angle) == pytest.approx(1)


def test_an_angle_as_a_code_has_the_correlation_of_the_closed_form():
    # E[x sin x] = -1 on a circle, Var x = pi^2 / 3, Var sin x = 1 / 2, and cos x is uncorrelated
    angle = uniform()
    assert angular_correlation(angle, angle) == pytest.approx(6 / np.pi**2, abs=1e-3)


def test_correlation_with_an_angle_is_the_formula_of_mardia():
    made = rng()
    angle = made.uniform(0, 2, 400)  # half a circle: cosine and sine are correlated
    x = np.cos(angle - 1) + made.normal(size=400)
    c, s = np.cos(angle), np.sin(angle)
    r_xc, r_xs, r_cs = (pearsonr(*pair).statistic for pair in ((x, c), (x, s), (c, s)))
    expected = (r_xc**2 + r_xs**2 - 2 * r_xc * r_xs * r_cs) / (1 - r_cs**2)
    assert abs(r_cs) > 0.1
    assert angular_correlation(x, angle) == pytest.approx(expected)


def test_correlations_of_latents_with_angles_are_those_of_each_pair():
    made = rng()
    angles = np.column_stack([made.uniform(0, 2, 300), made.vonmises(0, 1, 300), np.ones(300)])
    z = np.column_stack([np.cos(angles[:, 0]), angles[:, 1], made.normal(size=300), np.ones(300)])
    expected = [[angular_correlation(x, angle) for angle in angles.T] for x in z.T]
    got = angular_correlations(z, angles)
    np.testing.assert_allclose(got, expected, atol=1e-12)
    assert got[0, 0] == pytest.approx(1)
    assert not got[3].any()
    assert not got[:, 2].any()


def test_one_coordinate_beside_noise_is_half_of_a_circle():
    angle = uniform()
    columns = np.column_stack([np.cos(angle), rng(1).normal(size=len(angle))])
    assert angular_correlation(columns, angle) == pytest.approx(0.5, abs=0.01)
    columns[:, 1] = 4.0
    assert angular_correlation(columns, angle) == pytest.approx(1)


def test_constant_columns_and_angles_correlate_with_nothing():
    angle = uniform()
    assert angular_correlation(np.ones((len(angle), 2)), angle) == 0
    assert angular_correlation(circle(angle), np.full(len(angle), 1.5)) == 0


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (lambda angle: angle, 1),
        (lambda angle: angle + 1.3, 1),
        (lambda angle: -angle + 2 * np.pi * 5, 1),
        (lambda angle: 2 * angle, 0),
        (lambda angle: np.arccos(np.cos(angle)), (1 + 0) / 2),  # cosine kept, side lost
        (lambda angle: rng(5).permutation(angle), 0),
    ],
    ids=["same", "turned", "mirrored", "doubled", "folded", "unrelated"],
)
def test_correlation_of_two_angles(other, expected):
    angle = uniform()
    assert circular_correlation(angle, other(angle)) == pytest.approx(expected, abs=0.01)
    assert circular_correlation(other(angle), angle) == pytest.approx(expected, abs=0.01)


class Drawn:
    """A generator that gives these weights, [2, features]."""

    def __init__(self, weights):
        self.weights = weights

    def standard_normal(self, size):
        assert self.weights.shape == size
        return self.weights


def by_the_papers_code(x, y, weights, scale):
    """Figure 2 of Lopez-Paz et al. (2013), with least squares by eigenvalues for `cancor`."""
    sides = []
    for column in (x, y):
        copula = np.column_stack([rankdata(column) / len(column), np.ones(len(column))])
        sides.append(np.sin(scale / copula.shape[1] * copula @ weights))
    return by_eigenvalues(*sides)[0]


def test_randomised_dependence_is_that_of_the_papers_code():
    made = rng()
    z = made.normal(size=(300, 2))
    v = np.column_stack([np.cos(3 * z[:, 0]) + 0.3 * made.normal(size=300), np.rint(2 * z[:, 1])])
    weights = made.normal(size=(2, 3))
    got = randomised_dependence(z, v, Drawn(weights), features=3, scale=4.0)
    expected = [[by_the_papers_code(x, y, weights, 4.0) for y in v.T] for x in z.T]
    np.testing.assert_allclose(got, expected, atol=1e-7)


def test_randomised_dependence_sees_a_relation_that_no_rank_correlation_sees():
    made = rng()
    z = made.normal(size=(2000, 3))
    v = np.column_stack([z[:, 0] ** 2, np.exp(z[:, 1])])
    got = randomised_dependence(z, v, rng())
    np.testing.assert_allclose(np.diag(got), 1, atol=0.01)
    assert got[[1, 2, 0, 2], [0, 0, 1, 1]].max() < 0.15


def test_randomised_dependence_of_constant_columns_is_0():
    z = np.column_stack([np.ones(50), np.arange(50)])
    got = randomised_dependence(z, z, rng())
    np.testing.assert_allclose(got, [[0, 0], [0, 1]], atol=1e-9)


def test_randomised_dependence_does_not_depend_on_monotone_functions_or_order():
    made = rng()
    z, v = made.normal(size=(2, 200, 3))
    before, order = randomised_dependence(z, v, rng()), [2, 0, 1]
    after = randomised_dependence(1e6 * np.exp(z[:, order]) - 4, v**3, rng())
    np.testing.assert_allclose(after, before[order], atol=1e-12)
