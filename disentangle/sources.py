"""Sources made of other sources: a part of the images, or codes drawn from the posterior."""

from typing import Any

import numpy as np

from disentangle.dataset import Dataset, Index, Labelled
from disentangle.metric import Codes, Source
from disentangle.seeds import numpy_rng
from disentangle.view import LabelledSubset, Subset


def part_of(dataset: Dataset, index: Index) -> Dataset:
    """Return some images of a dataset, without a record of the choice.

    The scored factors stay the same, those included that happen not to vary among these images.
    """
    if isinstance(dataset, Labelled):
        part = LabelledSubset(dataset, index, dataset.view_record, dataset.nuisance)
        part.nuisance = dataset.nuisance
        return part
    return Subset(dataset, index, dataset.view_record)


class Part(Source[Any]):
    """Some images of another source."""

    def __init__(self, base: Source[Any], index: Index) -> None:
        self.base, self.index, self.model = base, index, base.model
        self.disjoint = base.disjoint
        self.dataset = part_of(base.dataset, index)

    @property
    def latents(self) -> int:
        """Return the number of latents."""
        return self.base.latents

    def codes(self, index: Index) -> Codes:
        """Return the codes at `index`, [N, D]."""
        return self.base.codes(self.index[index])

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D]."""
        return self.base.posterior(self.index[index])


class Sampled(Source[Any]):
    """One z ~ q(z|x) for each image, always the same one, in place of the mean."""

    def __init__(self, base: Source[Any], seed: int) -> None:
        self.base, self.dataset, self.model = base, base.dataset, base.model
        self.disjoint = base.disjoint
        rng = numpy_rng(seed, "sampled codes")
        self._noise = rng.standard_normal((len(base), base.latents), dtype=np.float32)

    @property
    def latents(self) -> int:
        """Return the number of latents."""
        return self.base.latents

    def codes(self, index: Index) -> Codes:
        """Return a sample of q(z|x) at `index`, [N, D]."""
        mean, scale = self.posterior(index)
        return mean + scale * self._noise[index]

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D]."""
        return self.base.posterior(index)
