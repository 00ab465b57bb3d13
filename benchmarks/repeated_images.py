"""What images that are drawn twice do to each metric, on a small and a large grid of factors.

    python benchmarks/repeated_images.py [--metric mig] [--seeds 3]

Each row is a score of images drawn with replacement, as by the default protocol, then of images
drawn without, as by `disjoint`, on 4,320 images (the held-out fifth of the parametric chairs), and
then of images drawn with replacement from 737,280 (dSprites). `infomec` is made to take repeats,
which it refuses otherwise. The codes are the factors, mixed a little and
blurred (`good`) or mixed much and blurred less (`leaky`), and noise.
"""

import argparse
import itertools
import warnings

import numpy as np

from disentangle.contracts import registry
from disentangle.contracts.dataset import Grid
from disentangle.contracts.source import Source
from disentangle.errors import DisentangleError, Unavailable
from disentangle.scoring.metric_spec import MetricSpec

SMALL = {"a": 12, "b": 18, "c": 20}
LARGE = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}
CODES = {"good": (0.1, 0.5), "leaky": (0.3, 0.1), "noise": None}
"""The standard deviation of the mixing of factors, and the width of the blur."""


class Factors(Grid):
    """A grid of factors without images."""

    name, fingerprint, source, image_shape = "factors", "factors", "made", (1, 1, 1)

    def images(self, index):
        """Raise Unavailable: a metric reads codes only."""
        raise Unavailable("no images")


class Table(Source):
    """A table of codes."""

    def __init__(self, sizes: dict[str, int], codes: str, disjoint: bool) -> None:
        self.dataset, self.disjoint = Factors(sizes), disjoint
        rng, values = np.random.default_rng(7), np.array(list(sizes.values()))
        n = len(self.dataset)
        if CODES[codes] is None:
            self.table = rng.normal(size=(n, 6))
            return
        mixing, blur = CODES[codes]
        labels = self.dataset.every_label(np.arange(n))
        u = (labels / (values - 1) - 0.5) * np.sqrt(12)
        table = u @ (np.eye(len(values)) + mixing * rng.normal(size=(len(values),) * 2))
        self.table = table + blur * rng.uniform(-0.5, 0.5, size=table.shape)

    def train_test(self, n, m, rng, *, distinct=False):
        """Draw as the protocol does, even for a metric that asks for distinct images."""
        return super().train_test(n, m, rng)

    @property
    def latents(self) -> int:
        """The number of latents."""
        return self.table.shape[1]

    def codes(self, index):
        """Return rows of the table."""
        return self.table[index]

    def posterior(self, index):
        """Raise Unavailable: a table has no posterior."""
        raise Unavailable("no posterior")


def mean_scores(metric: str, source: Source, seeds: int) -> dict[str, float]:
    """Return the mean of each score over seeds of the drawing."""
    drawn = [MetricSpec(metric).scores(source, seed).values for seed in range(seeds)]
    return {name: float(np.mean([scores[name] for scores in drawn])) for name in drawn[0]}


def main() -> None:
    """Print a row for each score and kind of code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metric", action="append", help="[default: all that read codes]")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| score | codes | 4,320, repeats | 4,320, distinct | 737,280, repeats |")
    print("| --- | --- | ---: | ---: | ---: |")
    of_models = [n for n in registry.metrics.entries if registry.metrics.load(n).of_model]
    names = options.metric or sorted(set(registry.metrics.entries) - set(of_models))
    for metric, codes in itertools.product(names, CODES):
        shown = []
        for sizes, disjoint in ((SMALL, False), (SMALL, True), (LARGE, False)):
            try:
                shown.append(mean_scores(metric, Table(sizes, codes, disjoint), options.seeds))
            except DisentangleError:
                shown.append({})
        for score in shown[0]:
            cells = [f"{s[score]:.3f}" if score in s else "n/a" for s in shown]
            print(f"| `{score}` | {codes} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
