"""NK, neuron knockout: Mahon et al. (2024), https://arxiv.org/abs/2304.02335."""

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, factor_bins, knob
from disentangle.maths import (
    codes_and_labels,
    each_varying_factor,
    information_in_equal_bins,
    matched_latents,
    small_fit,
    standardised,
    varying_factors,
)

Numbers = NDArray[np.float64]
UNITS = 256
"""Units of the hidden layer."""
RATE = 0.01
"""Learning rate of Adam."""
ROWS = 100
"""Images by whose codes the latents are ordered."""


def nk(
    z: ArrayLike,
    v: ArrayLike,
    test_z: ArrayLike,
    test_v: ArrayLike,
    epochs: int = 20,
    seed: int = 0,
) -> float:
    """Return the mean over factors of how much accuracy is lost without the factor's latent.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K]; constant factors are left out.
        test_z: codes to test on, [M, D].
        test_v: labels to test on, [M, K].
        epochs: most epochs of each network.
        seed: the seed of the networks.

    Raises:
        Unavailable: every factor is constant.
    """
    arrays = codes_and_labels(z, v, test_z, test_v)
    all_latents, without, _ = accuracies(*arrays, np.random.default_rng(seed), epochs)
    return float(np.nanmean(all_latents - without))


def accuracies(
    z: Codes, v: Index, test_z: Codes, test_v: Index, rng: np.random.Generator, epochs: int
) -> tuple[Numbers, Numbers, Numbers]:
    """Return accuracies from all latents, without the factor's own, and that latent, each [K].

    Constant latents are left out. A constant factor is NaN. Without a latent of its own a factor
    loses nothing.
    """
    all_latents, without, latents = np.full((3, v.shape[1]), np.nan)
    varying = varying_factors(v)
    latents[varying] = matched_latents(information_in_equal_bins(z, v[:, varying]))
    seeds = rng.integers(2**31, size=len(v.T))
    x, test_x = standardised(z, test_z)
    # Ordered by their codes, so that the order in which latents are given does not matter.
    every: Index = np.asarray(np.lexsort(x[:ROWS]))
    every = every[np.ptp(x, axis=0)[every] > 0]

    def accuracy(k: int, kept: Index) -> float:
        predicted = classify(x[:, kept], v[:, k], test_x[:, kept], epochs, int(seeds[k]))
        return float(np.mean(predicted == test_v[:, k]))

    def fit(k: int) -> None:
        without[k] = all_latents[k] = accuracy(k, every)
        if not np.isnan(latents[k]):
            without[k] = accuracy(k, every[every != latents[k]])

    with small_fit():
        each_varying_factor(fit, v)
    return all_latents, without, latents


def classify(x: Numbers, y: Index, test_x: Numbers, epochs: int, seed: int) -> Index:
    """Return the values that a network of one hidden layer predicts for `test_x`, [M].

    Without any latents this is the most frequent value.

    Args:
        x: standardised codes to fit on, [N, D].
        y: labels to fit on, [N].
        test_x: standardised codes to predict, [M, D].
        epochs: most epochs.
        seed: the seed of the weights and of the order of the rows.
    """
    from sklearn.neural_network import MLPClassifier

    if not x.shape[1]:
        return np.repeat(np.bincount(y).argmax(), len(test_x))
    network = MLPClassifier((UNITS,), learning_rate_init=RATE, max_iter=epochs, random_state=seed)
    predicted: Index = network.fit(x, y).predict(test_x)
    return predicted


class NK(Metric[Labelled]):
    """Mean over factors of the accuracy of a network on all latents minus that without one latent.

    The latent left out is the one matched with the factor, as for `snc`. The network has one hidden
    layer of 256 units, trained by Adam on standardised codes, and is tested on a second draw of
    images. NK is 0 if the other latents hold all that this one says about the factor, as with a
    copy of it, and may be slightly below 0 as networks differ. It does not ask what else a latent
    holds: without one of as few latents as factors, a rotation of the factors loses much too.
    Its authors propose it as a measure of disentanglement; of a copy it measures completeness.

    The authors train for 10 epochs on about all images of a dataset; 20 epochs of 10,000 images are
    fewer steps, so factors of many values are learnt less well.
    """

    about = "Accuracy lost without the latent of each factor"
    display = "NK"
    claims = MappingProxyType({"nk": ("completeness",)})
    real_factors = "quantiles"
    assumes_independence = True
    most_latents = 2048
    seconds = 5.0
    growth = 0.3

    train: int = knob(default=10_000, min=2, help="images to fit the networks on")
    test: int = knob(default=5_000, min=1, help="images to test the networks on")
    epochs: int = knob(default=20, min=1, help="most epochs of each network")
    factor_bins: int = factor_bins(equal="count")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `nk`, at most 1. Details: accuracies with and without the latent, and the latent.

        A factor that no latent is matched with counts 0.
        """
        arrays = source.train_test(self.train, self.test, rng)
        all_latents, without, latents = accuracies(*arrays, rng, self.epochs)
        return {
            "nk": float(np.nanmean(all_latents - without)),
            "nk/all": Detail(("factor",), all_latents, "accuracy from all latents, 0 to 1"),
            "nk/without": Detail(
                ("factor",), without, "accuracy without the factor's own latent, 0 to 1"
            ),
            "nk/latents": Detail(
                ("factor",), latents, "number of the latent matched with the factor: 3 is z3"
            ),
        }
