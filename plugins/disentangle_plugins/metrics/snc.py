"""SNC, single-neuron classification: Mahon et al. (2024), https://arxiv.org/abs/2304.02335."""

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, factor_bins, knob
from disentangle.maths import (
    codes_and_labels,
    equal_count_bins,
    information_in_equal_bins,
    matched_latents,
    varying_factors,
)

Numbers = NDArray[np.float64]


def snc(z: ArrayLike, v: ArrayLike, test_z: ArrayLike, test_v: ArrayLike) -> float:
    """Return the mean over factors of the accuracy of reading a factor from its latent alone.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K]; constant factors are left out.
        test_z: codes to test on, [M, D].
        test_v: labels to test on, [M, K].

    Raises:
        Unavailable: every factor is constant.
    """
    return float(np.nanmean(accuracies(*codes_and_labels(z, v, test_z, test_v))[0]))


def accuracies(z: Codes, v: Index, test_z: Codes, test_v: Index) -> tuple[Numbers, Numbers]:
    """Return the accuracy for each factor and the latent it is read from, [K]; NaN if constant.

    A factor without a latent has an accuracy of 0.
    """
    accuracy, latents = np.full((2, v.shape[1]), np.nan)
    varying = varying_factors(v)
    latents[varying] = matched_latents(information_in_equal_bins(z, v[:, varying]))
    for k in varying:
        accuracy[k] = 0.0
        if not np.isnan(latents[k]):
            i = int(latents[k])
            predicted = read(z[:, i], v[:, k], test_z[:, i])
            accuracy[k] = np.mean(predicted == test_v[:, k])
    return accuracy, latents


def read(x: Numbers, y: Index, test_x: Numbers) -> Index:
    """Return the values of a factor that one latent predicts, [M].

    Each bin predicts one value, and no two bins the same, so that most rows of `x` are right.

    Args:
        x: codes of the latent to fit on, [N].
        y: labels to fit on, [N].
        test_x: codes of the latent to predict, [M].
    """
    values, number = np.unique(y, return_inverse=True)
    binned, test_binned = equal_count_bins(x, test_x, len(values))
    counts = np.zeros((len(values), len(values)))
    np.add.at(counts, (binned, number), 1)
    predicted: Index = values[linear_sum_assignment(counts, maximize=True)[1]][test_binned]
    return predicted


class SNC(Metric[Labelled]):
    """Mean over factors of the accuracy of reading v_k from one latent, matched with it one to one.

    The latents are matched with the factors for the largest sum of I(z_i; v_k). Then the latent is
    cut into as many bins of equal count as the factor has values, and each bin predicts one value,
    on a second draw of images. Chance is about 1 / (number of values). Bins of equal count suit
    factors whose values are about equally frequent: of others the score is too low.

    In the authors' code equal codes at the border of two bins can merge bins, so that exact codes
    score less than 1. Here equal codes share the bin of the middle of their ranks, and a latent
    with no more values than the factor has a bin for each.
    """

    about = "Accuracy of reading each factor from its own latent"
    display = "SNC"
    claims = MappingProxyType({"snc": ("disentanglement",)})
    real_factors = "quantiles"
    assumes_independence = True
    most_latents = 2048
    seconds = 0.02

    train: int = knob(default=10_000, min=1, help="images to match and bin the latents on")
    test: int = knob(default=5_000, min=1, help="images to test the predictions on")
    factor_bins: int = factor_bins(equal="count")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `snc`, 0 to 1. Details: each factor's accuracy and latent."""
        accuracy, latents = accuracies(*source.train_test(self.train, self.test, rng))
        return {
            "snc": float(np.nanmean(accuracy)),
            "snc/accuracies": Detail(
                ("factor",), accuracy, "accuracy of predicting the factor from its latent, 0 to 1"
            ),
            "snc/latents": Detail(
                ("factor",), latents, "number of the latent matched with the factor: 3 is z3"
            ),
        }
