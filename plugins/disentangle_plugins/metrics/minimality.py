"""Minimality: Almudevar and Ortega (2024), https://arxiv.org/abs/2408.07016."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import (
    Codes,
    Detail,
    Index,
    Labelled,
    Metric,
    Scores,
    Source,
    Unavailable,
    factor_bins,
    knob,
)
from disentangle.maths import (
    codes_and_labels,
    discretise,
    entropies,
    mutual_information,
    varying_factors,
)


def minimality(z: ArrayLike, v: ArrayLike, bins: int = 15) -> float:
    """Return mean_i max_k I(z_i; v_k) / H(z_i), over the latents that vary.

    Args:
        z: codes, [N, D]; constant latents are left out.
        v: labels, [N, K].
        bins: equal-width bins for each latent (the authors use 15).

    Raises:
        Unavailable: every factor, or every latent, is constant.
    """
    return float(np.nanmean(information_of_latents(*codes_and_labels(z, v), bins).max(axis=1)))


def information_of_latents(z: Codes, v: Index, bins: int = 15) -> NDArray[np.float64]:
    """Return I(z_i; v_k) / H(z_i), [D, K]; NaN for a constant latent."""
    varying_factors(v)
    binned = discretise(z, bins)
    h = entropies(binned)[:, None]
    if not h.any():
        raise Unavailable("every latent is constant in these samples")
    shares: NDArray[np.float64] = mutual_information(binned, v) / np.where(h > 0, h, np.nan)
    return shares


class Minimality(Metric[Labelled]):
    """mean_i max_k I(z_i; v_k) / H(z_i), from binned codes, over the latents that vary.

    A latent is minimal if all that it varies with is one factor. Nothing is subtracted for a second
    factor, so the score is defined for factors that depend on one another. Every latent counts the
    same: one of noise lowers the mean, and a copy of a latent changes it only as another such
    latent. Constant latents, for which the authors' code divides by 0, are left out. Factors of
    real numbers are binned like latents: with fewer bins than `bins`, a latent cannot be minimal.
    """

    about = "How much of a latent's information is about one factor"
    display = "Minimality"
    by_default_if_dependent = True
    real_factors = "bins"
    most_latents = 2048
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="number of images")
    bins: int = knob(default=15, min=2, help="equal-width bins for each latent")
    factor_bins: int = factor_bins(15)

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `minimality`, 0 to 1. Details: I(z_i; v_k) / H(z_i)."""
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        shares = information_of_latents(z, v, self.bins)
        return {
            "minimality": float(np.nanmean(shares.max(axis=1))),
            "minimality/information": Detail(
                ("latent", "factor"),
                shares,
                "mutual information / entropy of the latent, 0 to 1",
            ),
        }
