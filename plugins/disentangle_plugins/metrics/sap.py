"""SAP, separated attribute predictability: Kumar et al. (2018), https://arxiv.org/abs/1711.00848."""

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import codes_and_labels, fit_svms, gaps, highest_line, varying_factors


def accuracies(
    z: Codes, v: Index, test_z: Codes, test_v: Index, c: float = 0.01
) -> NDArray[np.float64]:
    """Return the test accuracy of a linear SVM that predicts v_k from z_i alone, [D, K].

    The SVM is at the exact minimum that scikit-learn's LinearSVC(C=c, class_weight="balanced")
    approximates. The column of a factor that is constant in `v` is NaN.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K].
        test_z: codes to test on, [M, D].
        test_v: labels to test on, [M, K].
        c: weight of the losses.

    Raises:
        Unavailable: every factor is constant.
    """
    factors = varying_factors(v)
    values = [np.unique(v[:, k]) for k in factors]
    sizes = np.array([len(names) for names in values])
    starts = np.cumsum(sizes) - sizes
    y = np.stack(
        [np.searchsorted(a, v[:, k]) + s for a, k, s in zip(values, factors, starts, strict=True)],
        1,
    )
    n, count, size = len(v), np.bincount(y.ravel()), np.repeat(sizes, sizes)
    own = c * n / (size * count)
    # liblinear balances the other images only if they all have the same value.
    others = np.where(size == 2, c * n / (2 * (n - count)), c)
    accuracy = np.full((z.shape[1], v.shape[1]), np.nan)
    for i, (x, test_x) in enumerate(zip(z.T, test_z.T, strict=True)):
        w, b = (np.split(part, starts[1:]) for part in fit_svms(x, y, own, others))
        for j, k in enumerate(factors):
            accuracy[i, k] = np.mean(values[j][highest_line(test_x, w[j], b[j])] == test_v[:, k])
    return accuracy


def sap(z: ArrayLike, v: ArrayLike, test_z: ArrayLike, test_v: ArrayLike, c: float = 0.01) -> float:
    """Return mean_k (S_(1)k - S_(2)k), the gap between the two largest accuracies for a factor.

    S_ik is the test accuracy of a linear SVM that predicts v_k from z_i alone.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K]; constant factors are left out.
        test_z: codes to test on, [M, D].
        test_v: labels to test on, [M, K].
        c: weight of the losses.

    Raises:
        Unavailable: every factor is constant, or there is one latent.
    """
    matrix = accuracies(*codes_and_labels(z, v, test_z, test_v), c)
    if len(matrix) == 1:
        raise Unavailable("needs two latents")
    return float(np.nanmean(gaps(matrix)))


class SAP(Metric[Labelled]):
    """mean_k (S_(1)k - S_(2)k): the gap in accuracy between the two best latents for factor k.

    S_ik is the test accuracy of a linear SVM that predicts v_k from z_i alone (section 3, for
    classes). It needs two latents: the accuracy of a latent that knows nothing is not 0 but the
    share of the most common value. A perfect code of dSprites scores about 0.24, and noise may
    raise the score. Its authors propose it as a measure of disentanglement; like MIG, it measures
    completeness, and does not see that one latent holds two factors.

    The SVMs are at the exact minimum. If codes are far from 0 or badly scaled, liblinear stops
    before the minimum, and the reference implementation's scores differ.

    Factors of real numbers are n/a: of their bins, a line separates the first and the last from all
    others, so that perfect codes have 0.02 to 0.06. `sap-r2` is the paper's score for them.
    """

    about = "Gap in accuracy between a factor's two best latents"
    display = "SAP"
    claims = MappingProxyType({"sap": ("disentanglement", "completeness")})
    version = 2  # since then one latent has no score
    by_default = True
    assumes_independence = True
    most_latents = 2048
    seconds = 0.1

    train: int = knob(default=10_000, min=1, help="images to fit the SVMs on")
    test: int = knob(default=5_000, min=1, help="images to test the SVMs on")
    c: float = knob(default=0.01, above=0, help="weight of the SVM's losses, liblinear's C")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `sap`, 0 to 1. Details: S, and each factor's gap."""
        matrix = accuracies(*source.train_test(self.train, self.test, rng), self.c)
        accuracy = Detail(
            ("latent", "factor"),
            matrix,
            "accuracy of predicting the factor from the latent alone, 0 to 1",
        )
        if len(matrix) == 1:
            return {"sap": Unavailable("needs two latents"), "sap/accuracy": accuracy}
        gap = gaps(matrix)
        return {
            "sap": float(np.nanmean(gap)),
            "sap/accuracy": accuracy,
            "sap/gaps": Detail(
                ("factor",), gap, "difference in accuracy between the two best latents, 0 to 1"
            ),
        }
