"""Correlations of several columns at once: canonical, of angles, and of random features."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Numbers = NDArray[np.float64]
TOLERANCE = 1e-7
"""Singular values up to this share of the largest count as 0, as in R's `cancor`."""


def unit_columns(columns: ArrayLike) -> Numbers:
    """Return columns with mean 0 and length 1, [N, D]; a constant column is 0."""
    x = np.asarray(columns, dtype=np.float64)
    varies = np.ptp(x, axis=0) > 0
    x = np.where(varies, x - x.mean(axis=0), 0.0)
    x /= np.where(varies, np.abs(x).max(axis=0), 1.0)  # so that no square over- or underflows
    length = np.linalg.norm(x, axis=0)
    unit: Numbers = x / np.where(length > 0, length, 1.0)
    return unit


def orthonormal_basis(columns: ArrayLike) -> Numbers:
    """Return an orthonormal basis of the centred columns [N, C], [N, R]; R is their rank."""
    u, singular, _ = np.linalg.svd(unit_columns(columns), full_matrices=False)
    basis: Numbers = u[:, singular > TOLERANCE * singular.max()]
    return basis


def canonical_correlations(x: ArrayLike, y: ArrayLike) -> Numbers:
    """Return the canonical correlations of columns x [N, C] and y [N, E], largest first.

    There are as many as the smaller rank of the two; none if the columns of either are constant.
    """
    a, b = orthonormal_basis(x), orthonormal_basis(y)
    correlations: Numbers = np.minimum(np.linalg.svd(a.T @ b, compute_uv=False), 1.0)
    return correlations


def angular_correlation(x: ArrayLike, angle: ArrayLike) -> float:
    """Return the mean squared canonical correlation of columns and (cos, sin) of an angle, 0 to 1.

    For one column it is R^2 = (r_xc^2 + r_xs^2 - 2 r_xc r_xs r_cs) / (1 - r_cs^2), where r_xc is
    the correlation of the column and the cosine: Mardia (1976),
    https://doi.org/10.1093/biomet/63.2.403. For two columns, such as a code that is meant to be
    the cosine and the sine of the angle, it is 1 if cosine and sine are linear functions of them,
    and 1/2 if one column is the cosine and the other one is noise. A constant column is left out.
    Without any other column, or if the angle is constant, it is 0.

    Args:
        x: one or two columns, [N], [N, 1] or [N, 2].
        angle: the angle in radians, [N].
    """
    columns = np.asarray(x, dtype=np.float64).reshape(len(np.asarray(x)), -1)
    squares = np.square(canonical_correlations(columns, circle(angle)))
    return float(squares.mean()) if len(squares) else 0.0


def angular_correlations(z: ArrayLike, angles: ArrayLike) -> Numbers:
    """Return `angular_correlation` of each single latent with each angle, [D, K], 0 to 1.

    Args:
        z: codes, [N, D].
        angles: angles in radians, [N, K].
    """
    x = unit_columns(z)
    bases = [orthonormal_basis(circle(angle)) for angle in np.asarray(angles, np.float64).T]
    squares = np.stack([np.square(x.T @ basis).sum(axis=1) for basis in bases], axis=1)
    correlations: Numbers = np.minimum(squares, 1.0)
    return correlations


def circular_correlation(angle: ArrayLike, other: ArrayLike) -> float:
    """Return the correlation of two angles in radians [N], r^2 / 2 of Jupp and Mardia (1980).

    It is the mean squared canonical correlation of their (cos, sin) pairs, 0 to 1: 1 for the same
    angle, mirrored or turned, and 0 for independent ones. https://doi.org/10.1093/biomet/67.1.163
    """
    return angular_correlation(circle(angle), other)


def circle(angle: ArrayLike) -> Numbers:
    """Return (cos, sin) of angles in radians [N], [N, 2]."""
    radians = np.asarray(angle, dtype=np.float64).ravel()
    return np.column_stack([np.cos(radians), np.sin(radians)])


def sine_bases(
    columns: ArrayLike, rng: np.random.Generator, features: int = 20, scale: float = 1 / 6
) -> list[Numbers]:
    """Return a basis of random sines of the ranks of each of columns [N, D], D times [N, R].

    The sines are sin(a r + b), where r is the rank over N, and a and b are drawn from
    N(0, (scale / 2)^2), the same ones for each column.

    Args:
        columns: columns, [N, D].
        rng: draws the sines.
        features: number of sines.
        scale: s of the paper.
    """
    ranks = rankdata(np.asarray(columns), axis=0) / len(np.asarray(columns))
    slope, offset = scale / 2 * rng.standard_normal((2, features))
    return [orthonormal_basis(np.sin(np.outer(r, slope) + offset)) for r in ranks.T]


def largest_correlations(z: list[Numbers], v: list[Numbers]) -> Numbers:
    """Return the largest canonical correlation of each pair of orthonormal bases, [D, K]."""
    largest = np.zeros((len(z), len(v)))
    for i, x in enumerate(z):
        for k, y in enumerate(v):
            largest[i, k] = np.linalg.norm(x.T @ y, 2) if x.shape[1] and y.shape[1] else 0.0
    return np.minimum(largest, 1.0)


def randomised_dependence(
    z: ArrayLike,
    v: ArrayLike,
    rng: np.random.Generator,
    features: int = 20,
    scale: float = 1 / 6,
) -> Numbers:
    """Return the randomised dependence coefficients of latents and factors, [D, K], 0 to 1.

    The coefficient of a pair is the largest canonical correlation of random sines of the ranks of
    one and of the other: Lopez-Paz et al. (2013), https://arxiv.org/abs/1304.7717. It sees any
    smooth relation, and is well above 0 on few rows whatever they hold. A constant column has 0.

    Args:
        z: codes, [N, D].
        v: values, [N, K].
        rng: draws the sines.
        features: number of sines, k of the paper.
        scale: s of the paper; as in its code, weights have a standard deviation of half of it.
    """
    bases = [sine_bases(columns, rng, features, scale) for columns in (z, v)]
    return largest_correlations(*bases)
