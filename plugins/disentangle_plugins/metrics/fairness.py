"""Unfairness of predictions from codes: Locatello et al. (2019), https://arxiv.org/abs/1905.13662."""

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import (
    Codes,
    Detail,
    Grid,
    Index,
    Labelled,
    Metric,
    Scores,
    Source,
    Unavailable,
    factor_bins,
    knob,
)
from disentangle.maths import GradientBoosting, each_varying_factor, threads

Numbers = NDArray[np.float64]


def unfairness(predicted: ArrayLike, sensitive: ArrayLike) -> float:
    """Return sum_s p(s) TV(p(y), p(y | s)) of predictions y, 0 (fair) to 1.

    TV(p, q) = sum_y |p(y) - q(y)| / 2 is the total variation.

    Args:
        predicted: the predicted classes, [N].
        sensitive: the values of the sensitive factor, [N].
    """
    _, y = np.unique(predicted, return_inverse=True)
    values, s = np.unique(sensitive, return_inverse=True)
    counts = np.zeros((y.max() + 1, len(values)), np.int64)
    np.add.at(counts, (y, s), 1)
    independent = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0)
    return float(np.abs(len(y) * counts - independent).sum() / (2 * len(y) ** 2))


def predictions(z: Codes, v: Index, test_z: Codes, rng: np.random.Generator) -> Index:
    """Return the value of each factor that boosted trees predict for `test_z`, [M, K].

    They are scikit-learn's GradientBoostingClassifier with its defaults, seeded by `rng`. Of a
    factor that is constant in `v`, this value is predicted.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K].
        test_z: codes to predict, [M, D].
    """
    predicted = np.tile(v[:1], (len(test_z), 1))
    seeds = rng.integers(2**31, size=len(v.T))
    boosting = GradientBoosting(z, test_z)

    def fit(k: int) -> None:
        predicted[:, k] = boosting.classify(v[:, k], int(seeds[k]), trees.map)[1]

    with threads() as trees:
        each_varying_factor(fit, v)
    return predicted


def unfairness_of_pairs(predicted: Index, test_v: Index, tested: NDArray[np.bool_]) -> Numbers:
    """Return the unfairness of predicting each factor by each sensitive factor, [K, K].

    The diagonal and the columns of factors that are constant are NaN.

    Args:
        predicted: predictions of all factors, [M, K].
        test_v: labels, [M, K].
        tested: True for the images of which a sensitive factor is tested, [M, K].
    """
    count = test_v.shape[1]
    pairs = np.full((count, count), np.nan)
    for s in range(count):
        rows = tested[:, s]
        if rows.any() and np.ptp(test_v[rows, s]):
            for y in set(range(count)) - {s}:
                pairs[y, s] = unfairness(predicted[rows, y], test_v[rows, s])
    return pairs


def interventions(dataset: Grid, count: int, rng: np.random.Generator) -> tuple[Index, Index]:
    """Return images in which one factor is set to each of its values, while the others stay.

    Args:
        dataset: the grid.
        count: images of each value.
        rng: draws the images that a factor is set in, anew for each factor.

    Returns:
        The index of the images, [M], and the number of the factor that is set, [M].
    """
    images, factors = [], []
    for number, (name, size) in enumerate(dataset.factors.items()):
        labels = np.tile(dataset.every_label(dataset.draw(count, rng)), (size, 1))
        labels[:, dataset.column(name)] = np.repeat(np.arange(size), count)
        images.append(dataset.index(labels))
        factors.append(np.full(size * count, number))
    return np.concatenate(images), np.concatenate(factors)


class Fairness(Metric[Labelled]):
    """mean over pairs of factors (y, s) of sum_s p(s) TV(p(y), p(y | s)), s sensitive.

    y is the prediction of a factor from all latents by boosted trees (section 4). It is fair if its
    distribution is the same for every value of another factor, s. TV is the total variation, so 0
    is fair and 1 is the most unfair. On a grid, s is set to each of its values while the other
    factors stay, so that a predictor that does not read s scores 0. Other data have images with
    the values of s that they have: their factors may depend on s, and chance adds to the score.
    The values of factors of real numbers are quantiles; fewer of them leave less to chance.
    """

    about = "How far predictions of a factor depend on another, sensitive one"
    display = "Unfairness"
    displays = MappingProxyType({"fairness/max": "Unfairness (largest)"})
    better = MappingProxyType({"fairness": "less", "fairness/max": "less"})
    claims = MappingProxyType({"fairness": (), "fairness/max": ()})
    assumes_independence = True
    real_factors = "quantiles"
    most_latents = 64
    seconds = 80.0

    train: int = knob(
        default=10_000, min=2, help="images to fit the trees on; without a grid also to test on"
    )
    test: int = knob(
        default=100, min=1, help="images to test on, for each value of a factor of a grid"
    )
    factor_bins: int = factor_bins(5, equal="count")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `fairness`, the mean over pairs, and `fairness/max`, the largest."""
        count = len(source.factors)
        if count < 2:
            raise Unavailable(f"needs at least two factors, got {count}")
        z, v, test_z, test_v, tested = self.draw(source, rng)
        pairs = unfairness_of_pairs(predictions(z, v, test_z, rng), test_v, tested)
        if np.isnan(pairs).all():
            raise Unavailable("every factor is constant in the images to test on")
        return {
            "fairness": float(np.nanmean(pairs)),
            "fairness/max": float(np.nanmax(pairs)),
            "fairness/targets": Detail(
                ("factor",), mean_of(pairs, 1), "unfairness of predicting the factor, 0 to 1"
            ),
            "fairness/sensitive": Detail(
                ("factor",), mean_of(pairs, 0), "unfairness of predictions by the factor, 0 to 1"
            ),
        }

    def draw(
        self, source: Source[Labelled], rng: np.random.Generator
    ) -> tuple[Codes, Index, Codes, Index, NDArray[np.bool_]]:
        """Return codes and labels to fit on, those to test on, and which image tests a factor."""
        dataset = source.dataset
        if not isinstance(dataset, Grid):
            arrays = source.train_test(self.train, self.train, rng)
            return *arrays, np.ones_like(arrays[3], dtype=bool)
        train = min(self.train, len(source) // 2) if source.disjoint else self.train
        fitted = source.points(train, rng)
        images, factors = interventions(dataset, self.test, rng)
        if source.disjoint:
            unseen = ~np.isin(images, fitted)
            images, factors = images[unseen], factors[unseen]
        source.drawn, source.overlap = len(fitted), float(np.isin(images, fitted).mean())
        codes = source.lookup(fitted, images)
        tested = factors[:, None] == np.arange(len(source.factors))
        return codes(fitted), source.labels(fitted), codes(images), source.labels(images), tested


def mean_of(pairs: Numbers, axis: int) -> Numbers:
    """Return the mean of pairs [K, K] over an axis without the missing ones, [K]."""
    there = ~np.isnan(pairs)
    total = np.where(there, pairs, 0.0).sum(axis)
    means: Numbers = total / np.where(there.any(axis), there.sum(axis), np.nan)
    return means
