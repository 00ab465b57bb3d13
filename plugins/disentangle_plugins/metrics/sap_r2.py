"""SAP of numbers: Kumar et al. (2018), https://arxiv.org/abs/1711.00848."""

import numpy as np
from numpy.typing import NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, knob
from disentangle.maths import gaps, varying_factors

LEAST_VARIANCE = 1e-12
"""A latent with no more than this tells nothing, as in the reference."""


def squared_correlations(z: Codes, v: Index) -> NDArray[np.float64]:
    """Return R^2_ik = Cov(z_i, v_k)^2 / (Var z_i Var v_k), [D, K].

    Args:
        z: codes, [N, D]; the row of a latent that hardly varies (Var <= 1e-12) is 0.
        v: labels, [N, K]; the column of a constant factor is NaN.

    Raises:
        Unavailable: every factor is constant.
    """
    varies = varying_factors(v)
    dz, dv = z - z.mean(axis=0), v - v.mean(axis=0)
    var_z, var_v = np.square(dz).sum(axis=0), np.square(dv).sum(axis=0)
    tells = var_z > LEAST_VARIANCE * max(1, len(z) - 1)
    found = np.full((z.shape[1], v.shape[1]), np.nan)
    scale = np.sqrt(np.where(tells, var_z, np.inf))[:, None] * np.sqrt(var_v[varies])
    found[:, varies] = np.square(dz.T @ dv[:, varies] / scale)
    return found


class SAPR2(Metric[Labelled]):
    """mean_k (R^2_(1)k - R^2_(2)k), where R^2_ik is that of a line from z_i to v_k (section 3).

    SAP for factors that are numbers: the order of their values has to mean something. With one
    latent the next counts 0.
    """

    assumes_independence = True
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="images")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `sap-r2`, 0 to 1; behind it R^2, and each factor's gap."""
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        matrix = squared_correlations(z, v)
        gap = gaps(matrix)
        return {
            "sap-r2": float(np.nanmean(gap)),
            "sap-r2/r2": Detail(("latent", "factor"), matrix),
            "sap-r2/gaps": Detail(("factor",), gap),
        }
