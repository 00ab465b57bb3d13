"""The beta-VAE score: Higgins et al. (2017), https://openreview.net/forum?id=Sy2fzU9gl."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from disentangle import Index, Labelled, Metric, Scores, Source, Unavailable, factor_bins, knob
from disentangle.maths import small_fit

BLOCK = 2**19
"""Codes processed at once, in float64 values: 4 MiB."""
WIDE = 1024
"""With more latents than this, features are float32 to halve the memory."""

Features: TypeAlias = NDArray[np.floating[Any]]


def beta_vae_score(x: Features, y: Index, test_x: Features, test_y: Index, seed: int = 0) -> float:
    """Return the test accuracy of a linear classifier of the shared factor.

    Args:
        x: features to fit on, [N, D]: mean |z_1 - z_2| over the pairs of a point.
        y: the factor that the pairs share, [N].
        test_x: features to test on, [M, D].
        test_y: the shared factors to test on, [M].
        seed: the classifier's seed.
    """
    from sklearn.linear_model import LogisticRegression

    with small_fit():
        classifier = LogisticRegression(random_state=seed).fit(x, y)
    return float(np.mean(classifier.predict(test_x) == test_y))


class BetaVAEScore(Metric[Labelled]):
    """Accuracy of a linear classifier of the factor that pairs of images share (section 3).

    For each point, draw a factor k uniformly, then `pairs` pairs of images that share v_k, with a
    new value of v_k for each pair. The feature is mean |z_1 - z_2| over the pairs. Chance is 1 / K.
    No two images share a real number, so of factors of real numbers they share one of `factor_bins`
    quantiles.
    """

    about = "Accuracy in telling which factor pairs of images share"
    display = "β-VAE score"
    version = 2
    by_default = True
    assumes_independence = True
    real_factors = "quantiles"
    most_latents = 20_000
    seconds = 0.3

    train: int = knob(default=10_000, min=2, help="points to fit the classifier on")
    test: int = knob(default=5_000, min=1, help="points to test the classifier on")
    pairs: int = knob(default=64, min=1, help="pairs of images per point")
    factor_bins: int = factor_bins(equal="count")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `beta-vae-score`, 1 / K (chance) to 1."""
        if len(source.factors) < 2:
            raise Unavailable(f"needs at least two factors, got {len(source.factors)}")
        fit, test = source.fit_test(self.train, self.test, rng)
        y = rng.integers(0, len(source.factors), self.train)
        if len(np.unique(y)) < 2:
            raise Unavailable(
                f"all {self.train} points to fit on share the same factor; use more points"
            )
        x = self._features(fit, y, rng)
        test_y = rng.integers(0, len(source.factors), self.test)
        test_x = self._features(test, test_y, rng)
        return {"beta-vae-score": beta_vae_score(x, y, test_x, test_y, int(rng.integers(2**31)))}

    def _features(self, source: Source[Labelled], k: Index, rng: np.random.Generator) -> Features:
        """Return mean |z_1 - z_2| over pairs that share factor k: [N, D] for k [N]."""
        first = source.draw(len(k) * self.pairs, rng).reshape(-1, self.pairs)
        second = np.empty_like(first)
        for i, factor in enumerate(source.factors):
            shared = source.sharing(factor, first[k == i].ravel(), rng)
            second[k == i] = shared.reshape(-1, self.pairs)
        codes = source.lookup(first, second)
        dtype = np.float64 if source.latents <= WIDE else np.float32
        x = np.empty((len(k), source.latents), dtype)
        step = max(1, BLOCK // (self.pairs * source.latents))
        for j in range(0, len(k), step):
            gap = codes(first[j : j + step].ravel())
            gap -= codes(second[j : j + step].ravel())
            np.abs(gap, out=gap)
            gap = gap.reshape(-1, self.pairs, source.latents)  # [point, pair, d]
            x[j : j + step] = gap.sum(axis=1) / self.pairs
        return x
