"""Downstream accuracy by number of labels: Locatello et al. (2019).

https://arxiv.org/abs/1811.12359.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import GradientBoosting, small_fit, threads, varying_factors

SIZES = (10, 100, 1_000, 10_000)
"""Numbers of labelled images."""
STRENGTHS = np.logspace(-4, 4, 10)
"""Of the fit over the penalty, C: scikit-learn's Cs=10."""


def logistic(x: Codes, y: Index, test_x: Codes) -> Index:
    """Return the values that a logistic regression predicts for `test_x` [M, D], [M].

    Its strength is the one with the best mean accuracy over 5 folds, as LogisticRegressionCV finds
    it. Where `y` is constant, so is what is predicted.

    Args:
        x: codes to fit on, [N, D], 5 at least; `y` [N] the values of one factor.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold

    if np.ptp(y) == 0:
        return np.repeat(y[:1], len(test_x))
    scores = np.zeros(len(STRENGTHS))
    for fit, held in KFold(5).split(x):
        if np.ptp(y[fit]) == 0:
            continue  # every strength predicts the same
        classifier = LogisticRegression(warm_start=True)
        for i, strength in enumerate(STRENGTHS):
            classifier.set_params(C=strength).fit(x[fit], y[fit])
            scores[i] += np.mean(classifier.predict(x[held]) == y[held])
    best = LogisticRegression(C=STRENGTHS[scores.argmax()]).fit(x, y)
    predicted: Index = best.predict(test_x)
    return predicted


def boosted(x: Codes, y: Index, test_x: Codes, seed: int, run: Callable[..., Any] = map) -> Index:
    """Return the values that gradient-boosted trees predict for `test_x` [M, D], [M].

    Args:
        x: codes to fit on, [N, D]; `y` [N] the values of one factor.
        seed: of the trees.
        run: as `map`; runs the trees of a stage.
    """
    if np.ptp(y) == 0:
        return np.repeat(y[:1], len(test_x))
    return GradientBoosting(x, test_x).classify(y, seed, run)[1]


def accuracies(
    z: Codes,
    v: Index,
    test_z: Codes,
    test_v: Index,
    rng: np.random.Generator,
    classifier: str = "logistic",
) -> dict[int, NDArray[np.float64]]:
    """Return for each of SIZES up to N the test accuracy for each factor, [K].

    The images of a size are drawn from those of the next. A factor that is constant in `v` is NaN.

    Args:
        z: codes to fit on, [N, D]; `test_z` [M, D] those to test on.
        v: labels to fit on, [N, K]; `test_v` [M, K] those to test on.
        rng: draws the images, and seeds the trees.
        classifier: "logistic" or "boosting".
    """
    order, seeds = rng.permutation(len(z)), rng.integers(2**31, size=len(v.T))
    found = {n: np.full(v.shape[1], np.nan) for n in SIZES if n <= len(z)}
    varying = varying_factors(v)
    values = {int(k): len(np.unique(v[:, k])) for k in varying}

    def fit(task: tuple[int, int]) -> None:
        n, k = task
        x, y = z[order[:n]], v[order[:n], k]
        if classifier == "logistic":
            predicted = logistic(x, y, test_z)
        else:
            predicted = boosted(x, y, test_z, int(seeds[k]), trees.map)
        found[n][k] = np.mean(predicted == test_v[:, k])

    longest_first = sorted(
        ((n, k) for n in found for k in values), key=lambda task: -task[0] * values[task[1]]
    )
    with threads() as pool, threads() as trees:
        list(pool.map(fit, longest_first))
    return found


class Downstream(Metric[Labelled]):
    """Mean over factors of the accuracy of a classifier fitted to the codes of n labelled images.

    And the statistical efficiency, the accuracy from 100 labels over that from 10,000, which is 1
    for codes that tell nothing too. Sizes that exceed the images there are left out.
    """

    seconds = 25.0

    classifier: Literal["logistic", "boosting"] = knob(
        default="logistic", help="cross-validated logistic regression, or gradient-boosted trees"
    )
    test: int = knob(default=5_000, min=1, help="images to test on")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `downstream/10` to `downstream/10000` and `downstream/efficiency`."""
        z, v, test_z, test_v = source.train_test(max(SIZES), self.test, rng)
        if len(z) < min(SIZES):
            raise Unavailable(f"{len(z)} images to fit on are fewer than {min(SIZES)}")
        with small_fit():
            of_factor = accuracies(z, v, test_z, test_v, rng, self.classifier)
        found: dict[str, float | Detail | Unavailable] = {}
        mean = {n: float(np.nanmean(accuracy)) for n, accuracy in of_factor.items()}
        for n, accuracy in of_factor.items():
            found[f"downstream/{n}"] = mean[n]
            found[f"downstream/{n}/factors"] = Detail(("factor",), accuracy)
        for n in SIZES:
            if n not in mean:
                found[f"downstream/{n}"] = Unavailable(f"{len(z)} images to fit on are fewer")
        if mean.get(10_000):
            found["downstream/efficiency"] = mean[100] / mean[10_000]
        else:
            found["downstream/efficiency"] = Unavailable("needs an accuracy from 10,000 labels")
        return found
