"""DCI-ES, explicitness and size: Eastwood et al. (2023), https://arxiv.org/abs/2210.00364."""

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import trapezoid

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
from disentangle.maths import codes_and_labels, floats, small_fit, threads, varying_factors

Numbers = NDArray[np.float64]
DEPTHS = (1, 2, 3, 4, 8, 10, 12, 14, 16, 18, 20, 32)
"""Capacities of the probes: the depths of a forest's trees, as in the authors' code."""


def explicitness(losses: Numbers, baseline: Numbers, points: int) -> Numbers:
    """Return E of each factor, [K].

    E = 1 - 2 A / ((largest - smallest capacity) * baseline), with A the area between the curve of
    the lowest loss up to each capacity and the lowest loss overall. E is 0 if the lowest loss is
    within five standard errors of the baseline.

    Args:
        losses: the loss for each factor of a probe of each capacity in DEPTHS, [len(DEPTHS), K].
        baseline: the loss of the best constant answer, [K], positive.
        points: number of points over which the losses are error rates.
    """
    curve = np.minimum.accumulate(losses, axis=0)
    area = trapezoid(curve - curve[-1], DEPTHS, axis=0)
    e = 1 - 2 * area / ((DEPTHS[-1] - DEPTHS[0]) * baseline)
    better = baseline - curve[-1] > 5 * np.sqrt(baseline * (1 - baseline) / points)
    return np.where(better, e, 0.0)


def votes(x: Codes, y: Index, test_x: Codes, seed: int) -> Numbers:
    """Return each value's share in the leaf of each point of `test_x`, [len(DEPTHS), M, values].

    One tree of a random forest is cut off at each depth, which equals growing a tree of that depth.

    Args:
        x: codes to fit on, [N, D].
        y: values to fit on, [N], numbered from 0.
        test_x: codes to predict, [M, D].
        seed: the tree's seed.
    """
    from sklearn.tree import DecisionTreeClassifier

    drawn = np.random.default_rng(seed).integers(len(x), size=len(x))
    times = np.bincount(drawn, minlength=len(x))
    classifier = DecisionTreeClassifier(
        max_depth=DEPTHS[-1], max_features="sqrt", random_state=seed
    )
    tree = classifier.fit(x, y, sample_weight=times).tree_
    feature = np.maximum(tree.feature, 0)  # a leaf has -2
    points, node, shares = np.arange(len(test_x)), np.zeros(len(test_x), np.intp), []
    for depth in range(1, DEPTHS[-1] + 1):
        lower = test_x[points, feature[node]] <= tree.threshold[node]
        child = np.where(lower, tree.children_left[node], tree.children_right[node])
        node = np.where(child < 0, node, child)
        if depth in DEPTHS:
            shares.append(tree.value[node, 0])
    return np.stack(shares)


def curves(
    z: Codes, v: Index, test_z: Codes, test_v: Index, rng: np.random.Generator, trees: int = 100
) -> tuple[Numbers, Numbers]:
    """Return the losses of the probes, [len(DEPTHS), K], and of the best constant answer, [K].

    The probes are random forests, and a loss is an error rate. The column of a factor that is
    constant in `v` is NaN.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K].
        test_z: codes to test on, [M, D].
        test_v: labels to test on, [M, K].
        rng: seeds the trees.
        trees: number of trees in each forest.

    Raises:
        Unavailable: every factor is constant.
    """
    order = np.argsort(z.std(axis=0), kind="stable")  # so that the order of latents has no effect
    middle = z.mean(axis=0)  # trees see single precision, and treat gaps below 1e-7 as 0
    scale = np.ldexp(1.0, -np.frexp(np.abs(z - middle).max(axis=0))[1])
    x, test_x = (((a - middle) * scale)[:, order].astype(np.float32) for a in (z, test_z))
    test_x = test_x.astype(np.float64)
    losses, baseline = np.full((len(DEPTHS), v.shape[1]), np.nan), np.full(v.shape[1], np.nan)
    with small_fit(), threads() as pool:
        for k in varying_factors(v):
            values, y, count = np.unique(v[:, k], return_inverse=True, return_counts=True)
            seeds = [int(seed) for seed in rng.integers(2**31, size=trees)]
            total = np.zeros((len(DEPTHS), len(test_x), len(values)))
            for i in range(0, trees, 8):  # at most 8 trees in memory
                for vote in pool.map(lambda s, y=y: votes(x, y, test_x, s), seeds[i : i + 8]):
                    total += vote
            losses[:, k] = np.mean(values[total.argmax(axis=2)] != test_v[:, k], axis=1)
            baseline[k] = np.mean(test_v[:, k] != values[count.argmax()])
    return losses, baseline


def dci_es(
    z: ArrayLike,
    v: ArrayLike,
    test_z: ArrayLike,
    test_v: ArrayLike,
    trees: int = 100,
    seed: int = 0,
) -> dict[str, float]:
    """Return explicitness and size by the names of scores.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K]; constant factors are left out.
        test_z: codes to test on, [M, D].
        test_v: labels to test on, [M, K].
        trees: number of trees in each forest.
        seed: the seed of the trees.

    Raises:
        Unavailable: every factor is constant.
    """
    arrays = codes_and_labels(z, v, test_z, test_v)
    return floats(scores_of(*arrays, np.random.default_rng(seed), trees))


def scores_of(
    z: Codes, v: Index, test_z: Codes, test_v: Index, rng: np.random.Generator, trees: int
) -> Scores:
    """Return the two scores with details; see `DCIES`."""
    losses, baseline = curves(z, v, test_z, test_v, rng, trees)
    scored = baseline > 0
    if not scored.any():
        raise Unavailable("every factor is constant in these samples")
    of_factor = np.full(len(baseline), np.nan)
    of_factor[scored] = explicitness(losses[:, scored], baseline[scored], len(test_z))
    varying = int((~np.isnan(baseline)).sum())
    return {
        "dci-es/explicitness": float(np.nanmean(of_factor)),
        "dci-es/size": varying / z.shape[1],
        "dci-es/factors": Detail(("factor",), of_factor, "the factor's explicitness, at most 1"),
    }


class DCIES(Metric[Labelled]):
    """Explicitness, mean_k 1 - 2 A_k / ((c_max - c_min) l_b), and size, K / D.

    Explicitness measures how little capacity a probe needs to predict v_k from z. Probes of
    increasing capacity c give a loss-capacity curve; A_k is the area between this curve and its
    lowest loss, and l_b the loss of the best constant answer. It is 1 if the smallest probe does as
    well as any, and 0 if the loss falls linearly to 0. It does not show how low the loss gets: read
    it together with `dci/informativeness`. It is a fourth property, and claims none of DCI's three.
    This follows the authors' code, except that a factor which no probe predicts better than a
    constant answer counts 0 here and 1 there.

    The paper leaves the choice of probes open. Here, as in one of the sweeps of the authors' code,
    they are random forests of depth 1 to 32, and the loss is the error rate (the authors use
    1 - R^2 for ordered factors).
    """

    about = "DCI's explicitness and size: how easily probes predict factors"
    display = "DCI-ES"
    displays = MappingProxyType(
        {
            "dci-es/explicitness": "DCI-E",
            "dci-es/size": "DCI-S",
        }
    )
    claims = MappingProxyType({"dci-es/explicitness": ()})
    version = 2
    real_factors = "bins"
    seconds = 15.0
    growth = 0.5
    better = MappingProxyType({"dci-es/size": "neither"})

    train: int = knob(default=10_000, min=2, help="images to fit the forests on")
    test: int = knob(default=5_000, min=1, help="images to test the forests on")
    trees: int = knob(default=100, min=1, help="trees in each forest")
    factor_bins: int = factor_bins()

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `dci-es/explicitness`, at most 1, and `dci-es/size`, ideally 1."""
        z, v, test_z, test_v = source.train_test(self.train, self.test, rng)
        return scores_of(z, v, test_z, test_v, rng, self.trees)
