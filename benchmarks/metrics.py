"""Speed of our metrics and of disentanglement_lib's on the same codes, in one run.

    pip install --no-deps disentanglement-lib absl-py six
    python benchmarks/metrics.py [--encoder noisy] [--dci] [--rounds 3] [--force]
    python benchmarks/metrics.py --growth

The reference is the published package: its metrics and the sampling of its datasets. Neither needs
TensorFlow or gin-config for the measured code, so stubs replace both. The arguments are those of
Locatello et al. (2019). Codes come from a table: no time is spent on images or an encoder. The two
are timed in turn. `--growth` shows how our seconds grow with samples, latents and factors.
"""

import argparse
import importlib
import os
import statistics
import sys
import time
import types
import warnings
from collections.abc import Callable, Mapping

import numpy as np

from disentangle._utils.device import cores
from disentangle.contracts.dataset import Grid
from disentangle.contracts.source import Source
from disentangle.errors import Unavailable
from disentangle.scoring.metric_spec import MetricSpec

SIZES = {
    "dsprites": {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32},
    "shapes3d": {"floor": 10, "wall": 10, "object": 10, "scale": 8, "shape": 4, "orientation": 15},
}
TWO = {"num_train": 10_000, "num_test": 5_000}
VOTES = {"batch_size": 64, "num_train": 10_000, "num_eval": 5_000}
REFERENCE: Mapping[str, tuple[str, dict[str, object]]] = {
    "mig": ("mig.compute_mig", {"num_train": 10_000}),
    "sap": ("sap_score.compute_sap", {**TWO, "continuous_factors": False}),
    "modularity+explicitness": ("modularity_explicitness.compute_modularity_explicitness", TWO),
    "irs": ("irs.compute_irs", {"num_train": 10_000, "batch_size": 16}),
    "total-correlation": ("unsupervised_metrics.unsupervised_metrics", {"num_train": 10_000}),
    "factor-vae-score": (
        "factor_vae.compute_factor_vae",
        {**VOTES, "num_variance_estimate": 10_000},
    ),
    "beta-vae-score": ("beta_vae.compute_beta_vae_sklearn", VOTES),
    "dci": ("dci.compute_dci", TWO),
}


class Factors(Grid):
    """A grid of factors without images."""

    name, fingerprint, source, image_shape = "factors", "factors", "made", (1, 1, 1)

    def images(self, index):
        """Raise Unavailable: a metric reads codes only."""
        raise Unavailable("no images")


class Table(Source):
    """A table of codes."""

    def __init__(self, sizes: Mapping[str, int], encoder: str, latents: int = 10) -> None:
        self.dataset = Factors(sizes)
        rng, values = np.random.default_rng(0), np.array(list(sizes.values()))
        labels = self.dataset.every_label(np.arange(len(self.dataset)))
        u = (labels - (values - 1) / 2) / np.sqrt((values**2 - 1) / 12)
        z = rng.normal(size=(len(u), latents))
        if encoder == "noisy":
            z *= 0.3
            z[:, : u.shape[1]] += u[:, :latents]
        self.table = u if encoder == "identity" else z

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


class GroundTruth:
    """A dataset with the reference's interface and classes; images are represented by indices."""

    def __init__(self, source: Table) -> None:
        from disentanglement_lib.data.ground_truth import util

        data = source.dataset
        sizes = list(data.factors.values())
        self.space = util.SplitDiscreteStateSpace(sizes, list(range(len(sizes))))
        self.places = util.StateSpaceAtomIndex(sizes, data.every_label(np.arange(len(data))))
        self.num_factors, self.factors_num_values = len(sizes), sizes

    def sample_factors(self, num, random_state):
        """Draw factors at random, [num, K]."""
        return self.space.sample_latent_factors(num, random_state)

    def sample_observations_from_factors(self, factors, random_state):
        """Return the indices of the images, in place of the images."""
        all_factors = self.space.sample_all_factors(factors, random_state)
        return self.places.features_to_index(all_factors)

    def sample_observations(self, num, random_state):
        """Draw images at random."""
        return self.sample(num, random_state)[1]

    def sample(self, num, random_state):
        """Draw factors and images at random."""
        factors = self.sample_factors(num, random_state)
        return factors, self.sample_observations_from_factors(factors, random_state)


def reference() -> Callable[[str, Table], object]:
    """Import disentanglement_lib; return a function that runs one of its metrics."""

    def configurable(*args, **kwargs):
        return args[0] if args and callable(args[0]) else lambda function: function

    names = ("gin", "gin.tf", "tensorflow", "tensorflow.compat", "tensorflow.compat.v1")
    made = {name: types.ModuleType(name) for name in names}
    for name, module in made.items():
        home, _, child = name.rpartition(".")
        if home:
            setattr(made[home], child, module)
        module.configurable, module.REQUIRED = configurable, object()
    sys.modules |= made
    home = "disentanglement_lib.evaluation.metrics"
    try:
        utils, votes = (importlib.import_module(f"{home}.{n}") for n in ("utils", "factor_vae"))
    except ImportError as error:
        sys.exit(f"{error}: pip install --no-deps disentanglement-lib absl-py six")
    # The values set in the study's configuration files.
    utils.make_discretizer = lambda target: utils._histogram_discretize(target, 20)
    prune = votes._prune_dims
    votes._prune_dims = lambda variances: prune(variances, 0.05)
    truths: dict[Table, GroundTruth] = {}

    def run(name: str, source: Table) -> object:
        path, options = REFERENCE[name]
        module, function = path.split(".")
        truth = truths.setdefault(source, GroundTruth(source))
        np.random.seed(0)  # noqa: NPY002 (the reference draws from the global generator)
        compute = getattr(importlib.import_module(f"{home}.{module}"), function)
        return compute(truth, source.codes, np.random.RandomState(0), **options)

    return run


def ours(name: str, source: Table) -> dict[str, float]:
    """Compute the scores of our metric, or of two metrics joined by `+`."""
    scores: dict[str, float] = {}
    for part in name.split("+"):
        scores |= MetricSpec(part).scores(source, 0)[0]
    return scores


def seconds(function: Callable[[], object], rounds: int) -> float:
    """Measure the median seconds of a call."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def compare(options: argparse.Namespace) -> None:
    """Print seconds and ratios for each metric and in total."""
    run_reference = reference()
    source = Table(SIZES[options.sizes], options.encoder)
    names = [name for name in REFERENCE if name != "dci"] + ["dci"] * options.dci
    totals = np.zeros(2)
    for name in names:
        rounds = 1 if name == "dci" else options.rounds
        ours(name, source)  # import everything before timing
        own = seconds(lambda name=name: ours(name, source), rounds)
        other = seconds(lambda name=name: run_reference(name, source), rounds)
        totals += (own, other) if name != "dci" else 0
        print(f"{name:24} {other:8.2f} s  {own:8.3f} s  ratio {other / own:7.1f}")
    own, other = totals
    print(f"{'all but dci':24} {other:8.2f} s  {own:8.3f} s  ratio {other / own:7.1f}")


def growth(options: argparse.Namespace) -> None:
    """Print our seconds for increasing numbers of samples, latents and factors."""
    names = [part for name in REFERENCE if name != "dci" for part in name.split("+")]
    base = dict(list(SIZES["shapes3d"].items())[:4])

    def line(label: str, source: Table, spec: Mapping[str, str]) -> None:
        times = [seconds(lambda n=n: ours(n + spec.get(n, ""), source), 1) for n in names]
        print(f"{label:14}" + "".join(f"{t:12.3f}" for t in times))

    print(" " * 14 + "".join(f"{name[:11]:>12}" for name in names))
    for n in (2_500, 10_000, 40_000):
        two = f":train={n},test={n // 2}"
        one = ("mig", "modularity", "irs", "total-correlation")
        spec = {name: f":samples={n}" if name in one else two for name in names}
        line(f"{n} samples", Table(base, "noisy"), spec)
    for d in (5, 10, 40):
        line(f"{d} latents", Table(base, "noisy", d), {})
    for k in (2, 4, 6):
        sizes = dict(list(SIZES["shapes3d"].items())[:k])
        line(f"{k} factors", Table(sizes, "noisy"), {})


def main() -> None:
    """Compare with the reference, or show how our times grow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", choices=SIZES, default="dsprites")
    parser.add_argument("--encoder", choices=("identity", "noisy", "noise"), default="noisy")
    parser.add_argument("--dci", action="store_true", help="include DCI, which takes minutes")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--force", action="store_true", help="measure on a busy machine")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    if load > 0.5 and not options.force:
        sys.exit(f"the load is {load:.2f}: wait until it is below 0.5, or use --force")
    print(f"{cores()} cores, load {load:.2f}, {options.sizes}, codes: {options.encoder}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (growth if options.growth else compare)(options)


if __name__ == "__main__":
    main()
