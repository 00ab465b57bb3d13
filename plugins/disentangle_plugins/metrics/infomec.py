"""InfoMEC: Hsu et al. (2023), https://arxiv.org/abs/2305.18378."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import (
    Codes,
    Detail,
    Index,
    Labelled,
    Metric,
    RealFactors,
    Scores,
    Source,
    Unavailable,
    UsageError,
    factor_bins,
    knob,
)
from disentangle.maths import (
    Targets,
    codes_and_labels,
    entropies,
    floats,
    mutual_information,
    neighbour_shares,
    numeric_targets,
    real_numbers,
    small_fit,
    standardised,
    varying_factors,
)

Numbers = NDArray[np.float64]
ROUNDING = 1e-5
"""Distance, relative to the largest code, up to which values of discrete codes are one value."""


Variant = Literal["custom", "hsu2023", "hsu2024", "baykal2024", "reference"]
Uninformed = Literal["chance", "omitted", "undefined"]
"""What a latent without information counts as in InfoM: as one with equal information about each
factor, not at all, or 0 / 0, which leaves InfoM undefined."""


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """The choices in which implementations differ; the defaults are those of `reference`.

    Attributes:
        neighbours: number of neighbours with the same label, for real codes.
        quartiles: the spread of a latent is its interquartile range, not its range.
        active: minimum spread of an active latent, as a share of the widest.
        active_discrete: minimum spread of an active latent of a discrete code; None: as `active`.
        uninformed: what a latent without information counts as in InfoM.
        uninformed_factor: what a factor that no latent informs about counts as in InfoC.
        inactive: all three scores if no latent is active; NaN: InfoM and InfoC are undefined.
        one_hot: InfoE of a discrete code takes an input for each value; if not, only indices have
            one, and other values are one number, standardised.
        iterations: maximum number of iterations of the regressions of InfoE.
        distinct: no image is drawn twice.
    """

    neighbours: int = 10
    quartiles: bool = False
    active: float = 1 / 20
    active_discrete: float | None = 0.0
    uninformed: Uninformed = "undefined"
    uninformed_factor: Uninformed = "undefined"
    inactive: float = math.nan
    one_hot: bool = True
    iterations: int = 100
    distinct: bool = True

    def active_latents(self, z: Codes, discrete: bool) -> NDArray[np.bool_]:
        """Return whether each latent of z [N, D] is active, [D]."""
        spread = np.ptp(z, axis=0)
        if self.quartiles:
            low, high = np.quantile(z, (0.25, 0.75), axis=0)
            spread = high - low
        if discrete and self.active_discrete is not None:
            return np.asarray(spread > self.active_discrete)
        return np.asarray(spread > self.active * spread.max())


VARIANTS: Mapping[Variant, Procedure] = MappingProxyType(
    {
        "hsu2023": Procedure(
            neighbours=3,
            active=1 / 8,
            active_discrete=None,
            uninformed="omitted",
            one_hot=False,
        ),
        "hsu2024": Procedure(quartiles=True, active=1 / 10, active_discrete=0.1, inactive=0.0),
        "baykal2024": Procedure(neighbours=3, iterations=500, distinct=False),
        "reference": Procedure(),
    }
)
NEIGHBOURS, ACTIVE = 3, 0.125
"""Neighbours and minimum range in the variant `custom`, if they are not given."""


class RealParts(NamedTuple):
    """Factors of real numbers that are not binned, by their columns.

    Attributes:
        numbers: the numbers, [N].
        targets: what to predict of them, to fit on; see `numeric_targets`.
        test_targets: the same to test on.
    """

    numbers: Mapping[int, Numbers] = MappingProxyType({})
    targets: Targets = MappingProxyType({})
    test_targets: Targets = MappingProxyType({})


def custom(neighbours: int, active: float) -> Procedure:
    """Make the procedure of the variant `custom`."""
    return Procedure(
        neighbours=neighbours,
        active=active,
        uninformed="chance",
        uninformed_factor="chance",
    )


def modularity(nmi: Numbers, uninformed: Uninformed = "chance") -> float:
    """Return InfoM, (mean_i max_k nmi_ik / sum_k nmi_ik - 1 / K) / (1 - 1 / K).

    Args:
        nmi: I(z_i; v_k) / H(v_k) of the active latents, [D, K], with K at least 2.
        uninformed: what a latent without information counts as. If it is undefined, so is InfoM,
            which is then NaN.
    """
    total = nmi.sum(axis=1)
    chance = 1 / nmi.shape[1]
    has = total > 0
    share = np.where(has, nmi.max(axis=1) / np.where(has, total, 1.0), math.nan)
    if uninformed == "chance":
        share[~has] = chance
    elif uninformed == "omitted":
        share = share[has]
    return float((share.mean() - chance) / (1 - chance)) if len(share) else math.nan


def explicitness(
    x: Numbers, v: Index, test_x: Numbers, test_v: Index, iterations: int = 100
) -> Numbers:
    """Return 1 - CE_k / H_k of each factor's logistic regression, [K]; NaN for a constant factor.

    CE is the cross-entropy on the test points. H = ln(number of values) is the cross-entropy of the
    same classifier without x, as all values have the same weight. Test points whose value is not in
    `v` are left out.

    Args:
        x: inputs to fit on, [N, P].
        v: labels to fit on, [N, K].
        test_x: inputs to test on, [M, P].
        test_v: labels to test on, [M, K].
        iterations: maximum number of iterations of a regression.
    """
    from sklearn.linear_model import LogisticRegression

    shares = np.full(v.shape[1], np.nan)
    for k in np.flatnonzero(np.ptp(v, axis=0) > 0):
        with small_fit():
            classifier = LogisticRegression(
                C=np.inf, class_weight="balanced", max_iter=iterations
            ).fit(x, v[:, k])
        values = classifier.classes_
        fitted = np.isin(test_v[:, k], values)
        if fitted.any():
            p = classifier.predict_proba(test_x[fitted])
            right = p[np.arange(len(p)), np.searchsorted(values, test_v[fitted, k])]
            entropy = -np.log(np.maximum(right, np.finfo(float).eps)).mean()
            shares[k] = 1 - entropy / np.log(len(values))
    return shares


def explicitness_of_numbers(x: Numbers, y: Numbers, test_x: Numbers, test_y: Numbers) -> float:
    """Return R^2 of a linear regression on the test points, over the columns of the target.

    Args:
        x: inputs to fit on, [N, P].
        y: the target to fit on, [N, 1] or [N, 2]; see `numeric_targets`.
        test_x: inputs to test on, [M, P].
        test_y: the target to test on, [M, 1] or [M, 2].
    """
    x, test_x = (np.column_stack([a, np.ones(len(a))]) for a in (x, test_x))
    rest = test_y - test_x @ np.linalg.lstsq(x, y, rcond=None)[0]
    deviations = np.square(test_y - test_y.mean(axis=0)).sum()
    return float(1 - np.square(rest).sum() / deviations) if deviations > 0 else math.nan


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
    variant: Variant = "custom",
    neighbours: int | None = None,
    active: float | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Return InfoM, InfoC and InfoE by the names of scores, within the sample.

    Args:
        z: codes, [N, D], with no image twice.
        v: labels, [N, K].
        discrete: True to count the values of `z`; False to estimate by nearest neighbours.
        variant: the procedure of a paper, see `InfoMEC`; `custom` takes the next two.
        neighbours: number of neighbours with the same label [default: 3].
        active: minimum range of an active latent, as a share of the widest range
            [default: 0.125].
        seed: the seed of the noise that the estimate adds to break ties.

    Raises:
        Unavailable: every factor is constant.
        UsageError: `neighbours` or `active` is given with a variant that sets it.
    """
    if variant == "custom":
        procedure = custom(
            NEIGHBOURS if neighbours is None else neighbours, ACTIVE if active is None else active
        )
    elif neighbours is None and active is None:
        procedure = VARIANTS[variant]
    else:
        raise UsageError(f"variant '{variant}' sets neighbours and active; omit them")
    z, v = codes_and_labels(z, v)
    return floats(scores_of(z, v, z, v, np.random.default_rng(seed), discrete, procedure))


def scores_of(
    z: Codes,
    v: Index,
    test_z: Codes,
    test_v: Index,
    rng: np.random.Generator,
    discrete: bool,
    procedure: Procedure,
    real: RealParts | None = None,
) -> Scores:
    """Return the three scores with details; see `InfoMEC`."""
    real = real or RealParts()
    varies = varying_factors(v)
    active = procedure.active_latents(z, discrete)
    nmi = np.full((z.shape[1], v.shape[1]), np.nan)
    if discrete:
        values, test_values = indices(z, test_z)
        nmi[:, varies] = mutual_information(values, v[:, varies]) / entropies(v[:, varies])
        active &= np.ptp(values, axis=0) > 0  # rounding is no spread
    else:
        nmi = neighbour_shares(z, v, real.numbers, rng, procedure.neighbours)
    if discrete and (procedure.one_hot or (z == np.rint(z)).all()):
        x, test_x = one_hot(values, test_values)
    else:
        x, test_x = standardised(z, test_z)
    classes = [k for k in range(v.shape[1]) if k not in real.targets]
    of_factor = np.full(v.shape[1], np.nan)
    of_factor[classes] = explicitness(
        x, v[:, classes], test_x, test_v[:, classes], procedure.iterations
    )
    for k, target in real.targets.items():
        of_factor[k] = explicitness_of_numbers(x, target, test_x, real.test_targets[k])
    return {
        **of_information(nmi[active][:, varies], procedure),
        "infomec/infoe": of_explicitness(of_factor, bool(active.any()), procedure),
        "infomec/information": Detail(
            ("latent", "factor"), nmi, "mutual information / entropy of the factor"
        ),
        "infomec/active": Detail(("latent",), active, "1 if the latent is active, else 0"),
        "infomec/explicitness": Detail(
            ("factor",), of_factor, "1 - cross-entropy / ln(number of values), at most 1"
        ),
    }


def of_information(nmi: Numbers, procedure: Procedure) -> dict[str, float | Unavailable]:
    """Return InfoM and InfoC of nmi [D, K], of the active latents and the factors that vary."""
    latents, factors = nmi.shape
    infom: float | Unavailable = Unavailable("needs two varying factors and an active latent")
    infoc: float | Unavailable = Unavailable("needs two active latents")
    if not latents and not math.isnan(procedure.inactive):
        infom = infoc = procedure.inactive
    if latents and factors > 1:
        infom = defined(
            modularity(nmi, procedure.uninformed),
            "is 0 / 0, as an active latent has no information about any factor",
        )
    if latents > 1:
        infoc = defined(
            modularity(nmi.T, procedure.uninformed_factor),
            "is 0 / 0, as no active latent has information about some factor",
        )
    return {"infomec/infom": infom, "infomec/infoc": infoc}


def of_explicitness(shares: Numbers, active: bool, procedure: Procedure) -> float | Unavailable:
    """Return InfoE of each factor's explicitness [K]."""
    if not active and not math.isnan(procedure.inactive):
        return procedure.inactive
    if np.isnan(shares).all():
        return Unavailable("no test image has a value that occurs in training")
    return float(np.nanmean(shares))


def defined(score: float, reason: str) -> float | Unavailable:
    """Return a score, or the reason why it is undefined if it is NaN."""
    return Unavailable(reason) if math.isnan(score) else score


class InfoMEC(Metric[Labelled]):
    """InfoM = (mean_i max_k nmi_ik / sum_k nmi_ik - 1 / K) / (1 - 1 / K), InfoC and InfoE.

    nmi_ik = I(z_i; v_k) / H(v_k), for latents whose range exceeds `active` of the widest range.
    InfoM (modularity) is 1 if each latent is informative about one factor only. InfoC (compactness)
    is the same with latents and factors exchanged. InfoE (explicitness) is the mean over k of
    (H_k - CE_k) / H_k of logistic regressions. InfoM and InfoC are ratios, so they ignore how
    little information a code has: the InfoM of pure noise is far from 0, from 0.4 to 0.8.

    No image is drawn twice, whatever the protocol: to an estimate by nearest neighbours an image
    and its copy seem to know every factor.

    Implementations differ, so `variant` names one, each in its own column: `hsu2023` is the code of
    the paper's experiments, `reference` the authors' standalone file, `hsu2024` the code of Tripod
    (https://arxiv.org/abs/2404.10282), and `baykal2024` that of FactorQVAE
    (https://arxiv.org/abs/2409.14851). The default, `custom`, takes the other hyper-parameters.

    Factors of real numbers are binned. With `information=neighbours`, of real codes, they are not:
    their nmi is 1 - exp(-2 I(z_i; v_k)) as for `mig`, and in InfoE they count by R2 of a linear
    regression, of the cosine and sine of the angle if they are cyclic.
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
    real_factors = "bins"
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
    variant: Variant = knob(
        default="custom",
        added=True,
        help="procedure of a paper, which sets neighbours, active and out_of_sample",
    )
    neighbours: int = knob(
        default=NEIGHBOURS,
        min=1,
        only_if=[("codes", "auto", "real"), ("variant", "custom")],
        help="number of neighbours with the same label",
    )
    active: float = knob(
        default=ACTIVE,
        min=0,
        max=1,
        only_if=[("codes", "auto", "real"), ("variant", "custom")],
        help="minimum range of an active latent, as a share of the widest range",
    )
    out_of_sample: bool = knob(
        default=False,
        only_if=[("variant", "custom")],
        help="evaluate InfoE on held-out images, half as many as it is fitted on",
    )
    factor_bins: int = factor_bins(only_if=[("information", "bins")])
    information: Literal["bins", "neighbours"] = knob(
        default="bins",
        added=True,
        help="what information is about of factors of real numbers: their bins, or the numbers",
    )

    def reads_real_factors(self) -> RealFactors:
        """Bins, or with nearest neighbours the numbers."""
        return "numbers" if self.information == "neighbours" else "bins"

    def resolve(self, source: Source[Labelled]) -> Mapping[str, str]:
        """Return codes=integer where `auto` counts the values of a discrete code."""
        counts = self.codes == "auto" and source.discrete
        return {"codes": "integer"} if counts else {}

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `infomec/infom`, `infomec/infoc` and `infomec/infoe`, at most 1.

        InfoM needs two factors, and InfoC two active latents.
        """
        procedure = VARIANTS.get(self.variant) or custom(self.neighbours, self.active)
        discrete = self.codes == "integer" or (self.codes == "auto" and source.discrete)
        test_images = self.samples // 2 if self.out_of_sample else 0
        z, v, test_z, test_v = source.train_test(
            self.samples, test_images, rng, distinct=procedure.distinct
        )
        if not self.out_of_sample:
            test_z, test_v = z, v
        if self.codes == "integer" and not source.discrete and not (z == np.rint(z)).all():
            raise Unavailable("the codes are not whole numbers; use codes=real")
        numbers = real_numbers(source, v)
        if numbers and discrete:
            raise Unavailable("the numbers of factors need real codes; use information=bins")
        real = RealParts(numbers, numeric_targets(source, v), numeric_targets(source, test_v))
        return scores_of(z, v, test_z, test_v, rng, discrete, procedure, real)
