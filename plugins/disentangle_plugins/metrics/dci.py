"""DCI: Eastwood and Williams (2018), https://openreview.net/forum?id=By-7dz-AZ."""

from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from disentangle import Codes, Index, Labelled, Metric, Scores, Source, knob
from disentangle.maths import (
    GradientBoosting,
    Numbers,
    Targets,
    codes_and_labels,
    dci_scores,
    each_varying_factor,
    floats,
    numeric_targets,
    regression,
    threads,
)


def probe(
    z: Codes,
    v: Index,
    test_z: Codes,
    test_v: Index,
    rng: np.random.Generator,
    targets: Targets = MappingProxyType({}),
    test_targets: Targets = MappingProxyType({}),
) -> tuple[Numbers, Numbers]:
    """Return the importance of each latent for each factor, [D, K], and test accuracies, [K].

    Each factor is predicted by scikit-learn's GradientBoostingClassifier with its defaults, seeded
    by `rng`, or by its GradientBoostingRegressor if it has a target; then R2 takes the place of the
    accuracy. The entries of a factor that is constant in `v` are NaN. For the arrays see `dci`.
    """
    importance, accuracy = np.full((z.shape[1], v.shape[1]), np.nan), np.full(v.shape[1], np.nan)
    seeds = rng.integers(2**31, size=len(v.T))
    boosting = GradientBoosting(z, test_z)

    def fit(k: int) -> None:
        seed = int(seeds[k])
        if k in targets:
            importance[:, k], accuracy[k] = regression(
                lambda y: boosting.regress(y, seed), targets[k], test_targets[k]
            )
            return
        importance[:, k], predicted = boosting.classify(v[:, k], seed, trees.map)
        accuracy[k] = np.mean(predicted == test_v[:, k])

    with threads() as trees:
        each_varying_factor(fit, v)
    return importance, accuracy


def dci(
    z: ArrayLike, v: ArrayLike, test_z: ArrayLike, test_v: ArrayLike, seed: int = 0
) -> dict[str, float]:
    """Return disentanglement, completeness and informativeness, 0 to 1, by the names of scores.

    Args:
        z: codes to fit on, [N, D].
        v: labels to fit on, [N, K].
        test_z: codes to test on, [M, D].
        test_v: labels to test on, [M, K].
        seed: the seed of the trees.

    Raises:
        Unavailable: every factor is constant.
    """
    arrays = codes_and_labels(z, v, test_z, test_v)
    return floats(dci_scores("dci", *probe(*arrays, np.random.default_rng(seed))))


class DCI(Metric[Labelled]):
    """Disentanglement sum_i rho_i (1 - H_K(P_i)), completeness sum_k rho_k (1 - H_D(P_k)).

    P_i and P_k (section 2) are the importances of latents in boosted trees that predict a factor,
    normalised to sum to 1. Disentanglement is 1 if each latent matters for one factor only,
    completeness if each factor needs one latent only. Informativeness is the trees' accuracy,
    averaged over factors. The scores depend on the number of images and on the trees.

    Trees predict the number of a continuous factor, and the cosine and sine of the angle of a
    cyclic one of real numbers: its importance is the mean over both, and R2 on the test images, at
    least 0, is in place of the accuracy.
    """

    about = "Disentanglement, completeness, informativeness by boosted trees"
    display = "DCI"
    displays = MappingProxyType(
        {
            "dci/disentanglement": "DCI-D",
            "dci/completeness": "DCI-C",
            "dci/informativeness": "DCI-I",
        }
    )
    limitations = MappingProxyType(
        {
            "repeated rows": "trees learn the images that they are tested on by heart",
        }
    )
    version = 2  # since then codes far from 0 are moved to 0, where trees tell them apart
    real_factors = "numbers"
    assumes_independence = True
    most_latents = 64
    seconds = 80.0

    train: int = knob(default=10_000, min=2, help="images to fit the trees on")
    test: int = knob(default=5_000, min=1, help="images to test the trees on")
    cyclic: Literal["labels", "angles"] = knob(
        default="labels",
        added=True,
        help="what trees predict of cyclic factors of a few values: the value, or its angle",
    )

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `dci/disentanglement`, `dci/completeness` and `dci/informativeness`, 0 to 1."""
        z, v, test_z, test_v = source.train_test(self.train, self.test, rng)
        targets, test_targets = (
            numeric_targets(source, labels, angles=self.cyclic == "angles")
            for labels in (v, test_v)
        )
        return dci_scores("dci", *probe(z, v, test_z, test_v, rng, targets, test_targets))
