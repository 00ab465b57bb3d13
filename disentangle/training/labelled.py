"""The few images of which a model is given the labels, and those labels."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.dataset import Dataset, Index, Labelled

Labels: TypeAlias = NDArray[np.float32]
"""Labels on the scale of `Batch.labels`."""


def draw_labelled(dataset: Dataset, count: int, seed: int) -> Index:
    """Draw the images of which a model is given the labels, by the weights of the training."""
    rng = numpy_rng(seed, "labelled")
    if dataset.correlation:
        return dataset.draw(count, rng)
    return rng.choice(len(dataset), count, replace=False)


def in_turn(images: Index, step: int, size: int) -> Index:
    """Return the images of a step, `size` in turn; after the last one comes the first."""
    return images[(step * size + np.arange(size)) % len(images)]


def scaled_labels(dataset: Dataset, index: Index) -> Labels:
    """Return the labels of the scored factors over their numbers of values, [N, K]."""
    assert isinstance(dataset, Labelled)
    return (dataset.labels(index) / list(dataset.factors.values())).astype(np.float32)
