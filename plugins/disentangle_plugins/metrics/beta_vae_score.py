"""The beta-VAE score: Higgins et al. (2017), https://openreview.net/forum?id=Sy2fzU9gl."""

import warnings

import numpy as np

from disentangle.dataset import Index, Labelled
from disentangle.errors import Unavailable
from disentangle.metric import Codes, Metric, Scores, Source
from disentangle.plugin import knob


def beta_vae_score(x: Codes, y: Index, test_x: Codes, test_y: Index, seed: int = 0) -> float:
    """Return the test accuracy of a linear classifier of the shared factor.

    Args:
        x: features to fit on, [N, D]: mean |z_1 - z_2| over the pairs of a point.
        y: the factor that the pairs share, [N]; `test_x` [M, D], `test_y` [M] likewise.
        seed: of the classifier.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # The reference stops after 100 iterations too, and its numbers are what we compare with.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier = LogisticRegression(random_state=seed).fit(x, y)
    return float(np.mean(classifier.predict(test_x) == test_y))


class BetaVAEScore(Metric[Labelled]):
    """Accuracy of a linear classifier that names the factor that pairs of images share (section 3).

    A point: a factor k, drawn uniformly; `pairs` pairs whose two images share v_k, its value drawn
    anew for each pair; the feature is mean |z_1 - z_2| over the pairs. Chance is 1 / K.
    """

    by_default = True
    assumes_independence = True

    train: int = knob(default=10_000, min=2, help="points to fit the classifier on")
    test: int = knob(default=5_000, min=1, help="points to test it on")
    pairs: int = knob(default=64, min=1, help="pairs of images a point")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `beta-vae-score`, 1 / K (chance) to 1."""
        if len(source.factors) < 2:
            raise Unavailable(f"telling factors apart takes two; here: {len(source.factors)}")
        points = self.train + self.test
        k = rng.integers(0, len(source.factors), points)
        if len(np.unique(k[: self.train])) < 2:
            raise Unavailable(f"{self.train} points to fit on are too few to show two factors")
        first = source.draw(points * self.pairs, rng).reshape(points, self.pairs)
        second = np.empty_like(first)
        for i, factor in enumerate(source.factors):
            shared = source.sharing(factor, first[k == i].ravel(), rng)
            second[k == i] = shared.reshape(-1, self.pairs)
        x = self._features(source, first, second)
        seed = int(rng.integers(2**31))
        n = self.train
        return {"beta-vae-score": beta_vae_score(x[:n], k[:n], x[n:], k[n:], seed)}

    def _features(self, source: Source[Labelled], first: Index, second: Index) -> Codes:
        """Return mean |z_1 - z_2| over pairs, [points, D], a block of points at a time."""
        blocks = []
        for i in range(0, len(first), 1000):
            z1, z2 = (source.codes(a[i : i + 1000].ravel()) for a in (first, second))
            gap = np.abs(z1 - z2).reshape(-1, self.pairs, z1.shape[1])  # [point, pair, d]
            blocks.append(gap.mean(axis=1))
        return np.concatenate(blocks)
