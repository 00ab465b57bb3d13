"""MIG, the mutual information gap: Chen et al. (2018), https://arxiv.org/abs/1802.04942."""

from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import (
    Codes,
    Detail,
    Index,
    Labelled,
    Metric,
    RealFactors,
    Scores,
    Source,
    factor_bins,
    knob,
)
from disentangle.maths import (
    codes_and_labels,
    discretise,
    entropies,
    gaps,
    mutual_information,
    neighbour_shares,
    real_numbers,
    varying_factors,
)


def mig(z: ArrayLike, v: ArrayLike, bins: int = 20) -> float:
    """Return mean_k (I(z_(1); v_k) - I(z_(2); v_k)) / H(v_k), equation 6.

    z_(1) and z_(2) are the latents with the most information about factor k; with one latent, the
    term of z_(2) is 0.

    Args:
        z: codes, [N, D].
        v: labels, [N, K]; constant factors are left out.
        bins: equal-width bins for each latent (Locatello et al. 2019 use 20).

    Raises:
        Unavailable: every factor is constant.
    """
    return float(np.nanmean(gaps(normalised_information(*codes_and_labels(z, v), bins))))


def normalised_information(z: Codes, v: Index, bins: int = 20) -> NDArray[np.float64]:
    """Return I(z_i; v_k) / H(v_k), [D, K]; NaN if v_k is constant."""
    varying_factors(v)
    h = entropies(v)
    return mutual_information(discretise(z, bins), v) / np.where(h > 0, h, np.nan)


class MIG(Metric[Labelled]):
    """mean_k (I(z_(1); v_k) - I(z_(2); v_k)) / H(v_k), equation 6, from binned codes.

    Its authors propose it as a measure of disentanglement. The gap between two latents of a factor
    measures completeness, and does not see that one latent holds two factors.

    With `information=neighbours` information is estimated by three nearest neighbours (Ross 2014;
    Kraskov et al. 2004), and no image is drawn twice. A factor of real numbers has no finite
    entropy to divide by: 1 - exp(-2 I(z_i; v_k)) is in place of I(z_i; v_k) / H(v_k), which is R2
    if both are jointly Gaussian (Linfoot 1957).
    """

    about = "Gap in information between a factor's two best latents"
    display = "MIG"
    claims = MappingProxyType({"mig": ("disentanglement", "completeness")})
    real_factors = "bins"
    by_default = True
    assumes_independence = True
    most_latents = 2048
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="number of images")
    bins: int = knob(
        default=20,
        min=2,
        only_if=[("information", "bins")],
        help="equal-width bins for each latent",
    )
    factor_bins: int = factor_bins(only_if=[("information", "bins")])
    information: Literal["bins", "neighbours"] = knob(
        default="bins",
        added=True,
        help="estimate of information: binned latents, or nearest neighbours, also of real factors",
    )

    def reads_real_factors(self) -> RealFactors:
        """Bins, or with nearest neighbours the numbers."""
        return "numbers" if self.information == "neighbours" else "bins"

    def seconds_for(self, images: int) -> float:
        """Estimate the seconds, which nearest neighbours take most of."""
        return 2.5 if self.information == "neighbours" else self.seconds

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `mig`, 0 to 1. Details: I(z_i; v_k) / H(v_k), and each factor's gap."""
        by_neighbours = self.information == "neighbours"
        z, v, _, _ = source.train_test(self.samples, 0, rng, distinct=by_neighbours)
        if by_neighbours:
            varying_factors(v)
            information = neighbour_shares(z, v, real_numbers(source, v), rng)
        else:
            information = normalised_information(z, v, self.bins)
        gap = gaps(information)
        return {
            "mig": float(np.nanmean(gap)),
            "mig/information": Detail(
                ("latent", "factor"),
                information,
                "mutual information / entropy of the factor, 0 to 1",
            ),
            "mig/gaps": Detail(
                ("factor",),
                gap,
                "difference in mutual information between the two best latents / entropy of the "
                "factor, 0 to 1",
            ),
        }
