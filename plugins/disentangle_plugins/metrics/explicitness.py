"""Explicitness: Ridgeway and Mozer (2018), https://arxiv.org/abs/1802.05312."""

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, factor_bins, knob
from disentangle.maths import (
    codes_and_labels,
    each_varying_factor,
    prevalence,
    small_fit,
    standardised,
)


def explicitness(z: ArrayLike, v: ArrayLike, test_z: ArrayLike, test_v: ArrayLike) -> float:
    """Return the mean over factors and their values of the area under the ROC curve, 0.5 to 1.

    The classifier of each factor is a logistic regression on all latents; 0.5 is chance.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K]; constant factors are left out.
        test_z: codes to test on, [M, D].
        test_v: labels to test on, [M, K].

    Raises:
        Unavailable: every factor is constant.
    """
    return float(np.nanmean(roc_areas(*codes_and_labels(z, v, test_z, test_v))))


def roc_areas(z: Codes, v: Index, test_z: Codes, test_v: Index) -> NDArray[np.float64]:
    """Return the macro-averaged area under the ROC curves of each factor's classifier, [K].

    The classifier is a logistic regression on all latents, each standardised over `z`. A factor
    that is constant in `v` or in `test_v` is NaN. The average is over the values in `test_v`; a
    value that is not in `v` counts as a guess, 1/2.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K].
        test_z: codes to test on, [M, D].
        test_v: labels to test on, [M, K].

    Raises:
        Unavailable: every factor is constant.
    """
    from sklearn.linear_model import LogisticRegression

    x, test_x = standardised(z, test_z)
    mean_areas = np.full(v.shape[1], np.nan)

    def fit(k: int) -> None:
        classifier = LogisticRegression().fit(x, v[:, k])
        columns = dict(zip(classifier.classes_, classifier.predict_proba(test_x).T, strict=True))
        values = np.unique(test_v[:, k])
        areas = [area(columns[c], test_v[:, k] == c) if c in columns else 0.5 for c in values]
        mean_areas[k] = np.mean(areas)

    with small_fit():
        each_varying_factor(fit, v, test_v)
    return mean_areas


def area(p: NDArray[np.float64], is_one: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve of scores p [N]: P(p of a positive > p of a negative)."""
    ordered, positives = np.sort(p), p[is_one]
    # Twice the number of correctly ordered pairs, ties counting half; includes pairs of positives.
    pairs = (
        np.searchsorted(ordered, positives, "left").sum()
        + np.searchsorted(ordered, positives, "right").sum()
    )
    return float(
        (pairs / 2 - len(positives) ** 2 / 2) / (len(positives) * (len(p) - len(positives)))
    )


class Explicitness(Metric[Labelled]):
    """Mean over factors and their values of the area under the ROC curve, one value against all.

    It measures how well a logistic regression predicts v_k from z, on a second draw of images.
    Chance is 1/2. The values of factors of real numbers are quantiles, as Ridgeway and Mozer need
    classes, and rare ones at the ends of bins of equal width would count as much as common ones.
    """

    about = "How well a linear classifier predicts factors, by ROC areas"
    display = "Explicitness"
    claims = MappingProxyType({"explicitness": ("informativeness",)})
    by_default_if_dependent = True
    real_factors = "quantiles"
    most_latents = 2048
    seconds = 0.8
    growth = 0.6

    train: int = knob(default=10_000, min=1, help="images to fit the classifiers on")
    test: int = knob(default=5_000, min=1, help="images to test the classifiers on")
    factor_bins: int = factor_bins(equal="count")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `explicitness`, 0.5 (chance) to 1."""
        z, v, test_z, test_v = source.train_test(self.train, self.test, rng)
        areas = roc_areas(z, v, test_z, test_v)
        return {
            "explicitness": float(np.nanmean(areas)),
            "explicitness/areas": Detail(
                ("factor",),
                areas,
                "area under the ROC curve, mean over the factor's values, 0.5 (chance) to 1",
            ),
            "explicitness/prevalence": Detail(
                ("factor",), prevalence(test_v), "share of the factor's most common value"
            ),
        }
