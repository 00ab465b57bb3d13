"""How much latents inform about factors of any kind, by nearest neighbours, from 0 to 1."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.dataset import Index, Labelled
from disentangle.contracts.source import Codes, Source
from disentangle.maths.information import entropies
from disentangle.maths.knn_information import knn_mutual_information, ksg_mutual_information

Numbers = NDArray[np.float64]


def neighbour_shares(
    z: Codes,
    v: Index,
    numbers: Mapping[int, Numbers],
    rng: np.random.Generator,
    neighbours: int = 3,
) -> Numbers:
    """Return how much each latent informs about each factor, [D, K].

    For a factor of a few values this is I(z_i; v_k) / H(v_k). A factor of real numbers has no
    finite entropy; for it this is 1 - exp(-2 I(z_i; v_k)), the squared correlation of two Gaussian
    variables with as much information (Linfoot 1957,
    https://doi.org/10.1016/S0019-9958(57)90116-X). The entries of a constant factor are NaN.

    Args:
        z: codes, [N, D], with no image twice.
        v: labels, [N, K].
        numbers: column of a factor of real numbers -> its numbers, [N]; see `real_numbers`.
        rng: draws noise that tells equal values apart.
        neighbours: number of neighbours.
    """
    shares = np.full((z.shape[1], v.shape[1]), np.nan)
    for k in map(int, np.flatnonzero(np.ptp(v, axis=0) > 0)):
        if k in numbers:
            information = ksg_mutual_information(z, numbers[k][:, None], rng, neighbours)
            shares[:, k] = 1 - np.exp(-2 * information[:, 0])
        else:
            information = knn_mutual_information(z, v[:, [k]], rng, neighbours)
            shares[:, k] = information[:, 0] / entropies(v[:, [k]])
    return shares


def real_numbers(source: Source[Labelled], v: Index) -> dict[int, Numbers]:
    """Return column -> numbers [N] of each factor of real numbers; of a cyclic one from 0 on.

    Args:
        source: where the labels are from.
        v: labels of the scored factors, [N, K].
    """
    dataset, values = source.dataset, source.values_of(v)
    numbers: dict[int, Numbers] = {}
    for k, name in enumerate(dataset.factors):
        if name in dataset.real_factors:
            kind = dataset.kind(name)
            numbers[k] = values[:, k] % kind.period if kind.name == "cyclic" else values[:, k]
    return numbers
