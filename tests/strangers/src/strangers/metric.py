"""Metrics: the spread of codes."""

import numpy as np

from disentangle import Dataset, Labelled, Metric, Scores, Source, knob


class Spread(Metric[Dataset]):
    """Mean standard deviation of the codes."""

    samples: int = knob(default=50, min=2, help="images")

    def score(self, source: Source[Dataset], rng: np.random.Generator) -> Scores:
        return {"spread": float(source.codes(source.draw(self.samples, rng)).std(0).mean())}


class Failing(Metric[Labelled]):
    """It never works."""

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        raise ZeroDivisionError("of course")
