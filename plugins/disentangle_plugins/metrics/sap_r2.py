"""SAP for numeric factors: Kumar et al. (2018), https://arxiv.org/abs/1711.00848."""

from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Labelled, Metric, Scores, Source, knob
from disentangle.maths import Targets, codes_and_values, gaps, numeric_targets, varying_factors

LEAST_VARIANCE = 1e-12
"""Variance up to which a latent counts as uninformative, as in the reference implementation."""


def squared_correlations(z: Codes, v: ArrayLike) -> NDArray[np.float64]:
    """Return R^2_ik = Cov(z_i, v_k)^2 / (Var z_i Var v_k), [D, K].

    Args:
        z: codes, [N, D]; the row of an almost constant latent (Var <= 1e-12) is 0.
        v: values, [N, K]; the column of a constant factor is NaN.

    Raises:
        Unavailable: every factor is constant.
    """
    v = np.asarray(v)
    varies = varying_factors(v)
    dz, dv = z - z.mean(axis=0), v - v.mean(axis=0)
    var_z, var_v = np.square(dz).sum(axis=0), np.square(dv).sum(axis=0)
    varying = var_z > LEAST_VARIANCE * max(1, len(z) - 1)
    r2 = np.full((z.shape[1], v.shape[1]), np.nan)
    scale = np.sqrt(np.where(varying, var_z, np.inf))[:, None] * np.sqrt(var_v[varies])
    r2[:, varies] = np.square(dz.T @ dv[:, varies] / scale)
    return r2


def with_angles(r2: NDArray[np.float64], z: Codes, targets: Targets) -> NDArray[np.float64]:
    """Return R^2 [D, K], for factors with angles that of their cosine and sine together.

    R^2_ik = (Cov(z_i, cos)^2 + Cov(z_i, sin)^2) / (Var z_i (Var cos + Var sin)).

    Args:
        r2: R^2 of the numbers of all factors, [D, K].
        z: codes, [N, D].
        targets: column of a factor -> the cosine and sine of its angle, [N, 2].
    """
    r2 = r2.copy()
    for k, target in targets.items():
        parts = np.nan_to_num(squared_correlations(z, target))
        r2[:, k] = np.average(parts, axis=1, weights=target.var(axis=0))
    return r2


def sap_r2(z: ArrayLike, v: ArrayLike) -> float:
    """Return mean_k (R^2_(1)k - R^2_(2)k), the gap between the two largest R^2 for a factor.

    R^2_ik is that of the linear regression of v_k on z_i.

    Args:
        z: codes, [N, D].
        v: values, [N, K]; constant factors are left out.

    Raises:
        Unavailable: every factor is constant.
    """
    return float(np.nanmean(gaps(squared_correlations(*codes_and_values(z, v)))))


class SAPR2(Metric[Labelled]):
    """mean_k (R^2_(1)k - R^2_(2)k), with R^2_ik of the linear regression of v_k on z_i (section 3).

    This is SAP for numeric factors, whose values must have a meaningful order. With one latent, the
    second term is 0, as for a latent that knows nothing. Like SAP, it is proposed as a measure of
    disentanglement, and measures completeness.

    A cyclic factor of real numbers counts by the cosine and sine of its angle together, of which
    one latent explains about half at most. A code of both has a gap of 0, as two latents explain
    as much.
    """

    about = "SAP for numeric factors, by linear regression"
    display = "SAP (R²)"
    claims = MappingProxyType({"sap-r2": ("disentanglement", "completeness")})
    assumes_independence = True
    real_factors = "numbers"
    most_latents = 2048
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="number of images")
    cyclic: Literal["numbers", "angles"] = knob(
        default="numbers",
        added=True,
        help="what is regressed of cyclic factors of a few values: the number, or its angle",
    )

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `sap-r2`, 0 to 1. Details: R^2, and each factor's gap."""
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        targets = numeric_targets(source, v, angles=self.cyclic == "angles")
        angles = {k: target for k, target in targets.items() if target.shape[1] == 2}
        matrix = with_angles(squared_correlations(z, source.values_of(v)), z, angles)
        gap = gaps(matrix)
        return {
            "sap-r2": float(np.nanmean(gap)),
            "sap-r2/r2": Detail(
                ("latent", "factor"), matrix, "R² of a linear regression of the factor, 0 to 1"
            ),
            "sap-r2/gaps": Detail(
                ("factor",), gap, "difference in R² between the two best latents, 0 to 1"
            ),
        }
