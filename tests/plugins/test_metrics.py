"""Every metric of codes and factors: odd codes have finite scores, details their shapes."""

import pkgutil
from contextlib import suppress

import numpy as np
import pytest
from helpers.golden_metrics import defined, small

from disentangle.contracts.metric import Detail
from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle.scoring.metric_spec import MetricSpec
from disentangle_plugins import metrics
from disentangle_plugins.metrics.beta_vae_score import BetaVAEScore
from disentangle_plugins.metrics.mig import MIG


def test_metrics_run_through_their_registered_names():
    found = {name: MetricSpec(name).metric for name in ("mig", "beta-vae-score")}
    assert isinstance(found["mig"], MIG)
    assert isinstance(found["beta-vae-score"], BetaVAEScore)


SPECS = [
    "beta-vae-score:train=50,test=20",
    "factor-vae-score:train=50,test=20",
    "sap",
    "sap-r2",
    "r2",
    "r2:readout=boosting",
    "r2:readout=kernel-ridge,direction=both",
    "r2:readout=mlp,direction=both",
    "r2:direction=both",
    "mcc",
    "mcc:correlation=rdc,permutations=2",
    "mcc:crossfit=true,permutations=2",
    "fairness:train=20",
    "modularity",
    "explicitness",
    "irs",
    "total-correlation",
    "mig",
    "minimality",
    "sufficiency",
    "omes:pairs=50",
    "orthogonality",
    "snc",
    "nk:epochs=2",
]


def edge_cases():
    """Return arrays that break reference code, by what is odd about them."""
    z, v = small(n=60)
    still, one = np.full((len(z), 1), 0.7), np.zeros((len(z), 1), np.int64)
    lone = v.copy()
    lone[:, 0] = np.arange(len(v)) == 7
    new = v.copy()
    new[:3, 0] = 9
    rng = np.random.default_rng(0)
    few = rng.normal(size=(6, 3)), np.stack([np.arange(6) % 3, np.arange(6) // 3], 1)
    return {
        "constant factor": (z, np.hstack([one, v])),
        "constant factors": (z, one),
        "factor that is constant until tested": (
            z,
            np.hstack([one, v]),
            z,
            np.hstack([one + 1, v]),
        ),
        "constant latent": (np.hstack([z, still]), v),
        "constant latents": (np.hstack([still, still]), v),
        "one latent": (z[:, :1], v),
        "one factor": (z, v[:, :1]),
        "one of each": (z[:, :1], v[:, :1]),
        "two values": (z, v % 2),
        "fewer samples than values": (z[:4], np.array([[0, 0], [1, 0], [2, 1], [3, 2]])),
        "few samples": few,
        "one sample": (z[:1], v[:1]),
        "two samples": (z[:2], np.array([[0, 1], [1, 0]])),
        "value of one sample": (z, lone),
        "value that only the test set has": (z, v, z, new),
        "latent twice": (np.hstack([z, z]), v),
        "tiny": (1e-8 * z, v),
        "huge": (1e8 * z, v),
        "far from zero": (z + 1e8, v),
        "tiny and huge": (z * [1e-8, 1, 1e8], v),
        "outlier": (np.vstack([z, 1e6 * z[:1]]), np.vstack([v, v[:1]])),
    }


@pytest.mark.parametrize("case", edge_cases())
@pytest.mark.parametrize("spec", SPECS)
def test_odd_codes_have_finite_scores_or_none(spec, case):
    found = {"reason": 0.0}
    with suppress(Unavailable):
        metric = MetricSpec(spec).metric
        found = metric.score(array_source(*edge_cases()[case]), np.random.default_rng(0))
    scores = [value for value in defined(found).values() if not isinstance(value, Detail)]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("spec", SPECS)
def test_details_have_the_shape_of_their_axes(spec):
    z, v = small()
    found = MetricSpec(spec).metric.score(array_source(z[:, :2], v), np.random.default_rng(0))
    sizes = {"latent": 2, "factor": 3}
    for detail in found.values():
        if isinstance(detail, Detail):
            assert detail.values.shape == tuple(sizes[axis] for axis in detail.axes)


WITH_DETAILS = [
    *SPECS,
    "mig-sup",
    "dcimig",
    "jemmig",
    "infomec",
    "tad",
    "downstream:test=20",
    "dci:train=40,test=20",
    "dci-lgbm:train=40,test=20",
    "dci-es:train=40,test=20,trees=2",
]


def test_every_metric_of_codes_is_in_the_list():
    modules = {m.name.replace("_", "-") for m in pkgutil.iter_modules(metrics.__path__)}
    of_models = {"elbo", "fid", "reconstruction"}
    assert {spec.partition(":")[0] for spec in WITH_DETAILS} == modules - of_models


@pytest.mark.parametrize("spec", WITH_DETAILS)
def test_details_say_what_a_value_is(spec):
    z, v = small()
    source = array_source(z, v % 2)  # factors of two values, which `tad` needs
    result = MetricSpec(spec).metric.score(source, np.random.default_rng(0))
    abouts = {name: d.about for name, d in result.items() if isinstance(d, Detail)}
    assert all(abouts.values()), abouts


def test_information_of_two_metrics_is_told_apart_by_its_unit():
    source = array_source(*small())
    units = {
        spec: MetricSpec(spec).metric.score(source, np.random.default_rng(0))[detail].about
        for spec, detail in (
            ("mig", "mig/information"),
            ("modularity", "modularity/information"),
            ("mig-sup", "mig-sup/information"),
            ("mig-sup:entropy=factor", "mig-sup/information"),
        )
    }
    assert units == {
        "mig": "mutual information / entropy of the factor, 0 to 1",
        "modularity": "mutual information, in nats",
        "mig-sup": "mutual information / entropy of the latent, 0 to 1",
        "mig-sup:entropy=factor": "mutual information / entropy of the factor, 0 to 1",
    }
