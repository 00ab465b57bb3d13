"""Dependence among latents: Locatello et al. (2019), https://arxiv.org/abs/1811.12359."""

from types import MappingProxyType
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from disentangle import Codes, Dataset, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import discretise, finite_array, floats, mutual_information


def gaussian_total_correlation(covariance: Codes) -> float:
    """Return (sum_i ln S_ii - ln det S) / 2 for a covariance S [D, D].

    Constant latents are left out. The result is infinite if a latent is a linear function of
    others, up to rounding.
    """
    deviation = np.sqrt(np.diag(covariance))
    varies = deviation > 0
    scale = deviation[varies]
    eigenvalues = np.linalg.eigvalsh(covariance[np.ix_(varies, varies)] / scale / scale[:, None])
    if (eigenvalues <= len(scale) * np.finfo(float).eps).any():
        return float("inf")
    return max(0.0, float(-np.log(eigenvalues).sum() / 2))


def gaussian_wasserstein_correlation(covariance: Codes) -> float:
    """Return 2 tr S - 2 tr (diag(S) S)^(1/2) for a covariance S [D, D]."""
    deviation = np.sqrt(np.diag(covariance))
    # diag(S) S has the same eigenvalues as this symmetric matrix.
    eigenvalues = np.linalg.eigvalsh(covariance * deviation * deviation[:, None])
    roots = np.sqrt(np.maximum(eigenvalues, 0))
    return max(0.0, float(2 * np.trace(covariance) - 2 * roots.sum()))


def total_correlation(z: ArrayLike, bins: int = 20) -> dict[str, float]:
    """Return the four scores of codes [N, D] by their names; less is better for each.

    Args:
        z: codes, [N, D].
        bins: equal-width bins for each latent.

    Raises:
        Unavailable: there are fewer than two rows.
    """
    return floats(scores_of(finite_array(z), bins))


def scores_of(z: Codes, bins: int) -> Scores:
    """Return the four scores; see `TotalCorrelation`."""
    if len(z) < 2:
        raise Unavailable("the covariance of latents needs at least two images")
    pairs = z.shape[1] * (z.shape[1] - 1)
    moving = z[:, np.ptp(z, axis=0) > 0]
    covariance = np.cov(moving, rowvar=False).reshape(2 * moving.shape[1:])
    wasserstein = gaussian_wasserstein_correlation(covariance)
    gaussian, total = gaussian_total_correlation(covariance), float(np.trace(covariance))
    scores: dict[str, float | Unavailable] = {
        "gaussian": gaussian,
        "wasserstein": wasserstein,
        "wasserstein-normalised": Unavailable("every latent is constant in these samples"),
        "mutual-information": Unavailable("there is only one latent"),
    }
    if not np.isfinite(gaussian):
        scores["gaussian"] = Unavailable("a latent is a linear function of others")
    if total > 0:
        scores["wasserstein-normalised"] = wasserstein / total
    if pairs:
        binned = discretise(z, bins)
        information = mutual_information(binned, binned)
        scores["mutual-information"] = float(information.sum() - np.trace(information)) / pairs
    return {f"total-correlation/{k}": v for k, v in scores.items()}


class TotalCorrelation(Metric[Dataset]):
    """(sum_i ln S_ii - ln det S) / 2, S the covariance of latents, and other dependence measures.

    They need no labels, and are 0 if latents are independent. `gaussian` is the formula above, the
    total correlation of a Gaussian with covariance S. `wasserstein` is the squared 2-Wasserstein
    distance between this Gaussian and one with independent latents,
    2 tr S - 2 tr (diag(S) S)^(1/2); `wasserstein-normalised` divides it by tr S.
    `mutual-information` is the mean of I(z_i; z_j) over pairs of binned latents. Constant latents
    contribute 0 to the first three; pairs with a constant latent count as 0 in the last.
    """

    about = "Dependence among latents, without labels"
    display = "TC"
    displays = MappingProxyType(
        {
            "total-correlation/gaussian": "Gaussian TC",
            "total-correlation/wasserstein": "Wasserstein correlation",
            "total-correlation/wasserstein-normalised": "Wasserstein correlation (normalised)",
            "total-correlation/mutual-information": "MI of latents",
        }
    )
    seconds = 0.01
    growth = 2.0

    better = MappingProxyType(
        {
            "total-correlation/gaussian": "less",
            "total-correlation/wasserstein": "less",
            "total-correlation/wasserstein-normalised": "less",
            "total-correlation/mutual-information": "less",
        }
    )

    samples: int = knob(default=10_000, min=2, help="number of images")
    bins: int = knob(default=20, min=2, help="equal-width bins for each latent")

    def score(self, source: Source[Dataset], rng: np.random.Generator) -> Scores:
        """Return four scores `total-correlation/...`; less is better for each."""
        z = _codes(source, self.samples, rng)
        return scores_of(z, self.bins)


def _codes(source: Source[Dataset], samples: int, rng: np.random.Generator) -> Codes:
    """Return the codes of drawn images; `train_test` takes each row of a code array once."""
    if isinstance(source.dataset, Labelled):
        return cast(Source[Labelled], source).train_test(samples, 0, rng)[0]
    return source.codes(source.points(samples, rng))
