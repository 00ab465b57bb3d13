"""The FactorVAE score: Kim and Mnih (2018), https://arxiv.org/abs/1802.05983."""

from types import MappingProxyType

import numpy as np

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

BLOCK = 2**19
"""Codes processed at once, in float64 values: 4 MiB."""


def least_varying(local: Codes, overall: Codes, threshold: float = 0.05) -> Index:
    """Return the least varying latent of each vote, argmin_i Var_local / Var_overall, [N].

    Args:
        local: variances within the images of each vote, [N, D].
        overall: variances over the dataset, [D].
        threshold: standard deviation below which a latent is ignored; at least one must reach it.
    """
    active = np.flatnonzero(np.sqrt(overall) >= threshold)
    least: Index = active[np.argmin(local[:, active] / overall[active], axis=1)]
    return least


def count(latent: Index, factor: Index, shape: tuple[int, int]) -> Index:
    """Count how often each latent occurs with each factor, [D, K].

    Args:
        latent: the latent of each vote, [N].
        factor: the factor of each vote, [N].
        shape: (D, K).
    """
    votes: Index = np.bincount(latent * shape[1] + factor, minlength=shape[0] * shape[1])
    return votes.reshape(shape)


def factor_vae_score(votes: Index, test_votes: Index) -> float:
    """Return the accuracy of predicting, for each latent, the factor with most of its votes.

    Args:
        votes: number of votes of each factor for each latent, [D, K], to find the majorities.
        test_votes: the same for other votes, [D, K], on which the accuracy is measured.
    """
    majority = votes.argmax(axis=1)
    return float(test_votes[np.arange(len(votes)), majority].sum() / test_votes.sum())


class FactorVAEScore(Metric[Labelled]):
    """Accuracy of a majority-vote classifier of the factor that images share (section 4).

    For each vote, draw a factor k uniformly, then `images` images that share v_k. The vote goes to
    the latent with the least variance among them, relative to its variance in the dataset. Each
    latent predicts the factor with most of its votes. Chance is 1 / K. If no latent is active the
    score is 0, as in the reference implementation. No two images share a real number, so of factors
    of real numbers they share one of `factor_bins` quantiles.
    """

    about = "Accuracy in telling the fixed factor from the quietest latent"
    display = "FactorVAE score"
    limitations = MappingProxyType(
        {
            "scaled": "latents below an absolute standard deviation are ignored",
        }
    )
    by_default = True
    assumes_independence = True
    real_factors = "quantiles"
    most_latents = 20_000
    seconds = 0.25

    train: int = knob(default=10_000, min=1, help="votes to fit the majority on")
    test: int = knob(default=5_000, min=1, help="votes to test the majority on")
    images: int = knob(default=64, min=2, help="images per vote")
    variances: int = knob(default=10_000, min=2, help="images to estimate the variances from")
    threshold: float = knob(
        default=0.05, above=0, help="minimum standard deviation of active latents"
    )
    factor_bins: int = factor_bins(equal="count")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `factor-vae-score`, 1 / K (chance) to 1, or 0 if no latent is active."""
        if len(source.factors) < 2:
            raise Unavailable(f"needs at least two factors, got {len(source.factors)}")
        fit, test = source.fit_test(self.train, self.test, rng)
        overall = _variances(fit, fit.points(self.variances, rng))
        votes = test_votes = np.zeros((len(overall), len(source.factors)), np.int64)
        score = 0.0
        if (np.sqrt(overall) >= self.threshold).any():
            votes = count(*self._cast(fit, self.train, overall, rng), votes.shape)
            test_votes = count(*self._cast(test, self.test, overall, rng), votes.shape)
            score = factor_vae_score(votes, test_votes)
        return {
            "factor-vae-score": score,
            "factor-vae-score/votes": Detail(
                ("latent", "factor"),
                votes,
                "number of votes, of those that the majority is fitted on",
            ),
        }

    def _cast(
        self, source: Source[Labelled], n: int, overall: Codes, rng: np.random.Generator
    ) -> tuple[Index, Index]:
        """Return the latent and the factor of `n` votes, each [n]."""
        k = rng.integers(0, len(source.factors), n)
        first = source.draw(n, rng)
        images = np.empty((n, self.images), np.int64)
        for i, factor in enumerate(source.factors):
            repeated = np.repeat(first[k == i], self.images)
            images[k == i] = source.sharing(factor, repeated, rng).reshape(-1, self.images)
        latent, codes = np.empty(n, np.int64), source.lookup(images)
        step = max(1, BLOCK // (self.images * source.latents))
        for j in range(0, n, step):
            z = codes(images[j : j + step].ravel())
            z = z.reshape(-1, self.images, source.latents)  # [vote, image, d]
            z -= z.mean(axis=1, keepdims=True)
            local = np.einsum("nid,nid->nd", z, z) / (self.images - 1)
            latent[j : j + step] = least_varying(local, overall, self.threshold)
        return latent, k


def _variances(source: Source[Labelled], index: Index) -> Codes:
    """Return the variance of each latent over these images, [D], computed in blocks."""
    step = max(1, BLOCK // source.latents)
    blocks = [index[i : i + step] for i in range(0, len(index), step)]
    mean = sum(source.codes(block).sum(axis=0) for block in blocks) / len(index)
    squares = sum(np.square(source.codes(block) - mean).sum(axis=0) for block in blocks)
    return np.asarray(squares / max(1, len(index) - 1))
