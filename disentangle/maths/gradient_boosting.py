"""Gradient-boosted trees, the same as scikit-learn's `GradientBoostingClassifier`, but sooner.

Nearly all that scikit-learn does is to sort every latent anew at every node. The codes are the same
for all trees, so here they are sorted once, and splits are found in cumulative sums along that
order. Where rounding might decide between two splits, scikit-learn's choice hangs on the order in
which it draws the latents: there its own tree is grown, from the state of its generator.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import inv_boxcox, logit

from disentangle.contracts.dataset import Index
from disentangle.contracts.source import Codes

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Run = Callable[[Callable[[int], Any], Iterable[int]], Iterable[Any]]

STAGES, DEPTH, RATE = 100, 3, 0.1
GAP = np.float32(1e-7)  # values no further apart are the same to scikit-learn
EPS = float(np.finfo(np.float64).eps)


class Tree(NamedTuple):
    """The leaf of each point fitted on [N] and to test on [M], and what splits gained [D]."""

    leaf: Index
    test_leaf: Index
    gains: Floats


class Unclear(Exception):
    """Rounding might decide which split is the best."""


class GradientBoosting:
    """Codes to fit on [N, D] and to test on [M, D], sorted for any number of classifiers."""

    def __init__(self, x: Codes, test: Codes) -> None:
        exponent = int(np.frexp(np.abs(x).max())[1])
        if not -10 < exponent < 100:  # out of reach of GAP, or of single precision
            x, test = np.ldexp(x, -exponent), np.ldexp(test, -exponent)
        most = float(np.finfo(np.float32).max)
        test = np.clip(test, -most, most)
        self.x, self.test = x.astype(np.float32), test.astype(np.float32)
        self.columns, self.test_columns = self.x.T.copy(), self.test.T.astype(np.float64)
        self.order = np.argsort(self.columns, axis=1, kind="stable")  # [d, rank] = point

    def classify(self, y: Index, seed: int, run: Run = map) -> tuple[Floats, Index]:
        """Return what `GradientBoostingClassifier(random_state=seed).fit(x, y)` finds.

        That is the latents' importances, [D], and the classes of the points to test on, [M].

        Args:
            y: classes, [N], at least two.
            seed: an int that scikit-learn takes.
            run: as `map`; it may run the trees of a stage in threads.
        """
        classes, y, counts = np.unique(y, return_inverse=True, return_counts=True)
        one = len(classes) == 2  # one tree a stage will do
        member = y[None, :] == np.arange(len(classes))[one:, None]  # [k, n]
        scores = np.tile(_start(counts)[one:, None], len(self.x))
        test_scores = np.tile(scores[:, :1], len(self.test))
        shrink = 1.0 if one else (len(classes) - 1) / len(classes)
        residual = np.empty_like(scores)
        gains, unclear, trying = np.zeros(self.x.shape[1]), 0, True

        def grow(number: int) -> tuple[Floats, bool]:
            k = number % len(member)
            clear = self._clear_tree(residual[k]) if trying else None
            tree = clear or self._sklearn_tree(residual[k], seed, number)
            value = _leaf_values(tree.leaf, residual[k], member[k], shrink)
            scores[k] += RATE * value.take(tree.leaf)
            test_scores[k] += RATE * value.take(tree.test_leaf)
            return tree.gains, clear is None

        for stage in range(STAGES):
            residual[:] = _residual(scores, member)
            numbers = range(stage * len(member), (stage + 1) * len(member))
            for gain, failed in run(grow, numbers):
                gains += gain
                unclear += failed
            # Where hardly any tree is clear, as with discrete codes, trying is not worth it.
            trying = unclear < max(50, 0.9 * numbers.stop)
        predicted = test_scores[0] >= 0 if one else test_scores.argmax(axis=0)
        return gains / (gains.sum() or 1.0), classes[predicted.astype(np.intp)]

    def _sklearn_tree(self, g: Floats, seed: int, number: int) -> Tree:
        """Return scikit-learn's tree of `g` [N], the one after `number` others."""
        from sklearn import config_context
        from sklearn.ensemble import GradientBoostingClassifier
        from sklearn.tree import DecisionTreeRegressor
        from sklearn.utils import check_random_state

        state = check_random_state(seed)
        state.randint(0, 2**31 - 1, size=number)  # each tree draws one
        # Its older versions have another criterion, which is the same but for rounding.
        older = GradientBoostingClassifier().criterion == "friedman_mse"
        criterion = "friedman_mse" if older else "squared_error"
        grown = DecisionTreeRegressor(criterion=criterion, max_depth=DEPTH, random_state=state)
        with config_context(skip_parameter_validation=True):
            tree = grown.fit(self.x, g, check_input=False).tree_
        gains = len(g) * tree.compute_feature_importances(normalize=False)
        return Tree(tree.apply(self.x), tree.apply(self.test), gains)

    def _clear_tree(self, g: Floats) -> Tree | None:
        """Return the tree of `g` [N], or None where rounding might decide on it."""
        n, m, d = len(self.x), len(self.test), len(self.order)
        tree = Tree(np.empty(n, np.intp), np.empty(m, np.intp), np.zeros(d))
        try:
            self._grow(tree, g, self.order, np.arange(m), 1)
        except Unclear:
            return None
        return tree

    def _grow(self, tree: Tree, g: Floats, order: Index, test: Index, node: int) -> None:
        """Grow from `node`, whose children are 2 node and 2 node + 1, on its points and `test`."""
        if node >= 2**DEPTH or order.shape[1] == 1:
            tree.leaf[order[0]], tree.test_leaf[test] = node, node
            return
        d, rank, gain = self._split(g, order)
        tree.gains[d] += gain
        low, high = (float(self.columns[d, order[d, r]]) for r in (rank, rank + 1))
        below = self.test_columns[d].take(test) <= low / 2 + high / 2
        if 2 * node < 2**DEPTH:
            chosen = np.zeros(len(g), bool)
            chosen[order[d, : rank + 1]] = True
            keep = chosen.take(order)
            left, right = (order[side].reshape(len(order), -1) for side in (keep, ~keep))
        else:  # leaves need no order
            left, right = order[d : d + 1, : rank + 1], order[d : d + 1, rank + 1 :]
        self._grow(tree, g, left, test[below], 2 * node)
        self._grow(tree, g, right, test[~below], 2 * node + 1)

    def _split(self, g: Floats, order: Index) -> tuple[int, int, float]:
        """Return the best split: its latent, its last rank on the left, its gain."""
        n = order.shape[1]
        sums = g.take(order)  # [d, rank]
        here = sums[0]
        # The sum of n terms is off by n EPS times their absolute sum at most, and so on.
        doubt = 8 * n * EPS * float(np.abs(here).sum() * np.abs(here).max())
        sums -= float(here.mean())
        if float(here @ here) <= 2 * n * EPS + doubt:
            raise Unclear  # this may be a pure node
        np.cumsum(sums, axis=1, out=sums)
        sums *= sums
        left = np.arange(1.0, n)
        sums[:, :-1] *= n / (left * (n - left))
        sums[:, -1] = 0.0
        gains = sums.ravel()
        for _ in range(5):
            best = float(gains.max())
            near = np.flatnonzero(gains >= best - doubt)
            if best <= doubt or len(near) > 100:
                break
            d, rank = np.divmod(near, n)
            low, high = (self.columns[d, order[d, r]] for r in (rank, rank + 1))
            apart = np.flatnonzero(high > low + GAP)
            if len(apart) == 1:
                return int(d[apart[0]]), int(rank[apart[0]]), best
            if len(apart) > 1:
                break
            gains[near] = 0.0  # there values are the same
        raise Unclear


def _start(counts: Index) -> Floats:
    """Return the scores that give the classes their shares, [K]."""
    p = counts / counts.sum()
    return np.asarray(logit(p) if len(p) == 2 else np.log(p / np.exp(np.log(p).mean())))


def _residual(scores: Floats, member: Bools) -> Floats:
    """Return membership minus its probability, [K, N], from scores [K, N].

    `inv_boxcox(x, 0)` is the exponential of the C library, which scikit-learn calls. NumPy's own
    may differ in the last bit, which is enough to tip a tie.
    """
    if len(scores) == 1:
        e = inv_boxcox(np.minimum(-scores, 37.0), 0.0)
        far = member - inv_boxcox(np.minimum(scores, 0.0), 0.0)  # where 1 + e would be e
        return np.asarray(np.where(scores > -37, np.where(member, e, -1.0) / (1 + e), far))
    e = inv_boxcox(scores - scores.max(axis=0), 0.0)
    e /= np.add.reduce(e, axis=0)
    return np.asarray(np.where(member, 1 - e, -e))


def _leaf_values(leaf: Index, g: Floats, member: Bools, shrink: float) -> Floats:
    """Return one Newton step for each leaf, by its number."""
    counts = np.bincount(leaf)
    order = np.argsort(leaf.astype(np.uint8), kind="stable")
    g = g.take(order)
    p = member.take(order) - g
    curvature = p * (1 - p)
    value = np.zeros(len(counts))
    for i, end in enumerate(np.cumsum(counts)):
        part = slice(end - counts[i], end)
        if counts[i] and abs(steep := float(curvature[part].mean())) >= 1e-150:
            value[i] = float(g[part].mean()) * shrink / steep
    return value
