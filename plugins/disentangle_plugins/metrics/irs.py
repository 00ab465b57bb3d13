"""IRS, the interventional robustness score: Suter et al. (2019), https://arxiv.org/abs/1811.00007."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Labelled, Metric, Scores, Source, factor_bins, knob
from disentangle.maths import codes_and_values, discretise, varying_factors

Numbers = NDArray[np.float64]


def robustness(
    z: Codes, v: ArrayLike, quantile: float = 0.99, bins: int = 20
) -> tuple[Numbers, Numbers]:
    """Return R_ik [D, K], and the weights w_i = max |z_i - E z_i| [D].

    R_ik = 1 - mean_c quantile(|z_i - E[z_i | v_k = c]|) / w_i, over the values c of factor k.

    Args:
        z: codes, [N, D]; the row of a constant latent is NaN, its weight 0.
        v: values, [N, K]; the column of a constant factor is NaN.
        quantile: the quantile of the deviations used as their maximum; 1 is the maximum itself.
        bins: equal-width bins for the values of each factor.

    Raises:
        Unavailable: every factor is constant.
    """
    v = np.asarray(v)
    varies = varying_factors(v)
    weights = np.where(np.ptp(z, axis=0) > 0, np.abs(z - z.mean(axis=0)).max(axis=0), 0.0)
    deviations = np.full((z.shape[1], v.shape[1]), np.nan)
    for k in varies:
        value = discretise(v[:, [k]], bins)[:, 0]
        groups = np.split(z[np.argsort(value, kind="stable")], np.cumsum(np.bincount(value))[:-1])
        largest = [
            np.quantile(np.abs(group - group.mean(axis=0)), quantile, axis=0)
            for group in groups
            if len(group)
        ]
        deviations[:, k] = np.mean(largest, axis=0)
    return 1 - deviations / np.where(weights > 0, weights, np.nan)[:, None], weights


def irs(z: ArrayLike, v: ArrayLike, quantile: float = 0.99, bins: int = 20) -> float:
    """Return sum_i w_i max_k R_ik / sum_i w_i; 0 if every latent is constant.

    R_ik = 1 - mean_c quantile(|z_i - E[z_i | v_k = c]|) / w_i, over the values c of factor k, and
    w_i = max |z_i - E z_i|.

    Args:
        z: codes, [N, D].
        v: values, [N, K]; constant factors are left out.
        quantile: the quantile of the deviations used as their maximum; 1 is the maximum itself.
        bins: equal-width bins for the values of each factor.

    Raises:
        Unavailable: every factor is constant.
    """
    return weighted_robustness(*robustness(*codes_and_values(z, v), quantile, bins))


def weighted_robustness(matrix: Numbers, weights: Numbers) -> float:
    """Return sum_i w_i max_k R_ik / sum_i w_i of R [D, K] and w [D]; 0 if all w are 0."""
    active = weights > 0
    if not active.any():
        return 0.0
    return float(np.average(np.nanmax(matrix[active], axis=1), weights=weights[active]))


class IRS(Metric[Labelled]):
    """sum_i w_i max_k R_ik / sum_i w_i, w_i = max |z_i - E z_i|.

    R_ik = 1 - mean_c max |z_i - E[z_i | v_k = c]| / w_i: how little latent i changes while factor k
    is fixed and all others vary. The maxima over images with v_k = c are quantiles. Pure noise
    scores about 0.38. Factors are binned in any case; those of real numbers by `factor_bins` first.
    """

    about = "How little latents change while their factor is fixed"
    display = "IRS"
    assumes_independence = True
    real_factors = "bins"
    most_latents = 2048
    seconds = 0.02

    samples: int = knob(default=10_000, min=1, help="number of images")
    quantile: float = knob(default=0.99, above=0, max=1, help="quantile used as the maximum")
    bins: int = knob(default=20, min=2, help="equal-width bins for each factor")
    factor_bins: int = factor_bins()

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `irs`, at most 1; 0 if every latent is constant."""
        z, v = source.codes_and_values(self.samples, rng)
        matrix, weights = robustness(z, v, self.quantile, self.bins)
        return {
            "irs": weighted_robustness(matrix, weights),
            "irs/robustness": Detail(
                ("latent", "factor"),
                matrix,
                "robustness, at most 1: the latent does not change while the factor is fixed",
            ),
            "irs/weights": Detail(
                ("latent",),
                weights,
                "largest deviation from the latent's mean, in units of the code",
            ),
        }
