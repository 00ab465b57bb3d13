"""InfoMEC: Hsu et al. (2023), https://arxiv.org/abs/2305.18378."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import (
    entropies,
    knn_mutual_information,
    mutual_information,
    small_fit,
    standardised,
    varying_factors,
)

Numbers = NDArray[np.float64]


def modularity(nmi: Numbers) -> float:
    """Return InfoM, (mean_i max_k nmi_ik / sum_k nmi_ik - 1 / K) / (1 - 1 / K).

    A latent that knows of no factor counts as much as one that knows as much of each.

    Args:
        nmi: I(z_i; v_k) / H(v_k) of the active latents, [D, K], of two factors at least.
    """
    total = nmi.sum(axis=1)
    chance = 1 / nmi.shape[1]
    share = np.where(total > 0, nmi.max(axis=1) / np.where(total > 0, total, 1.0), chance)
    return float((share.mean() - chance) / (1 - chance))


def explicitness(x: Numbers, v: Index, test_x: Numbers, test_v: Index) -> Numbers:
    """Return 1 - CE_k / H_k of each factor's logistic regression, [K]; NaN for a constant factor.

    CE is the cross-entropy on the points to test on. H = ln(number of values) is that of the same
    classifier without x, as all values have the same weight. Points whose value is not in `v` are
    left out.

    Args:
        x: inputs to fit on, [N, P]; `test_x` [M, P] those to test on.
        v: labels to fit on, [N, K]; `test_v` [M, K] those to test on.
    """
    from sklearn.linear_model import LogisticRegression

    found = np.full(v.shape[1], np.nan)
    for k in np.flatnonzero(np.ptp(v, axis=0) > 0):
        with small_fit():
            classifier = LogisticRegression(C=np.inf, class_weight="balanced").fit(x, v[:, k])
        values = classifier.classes_
        known = np.isin(test_v[:, k], values)
        if known.any():
            p = classifier.predict_proba(test_x[known])
            right = p[np.arange(len(p)), np.searchsorted(values, test_v[known, k])]
            entropy = -np.log(np.maximum(right, np.finfo(float).eps)).mean()
            found[k] = 1 - entropy / np.log(len(values))
    return found


def explicitness_regression(z: Codes, v: Numbers) -> float:
    """Return the mean share of variance of v [N, K] that is linear in z [N, D], within sample."""
    x, y = z - z.mean(axis=0), v - v.mean(axis=0)
    x /= np.where((scale := np.abs(x).max(axis=0)) > 0, scale, 1.0)
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float(np.mean(1 - np.square(rest).sum(axis=0) / np.square(y).sum(axis=0)))


def one_hot(z: Index, test_z: Index) -> tuple[Numbers, Numbers]:
    """Return for each latent and each value in `z` [N, D] whether a code has it, [N, P]."""
    values = [np.unique(column) for column in z.T]
    first, second = (
        np.hstack([a[:, [i]] == found for i, found in enumerate(values)]).astype(np.float64)
        for a in (z, test_z)
    )
    return first, second


class InfoMEC(Metric[Labelled]):
    """InfoM and InfoC: how far a latent knows of one factor only, a factor is known to one only.

    With nmi_ik = I(z_i; v_k) / H(v_k) of the latents whose range is over `active` of the widest:
    InfoM = (mean_i max_k nmi_ik / sum_k nmi_ik - 1 / K) / (1 - 1 / K), InfoC likewise the other
    way, and InfoE the mean over k of (H_k - CE_k) / H_k of logistic regressions. The ratios do
    not see how little a code knows: of pure noise InfoM is far from 0, from 0.3 to 0.6.
    """

    assumes_independence = True
    seconds = 1.0

    samples: int = knob(default=10_000, min=2, help="images")
    codes: Literal["real", "integer"] = knob(
        default="real", help="real: nearest neighbours; integer: counts, and one input for a value"
    )
    neighbours: int = knob(
        default=3, min=1, only_if=("codes", "real"), help="nearest neighbours with the same label"
    )
    active: float = knob(
        default=0.125,
        min=0,
        max=1,
        only_if=("codes", "real"),
        help="share of the widest range that an active latent exceeds",
    )
    out_of_sample: bool = knob(
        default=False, help="evaluate InfoE on half as many images that it was not fitted to"
    )

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `infomec/infom`, `infomec/infoc` and `infomec/infoe`, at most 1.

        InfoM takes two factors, and InfoC two active latents.
        """
        tested = self.samples // 2 if self.out_of_sample else 0
        z, v, test_z, test_v = source.train_test(self.samples, tested, rng)
        if not self.out_of_sample:
            test_z, test_v = z, v
        varies = varying_factors(v)
        if self.codes == "integer":
            if not (z == np.rint(z)).all():
                raise Unavailable("the codes are no whole numbers; score them with codes=real")
            z, test_z = (np.rint(a - z.min(axis=0)).astype(np.int64) for a in (z, test_z))
            m = mutual_information(z, v[:, varies])
            x, test_x = one_hot(z, test_z)
        else:
            m = knn_mutual_information(z, v[:, varies], rng, self.neighbours)
            x, test_x = standardised(z, test_z)
        ranges = np.ptp(z, axis=0)
        # As the authors do; and of whole numbers they leave out the constant ones only.
        active = ranges > (0 if self.codes == "integer" else self.active * ranges.max())
        nmi = np.full((z.shape[1], v.shape[1]), np.nan)
        nmi[:, varies] = m / entropies(v[:, varies])
        of_factor = explicitness(x, v, test_x, test_v)
        found: dict[str, float | Unavailable | Detail] = {
            "infomec/infom": Unavailable("it takes two factors that vary, and an active latent"),
            "infomec/infoc": Unavailable("it takes two active latents"),
            "infomec/infoe": Unavailable("no test image has a value that was fitted on"),
            "infomec/information": Detail(("latent", "factor"), nmi),
            "infomec/active": Detail(("latent",), active),
            "infomec/explicitness": Detail(("factor",), of_factor),
        }
        pruned = nmi[active][:, varies]
        if active.any() and len(varies) > 1:
            found["infomec/infom"] = modularity(pruned)
        if active.sum() > 1:
            found["infomec/infoc"] = modularity(pruned.T)
        if not np.isnan(of_factor).all():
            found["infomec/infoe"] = float(np.nanmean(of_factor))
        return found
