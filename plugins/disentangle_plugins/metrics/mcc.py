"""MCC, the mean correlation coefficient: Hyvarinen and Morioka (2016).

https://arxiv.org/abs/1605.06336; for factors in place of sources as in Khemakhem et al. (2020),
https://arxiv.org/abs/1907.04809.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from disentangle import Detail, Labelled, Metric, Scores, Source, knob
from disentangle.maths import varying_factors

Numbers = NDArray[np.float64]


def correlations(z: ArrayLike, v: ArrayLike) -> Numbers:
    """Return |Pearson's correlation| of latents and factors, [D, K].

    A constant latent correlates with nothing. The column of a constant factor is NaN.

    Args:
        z: codes, [N, D]; `v` labels, [N, K].
    """
    x, y = _standardised(z), _standardised(v)
    found: Numbers = np.minimum(np.abs(x.T @ y), 1.0)
    found[:, ~y.any(axis=0)] = np.nan
    return found


def mcc(correlation: Numbers) -> tuple[float, Numbers]:
    """Return max_a mean_k |corr(z_a(k), v_k)| and a, [K]: the latent that serves each factor.

    a gives no latent to two factors. With fewer latents than factors some get none, NaN: they
    count 0.

    Args:
        correlation: |corr(z_i, v_k)|, [D, K].
    """
    serving = np.full(correlation.shape[1], np.nan)
    latent, factor = linear_sum_assignment(correlation, maximize=True)
    serving[factor] = latent
    return float(correlation[latent, factor].sum() / correlation.shape[1]), serving


def _standardised(columns: ArrayLike) -> Numbers:
    """Return columns of mean 0 and length 1, [N, D]; a constant one is 0."""
    x = np.asarray(columns, dtype=np.float64)
    varies = np.ptp(x, axis=0) > 0
    x = np.where(varies, x - x.mean(axis=0), 0.0)
    x /= np.where(varies, np.abs(x).max(axis=0), 1.0)  # lest a square overflow or vanish
    length = np.linalg.norm(x, axis=0)
    standardised: Numbers = x / np.where(length > 0, length, 1.0)
    return standardised


class MCC(Metric[Labelled]):
    """max_a mean_k |corr(z_a(k), v_k)| over all a that give each factor a latent of its own.

    Correlation sees what is monotone, and misses a factor that goes round, such as an angle.
    """

    assumes_independence = True
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="images")
    correlation: Literal["pearson", "spearman"] = knob(
        default="pearson", help="of the numbers, or of their ranks"
    )

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `mcc`, 0 to 1; behind it all correlations, and each factor's latent."""
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        varies = varying_factors(v)
        x, y = (z, v) if self.correlation == "pearson" else (rankdata(a, axis=0) for a in (z, v))
        correlation, serving = correlations(x, y), np.full(v.shape[1], np.nan)
        score, serving[varies] = mcc(correlation[:, varies])
        return {
            "mcc": score,
            "mcc/correlation": Detail(("latent", "factor"), correlation),
            "mcc/serving": Detail(("factor",), serving),
        }
