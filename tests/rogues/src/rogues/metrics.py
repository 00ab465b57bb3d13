"""Metrics that nobody should write: each breaks the contract in one way."""

import numpy as np

from disentangle import Dataset, Detail, Metric, Unavailable


class Leaving(Metric[Dataset]):
    """It ends the process."""

    def score(self, source, rng):
        raise SystemExit(3)


class Misnamed(Metric[Dataset]):
    """Its number would stand in another metric's column."""

    def score(self, source, rng):
        return {"mig": 1.0}


class Empty(Metric[Dataset]):
    """It has no score."""

    def score(self, source, rng):
        return {}


class Listed(Metric[Dataset]):
    """Its scores have no names."""

    def score(self, source, rng):
        return [1.0]


class Broad(Metric[Dataset]):
    """Its detail has another size than there are latents."""

    def score(self, source, rng):
        return {"broad": 1.0, "broad/each": Detail(("latent",), np.zeros(99))}


class Silent(Metric[Dataset]):
    """It does not say why."""

    def score(self, source, rng):
        return {"silent": Unavailable()}


class SeedingScore(Metric[Dataset]):
    """It seeds the world."""

    def score(self, source, rng):
        np.random.seed(0)  # noqa: NPY002
        return {"seeding-score": 1.0}
