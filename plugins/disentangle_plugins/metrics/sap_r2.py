"""SAP for numeric factors: Kumar et al. (2018), https://arxiv.org/abs/1711.00848."""

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Labelled, Metric, Scores, Source, knob
from disentangle.maths import codes_and_values, gaps, varying_factors

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
    """

    about = "SAP for numeric factors, by linear regression"
    display = "SAP (R²)"
    claims = MappingProxyType({"sap-r2": ("disentanglement", "completeness")})
    assumes_independence = True
    real_factors = "numbers"
    most_latents = 2048
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="number of images")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `sap-r2`, 0 to 1. Details: R^2, and each factor's gap."""
        z, v = source.codes_and_values(self.samples, rng)
        matrix = squared_correlations(z, v)
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
