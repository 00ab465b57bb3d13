"""InfoMEC: Hsu et al. (2023), https://arxiv.org/abs/2305.18378."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import (
    codes_and_labels,
    entropies,
    floats,
    knn_mutual_information,
    mutual_information,
    small_fit,
    standardised,
    varying_factors,
)

Numbers = NDArray[np.float64]
ROUNDING = 1e-5
"""Distance, relative to the largest code, up to which values of discrete codes are one value."""


def modularity(nmi: Numbers) -> float:
    """Return InfoM, (mean_i max_k nmi_ik / sum_k nmi_ik - 1 / K) / (1 - 1 / K).

    A latent without information counts the same as one with equal information about each factor.

    Args:
        nmi: I(z_i; v_k) / H(v_k) of the active latents, [D, K], with K at least 2.
    """
    total = nmi.sum(axis=1)
    chance = 1 / nmi.shape[1]
    share = np.where(total > 0, nmi.max(axis=1) / np.where(total > 0, total, 1.0), chance)
    return float((share.mean() - chance) / (1 - chance))


def explicitness(x: Numbers, v: Index, test_x: Numbers, test_v: Index) -> Numbers:
    """Return 1 - CE_k / H_k of each factor's logistic regression, [K]; NaN for a constant factor.

    CE is the cross-entropy on the test points. H = ln(number of values) is the cross-entropy of the
    same classifier without x, as all values have the same weight. Test points whose value is not in
    `v` are left out.

    Args:
        x: inputs to fit on, [N, P].
        v: labels to fit on, [N, K].
        test_x: inputs to test on, [M, P].
        test_v: labels to test on, [M, K].
    """
    from sklearn.linear_model import LogisticRegression

    shares = np.full(v.shape[1], np.nan)
    for k in np.flatnonzero(np.ptp(v, axis=0) > 0):
        with small_fit():
            classifier = LogisticRegression(C=np.inf, class_weight="balanced").fit(x, v[:, k])
        values = classifier.classes_
        fitted = np.isin(test_v[:, k], values)
        if fitted.any():
            p = classifier.predict_proba(test_x[fitted])
            right = p[np.arange(len(p)), np.searchsorted(values, test_v[fitted, k])]
            entropy = -np.log(np.maximum(right, np.finfo(float).eps)).mean()
            shares[k] = 1 - entropy / np.log(len(values))
    return shares


def explicitness_regression(z: Codes, v: Numbers) -> float:
    """Return the mean R^2 of a linear regression of v [N, K] on z [N, D], within the sample."""
    x, y = z - z.mean(axis=0), v - v.mean(axis=0)
    x /= np.where((scale := np.abs(x).max(axis=0)) > 0, scale, 1.0)
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float(np.mean(1 - np.square(rest).sum(axis=0) / np.square(y).sum(axis=0)))


def indices(z: Codes, test_z: Codes) -> tuple[Index, Index]:
    """Number the values of each latent of discrete codes `z` [N, D] and `test_z` [M, D] from 0.

    Values that differ by rounding only, as a straight-through estimate leaves them, are one. Whole
    numbers are never rounded.
    """
    every = np.vstack([z, test_z])
    numbers = np.empty(every.shape, np.int64)
    for d, column in enumerate(every.T):
        whole = (column == np.rint(column)).all()
        rounding = 0.0 if whole else ROUNDING * np.abs(column).max()
        values, place = np.unique(column, return_inverse=True)
        numbers[:, d] = np.concatenate([[0], np.cumsum(np.diff(values) > rounding)])[place]
    return numbers[: len(z)], numbers[len(z) :]


def one_hot(z: Index, test_z: Index) -> tuple[Numbers, Numbers]:
    """One-hot encode `z` [N, D] and `test_z` [M, D] over each latent's values in `z`: [., P]."""
    values = [np.unique(column) for column in z.T]
    first, second = (
        np.hstack([a[:, [i]] == value for i, value in enumerate(values)]).astype(np.float64)
        for a in (z, test_z)
    )
    return first, second


def infomec(
    z: ArrayLike,
    v: ArrayLike,
    *,
    discrete: bool = False,
    neighbours: int = 3,
    active: float = 0.125,
    seed: int = 0,
) -> dict[str, float]:
    """Return InfoM, InfoC and InfoE by the names of scores, within the sample.

    Args:
        z: codes, [N, D], with no image twice.
        v: labels, [N, K].
        discrete: True to count the values of `z`; False to estimate by nearest neighbours.
        neighbours: number of neighbours with the same label.
        active: minimum range of an active latent, as a share of the widest range.
        seed: the seed of the noise that the estimate adds to break ties.

    Raises:
        Unavailable: every factor is constant.
    """
    z, v = codes_and_labels(z, v)
    rng = np.random.default_rng(seed)
    return floats(scores_of(z, v, z, v, rng, discrete, neighbours, active))


def scores_of(
    z: Codes,
    v: Index,
    test_z: Codes,
    test_v: Index,
    rng: np.random.Generator,
    integer: bool,
    neighbours: int,
    active_share: float,
) -> Scores:
    """Return the three scores with details; see `InfoMEC`."""
    varies = varying_factors(v)
    if integer:
        values, test_values = indices(z, test_z)
        m = mutual_information(values, v[:, varies])
        x, test_x = one_hot(values, test_values)
        active = np.ptp(values, axis=0) > 0  # as in the authors' code
    else:
        m = knn_mutual_information(z, v[:, varies], rng, neighbours)
        x, test_x = standardised(z, test_z)
        ranges = np.ptp(z, axis=0)
        active = ranges > active_share * ranges.max()
    nmi = np.full((z.shape[1], v.shape[1]), np.nan)
    nmi[:, varies] = m / entropies(v[:, varies])
    of_factor = explicitness(x, v, test_x, test_v)
    scores: dict[str, float | Unavailable | Detail] = {
        "infomec/infom": Unavailable("needs two varying factors and an active latent"),
        "infomec/infoc": Unavailable("needs two active latents"),
        "infomec/infoe": Unavailable("no test image has a value that occurs in training"),
        "infomec/information": Detail(
            ("latent", "factor"), nmi, "mutual information / entropy of the factor"
        ),
        "infomec/active": Detail(("latent",), active, "1 if the latent is active, else 0"),
        "infomec/explicitness": Detail(
            ("factor",), of_factor, "1 - cross-entropy / ln(number of values), at most 1"
        ),
    }
    pruned = nmi[active][:, varies]
    if active.any() and len(varies) > 1:
        scores["infomec/infom"] = modularity(pruned)
    if active.sum() > 1:
        scores["infomec/infoc"] = modularity(pruned.T)
    if not np.isnan(of_factor).all():
        scores["infomec/infoe"] = float(np.nanmean(of_factor))
    return scores


class InfoMEC(Metric[Labelled]):
    """InfoM = (mean_i max_k nmi_ik / sum_k nmi_ik - 1 / K) / (1 - 1 / K), InfoC and InfoE.

    nmi_ik = I(z_i; v_k) / H(v_k), for latents whose range exceeds `active` of the widest range.
    InfoM (modularity) is 1 if each latent is informative about one factor only. InfoC (compactness)
    is the same with latents and factors exchanged. InfoE (explicitness) is the mean over k of
    (H_k - CE_k) / H_k of logistic regressions. InfoM and InfoC are ratios, so they ignore how
    little information a code has: the InfoM of pure noise is far from 0, from 0.4 to 0.8.

    No image is drawn twice, as in the authors' code, whatever the protocol: to an estimate by
    nearest neighbours an image and its copy seem to know every factor.
    """

    about = "Modularity, compactness, explicitness by information"
    display = "InfoMEC"
    displays = MappingProxyType(
        {
            "infomec/infom": "InfoM",
            "infomec/infoc": "InfoC",
            "infomec/infoe": "InfoE",
        }
    )
    claims = MappingProxyType(
        {
            "infomec/infom": ("disentanglement",),
            "infomec/infoc": ("completeness",),
            "infomec/infoe": ("informativeness",),
        }
    )
    limitations = MappingProxyType(
        {
            "scaled": "latents of a small range, relative to the widest, are ignored",
            "repeated rows": "the nearest neighbour of a row is its copy, of the same factors",
        }
    )
    version = 2
    assumes_independence = True
    most_latents = 2048
    seconds = 1.0
    growth = 0.7

    samples: int = knob(default=10_000, min=2, help="number of different images")
    codes: Literal["auto", "real", "integer"] = knob(
        default="auto",
        help="type of the codes; real: estimates by nearest neighbours; integer: counts, one-hot; "
        "auto: integer if the model's code is discrete, else real",
    )
    neighbours: int = knob(
        default=3,
        min=1,
        only_if=("codes", "auto", "real"),
        help="number of neighbours with the same label",
    )
    active: float = knob(
        default=0.125,
        min=0,
        max=1,
        only_if=("codes", "auto", "real"),
        help="minimum range of an active latent, as a share of the widest range",
    )
    out_of_sample: bool = knob(
        default=False, help="evaluate InfoE on held-out images, half as many as it is fitted on"
    )

    def resolve(self, source: Source[Labelled]) -> Mapping[str, str]:
        """Return codes=integer where `auto` counts the values of a discrete code."""
        counts = self.codes == "auto" and source.discrete
        return {"codes": "integer"} if counts else {}

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `infomec/infom`, `infomec/infoc` and `infomec/infoe`, at most 1.

        InfoM needs two factors, and InfoC two active latents.
        """
        integer = self.codes == "integer" or (self.codes == "auto" and source.discrete)
        test_images = self.samples // 2 if self.out_of_sample else 0
        z, v, test_z, test_v = source.train_test(self.samples, test_images, rng, distinct=True)
        if not self.out_of_sample:
            test_z, test_v = z, v
        if self.codes == "integer" and not source.discrete and not (z == np.rint(z)).all():
            raise Unavailable("the codes are not whole numbers; use codes=real")
        return scores_of(z, v, test_z, test_v, rng, integer, self.neighbours, self.active)
