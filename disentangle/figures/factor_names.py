"""Name latents by the factor that each of them is most informative of."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.binned_factors import binned
from disentangle.contracts.dataset import Index, Labelled
from disentangle.contracts.source import Codes
from disentangle.figures.latents import Latents, probe
from disentangle.maths.information import discretise, entropies, mutual_information
from disentangle.runs.run import Run

BINS = 10
LEAST = 0.1
"""The least share of a factor's entropy for which a latent gets the factor's name."""


@dataclass(frozen=True)
class Informed:
    """The share of each factor's entropy that each latent informs of.

    Attributes:
        factors: names of the factors.
        shares: [D, K], of an estimate without its bias from few images.
        codes: the codes of the images, [N, D].
        labels: the labels of the images, [N, K].
    """

    factors: tuple[str, ...]
    shares: NDArray[np.float64]
    codes: Codes
    labels: Index

    def name(self, latent: int) -> str:
        """The factor that a latent is most informative of; empty if it is of none."""
        best = int(self.shares[latent].argmax())
        return self.factors[best] if self.shares[latent, best] >= LEAST else ""


def measure_factors(run: Run) -> Informed | None:
    """Measure what each latent tells of each factor; None if the dataset has no factors."""
    dataset = run.dataset
    factors = tuple(dataset.factors) if isinstance(dataset, Labelled) else ()
    if not isinstance(dataset, Labelled) or not factors:
        return None
    index, few = probe(run), binned(dataset, BINS)
    codes, labels = run.encode(dataset.images(index)).double().numpy(), few.labels(index)
    return Informed(factors, shares_of(discretise(codes, BINS), labels), codes, labels)


def shares_of(codes: Index, labels: Index) -> NDArray[np.float64]:
    """The mutual information of latents and factors, over the entropy of the factor, [D, K].

    The estimate's bias, (a - 1)(b - 1) / 2N for a and b values that occur (Miller 1955), is
    subtracted.
    """
    values = [np.array([len(np.unique(c)) for c in x.T]) for x in (codes, labels)]
    bias = np.outer(values[0] - 1, values[1] - 1) / (2 * len(codes))
    known = mutual_information(codes, labels) - bias
    entropy = entropies(labels)
    shares: NDArray[np.float64] = np.divide(
        known, entropy, out=np.zeros_like(known), where=entropy > 0
    )
    return shares


def with_factors(latents: Latents, informed: Informed | None) -> Latents:
    """The latents with the names of their factors as notes, where they are active."""
    if informed is None:
        return latents
    notes = [
        informed.name(d) if active else note
        for d, active, note in zip(latents.order, latents.active, latents.notes, strict=True)
    ]
    return replace(latents, notes=notes, named=notes != latents.notes)
