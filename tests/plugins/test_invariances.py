"""What must not change a metric: order, sign, scale and rows; and noise, which must lower it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from helpers.golden_metrics import Coded, defined, halves, rotation, small
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.contracts import registry
from disentangle.maths import gradient_boosting as boosting
from disentangle.maths.importance import disentanglement
from disentangle.maths.information import gaps
from disentangle.scoring.arrays import array_source
from disentangle.scoring.metric_spec import MetricSpec
from disentangle_plugins.metrics import dci, dci_lgbm
from disentangle_plugins.metrics.beta_vae_score import BetaVAEScore
from disentangle_plugins.metrics.dci_es import DCIES, curves
from disentangle_plugins.metrics.dci_es import explicitness as area_under_capacity
from disentangle_plugins.metrics.dcimig import dcimig
from disentangle_plugins.metrics.downstream import Downstream, logistic
from disentangle_plugins.metrics.explicitness import roc_areas
from disentangle_plugins.metrics.factor_vae_score import FactorVAEScore
from disentangle_plugins.metrics.infomec import InfoMEC
from disentangle_plugins.metrics.irs import robustness, weighted_robustness
from disentangle_plugins.metrics.jemmig import jemmig
from disentangle_plugins.metrics.mcc import MCC
from disentangle_plugins.metrics.mig import mig
from disentangle_plugins.metrics.mig_sup import mig_sup
from disentangle_plugins.metrics.minimality import minimality
from disentangle_plugins.metrics.modularity import Modularity
from disentangle_plugins.metrics.nk import nk
from disentangle_plugins.metrics.omes import omes
from disentangle_plugins.metrics.r2 import r2
from disentangle_plugins.metrics.sap import accuracies
from disentangle_plugins.metrics.sap_r2 import squared_correlations
from disentangle_plugins.metrics.snc import snc
from disentangle_plugins.metrics.sufficiency import sufficiency
from disentangle_plugins.metrics.total_correlation import TotalCorrelation


def rng(seed=0):
    return np.random.default_rng(seed)


def same(found, expected, atol):
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol, equal_nan=False)


def scores_of(metric, *names):
    """Return a function of codes and factors: these scores of a metric."""

    def scores(z, v):
        found = metric.score(array_source(z, v), rng())
        return np.array([found[name] for name in names])

    return scores


def irs_score(z, v):
    return weighted_robustness(*robustness(z, v))


def sap_r2(z, v):
    return np.nanmean(gaps(squared_correlations(z, v)))


def sap(*arrays):
    return np.nanmean(gaps(accuracies(*arrays)))


def boosted_r2(*arrays):
    return r2(*arrays, readout="boosting")


def total_correlation(z, v):
    found = defined(TotalCorrelation().score(array_source(z, v), rng()))
    return np.array([found[name] for name in sorted(found)])


def importance_and_accuracy(probe):
    """Return a function of four arrays: a row for each latent, then one of accuracies."""
    return lambda *arrays: np.vstack(probe(*arrays, rng()))


def logistic_accuracy(z, v, test_z, test_v):
    return np.mean(logistic(z, v[:, 0], test_z) == test_v[:, 0])


def explicitness_es(z, v, test_z, test_v):
    return area_under_capacity(*curves(z, v, test_z, test_v, rng(), 20), len(test_z))


def correlated():
    """Return codes that depend on one another, and a factor that nothing reads."""
    made = rng()
    z = made.normal(size=(500, 3)) @ made.normal(size=(3, 3))
    return z, np.arange(500)[:, None] % 2


mcc = scores_of(MCC(), "mcc")
mcc_rdc = scores_of(MCC(correlation="rdc"), "mcc")
modularity = scores_of(Modularity(), "modularity")
infomec = scores_of(InfoMEC(), "infomec/infom", "infomec/infoc", "infomec/infoe")
SIGNS = (-1, 1)


@pytest.fixture(autouse=True)
def fewer_stages(monkeypatch):
    """Fewer stages of DCI's trees, which take most of the time."""
    monkeypatch.setattr(boosting, "STAGES", 10)


class Turned(NamedTuple):
    """A result that latents in another order, of another sign and in other rows must not change."""

    result: Callable[..., np.ndarray]
    atol: float
    examples: int = 10
    factors: tuple[float, ...] = SIGNS
    arrays: tuple[np.ndarray, ...] = small()
    rows: bool = True
    by_latent: bool = False  # the result has a row for each latent, and one more


TURNED = {
    "mig": Turned(mig, 1e-12, 100, (1,)),
    "mig-scaled": Turned(mig, 1e-9, 20, (-1, 1, 1e-8, 1e8)),
    "mig-sup": Turned(mig_sup, 1e-9, 20, (-1, 1e-8, 1e8)),
    "jemmig": Turned(jemmig, 1e-9, 20, (-1, 1e-8, 1e8)),
    "dcimig": Turned(dcimig, 1e-9, 20, (-1, 1e-8, 1e8)),
    "minimality": Turned(minimality, 1e-9, 20, (-1, 1e-8, 1e8)),
    "sufficiency": Turned(sufficiency, 1e-9, 20, (-1, 1e-8, 1e8)),
    "omes": Turned(omes, 0.02),
    "snc": Turned(snc, 0.03, 10, (-1, 1e-8, 1e8), halves(*small())),
    "nk": Turned(nk, 0.06, 3, (-1, 1e-8, 1e8), halves(*small(n=1000))),
    "modularity": Turned(modularity, 1e-9),
    "irs": Turned(irs_score, 1e-9),
    "sap-r2": Turned(sap_r2, 1e-12),
    "mcc": Turned(mcc, 1e-12),
    "mcc-rdc": Turned(mcc_rdc, 0.01),  # a rank that is turned meets other sines
    "infomec": Turned(infomec, 1e-3, 5),
    "total-correlation": Turned(total_correlation, 1e-9, arrays=correlated()),
    "sap": Turned(sap, 1e-12, arrays=halves(*small()), rows=False),
    "r2": Turned(r2, 1e-9, arrays=halves(*small())),
    "r2-boosting": Turned(boosted_r2, 0.02, 3, arrays=halves(*small(n=600))),
    "explicitness": Turned(roc_areas, 1e-3, 5, arrays=halves(*small())),
    "dci": Turned(
        importance_and_accuracy(dci.probe), 0.02, 4, arrays=halves(*small(n=600)), by_latent=True
    ),
    "dci-lgbm": Turned(
        importance_and_accuracy(dci_lgbm.probe),
        0.03,
        3,
        arrays=halves(*small(n=600)),
        by_latent=True,
    ),
    "dci-es": Turned(explicitness_es, 0.05, 3, arrays=halves(*small(n=800))),
    "downstream": Turned(logistic_accuracy, 0.02, 3, arrays=halves(*small()), rows=False),
}


@pytest.mark.parametrize("case", TURNED.values(), ids=TURNED)
def test_order_sign_and_rows_change_nothing(case):
    z, v, *test = case.arrays
    rows = rng(1).permutation(len(z)) if case.rows else np.arange(len(z))
    expected = case.result(*case.arrays)

    @settings(max_examples=case.examples)
    @given(
        st.permutations(range(3)), st.lists(st.sampled_from(case.factors), min_size=3, max_size=3)
    )
    def turn(order, factors):
        turned = [(z * factors)[rows][:, order], v[rows]]
        if test:
            turned += [(test[0] * factors)[:, order], test[1]]
        moved = expected[[*order, 3]] if case.by_latent else expected
        same(case.result(*turned), moved, case.atol)

    turn()


SCALED = {
    "mig-sup": (mig_sup, small(), (1e-300, 1e200), 0, 1e-9),
    "mcc": (mcc, small(), (1e-90, 1e-8, 1e8, 1e90), 3, 1e-9),
    "r2": (r2, halves(*small()), (1e-90, 1e-8, 1e8, 1e90), 3, 1e-9),
    "infomec": (infomec, small(), (1e-8, 1e8), 3, 1e-3),
    "explicitness": (roc_areas, halves(*small()), (1e-8, 1e8), 3, 1e-6),
    "dci": (lambda *a: dci.probe(*a, rng())[0], halves(*small()), (1e-8, 1e8), 0, 0.02),
    "dci-lgbm": (lambda *a: dci_lgbm.probe(*a, rng())[0], halves(*small()), (1e-8, 1e8), 0, 0.02),
    "dci-es": (scores_of(DCIES(trees=10), "dci-es/explicitness"), small(), (1e-8, 1e8), 0, 0.05),
}


@pytest.mark.parametrize(
    ("result", "arrays", "scale", "shift", "atol"),
    [
        pytest.param(result, arrays, scale, shift, atol, id=f"{name}-{scale:g}")
        for name, (result, arrays, scales, shift, atol) in SCALED.items()
        for scale in scales
    ],
)
def test_scale_and_shift_change_nothing(result, arrays, scale, shift, atol):
    moved = [scale * (a + shift) if place % 2 == 0 else a for place, a in enumerate(arrays)]
    same(result(*moved), result(*arrays), atol)


QUICK = {
    "beta-vae-score": "train=500,test=300",
    "dci-es": "trees=10",
    "factor-vae-score": "train=300,test=200,variances=500",
}
MOVES = {
    **{f"shift {x:g}": (1.0, x) for x in (1e6, 1.2e7, -1e8)},
    **{f"scale {x:g}": (x, 0.0) for x in (1e-6, 1e-3, 1e3, 1e6)},
    "tiny and far": (1e-6, 1.0),
}
DEPENDS = {
    "beta-vae-score": {"scale 1e-06", "scale 0.001", "tiny and far"},  # penalises the weights
    "downstream": set(MOVES) - {"shift -1e+08"},  # by scale as above; other shifts take long
    "factor-vae-score": {"scale 1e-06", "scale 0.001", "tiny and far"},  # an absolute threshold
    "omes": {"scale 1e-06", "scale 0.001", "tiny and far"},  # an absolute threshold
    "sap": set(MOVES),  # penalises slope and intercept
    "sap-r2": {"scale 1e-06", "tiny and far"},  # an absolute threshold
    "tad": {"scale 1e-06", "scale 0.001", "tiny and far", "shift -1e+08", "shift 1.2e+07"},
}
"""Moves that change a metric by its definition, which is that of the reference implementation."""
OF_MODELS = {"elbo", "fid", "kid", "reconstruction"}
IN_UNITS_OF_CODES = "total-correlation/wasserstein"


def moved_metrics():
    """Yield the built-in metrics of codes, each with the moves that must not change it."""
    for name, entries in sorted(registry.metrics.entries.items()):
        if entries[0].distribution == "disentangle-bench" and name not in OF_MODELS:
            for move in sorted(MOVES.keys() - DEPENDS.get(name, set())):
                yield pytest.param(name, *MOVES[move], id=f"{name}-{move}")


@pytest.mark.parametrize(("name", "scale", "shift"), list(moved_metrics()))
def test_every_metric_sees_moved_codes_as_it_saw_them(name, scale, shift):
    z, v = small()
    v = v % 2 if name == "tad" else v
    spec = MetricSpec(f"{name}:{QUICK[name]}" if name in QUICK else name)
    expected, moved = (spec.scores(array_source(c, v), 0).values for c in (z, scale * z + shift))
    assert expected.keys() == moved.keys()
    for score in expected.keys() - {IN_UNITS_OF_CODES}:
        assert moved[score] == pytest.approx(expected[score], abs=0.015), score


@pytest.mark.parametrize("shift", [0, 1.2e7])
def test_whole_numbers_far_from_zero_stay_apart(shift):
    _, v = small(n=600)
    found = DCIES(trees=10).score(array_source(v + shift, v), rng())["dci-es/explicitness"]
    assert found > 0.9


@pytest.mark.parametrize(
    ("result", "least"), [(irs_score, 1e-8), (squared_correlations, 1e-4)], ids=["irs", "sap-r2"]
)
def test_any_scale_and_shift_change_nothing(result, least):
    z, v = small()
    expected = result(z, v)

    @settings(max_examples=10)
    @given(st.floats(least, 1e8), st.floats(-10, 10))
    def move(scale, shift):
        same(result(scale * (z + shift), v), expected, 1e-9)

    move()


@pytest.mark.parametrize(
    ("name", "metric", "atol"),
    [
        ("beta-vae-score", BetaVAEScore(train=500, test=300), 0.01),
        ("factor-vae-score", FactorVAEScore(train=300, test=200, variances=500), 0),
    ],
    ids=["beta-vae-score", "factor-vae-score"],
)
def test_order_and_sign_change_nothing_where_pairs_are_drawn(name, metric, atol):
    expected = metric.score(Coded(rotation), rng())[name]

    @settings(max_examples=5)
    @given(st.permutations(range(5)), st.lists(st.sampled_from(SIGNS), min_size=5, max_size=5))
    def turn(order, signs):
        turned = Coded(lambda u, index: rotation(u, index)[:, order] * signs)
        same(metric.score(turned, rng())[name], expected, atol)

    turn()


def disentanglement_and_accuracy(probe):
    """Return a function of codes and factors: two scores of DCI."""

    def scores(z, v):
        importance, accuracy = probe(*halves(z, v), rng())
        return [disentanglement(importance)[0], accuracy.mean()]

    return scores


def downstream(classifier):
    score = scores_of(Downstream(classifier=classifier), "downstream/100")
    return lambda z, v: score(z[:, :1], v[:, :1])


NOISY = {
    "mig": (mig, 3000, (0, 0.2, 0.5, 1, 2, 5)),
    "mig-sup": (mig_sup, 3000, (0, 0.2, 0.5, 1, 2, 5)),
    "jemmig": (jemmig, 3000, (0, 0.2, 0.5, 1)),
    "dcimig": (dcimig, 3000, (0, 0.2, 0.5, 1, 2, 5)),
    "minimality": (minimality, 3000, (0, 0.2, 0.5, 1, 2, 5)),
    "sufficiency": (sufficiency, 3000, (0, 0.2, 0.5, 1, 2, 5)),
    "omes": (omes, 3000, (0, 0.2, 0.5, 1, 2)),
    "snc": (lambda z, v: snc(*halves(z, v)), 3000, (0, 0.2, 0.5, 1, 2, 5)),
    "nk": (lambda z, v: nk(*halves(z, v)), 2000, (0.1, 0.5, 1, 3)),
    "modularity": (modularity, 3000, (0, 1, 2, 4, 8)),
    "irs": (irs_score, 3000, (0, 0.2, 0.5, 1, 2, 5)),
    "sap-r2": (sap_r2, 3000, (0, 0.2, 0.5, 1, 2, 5, 20)),
    "mcc": (mcc, 3000, (0, 0.3, 1, 3, 9)),
    "mcc-rdc": (mcc_rdc, 3000, (0, 0.3, 1, 3, 9)),
    "r2": (lambda z, v: r2(*halves(z, v)), 3000, (0, 0.2, 0.5, 1, 2, 5)),
    "r2-boosting": (lambda z, v: boosted_r2(*halves(z, v)), 2000, (0, 0.5, 1, 2, 5)),
    "infoe": (scores_of(InfoMEC(), "infomec/infoe"), 2000, (0.2, 0.5, 1, 3)),
    "explicitness": (
        lambda z, v: roc_areas(*halves(z, v)).mean(),
        2000,
        (0.1, 0.5, 1, 3, 9),
    ),
    "dci": (disentanglement_and_accuracy(dci.probe), 1500, (0.1, 0.5, 1, 3)),
    "dci-lgbm": (disentanglement_and_accuracy(dci_lgbm.probe), 1500, (0.1, 0.5, 1, 3)),
    "downstream-logistic": (downstream("logistic"), 600, (0.1, 0.5, 1, 3)),
    "downstream-boosting": (downstream("boosting"), 600, (0.1, 0.5, 1, 3)),
}


@pytest.mark.parametrize(("score", "n", "amounts"), NOISY.values(), ids=NOISY)
def test_score_falls_as_noise_is_added_to_the_factors(score, n, amounts):
    _, v = small(n=n)
    noise = rng(2).normal(size=v.shape)
    scores = np.array([score(v + amount * noise, v) for amount in amounts])
    assert (np.diff(scores, axis=0) <= 0).all()
