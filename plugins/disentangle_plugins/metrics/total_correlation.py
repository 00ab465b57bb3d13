"""Dependence among latents: Locatello et al. (2019), https://arxiv.org/abs/1811.12359."""

from types import MappingProxyType
from typing import cast

import numpy as np

from disentangle import Codes, Dataset, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import discretise, mutual_information


def gaussian_total_correlation(covariance: Codes) -> float:
    """Return (sum_i ln S_ii - ln det S) / 2 of a covariance S [D, D].

    Constant latents are left out, which depend on nothing. The result is infinite where one latent
    is a linear function of others, as far as rounding lets one tell.
    """
    deviation = np.sqrt(np.diag(covariance))
    varies = deviation > 0
    scale = deviation[varies]
    eigenvalues = np.linalg.eigvalsh(covariance[np.ix_(varies, varies)] / scale / scale[:, None])
    if (eigenvalues <= len(scale) * np.finfo(float).eps).any():
        return float("inf")
    return max(0.0, float(-np.log(eigenvalues).sum() / 2))


def gaussian_wasserstein_correlation(covariance: Codes) -> float:
    """Return 2 tr S - 2 tr (diag(S) S)^(1/2) of a covariance S [D, D]."""
    deviation = np.sqrt(np.diag(covariance))
    # diag(S) S has the eigenvalues of this, which is symmetric.
    eigenvalues = np.linalg.eigvalsh(covariance * deviation * deviation[:, None])
    roots = np.sqrt(np.maximum(eigenvalues, 0))
    return max(0.0, float(2 * np.trace(covariance) - 2 * roots.sum()))


class TotalCorrelation(Metric[Dataset]):
    """How much latents depend on one another, without any labels; 0 where they are independent.

    With S their covariance, `gaussian` is the total correlation of a Gaussian with it,
    (sum_i ln S_ii - ln det S) / 2, `wasserstein` its squared 2-Wasserstein distance from one of
    independent latents, 2 tr S - 2 tr (diag(S) S)^(1/2), `wasserstein-normalised` that over tr S,
    and `mutual-information` the mean of I(z_i; z_j) over pairs of binned latents. Constant latents
    add nothing to the first three and pairs without information to the last.
    """

    seconds = 0.01

    better = MappingProxyType(
        {
            "total-correlation/gaussian": "less",
            "total-correlation/wasserstein": "less",
            "total-correlation/wasserstein-normalised": "less",
            "total-correlation/mutual-information": "less",
        }
    )

    samples: int = knob(default=10_000, min=2, help="images")
    bins: int = knob(default=20, min=2, help="equal-width bins for each latent")

    def score(self, source: Source[Dataset], rng: np.random.Generator) -> Scores:
        """Return four scores `total-correlation/...`, of which less is better."""
        z = _codes(source, self.samples, rng)
        if len(z) < 2:
            raise Unavailable("the covariance of latents takes two images")
        pairs = z.shape[1] * (z.shape[1] - 1)
        moving = z[:, np.ptp(z, axis=0) > 0]
        covariance = np.cov(moving, rowvar=False).reshape(2 * moving.shape[1:])
        wasserstein = gaussian_wasserstein_correlation(covariance)
        gaussian, total = gaussian_total_correlation(covariance), float(np.trace(covariance))
        scores: dict[str, float | Unavailable] = {
            "gaussian": gaussian,
            "wasserstein": wasserstein,
            "wasserstein-normalised": Unavailable("every latent is constant in these samples"),
            "mutual-information": Unavailable("there is one latent only"),
        }
        if not np.isfinite(gaussian):
            scores["gaussian"] = Unavailable("a latent is a linear function of others")
        if total > 0:
            scores["wasserstein-normalised"] = wasserstein / total
        if pairs:
            binned = discretise(z, self.bins)
            information = mutual_information(binned, binned)
            scores["mutual-information"] = float(information.sum() - np.trace(information)) / pairs
        return {f"total-correlation/{k}": v for k, v in scores.items()}


def _codes(source: Source[Dataset], samples: int, rng: np.random.Generator) -> Codes:
    """Return the codes of some images; bare arrays, which have labels, give each row once."""
    if isinstance(source.dataset, Labelled):
        return cast(Source[Labelled], source).train_test(samples, 0, rng)[0]
    return source.codes(source.points(samples, rng))
