"""DCI-ES, explicitness and size: Eastwood et al. (2023), https://arxiv.org/abs/2210.00364."""

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import small_fit, threads, varying_factors

Numbers = NDArray[np.float64]
DEPTHS = (1, 2, 3, 4, 8, 10, 12, 14, 16, 18, 20, 32)
"""Capacities of the probes: depths of a forest's trees, those of the authors' code."""


def explicitness(losses: Numbers, baseline: Numbers, points: int) -> Numbers:
    """Return E of each factor, [K].

    E = 1 - 2 (area over the lowest loss, under the curve of the least loss up to a capacity) /
    ((largest - least capacity) * baseline). It is 0 where the lowest loss is within five standard
    errors of the baseline.

    Args:
        losses: of probes of the capacities DEPTHS for each factor, [len(DEPTHS), K].
        baseline: the loss of the best constant answer, [K], positive.
        points: on which these are shares of wrong answers.
    """
    curve = np.minimum.accumulate(losses, axis=0)
    area = trapezoid(curve - curve[-1], DEPTHS, axis=0)
    e = 1 - 2 * area / ((DEPTHS[-1] - DEPTHS[0]) * baseline)
    told = baseline - curve[-1] > 5 * np.sqrt(baseline * (1 - baseline) / points)
    return np.where(told, e, 0.0)


def votes(x: Codes, y: Index, test_x: Codes, seed: int) -> Numbers:
    """Return each value's share in the leaf of each point of `test_x`, [len(DEPTHS), M, values].

    It is that of one tree of a random forest, cut off at each depth: the same as trees that were
    grown no deeper.

    Args:
        x: codes to fit on, [N, D]; `y` [N] values, numbered from 0; `test_x` codes [M, D].
        seed: of the tree.
    """
    from sklearn.tree import DecisionTreeClassifier

    drawn = np.random.default_rng(seed).integers(len(x), size=len(x))
    times = np.bincount(drawn, minlength=len(x))
    grown = DecisionTreeClassifier(max_depth=DEPTHS[-1], max_features="sqrt", random_state=seed)
    tree = grown.fit(x, y, sample_weight=times).tree_
    feature = np.maximum(tree.feature, 0)  # that of a leaf is -2
    points, node, found = np.arange(len(test_x)), np.zeros(len(test_x), np.intp), []
    for depth in range(1, DEPTHS[-1] + 1):
        lower = test_x[points, feature[node]] <= tree.threshold[node]
        child = np.where(lower, tree.children_left[node], tree.children_right[node])
        node = np.where(child < 0, node, child)
        if depth in DEPTHS:
            found.append(tree.value[node, 0])
    return np.stack(found)


def curves(
    z: Codes, v: Index, test_z: Codes, test_v: Index, rng: np.random.Generator, trees: int = 100
) -> tuple[Numbers, Numbers]:
    """Return the losses of probes, [len(DEPTHS), K], and of the best constant answer, [K].

    A loss is the share of points that a probe, a random forest, gets wrong. The column of a factor
    that is constant in `v` is NaN.

    Args:
        z: codes to fit on, [N, D]; `test_z` [M, D] those to test on.
        v: labels to fit on, [N, K]; `test_v` [M, K] those to test on.
        rng: seeds the trees.
        trees: of a forest.

    Raises:
        Unavailable: every factor is constant.
    """
    order = np.argsort(z.std(axis=0), kind="stable")  # what trees draw is not to hang on the order
    scale = np.ldexp(1.0, -np.frexp(np.abs(z).max(axis=0))[1])  # trees tell no 1e-7 from 0
    x, test_x = ((a * scale)[:, order].astype(np.float32) for a in (z, test_z))
    test_x = test_x.astype(np.float64)
    losses, baseline = np.full((len(DEPTHS), v.shape[1]), np.nan), np.full(v.shape[1], np.nan)
    with small_fit(), threads() as pool:
        for k in varying_factors(v):
            values, y, count = np.unique(v[:, k], return_inverse=True, return_counts=True)
            seeds = [int(seed) for seed in rng.integers(2**31, size=trees)]
            total = np.zeros((len(DEPTHS), len(test_x), len(values)))
            for i in range(0, trees, 8):  # of which at most so many are in memory
                for vote in pool.map(lambda s, y=y: votes(x, y, test_x, s), seeds[i : i + 8]):
                    total += vote
            losses[:, k] = np.mean(values[total.argmax(axis=2)] != test_v[:, k], axis=1)
            baseline[k] = np.mean(test_v[:, k] != values[count.argmax()])
    return losses, baseline


class DCIES(Metric[Labelled]):
    """Explicitness: with how little capacity z tells v_k; size: K / D.

    Probes of growing capacity make a loss-capacity curve. E = 1 - 2 A / ((c_max - c_min) l_b), with
    A the area between the curve and its lowest loss, and l_b the loss of the best constant answer:
    1 where the least probe does as well as any, 0 where the loss falls in a straight line to 0; the
    mean over factors. It does not say how low the loss gets, and is read beside
    `dci/informativeness`. This is the authors' code, save that a factor which no probe tells better
    than a constant answer counts 0 here, and 1 there.

    The paper leaves the probes open. Here, as in one of the sweeps of the authors' code, they are
    random forests of depth 1 to 32, and a loss is the share of wrong answers (the authors take
    1 - R^2 for factors with an order).
    """

    seconds = 15.0
    better = MappingProxyType({"dci-es/size": "neither"})

    train: int = knob(default=10_000, min=2, help="images to fit the forests on")
    test: int = knob(default=5_000, min=1, help="images to test them on")
    trees: int = knob(default=100, min=1, help="trees of a forest")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `dci-es/explicitness`, at most 1, and `dci-es/size`, of which 1 is the ideal."""
        z, v, test_z, test_v = source.train_test(self.train, self.test, rng)
        losses, baseline = curves(z, v, test_z, test_v, rng, self.trees)
        known = baseline > 0
        if not known.any():
            raise Unavailable("every factor is constant in these samples")
        of_factor = np.full(len(baseline), np.nan)
        of_factor[known] = explicitness(losses[:, known], baseline[known], len(test_z))
        varying = int((~np.isnan(baseline)).sum())
        return {
            "dci-es/explicitness": float(np.nanmean(of_factor)),
            "dci-es/size": varying / z.shape[1],
            "dci-es/factors": Detail(("factor",), of_factor),
        }
