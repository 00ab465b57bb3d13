"""What probes predict of factors of real numbers: numbers, or the cosine and sine of an angle."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.dataset import Index, Labelled
from disentangle.contracts.source import Source

Numbers: TypeAlias = NDArray[np.float64]
Targets: TypeAlias = Mapping[int, Numbers]
"""Column of a factor -> what to predict of it, [N, 1] or [N, 2]."""


def numeric_targets(source: Source[Labelled], v: Index, *, angles: bool = False) -> Targets:
    """Return what to predict of each factor that is no class; all others are classes.

    Args:
        source: where the labels are from.
        v: labels of the scored factors, [N, K].
        angles: also take the angles of cyclic factors of a few values.

    Returns:
        Column of a factor -> its number, [N, 1], for continuous factors; the cosine and sine of its
        angle, [N, 2], for cyclic factors.
    """
    dataset, values = source.dataset, source.values_of(v)
    targets: dict[int, Numbers] = {}
    for k, name in enumerate(dataset.factors):
        real = name in dataset.real_factors
        if dataset.kind(name).name == "cyclic" and (real or angles):
            angle = dataset.angles(name)[v[:, k]]
            targets[k] = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        elif real:
            targets[k] = values[:, [k]]
    return targets


def regression(
    fit: Callable[[Numbers], tuple[Numbers, Numbers]], y: Numbers, test_y: Numbers
) -> tuple[Numbers, float]:
    """Return the importance of each latent for a target, [D], and its R2 on test points.

    The importance is the mean over the columns of the target, and R2 is 1 - sum of squared errors /
    sum of squared deviations, both over all columns; 0 if it is negative.

    Args:
        fit: fits one column [N], and returns the latents' importance [D] and predictions [M].
        y: the target to fit on, [N, 1] or [N, 2].
        test_y: the target to test on, [M, 1] or [M, 2].
    """
    importances, predictions = zip(*(fit(column) for column in y.T), strict=True)
    errors = np.square(np.stack(predictions, axis=1) - test_y).sum()
    deviations = np.square(test_y - test_y.mean(axis=0)).sum()
    r2 = 1 - errors / deviations if deviations > 0 else 0.0
    return np.mean(importances, axis=0), float(max(0.0, r2))
