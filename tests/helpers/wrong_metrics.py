"""Metrics that are wrong on purpose, one fault each, for an audit to catch.

Without its fault each is `Right`: the mean over factors of the largest R^2 of one latent.
"""

import numpy as np
from scipy.stats import rankdata

from disentangle import Labelled, Metric


def determination(z, v):
    """R^2 of the ranks of each latent and factor, [D, K]; 0 if either is constant."""
    z, v = (a - a.mean(axis=0) for a in (rankdata(a, axis=0) for a in (z, v)))
    spread = np.linalg.norm(z, axis=0)[:, None] * np.linalg.norm(v, axis=0)
    return np.square(z.T @ v / np.where(spread > 0, spread, np.inf))


class Right(Metric[Labelled]):
    """mean_k max_i R^2_ik."""

    seconds = 0.01

    def score(self, source, rng):
        z, v, _, _ = source.train_test(10_000, 0, rng)
        return {self.name: self.value(z, v)}

    @property
    def name(self):
        return next(name for name, kind in METRICS.items() if kind is type(self))

    def value(self, z, v):
        return float(determination(z, v).max(axis=0).mean())


class CountsRepeats(Right):
    """It takes a row that occurs again for a row that is known."""

    def value(self, z, v):
        repeats = 1 - len(np.unique(z, axis=0)) / len(z)
        return max(super().value(z, v), repeats * np.ptp(z, axis=0).any())


class RewardsLatents(Right):
    """The more latents, the better."""

    def value(self, z, v):
        return super().value(z, v) * min(1.0, 0.1 * z.shape[1])


class AlwaysTheSame(Right):
    """One score for all codes."""

    def value(self, z, v):
        return 0.05


class IgnoresSign(Right):
    """It reads absolute values."""

    def value(self, z, v):
        return super().value(np.abs(z), v)


class ReadsTheOrder(Right):
    """It takes the first rows for a sample of all."""

    def value(self, z, v):
        return super().value(z[:500], v[:500])


class DependsOnScale(Right):
    """A latent with a small range is not read."""

    def value(self, z, v):
        return super().value(np.where(np.ptp(z, axis=0) > 0.5, z, 0.0), v)


class TellsDigits(Right):
    """Codes in single precision are worth less."""

    def value(self, z, v):
        return super().value(z, v) * (0.9 if (z == z.astype(np.float32)).all() else 1.0)


class AboveOne(Right):
    """It is a sum over latents."""

    def value(self, z, v):
        return float(determination(z, v).sum(axis=0).mean())


class Upturned(Right):
    """It is 1 for noise and 0 for a perfect code."""

    def value(self, z, v):
        return 1 - super().value(z, v)


class Crashes(Right):
    """It divides by the spread of each latent."""

    def value(self, z, v):
        if not np.ptp(z, axis=0).all():
            raise ZeroDivisionError("a constant latent")
        return super().value(z, v)


METRICS = {
    "right": Right,
    "counts-repeats": CountsRepeats,
    "rewards-latents": RewardsLatents,
    "always-the-same": AlwaysTheSame,
    "ignores-sign": IgnoresSign,
    "reads-the-order": ReadsTheOrder,
    "depends-on-scale": DependsOnScale,
    "tells-digits": TellsDigits,
    "above-one": AboveOne,
    "upturned": Upturned,
    "crashes": Crashes,
}
"""All of them by the names under which a test registers them."""
