"""JEMMIG, joint entropy minus MIG: Do & Tran (2020), https://arxiv.org/abs/1908.09961."""

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, factor_bins, knob
from disentangle.maths import (
    codes_and_labels,
    discretise,
    entropies,
    gaps,
    mutual_information,
    varying_factors,
)


def jemmig(z: ArrayLike, v: ArrayLike, bins: int = 20) -> float:
    """Return mean_k 1 - (H(v_k, z_(1)) - I(z_(1); v_k) + I(z_(2); v_k)) / (H(v_k) + ln bins).

    z_(1) and z_(2) are the latents with the most information about factor k; with one latent, the
    term of z_(2) is 0.

    Args:
        z: codes, [N, D].
        v: labels, [N, K]; constant factors are left out.
        bins: equal-width bins for each latent.

    Raises:
        Unavailable: every factor is constant.
    """
    return float(np.nanmean(jemmig_of_factors(*codes_and_labels(z, v), bins)))


def jemmig_of_factors(z: Codes, v: Index, bins: int = 20) -> NDArray[np.float64]:
    """Return each factor's term of the mean, [K]; NaN for a constant factor."""
    b = discretise(z, bins)
    h_z, h_v = entropies(b), entropies(v)
    varying_factors(v)
    m = mutual_information(b, v)  # [i, k] = I(z_i; v_k)
    best = m.argmax(axis=0)
    joint = h_v + h_z[best] - m.max(axis=0)  # [k] = H(v_k, z_(1))
    score: NDArray[np.float64] = 1 - (joint - gaps(m)) / (h_v + np.log(bins))
    return np.where(h_v > 0, score, np.nan)


class JEMMIG(Metric[Labelled]):
    """mean_k 1 - (H(v_k, z_(1)) - I(z_(1); v_k) + I(z_(2); v_k)) / (H(v_k) + ln bins).

    The numerator is the paper's score, in nats, where less is better. Carbonneau et al. (2022),
    https://arxiv.org/abs/2012.09276, scale it to 0 to 1, where more is better. The gap measures
    completeness; the joint entropy grows with all else in the best latent: disentanglement.

    Factors of real numbers are binned. Nearest neighbours are no alternative here, as a joint
    entropy of real numbers may be negative and has no largest value to divide by.
    """

    about = "MIG with a penalty on all other information in the best latent"
    display = "JEMMIG"
    claims = MappingProxyType({"jemmig": ("disentanglement", "completeness")})
    real_factors = "bins"
    assumes_independence = True
    most_latents = 2048
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="number of images")
    bins: int = knob(default=20, min=2, help="equal-width bins for each latent")
    factor_bins: int = factor_bins()

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `jemmig`, 0 to 1. Details: each factor's term of the mean."""
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        shares = jemmig_of_factors(z, v, self.bins)
        return {
            "jemmig": float(np.nanmean(shares)),
            "jemmig/factors": Detail(("factor",), shares, "the factor's JEMMIG, 0 to 1"),
        }
