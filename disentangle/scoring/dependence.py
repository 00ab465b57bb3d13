"""How much the scored factors of a dataset depend on one another."""

from itertools import combinations
from weakref import WeakKeyDictionary

import numpy as np

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.dataset import Dataset, Grid, Index, Labelled
from disentangle.runs.score_records import FactorDependence

IMAGES = 10_000
"""Maximum number of images that are looked at."""
CLASSES, EXPECTED = 10, 5
"""Maximum number of classes of a factor, and least number of images expected for two classes."""
LEAST, CHANCE = 0.1, 0.001
"""The least dependence that is reported, if it has less than this probability by chance."""

_measured: WeakKeyDictionary[Dataset, FactorDependence | None] = WeakKeyDictionary()


def largest_dependence(dataset: Dataset) -> FactorDependence | None:
    """Measure the dependence of the two scored factors that depend most on each other.

    It is Cramer's V of their classes, 0 to 1, with Bergsma's correction for chance. A factor of
    many values, such as real numbers, is divided into classes of equally many images.

    Returns:
        None if there are no two factors that depend on each other.
    """
    if not isinstance(dataset, Labelled):
        return None
    if isinstance(dataset, Grid) and not dataset.correlation:
        return None
    if dataset not in _measured:
        _measured[dataset] = _largest(dataset)
    return _measured[dataset]


def _largest(dataset: Labelled) -> FactorDependence | None:
    """Measure the dependence of the pair of factors that depend most on each other."""
    index = np.arange(len(dataset))
    if dataset.correlation or len(index) > IMAGES:
        index = dataset.draw_distinct(IMAGES, numpy_rng(0, "dependence of factors"))
    most = int(np.clip(np.sqrt(len(index) / EXPECTED), 2, CLASSES))
    classes = [in_classes(column, most) for column in dataset.labels(index).T]
    names, largest = list(dataset.factors), None
    pairs = list(combinations(range(len(names)), 2))
    for i, k in pairs:
        v, chance = cramers_v(classes[i], classes[k])
        if v >= LEAST and chance * len(pairs) < CHANCE and v > (largest.v if largest else 0.0):
            largest = FactorDependence(factors=(names[i], names[k]), v=round(v, 4))
    return largest


def in_classes(labels: Index, most: int) -> Index:
    """Return labels [N] in at most `most` classes of about equally many images, in their order."""
    values, number, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(values) <= most:
        return np.asarray(number)
    below = np.cumsum(counts) - counts
    return np.asarray((below * most // len(labels))[number])


def cramers_v(a: Index, b: Index) -> tuple[float, float]:
    """Return Cramer's V of two variables [N], 0 to 1, and the probability of as much by chance.

    V is corrected for chance as in Bergsma (2013), https://doi.org/10.1016/j.jkss.2012.10.002, and
    the probability is that of Pearson's chi-squared test.
    """
    from scipy.special import chdtrc

    n = len(a)
    rows, columns = (np.unique(labels, return_inverse=True)[1] for labels in (a, b))
    r, c = int(rows.max()) + 1, int(columns.max()) + 1
    if min(r, c) < 2 or n <= max(r, c):
        return 0.0, 1.0
    counts = np.bincount(rows * c + columns, minlength=r * c).reshape(r, c)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    chi2 = float((np.square(counts - expected) / expected).sum())
    by_chance = (r - 1) * (c - 1)
    corrected = max(0.0, chi2 / n - by_chance / (n - 1))
    size = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1))
    return min(1.0, float(np.sqrt(corrected / (size - 1)))), float(chdtrc(by_chance, chi2))
