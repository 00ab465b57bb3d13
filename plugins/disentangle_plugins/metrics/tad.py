"""TAD: Yeats et al. (2022), https://arxiv.org/abs/2209.10677; Wang et al. (2023)."""

from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import codes_and_labels, entropies, mutual_information

Variant = Literal["nashae", "infodiffusion"]
Areas = NDArray[np.float64]
IMAGES = MappingProxyType({"nashae": 1_000, "infodiffusion": 10_000})
"""Variant -> number of images."""
RANGE = 0.2
"""Latents of at most this range are guesses, in the variant `nashae`."""
CAPTURED, REDUNDANT = 0.75, 0.2
"""An attribute is captured from this area on, unless another one tells more than this share of its
entropy."""
FOLDS = 5


def tad(z: ArrayLike, v: ArrayLike, variant: Variant = "nashae") -> dict[str, float]:
    """Return the total AUROC difference and the number of attributes captured.

    Args:
        z: codes, [N, D], with D at least 2.
        v: labels, [N, K]; factors that do not have two values are left out.
        variant: `nashae`, of Yeats et al., or `infodiffusion`, of Wang et al.

    Raises:
        Unavailable: no factor has two values, or there is one latent.
    """
    total, captured, _ = scores_of(*codes_and_labels(z, v), variant)
    return {"tad": total, "tad/attributes": captured}


def scores_of(z: Codes, v: Index, variant: Variant) -> tuple[float, float, Areas]:
    """Return TAD, the number of attributes captured, and the areas of all latents, [D, K]."""
    if z.shape[1] < 2:
        raise Unavailable("it compares the two best latents, and there is one")
    binary = [k for k in range(v.shape[1]) if len(np.unique(v[:, k])) == 2]
    if not binary:
        raise Unavailable("it needs factors of two values, and there is none")
    y = (v[:, binary] == v[:, binary].max(axis=0)).astype(np.int64)
    parts = folds(len(z)) if variant == "infodiffusion" else [np.arange(len(z))]
    areas_of = roc_areas if variant == "infodiffusion" else roc_areas_of_thresholds
    areas = [areas_of(z[part], y[part]) for part in parts]
    results = [total_difference(a, y[part]) for a, part in zip(areas, parts, strict=True)]
    all_areas = np.full((z.shape[1], v.shape[1]), np.nan)
    all_areas[:, binary] = np.mean(areas, axis=0)
    total, captured = np.mean(results, axis=0)
    return float(total), float(captured), all_areas


def total_difference(areas: Areas, y: Index) -> tuple[float, int]:
    """Return sum_a (best_a - second_a) over the attributes a captured, and their number.

    An attribute is captured if best_a, its largest area, is at least 0.75, and if
    max_b I(a; b) / H(a) is at most 0.2.

    Args:
        areas: area under the ROC curve of each latent as a predictor, [D, K].
        y: attributes of 0 and 1, [N, K].
    """
    second, best = np.sort(areas, axis=0)[-2:]
    information = mutual_information(y, y)
    np.fill_diagonal(information, 0.0)
    h = entropies(y)
    told = information.max(axis=0) / np.where(h > 0, h, np.nan)
    captured = (best >= CAPTURED) & (told <= REDUNDANT)
    return float((best - second)[captured].sum()), int(captured.sum())


def roc_areas(z: Codes, y: Index) -> Areas:
    """Return the area under the ROC curve of each latent, of the better sign, [D, K].

    Attributes y [N, K] that are constant have 1/2.
    """
    from scipy.stats import rankdata

    ones = y.sum(axis=0)
    zeros = len(y) - ones
    below = rankdata(z, axis=0).T @ y - ones * (ones + 1) / 2
    pairs = ones * zeros
    area = np.where(pairs > 0, below / np.maximum(pairs, 1), 0.5)
    return np.asarray(np.maximum(area, 1 - area))


def roc_areas_of_thresholds(z: Codes, y: Index) -> Areas:
    """Return the areas of `roc_areas` as Yeats et al. compute them, in single precision, [D, K].

    The curve has 101 points, at thresholds from the smallest to the largest code, and each piece
    has the height of its right end. A latent of a range of at most 0.2 has 1/2.
    """
    x = z.astype(np.float32)
    low, high = x.min(axis=0), x.max(axis=0)
    steps = (np.arange(101) * 0.01).astype(np.float32)
    ones = y.sum(axis=0)
    zeros = len(y) - ones
    areas = np.full((z.shape[1], y.shape[1]), 0.5)
    for d in np.flatnonzero(high - low > np.float32(RANGE)):
        above = (x[:, d] >= steps[:, None] * (high[d] - low[d]) + low[d]).astype(np.float64)
        hits = above @ y / np.maximum(ones, 1)
        alarms = above @ (1 - y) / np.maximum(zeros, 1)
        areas[d] = np.maximum(right_sum(alarms[::-1], hits[::-1]), right_sum(1 - alarms, 1 - hits))
    areas[:, (ones == 0) | (zeros == 0)] = 0.5
    return areas


def right_sum(x: Areas, y: Areas) -> Areas:
    """Return sum_i y_i (x_i - x_(i-1)) along the first axis."""
    return np.asarray((y[1:] * np.diff(x, axis=0)).sum(axis=0))


def folds(rows: int) -> list[Index]:
    """Return the rows outside each of five folds, as Wang et al. shuffle them."""
    from sklearn.model_selection import KFold

    if rows < FOLDS:
        raise Unavailable(f"it needs at least {FOLDS} rows, got {rows}")
    return [kept for kept, _ in KFold(FOLDS, shuffle=True, random_state=0).split(np.empty(rows))]


class TAD(Metric[Labelled]):
    """sum_a (best_a - second_a) over the attributes captured.

    best_a and second_a are the areas under the ROC curves of the two latents that best predict
    attribute a, a factor of two values. It is captured if best_a is at least 0.75 and if no other
    attribute tells more than a fifth of its entropy. It is a sum, so it is at most half the number
    of attributes, `tad/attributes`. Codes of many latents have small differences, so compare only
    models of as many, `tad/latents`. Two variants are in use: `nashae`, of 1,000 images, with areas
    from 101 thresholds and without latents of a range up to 0.2; and `infodiffusion`, of 10,000
    images, as the mean over five parts of 8,000 of them (Wang et al. 2023,
    https://arxiv.org/abs/2306.08757). Factors of more than two values, such as real numbers, are
    left out.
    """

    about = "How far an attribute's best latent is above its second best"
    display = "TAD"
    displays = MappingProxyType({"tad/attributes": "Attributes captured", "tad/latents": "Latents"})
    better = MappingProxyType({"tad/latents": "neither"})
    counts = frozenset({"tad/attributes", "tad/latents"})
    claims = MappingProxyType({"tad": (), "tad/attributes": (), "tad/latents": ()})
    by_default_if_dependent = True
    real_factors = "numbers"
    most_latents = 2048
    seconds = 0.3

    variant: Variant = knob(default="nashae", help="procedure of the authors, or of later papers")
    samples: int = knob(default=0, min=0, help="number of images; 0: that of the variant")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `tad` and the numbers of attributes captured and of latents."""
        n = self.samples or IMAGES[self.variant]
        z, v, _, _ = source.train_test(n, 0, rng, distinct=True)
        total, captured, areas = scores_of(z, v, self.variant)
        return {
            "tad": total,
            "tad/attributes": captured,
            "tad/latents": z.shape[1],
            "tad/areas": Detail(("latent", "factor"), areas, "area under the ROC curve, 0.5 to 1"),
        }
