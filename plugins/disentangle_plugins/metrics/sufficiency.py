"""Sufficiency: Almudevar and Ortega (2024), https://arxiv.org/abs/2408.07016."""

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, factor_bins, knob
from disentangle.maths import (
    codes_and_labels,
    discretise,
    entropies,
    mutual_information,
    varying_factors,
)


def sufficiency(z: ArrayLike, v: ArrayLike, bins: int = 15) -> float:
    """Return mean_k max_i I(z_i; v_k) / H(v_k).

    Args:
        z: codes, [N, D].
        v: labels, [N, K]; constant factors are left out.
        bins: equal-width bins for each latent (the authors use 15).

    Raises:
        Unavailable: every factor is constant.
    """
    return float(np.nanmean(information_of_factors(*codes_and_labels(z, v), bins).max(axis=0)))


def information_of_factors(z: Codes, v: Index, bins: int = 15) -> NDArray[np.float64]:
    """Return I(z_i; v_k) / H(v_k), [D, K]; NaN for a constant factor."""
    varying_factors(v)
    h = entropies(v)
    shares: NDArray[np.float64] = mutual_information(discretise(z, bins), v)
    return shares / np.where(h > 0, h, np.nan)


class Sufficiency(Metric[Labelled]):
    """mean_k max_i I(z_i; v_k) / H(v_k), from binned codes.

    A latent is sufficient for a factor if it has all information about it. Nothing is subtracted
    for a second latent, so the score is defined for factors that depend on one another. It does not
    see copies of a latent, nor what else a latent encodes: one latent may be the best for all
    factors. So it claims none of DCI's three properties. The counterpart is `minimality`.
    Factors of real numbers are binned like latents: with more bins than `bins`, no latent suffices.
    """

    about = "How much information about a factor is in its best latent"
    display = "Sufficiency"
    claims = MappingProxyType({"sufficiency": ()})
    by_default_if_dependent = True
    real_factors = "bins"
    most_latents = 2048
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="number of images")
    bins: int = knob(default=15, min=2, help="equal-width bins for each latent")
    factor_bins: int = factor_bins(15)

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `sufficiency`, 0 to 1. Details: I(z_i; v_k) / H(v_k)."""
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        shares = information_of_factors(z, v, self.bins)
        return {
            "sufficiency": float(np.nanmean(shares.max(axis=0))),
            "sufficiency/information": Detail(
                ("latent", "factor"),
                shares,
                "mutual information / entropy of the factor, 0 to 1",
            ),
        }
