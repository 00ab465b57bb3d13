"""OMES, overlap multiple encoding scores: Dapueto et al. (2024), https://arxiv.org/abs/2409.18017."""

from math import prod
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import codes_and_labels, varying_factors

Numbers = NDArray[np.float64]
Pooling = Literal["avg", "max"]
LEAST = 100
"""Minimum number of images that differ from another one in a factor alone."""
LARGEST = 2**40
"""Number of combinations of labels up to which they are numbered in order."""


def omes(
    z: ArrayLike,
    v: ArrayLike,
    pairs: int = 10_000,
    alpha: float = 0.5,
    pooling: Pooling = "avg",
    threshold: float = 0.05,
    seed: int = 0,
) -> float:
    """Return mean_k alpha OS_k + (1 - alpha) MES_k, from pairs of rows that differ in v_k alone.

    Args:
        z: codes, [N, D]; latents of a standard deviation below `threshold` are left out.
        v: labels, [N, K], of all that varies in the images; constant factors are left out.
        pairs: number of pairs drawn for each factor.
        alpha: weight of the overlap score; that of the multiple encoding score is 1 - alpha.
        pooling: mean over latents, weighted by the encoding ("avg"), or the best latent ("max").
        threshold: minimum standard deviation of an active latent.
        seed: draws the pairs.

    Raises:
        Unavailable: every factor is constant, or few rows differ in one factor alone.
    """
    z, v = codes_and_labels(z, v)
    rng, varying = np.random.default_rng(seed), varying_factors(v)
    drawn = [differing(v, int(k), pairs, rng, f"factor {k + 1}") for k in varying]
    c = np.stack([encoding(z[first], z[second]) for first, second in drawn], axis=1)
    return float(scores_of_factors(c[active(z, threshold)], alpha, pooling).mean())


def differing(
    labels: Index, k: int, n: int, rng: np.random.Generator, name: str
) -> tuple[Index, Index]:
    """Draw n pairs of images that differ in factor k alone, uniformly: their indices, [n] each.

    Args:
        labels: the labels of all images, [N, K], those of nuisances included.
        k: the column of the factor.
        n: number of pairs.
        rng: draws the pairs.
        name: the factor's name, for the message.

    Raises:
        Unavailable: too few images have such a partner.
    """
    values = int(labels[:, k].max()) + 1
    key = row_numbers(np.delete(labels, k, axis=1)) * values + labels[:, k]
    order = np.argsort(key)
    key = key[order]
    start, stop = bounds(key // values)  # of the images that share all other factors
    low, high = bounds(key)  # and factor k
    partners = (stop - start) - (high - low)
    paired = np.flatnonzero(partners)
    if len(paired) < LEAST:
        raise Unavailable(
            f"needs {LEAST} images that differ from another one in {name} alone, got {len(paired)}"
        )
    first = paired[rng.integers(0, len(paired), n)]
    second = start[first] + (rng.random(n) * partners[first]).astype(np.int64)
    second += np.where(second >= low[first], high[first] - low[first], 0)
    return order[first], order[second]


def row_numbers(labels: Index) -> Index:
    """Number the rows of labels [N, K] so that equal rows, and no others, share a number, [N]."""
    sizes = [int(size) for size in labels.max(axis=0, initial=0) + 1]
    if prod(sizes) > LARGEST:
        return np.unique(labels, axis=0, return_inverse=True)[1].ravel()
    numbers = np.zeros(len(labels), np.int64)
    for column, size in zip(labels.T, sizes, strict=True):
        numbers = numbers * size + column
    return numbers


def bounds(ordered: Index) -> tuple[Index, Index]:
    """Return for each place in ordered numbers, [N], where its run of equals starts and ends."""
    begins = np.append(True, ordered[1:] != ordered[:-1])
    starts, run = np.flatnonzero(begins), np.cumsum(begins) - 1
    return starts[run], np.append(starts[1:], len(ordered))[run]


def encoding(x: Codes, y: Codes) -> Numbers:
    """Return c_i = 1 - |corr(z_i, z'_i)| over pairs of codes, [D]; 0 for a constant latent.

    Args:
        x: codes of the first images, [n, D].
        y: codes of the second images, [n, D].
    """
    x, y = unit_length(x), unit_length(y)
    varies = x.any(axis=0) & y.any(axis=0)
    r = np.minimum(np.abs(np.einsum("nd,nd->d", x, y)), 1.0)
    return np.where(varies, 1 - r, 0.0)


def unit_length(z: Codes) -> Numbers:
    """Return codes [n, D] with mean 0 and length 1; a constant latent is 0."""
    varies = np.ptp(z, axis=0) > 0
    z = z - z.mean(axis=0)
    z *= varies
    z /= np.where(varies, np.abs(z).max(axis=0), 1.0)  # so that no square over- or underflows
    z /= np.where(varies, np.sqrt(np.einsum("nd,nd->d", z, z)), 1.0)
    return z


def active(z: Codes, threshold: float) -> NDArray[np.bool_]:
    """Return which latents have a standard deviation of at least `threshold`, [D]."""
    deviations = z.std(axis=0, ddof=1) if len(z) > 1 else np.zeros(z.shape[1])
    seen: NDArray[np.bool_] = (np.ptp(z, axis=0) > 0) & (deviations >= threshold)
    return seen


def scores_of_factors(c: Numbers, alpha: float, pooling: Pooling) -> Numbers:
    """Return alpha OS_k + (1 - alpha) MES_k, [K]; 0 for a factor that no latent encodes.

    Args:
        c: the encoding c_ik of the active latents, [D, K].
        alpha: weight of the overlap score.
        pooling: "avg" or "max".
    """
    total: Numbers = c.sum(axis=0)
    if not total.any():
        return total
    overlap, multiple = (
        1 - (c.sum(axis=axis, keepdims=True) + 1 - 2 * c) / c.shape[axis] for axis in (1, 0)
    )  # [i, k] = 1 - mean_k' |1[k' = k] - c_ik'|, and the same over latents
    scores: Numbers
    if pooling == "max":
        scores = alpha * (overlap * c).max(axis=0) + (1 - alpha) * (multiple * c).max(axis=0)
    else:
        both = alpha * overlap + (1 - alpha) * multiple
        scores = (both * c * c).sum(axis=0) / np.where(total > 0, total, 1.0)
    return scores


class OMES(Metric[Labelled]):
    """mean_k alpha OS_k + (1 - alpha) MES_k; OS_k = sum_i c_ik (c_ik OS_ik) / sum_i c_ik.

    c_ik = 1 - |corr(z_i, z'_i)| over pairs of images that differ in factor k alone: how much latent
    i changes with factor k. OS_ik = 1 - mean_k' |1[k' = k] - c_ik'| falls if latent i encodes other
    factors too (overlap), and MES_ik = 1 - mean_i' |1[i' = i] - c_i'k|, pooled likewise to MES_k,
    if other latents encode factor k too (multiple encoding): disentanglement and completeness.

    Two different values drawn from n have a correlation of -1 / (n - 1), so the score of a perfect
    code is below 1 for factors of few values: a factor of two values counts as not encoded, and of
    three as half encoded. The authors' code rounds correlations to four digits; this does not.

    Factors of real numbers are n/a: no two images differ in one factor alone.
    """

    about = "Overlap and multiple encoding, from changes of one factor"
    display = "OMES"
    claims = MappingProxyType({"omes": ("disentanglement", "completeness")})
    limitations = MappingProxyType(
        {
            "scaled": "latents below an absolute standard deviation are ignored",
        }
    )
    assumes_independence = True
    most_latents = 2048
    seconds = 0.4
    growth = 0.5

    pairs: int = knob(default=10_000, min=2, help="pairs of images for each factor")
    alpha: float = knob(default=0.5, min=0, max=1, help="weight of the overlap score")
    pooling: Pooling = knob(
        default="avg", help="weighted mean over latents (avg), or the best latent (max)"
    )
    threshold: float = knob(
        default=0.05, above=0, help="minimum standard deviation of active latents"
    )

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `omes`, 0 to 1; 0 if no latent is active. Details: c_ik, and each factor's score.

        The images need partners that differ in one factor alone, as in a grid or a large part of
        one.
        """
        data, names = source.dataset, list(source.factors)
        labels = data.every_label(source.every_image())
        c = np.full((source.latents, len(names)), np.nan)
        varying = varying_factors(labels[:, [data.column(name) for name in names]])
        for k in varying:
            first, second = differing(
                labels, data.column(names[k]), self.pairs, rng, f"'{names[k]}'"
            )
            c[:, k] = encoding(source.codes(first), source.codes(second))
        c[~active(source.codes(source.points(self.pairs, rng)), self.threshold)] = np.nan
        of_factors = np.full(len(names), np.nan)
        seen = c[~np.isnan(c[:, varying]).any(axis=1)][:, varying]
        of_factors[varying] = scores_of_factors(seen, self.alpha, self.pooling)
        return {
            "omes": float(np.nanmean(of_factors)),
            "omes/encoding": Detail(
                ("latent", "factor"),
                c,
                "1 - correlation between images that differ in the factor alone, 0 to 1; "
                "none if the latent is not active",
            ),
            "omes/factors": Detail(("factor",), of_factors, "the factor's OMES, 0 to 1"),
        }
