"""MIG-sup, the gap of each latent: Li et al. (2020), https://arxiv.org/abs/2002.10549."""

from typing import Literal

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
    gaps,
    mutual_information,
    varying_factors,
)

Entropy = Literal["latent", "factor"]


def mig_sup(
    z: ArrayLike, v: ArrayLike, bins: int = 20, entropy: Entropy = "latent", variance: float = 0.0
) -> float:
    """Return mean_i (I(z_i; v_(1)) - I(z_i; v_(2))) / H(z_i), averaged over latents.

    v_(1) and v_(2) are the factors about which latent i has the most information; with one factor,
    the term of v_(2) is 0.

    Args:
        z: codes, [N, D].
        v: labels, [N, K].
        bins: equal-width bins for each latent.
        entropy: `latent` divides by H(z_i), as the review of Carbonneau et al. (2022) does;
            `factor` divides I(z_i; v_k) by H(v_k) before the gap, as the paper does.
        variance: latents with less variance than this are left out, as are constant latents.

    Raises:
        Unavailable: every factor is constant, or no latent is left.
    """
    arrays = codes_and_labels(z, v)
    return float(np.nanmean(gaps(normalised_information(*arrays, bins, entropy, variance).T)))


def normalised_information(
    z: Codes, v: Index, bins: int = 20, entropy: Entropy = "latent", variance: float = 0.0
) -> NDArray[np.float64]:
    """Return I(z_i; v_k) divided by the chosen entropy, [D, K]; NaN for latents left out."""
    b = discretise(z, bins)
    h_z, h_v = entropies(b), entropies(v)
    with np.errstate(over="ignore"):
        active = (h_z > 0) & (z.var(axis=0) >= variance)
    varying_factors(v)
    if not active.any():
        raise Unavailable("every latent is constant in these samples or varies too little")
    h = np.broadcast_to(h_v if entropy == "factor" else h_z[:, None], (len(h_z), len(h_v)))
    m = mutual_information(b, v) / np.where(h > 0, h, 1.0)
    return np.where(active[:, None], m, np.nan)


class MIGSup(Metric[Labelled]):
    """mean_i (I(z_i; v_(1)) - I(z_i; v_(2))) / H(z_i), from binned codes.

    This is the definition of Carbonneau et al. (2022), https://arxiv.org/abs/2012.09276. The paper
    divides by H(v_k) and counts informative latents only: for example
    `entropy=factor,variance=0.01`.
    """

    about = "Gap in information between a latent's two best factors"
    display = "MIG-sup"
    real_factors = "bins"
    assumes_independence = True
    most_latents = 2048
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="number of images")
    bins: int = knob(default=20, min=2, help="equal-width bins for each latent")
    entropy: Entropy = knob(default="latent", help="entropy that divides the information")
    variance: float = knob(default=0.0, min=0, help="minimum variance of latents that count")
    factor_bins: int = factor_bins()

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `mig-sup`, 0 to 1. Details: the normalised information, and each latent's gap."""
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        information = normalised_information(z, v, self.bins, self.entropy, self.variance)
        gap = gaps(information.T)
        unit = f"mutual information / entropy of the {self.entropy}, 0 to 1"
        return {
            "mig-sup": float(np.nanmean(gap)),
            "mig-sup/information": Detail(("latent", "factor"), information, unit),
            "mig-sup/gaps": Detail(
                ("latent",), gap, f"difference between the two best factors in {unit}"
            ),
        }
