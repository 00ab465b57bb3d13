"""Orthogonality: Klindt et al. (2026), https://arxiv.org/abs/2605.26379.

Their code is https://github.com/klindtlab/lejepa-identifiability.
"""

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Labelled, Metric, Scores, Source, knob
from disentangle.maths import codes_and_values, unit_columns, varying_factors

Numbers = NDArray[np.float64]


def orthogonality(z: ArrayLike, v: ArrayLike) -> dict[str, float]:
    """Return the orthogonality error and the Procrustes error of codes; see `Orthogonality`.

    Args:
        z: codes, [N, D].
        v: values, [N, K]; constant factors are left out.

    Raises:
        Unavailable: every factor is constant.
    """
    codes, values = codes_and_values(z, v)
    values = values[:, varying_factors(values)]
    return {
        "orthogonality/error": orthogonality_error(linear_map(codes, values)),
        "orthogonality/procrustes": procrustes_error(codes, values),
    }


def linear_map(z: Codes, v: Numbers) -> Numbers:
    """Return A of the least squares z = A v for standardised codes and factors, [D, K].

    The row of a constant latent is 0. Of factors that determine one another, the smallest A.
    """
    slopes = np.linalg.lstsq(unit_columns(v), unit_columns(z), rcond=None)[0]
    return np.asarray(slopes.T, np.float64)


def orthogonality_error(slopes: Numbers) -> float:
    """Return || A^T A - I ||_F / sqrt(K) of a linear map A [D, K]."""
    factors = slopes.shape[1]
    return float(np.linalg.norm(slopes.T @ slopes - np.eye(factors)) / np.sqrt(factors))


def procrustes_error(z: Codes, v: Numbers) -> float:
    """Return min_Q E || z - Q v ||^2 / max(D, K) for standardised codes and factors.

    Q is orthogonal; columns of zeros stand for the latents or factors that there are fewer of.
    Constant latents are not counted.
    """
    x, y = unit_columns(z), unit_columns(v)
    latents, factors = int(x.any(axis=0).sum()), y.shape[1]
    alike = np.linalg.svd(x.T @ y, compute_uv=False).sum()  # the largest trace of Q^T E[z v^T]
    return float(max(latents + factors - 2 * alike, 0.0) / max(latents, factors))


class Orthogonality(Metric[Labelled]):
    """|| A^T A - I ||_F / sqrt(K), where z = A v is the best linear map from factors to codes.

    It is 0 if the codes are the factors, turned or in another order, and grows as the map shears,
    stretches or loses them; for codes that know nothing of the factors it is 1, and it can be
    larger. Each latent and factor is standardised first, so the directions of factors count, not
    their scales. The authors' factors and codes have a variance of about 1 as they are.

    `orthogonality/procrustes` is min_Q E || z - Q v ||^2 / max(D, K) over orthogonal Q, the error
    of the best rotation: 0 if the codes are the turned factors, and 1 + min(D, K) / max(D, K) if
    they know nothing of them. Unlike the first score it counts what codes hold besides: with more
    latents than factors, each other latent adds an error of its variance, 1. The authors report the
    sum over latents, for as many latents as factors.
    """

    about = "How far the linear map from factors to codes is from a rotation"
    display = "Orthogonality"
    displays = MappingProxyType(
        {
            "orthogonality/error": "Orthogonality error",
            "orthogonality/procrustes": "Procrustes error",
        }
    )
    better = MappingProxyType({"orthogonality/error": "less", "orthogonality/procrustes": "less"})
    claims = MappingProxyType({"orthogonality/error": (), "orthogonality/procrustes": ()})
    real_factors = "numbers"
    most_latents = 2048
    seconds = 0.02

    samples: int = knob(default=10_000, min=2, help="number of images")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `orthogonality/error` and `orthogonality/procrustes`, at least 0, less is better.

        Detail: the linear map A.
        """
        z, v = source.codes_and_values(self.samples, rng)
        varies = varying_factors(v)
        slopes = np.full((z.shape[1], v.shape[1]), np.nan)
        slopes[:, varies] = linear_map(z, v[:, varies])
        return {
            "orthogonality/error": orthogonality_error(slopes[:, varies]),
            "orthogonality/procrustes": procrustes_error(z, v[:, varies]),
            "orthogonality/map": Detail(
                ("latent", "factor"),
                slopes,
                "slope of the standardised latent by the standardised factor, the others fixed",
            ),
        }
