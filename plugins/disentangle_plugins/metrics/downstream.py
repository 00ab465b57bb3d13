"""Downstream accuracy by number of labels: Locatello et al. (2019).

https://arxiv.org/abs/1811.12359.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, Literal

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
    GradientBoosting,
    codes_and_labels,
    floats,
    prevalence,
    small_fit,
    threads,
    varying_factors,
)

POWERS = tuple(10**k for k in range(1, 9))
"""Numbers of labelled images below the largest."""
SIZES = POWERS[:4]
"""Numbers of labelled images to fit on by default."""
STRENGTHS = np.logspace(-4, 4, 10)
"""Values of C, the inverse of the penalty: scikit-learn's Cs=10."""


def logistic(x: Codes, y: Index, test_x: Codes) -> Index:
    """Return the values that a logistic regression predicts for `test_x`, [M].

    Its C has the best mean accuracy over 5 folds, as in LogisticRegressionCV. If `y` is constant,
    so is the prediction.

    Args:
        x: codes to fit on, [N, D], N at least 5.
        y: values of one factor, [N].
        test_x: codes to predict, [M, D].
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold

    if np.ptp(y) == 0:
        return np.repeat(y[:1], len(test_x))
    x, test_x = x - x.mean(axis=0), test_x - x.mean(axis=0)  # else far codes stop the solver early
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
    """Return the values that gradient-boosted trees predict for `test_x`, [M].

    Args:
        x: codes to fit on, [N, D].
        y: values of one factor, [N].
        test_x: codes to predict, [M, D].
        seed: the seed of the trees.
        run: a function like `map` that fits the trees of a stage.
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
    sizes: Sequence[int] = SIZES,
) -> dict[int, NDArray[np.float64]]:
    """Return the test accuracy for each factor, [K], by number of labelled images up to N.

    Each size is a subset of the next. A factor that is constant in `v` is NaN.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K].
        test_z: codes to test on, [M, D].
        test_v: labels to test on, [M, K].
        rng: draws the images and seeds the trees.
        classifier: "logistic" or "boosting".
        sizes: the numbers of labelled images.
    """
    order, seeds = rng.permutation(len(z)), rng.integers(2**31, size=len(v.T))
    accuracy = {n: np.full(v.shape[1], np.nan) for n in sizes if n <= len(z)}
    varying = varying_factors(v)
    values = {int(k): len(np.unique(v[:, k])) for k in varying}

    def fit(task: tuple[int, int]) -> None:
        n, k = task
        x, y = z[order[:n]], v[order[:n], k]
        if classifier == "logistic":
            predicted = logistic(x, y, test_z)
        else:
            predicted = boosted(x, y, test_z, int(seeds[k]), trees.map)
        accuracy[n][k] = np.mean(predicted == test_v[:, k])

    longest_first = sorted(
        ((n, k) for n in accuracy for k in values), key=lambda task: -task[0] * values[task[1]]
    )
    with threads() as pool, threads() as trees:
        list(pool.map(fit, longest_first))
    return accuracy


def downstream(
    z: ArrayLike,
    v: ArrayLike,
    test_z: ArrayLike,
    test_v: ArrayLike,
    classifier: str = "logistic",
    seed: int = 0,
    sizes: Sequence[int] = SIZES,
) -> dict[str, float]:
    """Return the mean test accuracy by number of labels, and the efficiency, by names of scores.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K]; constant factors are left out.
        test_z: codes to test on, [M, D].
        test_v: labels to test on, [M, K].
        classifier: "logistic" or "boosting".
        seed: draws the images and seeds the trees.
        sizes: the numbers of labelled images, ascending, at least 5 each.

    Raises:
        Unavailable: every factor is constant, or there are fewer images to fit on than the smallest
            of the numbers.
    """
    arrays = codes_and_labels(z, v, test_z, test_v)
    return floats(scores_of(*arrays, np.random.default_rng(seed), classifier, sizes))


def scores_of(
    z: Codes,
    v: Index,
    test_z: Codes,
    test_v: Index,
    rng: np.random.Generator,
    classifier: str,
    sizes: Sequence[int] = SIZES,
) -> Scores:
    """Return the scores with details; see `Downstream`."""
    if len(z) < sizes[0]:
        raise Unavailable(f"needs at least {sizes[0]} images to fit on, got {len(z)}")
    with small_fit():
        of_factor = accuracies(z, v, test_z, test_v, rng, classifier, sizes)
    scores: dict[str, float | Detail | Unavailable] = {}
    mean = {n: float(np.nanmean(accuracy)) for n, accuracy in of_factor.items()}
    for n, accuracy in of_factor.items():
        scores[f"downstream/{n}"] = mean[n]
        scores[f"downstream/{n}/factors"] = Detail(
            ("factor",), accuracy, "accuracy of predicting the factor, 0 to 1"
        )
    scores["downstream/prevalence"] = Detail(
        ("factor",), prevalence(test_v), "accuracy of guessing the factor's most common value"
    )
    for n in sizes:
        if n not in mean:
            scores[f"downstream/{n}"] = Unavailable(f"only {len(z)} images to fit on")
    largest = sizes[-1]
    for n in sizes[:-1]:
        if mean.get(largest):
            scores[efficiency(n)] = mean[n] / mean[largest]
        else:
            reason = f"needs an accuracy with {largest:,} labels"
            scores[efficiency(n)] = Unavailable(reason)
    return scores


def efficiency(n: int) -> str:
    """Return the name of the efficiency of n labels; that of 100 is the paper's."""
    return "downstream/efficiency" if n == 100 else f"downstream/efficiency-{n}"


class Downstream(Metric[Labelled]):
    """Mean over factors of the accuracy of a classifier fitted to the codes of n labelled images.

    The statistical efficiency is the accuracy with 100 labels divided by the accuracy with 10,000,
    or with the largest number, `labels`; `efficiency-N` is the same for N labels. It is also 1 for
    codes without any information. Sizes above the number of available images are left out. Only the
    accuracy with 10,000 labels claims informativeness: with fewer it shows how many labels are
    needed, which is low even for the factors themselves. Of factors of real numbers the classifier
    predicts the quantile; `r2` predicts the number.
    """

    about = "Accuracy of predicting factors from few labels"
    display = "Downstream"
    displays = MappingProxyType(
        {
            "downstream/10": "Accuracy (10 labels)",
            "downstream/100": "Accuracy (100 labels)",
            "downstream/1000": "Accuracy (1,000 labels)",
            "downstream/10000": "Accuracy (10,000 labels)",
            "downstream/efficiency": "Efficiency",
            "downstream/efficiency-10": "Efficiency (10 labels)",
            "downstream/efficiency-1000": "Efficiency (1,000 labels)",
        }
    )
    limitations = MappingProxyType({"scaled": "the penalty weighs the sizes of codes"})
    claims = MappingProxyType(
        {
            "downstream/10": (),
            "downstream/100": (),
            "downstream/1000": (),
            "downstream/10000": ("informativeness",),
            "downstream/efficiency": (),
            "downstream/efficiency-10": (),
            "downstream/efficiency-1000": (),
        }
    )
    by_default_if_dependent = True
    real_factors = "quantiles"
    version = 2
    seconds = 25.0
    growth = 0.2

    classifier: Literal["logistic", "boosting"] = knob(
        default="logistic", help="cross-validated logistic regression, or gradient-boosted trees"
    )
    test: int = knob(default=5_000, min=1, help="images to test on")

    labels: int = knob(
        default=max(SIZES),
        min=10,
        help="largest number of labelled images, with 10, 100, ... below",
    )
    factor_bins: int = factor_bins(equal="count")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `downstream/10` to `downstream/10000`, and `downstream/efficiency` of each."""
        sizes = (*(n for n in POWERS if n < self.labels), self.labels)
        z, v, test_z, test_v = source.train_test(self.labels, self.test, rng)
        return scores_of(z, v, test_z, test_v, rng, self.classifier, sizes)
