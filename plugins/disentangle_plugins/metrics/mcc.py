"""MCC, the mean correlation coefficient: Hyvarinen and Morioka (2016).

https://arxiv.org/abs/1605.06336; with factors in place of sources, as in Khemakhem et al. (2020),
https://arxiv.org/abs/1907.04809. Cross-fitting and the permutation null are those of Joshi et al.
(2026), https://github.com/shrutij01/identifiability-guard.
"""

from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import (
    angular_correlations,
    codes_and_values,
    largest_correlations,
    sine_bases,
    unit_columns,
    varying_factors,
)

Numbers = NDArray[np.float64]
Correlation = Literal["pearson", "spearman", "rdc"]
Rows: TypeAlias = Index | slice
AS_THEY_ARE = slice(None)
"""The order of rows in which they are given."""
FOLDS = 5
"""Parts of the images for cross-fitting, as in the code of Joshi et al."""
ABOUT = {
    "pearson": "absolute value of Pearson's correlation, 0 to 1",
    "spearman": "absolute value of Spearman's correlation, 0 to 1",
    "rdc": "randomised dependence coefficient, 0 to 1",
}


def signed_correlations(z: ArrayLike, v: ArrayLike) -> Numbers:
    """Return Pearson's correlation of latents [N, D] and factors [N, K], [D, K].

    The row of a constant latent is 0. The column of a constant factor is NaN.
    """
    x, y = unit_columns(z), unit_columns(v)
    correlation: Numbers = np.clip(x.T @ y, -1.0, 1.0)
    correlation[:, ~y.any(axis=0)] = np.nan
    return correlation


def correlations(z: ArrayLike, v: ArrayLike) -> Numbers:
    """Return the absolute value of Pearson's correlation of latents and factors, [D, K].

    The row of a constant latent is 0. The column of a constant factor is NaN.

    Args:
        z: codes, [N, D].
        v: values, [N, K].
    """
    return np.abs(signed_correlations(z, v))


def coefficients(
    z: Codes,
    v: Numbers,
    correlation: Correlation,
    rng: np.random.Generator,
    orders: Iterable[Rows] = (AS_THEY_ARE,),
) -> Iterator[Numbers]:
    """Yield |corr(z_i, v_k)|, [D, K], for each order of the rows of v [N, K]; see `correlations`.

    Args:
        z: codes, [N, D].
        v: values, [N, K].
        correlation: "pearson", "spearman" for the correlation of ranks, or "rdc" for the
            randomised dependence coefficient.
        rng: draws the features of "rdc".
        orders: orders of the rows.
    """
    if correlation == "rdc":
        x, y = sine_bases(z, rng), sine_bases(v, rng)
        constant = np.ptp(v, axis=0) == 0
        for rows in orders:
            yield np.where(constant, np.nan, largest_correlations(x, [basis[rows] for basis in y]))
        return
    codes, values = (z, v) if correlation == "pearson" else (rankdata(a, axis=0) for a in (z, v))
    for rows in orders:
        yield correlations(codes, values[rows])


def mcc(
    z: ArrayLike,
    v: ArrayLike,
    correlation: Correlation = "pearson",
    crossfit: bool = False,
    seed: int = 0,
) -> float:
    """Return max_a mean_k |corr(z_a(k), v_k)| over one-to-one assignments a; constant v_k left out.

    Args:
        z: codes, [N, D].
        v: values, [N, K].
        correlation: "pearson", "spearman" for the correlation of ranks, or "rdc" for the
            randomised dependence coefficient.
        crossfit: learn assignments and signs on other rows than those of the correlations; see
            `MCC`. Not with "rdc", which has no sign.
        seed: the seed of the parts, and of the features of "rdc".

    Raises:
        Unavailable: every factor is constant, or there are too few rows to cross-fit.
    """
    z, v = codes_and_values(z, v)
    v, rng = v[:, varying_factors(v)], np.random.default_rng(seed)
    if crossfit:
        return crossfitted(z, v, correlation, parts_of(len(z), rng))
    return matched(next(coefficients(z, v, correlation, rng)))[0]


def mcc_null(
    z: ArrayLike,
    v: ArrayLike,
    correlation: Correlation = "pearson",
    permutations: int = 100,
    seed: int = 0,
) -> float:
    """Return the mean of `mcc` over random permutations of the rows of v: that of unrelated codes.

    Args:
        z: codes, [N, D].
        v: values, [N, K].
        correlation: see `mcc`.
        permutations: number of permutations.
        seed: their seed.

    Raises:
        Unavailable: every factor is constant.
    """
    z, v = codes_and_values(z, v)
    v, rng = v[:, varying_factors(v)], np.random.default_rng(seed)
    orders = [rng.permutation(len(z)) for _ in range(permutations)]
    return float(np.mean([matched(c)[0] for c in coefficients(z, v, correlation, rng, orders)]))


def matched(correlation: Numbers) -> tuple[float, Numbers]:
    """Return max_a mean_k |corr(z_a(k), v_k)| and a, [K]: the latent assigned to each factor.

    No latent is assigned to two factors. With fewer latents than factors, some factors have no
    latent (NaN) and count 0.

    Args:
        correlation: |corr(z_i, v_k)|, [D, K].
    """
    serving = np.full(correlation.shape[1], np.nan)
    latent, factor = linear_sum_assignment(correlation, maximize=True)
    serving[factor] = latent
    return float(correlation[latent, factor].sum() / correlation.shape[1]), serving


def parts_of(n: int, rng: np.random.Generator) -> list[Index]:
    """Return `FOLDS` random parts of n rows, of about equal size.

    Raises:
        Unavailable: a part has fewer than three rows.
    """
    if n < 3 * FOLDS:
        raise Unavailable(f"crossfit needs at least {3 * FOLDS} images, got {n}")
    return np.array_split(rng.permutation(n), FOLDS)


def crossfitted(z: Codes, v: Numbers, correlation: Correlation, parts: Sequence[Index]) -> float:
    """Return mean_k s_k corr(z_a(k), v_k) on each part, averaged over all rows, -1 to 1.

    The assignment a and the signs s are learned on the rows of the other parts. A factor that is
    constant in some of the rows counts 0 there.
    """
    total = 0.0
    for part in parts:
        others = np.setdiff1d(np.arange(len(z)), part)
        learned, tested = (
            np.nan_to_num(signed_correlations(*(ranked(a[rows], correlation) for a in (z, v))))
            for rows in (others, part)
        )
        latent, factor = linear_sum_assignment(np.abs(learned), maximize=True)
        signs = np.sign(learned[latent, factor])
        total += len(part) * float(signs @ tested[latent, factor]) / v.shape[1]
    return total / len(z)


def ranked(columns: Numbers, correlation: Correlation) -> Numbers:
    """Return the columns [N, C], or for Spearman's correlation their ranks."""
    ranks: Numbers = rankdata(columns, axis=0) if correlation == "spearman" else columns
    return ranks


class MCC(Metric[Labelled]):
    """max_a mean_k |corr(z_a(k), v_k)| over all one-to-one assignments a of latents to factors.

    Pearson's and Spearman's correlation capture monotone relations only, and miss periodic factors
    such as angles. The randomised dependence coefficient (`correlation=rdc`, Lopez-Paz et al. 2013,
    https://arxiv.org/abs/1304.7717) captures any smooth relation.

    The best of many assignments is above 0 by chance, more so with many latents or few images. With
    `crossfit`, the assignment and the signs of the correlations are learned on four fifths of the
    images, none drawn twice, and the correlations with these signs are those of the other fifth,
    averaged over the five fifths: unrelated codes have 0 on average, and may be below. With
    `permutations`, `mcc/null` is the mean of the score over that many random permutations of the
    factors' rows, and `mcc/corrected` is (mcc - null) / (1 - null).

    With `cyclic=angles`, the correlation of a latent with a cyclic factor of angle a is R of Mardia
    (1976), https://doi.org/10.1093/biomet/63.2.403: 1 if the latent is a linear function of cos a
    and sin a, and sqrt(6) / pi = 0.78 if it is the angle itself, which jumps after a turn. One
    latent, such as cos a, then counts as the factor, although it leaves two angles possible.
    """

    about = "Mean correlation of factors with latents, matched one to one"
    display = "MCC"
    displays = MappingProxyType({"mcc/null": "MCC null", "mcc/corrected": "MCC corrected"})
    better = MappingProxyType({"mcc/null": "neither"})
    claims = MappingProxyType(
        {"mcc": ("disentanglement",), "mcc/corrected": ("disentanglement",), "mcc/null": ()}
    )
    assumes_independence = True
    real_factors = "numbers"
    by_default_if_real = True
    most_latents = 2048
    seconds = 0.01

    samples: int = knob(default=10_000, min=1, help="number of images")
    correlation: Correlation = knob(
        default="pearson",
        help="correlation of the values (pearson) or of their ranks (spearman), or the randomised "
        "dependence coefficient (rdc)",
    )
    cyclic: Literal["numbers", "angles"] = knob(
        default="numbers",
        added=True,
        only_if=[("correlation", "pearson")],
        help="cyclic factors as numbers, or as angles: the multiple correlation of a latent with "
        "their cosine and sine",
    )
    crossfit: bool = knob(
        default=False,
        added=True,
        only_if=[("correlation", "pearson", "spearman")],
        help="learn assignment and signs on four fifths of the images, correlate on the other",
    )
    permutations: int = knob(
        default=0,
        min=0,
        added=True,
        help="random permutations of the factors' rows for mcc/null and mcc/corrected; 0: neither",
    )

    def seconds_for(self, images: int) -> float:
        """Estimate the seconds, as for `seconds`; each permutation is scored anew."""
        once = self.seconds * (FOLDS if self.crossfit else 1)
        first = 0.2 if self.correlation == "rdc" else once
        return first + self.permutations * once

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `mcc`, 0 to 1, and with `permutations` its null and the corrected score.

        Details, of all images: all correlations, and each factor's latent.
        """
        z, v, angles = self._codes_and_values(source, rng)
        varies = varying_factors(v)
        own = rng.spawn(1)[0]  # so that permutations do not change the score
        orders: list[Rows] = [AS_THEY_ARE]
        orders += (own.permutation(len(z)) for _ in range(self.permutations))
        parts = parts_of(len(z), rng) if self.crossfit else []
        read = orders[:1] if parts else orders
        matrices = list(coefficients(z, v, self.correlation, rng, read))
        if angles:
            for matrix, rows in zip(matrices, read, strict=True):
                of_angles = angular_correlations(z, np.stack(list(angles.values()), 1)[rows])
                matrix[:, list(angles)] = np.sqrt(of_angles)
        scores = [matched(matrix[:, varies])[0] for matrix in matrices]
        if parts:
            scores = [crossfitted(z, v[o][:, varies], self.correlation, parts) for o in orders]
        serving = np.full(v.shape[1], np.nan)
        serving[varies] = matched(matrices[0][:, varies])[1]
        return {
            **of_null(scores),
            "mcc/correlation": Detail(("latent", "factor"), matrices[0], ABOUT[self.correlation]),
            "mcc/serving": Detail(
                ("factor",), serving, "number of the latent assigned to the factor: 3 is z3"
            ),
        }

    def _codes_and_values(
        self, source: Source[Labelled], rng: np.random.Generator
    ) -> tuple[Codes, Numbers, dict[int, Numbers]]:
        """Draw codes and values, and the angles of cyclic factors if they are read, by column.

        To cross-fit, the images are different ones.
        """
        dataset = source.dataset
        cyclic = [k for k, name in enumerate(dataset.factors) if dataset.kind(name).period]
        if self.cyclic == "angles" and cyclic:
            if self.crossfit:
                raise Unavailable("crossfit needs signs of correlations, which angles do not have")
            z, labels, _, _ = source.train_test(self.samples, 0, rng)
            names = list(dataset.factors)
            angles = {k: dataset.angles(names[k])[labels[:, k]] for k in cyclic}
            return z, source.values_of(labels), angles
        if not self.crossfit:
            return *source.codes_and_values(self.samples, rng), {}
        index = source.points(self.samples, rng, distinct=True)
        source.drawn = len(index)
        return source.codes(index), source.values(index), {}


def of_null(scores: Sequence[float]) -> dict[str, float]:
    """Return `mcc`, the first of these; if there are those of permuted rows, also `mcc/null` and
    `mcc/corrected`.
    """
    score, *permuted = scores
    if not permuted:
        return {"mcc": score}
    null = float(np.mean(permuted))
    corrected = (score - null) / (1 - null) if null < 1 else 0.0
    return {"mcc": score, "mcc/null": null, "mcc/corrected": corrected}
