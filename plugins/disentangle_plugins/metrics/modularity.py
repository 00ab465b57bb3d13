"""Modularity: Ridgeway and Mozer (2018), https://arxiv.org/abs/1802.05312."""

from types import MappingProxyType

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
from disentangle.maths import codes_and_labels, discretise, mutual_information

ROUNDING = 1e-12
"""Information, in nats, up to which a latent counts as uninformative."""


def modularities(m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 - (sum_k m_ik^2 - max_k m_ik^2) / (max_k m_ik^2 (K - 1)) of each latent, [D].

    Args:
        m: mutual information of latents and factors, [D, K], with K at least 2. A latent without
            information counts 0.
    """
    most = m.max(axis=1, keepdims=True)
    share = np.square(m / np.where(most > ROUNDING, most, 1.0))  # relative to the largest
    modularity: NDArray[np.float64] = 1 - (share.sum(axis=1) - 1) / (m.shape[1] - 1)
    return np.where(most[:, 0] > ROUNDING, modularity, 0.0)


def modularity(z: ArrayLike, v: ArrayLike, bins: int = 20) -> float:
    """Return the mean modularity of latents, from binned codes.

    Args:
        z: codes, [N, D].
        v: labels, [N, K]; constant factors are left out.
        bins: equal-width bins for each latent.

    Raises:
        Unavailable: fewer than two factors vary.
    """
    return float(modularities(information(*codes_and_labels(z, v), bins)).mean())


def information(z: Codes, v: Index, bins: int = 20) -> NDArray[np.float64]:
    """Return I(z_i; v_k), in nats, of the factors that vary, [D, varying K]."""
    varies = np.ptp(v, axis=0) > 0
    if varies.sum() < 2:
        raise Unavailable(f"needs two factors that vary in these samples, got {varies.sum()}")
    return mutual_information(discretise(z, bins), v[:, varies])


class Modularity(Metric[Labelled]):
    """mean_i 1 - (sum_k m_ik^2 - max_k m_ik^2) / (max_k m_ik^2 (K - 1)), m_ik = I(z_i; v_k).

    It measures whether each latent is informative about one factor only, however little. Latents of
    pure noise score about 0.66; a latent without any information scores 0.
    """

    about = "Whether each latent informs about one factor only"
    display = "Modularity"
    limitations = MappingProxyType({"beside constants": "a latent without information counts 0"})
    real_factors = "bins"
    by_default = True
    assumes_independence = True
    most_latents = 2048
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="number of images")
    bins: int = knob(default=20, min=2, help="equal-width bins for each latent")
    factor_bins: int = factor_bins()

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `modularity`, 0 to 1."""
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        m = np.full((z.shape[1], v.shape[1]), np.nan)
        m[:, np.ptp(v, axis=0) > 0] = varying = information(z, v, self.bins)
        of_latent = modularities(varying)
        return {
            "modularity": float(of_latent.mean()),
            "modularity/latents": Detail(("latent",), of_latent, "the latent's modularity, 0 to 1"),
            "modularity/information": Detail(
                ("latent", "factor"), m, "mutual information, in nats"
            ),
        }
