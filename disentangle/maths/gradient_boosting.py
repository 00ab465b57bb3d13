"""Gradient-boosted trees, identical to scikit-learn's, but classifiers are faster.

scikit-learn spends most of its time sorting every latent again at every node. The codes are the
same for all trees, so here they are sorted once, and splits are found from cumulative sums in that
order. If rounding could decide between two splits, scikit-learn's choice depends on the random
order in which it tries the latents. In this case scikit-learn's own tree is grown, from the same
state of its random generator. The one exception are latents so far from 0 that single precision,
which scikit-learn converts to, would merge their values: they are moved to 0 first.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
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
GAP = np.float32(1e-7)  # scikit-learn treats values this close as equal
FAR = 2.0**10  # a distance from 0, in ranges, at which single precision leaves few digits
EPS = float(np.finfo(np.float64).eps)


class Tree(NamedTuple):
    """The leaf of each training point [N] and test point [M], and the gain of each latent [D]."""

    leaf: Index
    test_leaf: Index
    gains: Floats


class Unclear(Exception):
    """Raised if rounding might decide which split is the best."""


class GradientBoosting:
    """Trees on the same codes: [N, D] to fit on and [M, D] to test on, sorted once."""

    def __init__(self, x: Codes, test: Codes) -> None:
        offset = _far_offset(x)
        x, test = x - offset, test - offset
        self.centred = x, test
        exponent = int(np.frexp(np.abs(x).max())[1])
        if not -10 < exponent < 100:  # out of reach of GAP, or of single precision
            x, test = np.ldexp(x, -exponent), np.ldexp(test, -exponent)
        largest = float(np.finfo(np.float32).max)
        test = np.clip(test, -largest, largest)
        self.x, self.test = x.astype(np.float32), test.astype(np.float32)
        self.columns, self.test_columns = self.x.T.copy(), self.test.T.astype(np.float64)
        self.order = np.argsort(self.columns, axis=1, kind="stable")  # [d, rank] = point

    def classify(self, y: Index, seed: int, run: Run = map) -> tuple[Floats, Index]:
        """Return the result of `GradientBoostingClassifier(random_state=seed).fit(x, y)`.

        This is the importance of each latent, [D], and the predicted class of each test point, [M].

        Args:
            y: classes, [N], at least two.
            seed: scikit-learn's `random_state`.
            run: a function like `map`; it may fit the trees of a stage in threads.
        """
        classes, y, counts = np.unique(y, return_inverse=True, return_counts=True)
        binary = len(classes) == 2  # two classes need one tree per stage
        member = y[None, :] == np.arange(len(classes))[binary:, None]  # [k, n]
        scores = np.tile(_start(counts)[binary:, None], len(self.x))
        test_scores = np.tile(scores[:, :1], len(self.test))
        shrink = 1.0 if binary else (len(classes) - 1) / len(classes)
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
            # If hardly any tree is clear, as with discrete codes, trying is not worth the time.
            trying = unclear < max(50, 0.9 * numbers.stop)
        predicted = test_scores[0] >= 0 if binary else test_scores.argmax(axis=0)
        return gains / (gains.sum() or 1.0), classes[predicted.astype(np.intp)]

    def regress(self, y: Floats, seed: int) -> tuple[Floats, Floats]:
        """Return the result of scikit-learn's `GradientBoostingRegressor(random_state=seed)`.

        This is the importance of each latent, [D], and the prediction for each test point, [M].

        Args:
            y: numbers, [N], not all the same.
            seed: scikit-learn's `random_state`.
        """
        from sklearn.ensemble import GradientBoostingRegressor

        x, test = self.columns_in_reach
        fitted = GradientBoostingRegressor(random_state=seed).fit(x, y)
        return fitted.feature_importances_, fitted.predict(test)

    @cached_property
    def columns_in_reach(self) -> tuple[Floats, Floats]:
        """The codes, with each latent out of reach of GAP or of single precision near 1."""
        x, test = self.centred
        exponents = np.frexp(np.abs(x).max(axis=0))[1]
        exponents = np.where((exponents > -10) & (exponents < 128), 0, exponents)
        largest = float(np.finfo(np.float32).max)
        x, test = (np.ldexp(a, -exponents) for a in (x, test))
        return x, np.clip(test, -largest, largest)

    def _sklearn_tree(self, g: Floats, seed: int, number: int) -> Tree:
        """Fit scikit-learn's tree number `number` (from 0) to `g` [N]."""
        from sklearn import config_context
        from sklearn.ensemble import GradientBoostingClassifier
        from sklearn.tree import DecisionTreeRegressor
        from sklearn.utils import check_random_state

        state = check_random_state(seed)
        state.randint(0, 2**31 - 1, size=number)  # each tree draws one number
        # Older versions of scikit-learn use another criterion, which is equal up to rounding.
        older = GradientBoostingClassifier().criterion == "friedman_mse"
        criterion = "friedman_mse" if older else "squared_error"
        grown = DecisionTreeRegressor(criterion=criterion, max_depth=DEPTH, random_state=state)
        with config_context(skip_parameter_validation=True):
            tree = grown.fit(self.x, g, check_input=False).tree_
        gains = len(g) * tree.compute_feature_importances(normalize=False)
        return Tree(tree.apply(self.x), tree.apply(self.test), gains)

    def _clear_tree(self, g: Floats) -> Tree | None:
        """Fit a tree to `g` [N]; return None if rounding might decide a split."""
        n, m, d = len(self.x), len(self.test), len(self.order)
        tree = Tree(np.empty(n, np.intp), np.empty(m, np.intp), np.zeros(d))
        try:
            self._grow(tree, g, self.order, np.arange(m), 1)
        except Unclear:
            return None
        return tree

    def _grow(self, tree: Tree, g: Floats, order: Index, test: Index, node: int) -> None:
        """Grow the subtree at `node`, with children 2 node and 2 node + 1, on its points."""
        if node >= 2**DEPTH or order.shape[1] == 1:
            tree.leaf[order[0]], tree.test_leaf[test] = node, node
            return
        d, rank, gain = self._split(g, order)
        tree.gains[d] += gain
        low, high = (float(self.columns[d, order[d, r]]) for r in (rank, rank + 1))
        below = self.test_columns[d].take(test) <= low / 2 + high / 2
        if 2 * node < 2**DEPTH:
            on_left = np.zeros(len(g), bool)
            on_left[order[d, : rank + 1]] = True
            keep = on_left.take(order)
            left, right = (order[side].reshape(len(order), -1) for side in (keep, ~keep))
        else:  # leaves do not need the order
            left, right = order[d : d + 1, : rank + 1], order[d : d + 1, rank + 1 :]
        self._grow(tree, g, left, test[below], 2 * node)
        self._grow(tree, g, right, test[~below], 2 * node + 1)

    def _split(self, g: Floats, order: Index) -> tuple[int, int, float]:
        """Return the best split: its latent, the last rank on its left side, and its gain."""
        n = order.shape[1]
        sums = g.take(order)  # [d, rank]
        here = sums[0]
        # The rounding error of a sum of n terms is at most n EPS times their absolute sum, etc.
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
            gains[near] = 0.0  # the values on both sides of these splits are equal
        raise Unclear


def _far_offset(x: Codes) -> Floats:
    """Return the mean of each latent [D] that single precision would round away; 0 for the others.

    These are latents far from 0, compared with their range, that are not in single precision yet.
    scikit-learn would merge their values.
    """
    far = np.abs(x).max(axis=0) > FAR * np.ptp(x, axis=0)
    with np.errstate(over="ignore"):
        exact = (x.astype(np.float32) == x).all(axis=0)
    return np.where(far & ~exact, x.mean(axis=0), 0.0)


def _start(counts: Index) -> Floats:
    """Return the initial scores, which give each class its share of the points, [K]."""
    p = counts / counts.sum()
    return np.asarray(logit(p) if len(p) == 2 else np.log(p / np.exp(np.log(p).mean())))


def _residual(scores: Floats, member: Bools) -> Floats:
    """Return class membership minus its probability, [K, N], from scores [K, N].

    `inv_boxcox(x, 0)` is the C library's exponential, which scikit-learn uses. NumPy's may differ
    in the last bit, which is enough to decide a tie.
    """
    if len(scores) == 1:
        e = inv_boxcox(np.minimum(-scores, 37.0), 0.0)
        far = member - inv_boxcox(np.minimum(scores, 0.0), 0.0)  # used where 1 + e rounds to e
        return np.asarray(np.where(scores > -37, np.where(member, e, -1.0) / (1 + e), far))
    e = inv_boxcox(scores - scores.max(axis=0), 0.0)
    e /= np.add.reduce(e, axis=0)
    return np.asarray(np.where(member, 1 - e, -e))


def _leaf_values(leaf: Index, g: Floats, member: Bools, shrink: float) -> Floats:
    """Return one Newton step for each leaf, indexed by node number."""
    counts = np.bincount(leaf)
    order = np.argsort(leaf.astype(np.uint8), kind="stable")
    g = g.take(order)
    p = member.take(order) - g
    curvature = p * (1 - p)
    value = np.zeros(len(counts))
    for i, end in enumerate(np.cumsum(counts)):
        part = slice(end - counts[i], end)
        if counts[i] and abs(mean_curvature := float(curvature[part].mean())) >= 1e-150:
            value[i] = float(g[part].mean()) * shrink / mean_curvature
    return value
