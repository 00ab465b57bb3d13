"""MCC, the mean correlation coefficient: Hyvarinen and Morioka (2016).

https://arxiv.org/abs/1605.06336; with factors in place of sources, as in Khemakhem et al. (2020),
https://arxiv.org/abs/1907.04809.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from disentangle import Detail, Labelled, Metric, Scores, Source, knob
from disentangle.maths import codes_and_values, varying_factors

Numbers = NDArray[np.float64]
Correlation = Literal["pearson", "spearman"]


def correlations(z: ArrayLike, v: ArrayLike) -> Numbers:
    """Return the absolute value of Pearson's correlation of latents and factors, [D, K].

    The row of a constant latent is 0. The column of a constant factor is NaN.

    Args:
        z: codes, [N, D].
        v: values, [N, K].
    """
    x, y = _standardised(z), _standardised(v)
    correlation: Numbers = np.minimum(np.abs(x.T @ y), 1.0)
    correlation[:, ~y.any(axis=0)] = np.nan
    return correlation


def mcc(z: ArrayLike, v: ArrayLike, correlation: Correlation = "pearson") -> float:
    """Return max_a mean_k |corr(z_a(k), v_k)| over one-to-one assignments a; constant v_k left out.

    Args:
        z: codes, [N, D].
        v: values, [N, K].
        correlation: "pearson", or "spearman" for the correlation of ranks.

    Raises:
        Unavailable: every factor is constant.
    """
    z, v = codes_and_values(z, v)
    v = v[:, varying_factors(v)]
    x, y = (z, v) if correlation == "pearson" else (rankdata(a, axis=0) for a in (z, v))
    return matched(correlations(x, y))[0]


def matched(correlation: Numbers) -> tuple[float, Numbers]:
    """Return max_a mean_k |corr(z_a(k), v_k)| and a, [K]: the latent assigned to each factor.

    No latent is assigned to two factors. With fewer latents than factors, some factors have no
    latent (NaN) and count 0.

    Args:
        correlation: |corr(z_i, v_k)|, [D, K].
    """
    serving = np.full(correlation.shape[1], np.nan)
    latent, factor = linear_sum_assignment(correlation, maximize=True)
    serving[factor] = latent
    return float(correlation[latent, factor].sum() / correlation.shape[1]), serving


def _standardised(columns: ArrayLike) -> Numbers:
    """Return columns with mean 0 and length 1, [N, D]; a constant column is 0."""
    x = np.asarray(columns, dtype=np.float64)
    varies = np.ptp(x, axis=0) > 0
    x = np.where(varies, x - x.mean(axis=0), 0.0)
    x /= np.where(varies, np.abs(x).max(axis=0), 1.0)  # so that no square over- or underflows
    length = np.linalg.norm(x, axis=0)
    standardised: Numbers = x / np.where(length > 0, length, 1.0)
    return standardised


class MCC(Metric[Labelled]):
    """max_a mean_k |corr(z_a(k), v_k)| over all one-to-one assignments a of latents to factors.

    Correlation captures monotone relations only, and misses periodic factors such as angles.
    """

    about = "Mean correlation of factors with latents, matched one to one"
    display = "MCC"
    assumes_independence = True
    real_factors = "numbers"
    by_default_if_real = True
    most_latents = 2048
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="number of images")
    correlation: Correlation = knob(
        default="pearson", help="correlation of the values (pearson) or of their ranks (spearman)"
    )

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `mcc`, 0 to 1. Details: all correlations, and each factor's latent."""
        z, v = source.codes_and_values(self.samples, rng)
        varies = varying_factors(v)
        x, y = (z, v) if self.correlation == "pearson" else (rankdata(a, axis=0) for a in (z, v))
        correlation, serving = correlations(x, y), np.full(v.shape[1], np.nan)
        score, serving[varies] = matched(correlation[:, varies])
        return {
            "mcc": score,
            "mcc/correlation": Detail(
                ("latent", "factor"),
                correlation,
                f"absolute value of {self.correlation.capitalize()}'s correlation, 0 to 1",
            ),
            "mcc/serving": Detail(
                ("factor",), serving, "number of the latent assigned to the factor: 3 is z3"
            ),
        }
