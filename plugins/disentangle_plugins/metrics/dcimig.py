"""DCIMIG, the gap of the best latent: Sepliarskaia et al. (2019), https://arxiv.org/abs/1910.05587."""

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


def dcimig(z: ArrayLike, v: ArrayLike, bins: int = 20) -> float:
    """Return sum_k max_i G_ik / sum_k H(v_k).

    G_ik = I(z_i; v_(1)) - I(z_i; v_(2)) if v_k = v_(1), else 0. v_(1) and v_(2) are the factors
    about which latent i has the most information; with one factor, the second term is 0.

    Args:
        z: codes, [N, D].
        v: labels, [N, K].
        bins: equal-width bins for each latent.

    Raises:
        Unavailable: every factor is constant.
    """
    return float(given_gaps(*codes_and_labels(z, v), bins).max(axis=0).sum())


def given_gaps(z: Codes, v: Index, bins: int = 20) -> NDArray[np.float64]:
    """Return G_ik / sum_k H(v_k), [D, K]: each latent's gap, in the column of its best factor."""
    h = entropies(v)
    varying_factors(v)
    m = mutual_information(discretise(z, bins), v)  # [i, k] = I(z_i; v_k)
    given: NDArray[np.float64] = in_column_of_best(m) / h.sum()
    return given


def in_column_of_best(m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each latent's gap in the column of its best factor, and 0 elsewhere, [D, K]."""
    given = np.zeros_like(m)
    given[np.arange(len(m)), m.argmax(axis=1)] = gaps(m.T)
    return given


class DCIMIG(Metric[Labelled]):
    """sum_k max_i G_ik / sum_k H(v_k); G_ik is the gap of latent i if its best factor is k, else 0.

    The gap is I(z_i; v_(1)) - I(z_i; v_(2)), between the two factors that latent i is most
    informative about. The name holds its three claims: disentanglement, completeness and
    informativeness.

    With `information=neighbours` information is estimated by three nearest neighbours as for `mig`,
    and each factor's is on a scale of 0 to 1: the score is the mean over factors of the largest
    G_ik.
    """

    about = "Largest gap in information among the latents of each factor"
    display = "DCIMIG"
    claims = MappingProxyType({"dcimig": ("disentanglement", "completeness", "informativeness")})
    real_factors = "bins"
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
        """Return `dcimig`, 0 to 1. Details: G_ik / sum_k H(v_k)."""
        by_neighbours = self.information == "neighbours"
        z, v, _, _ = source.train_test(self.samples, 0, rng, distinct=by_neighbours)
        if by_neighbours:
            varies = varying_factors(v)
            shares = neighbour_shares(z, v, real_numbers(source, v), rng)[:, varies]
            given = np.full((z.shape[1], v.shape[1]), 0.0)
            given[:, varies] = in_column_of_best(shares) / len(varies)
        else:
            given = given_gaps(z, v, self.bins)
        return {
            "dcimig": float(given.max(axis=0).sum()),
            "dcimig/gaps": Detail(
                ("latent", "factor"),
                given,
                "difference in mutual information between the latent's two best factors / sum of "
                "the factors' entropies, 0 to 1",
            ),
        }
