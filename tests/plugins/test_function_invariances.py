"""What must not change the result of a metric's function, and the known exceptions with reasons."""

from importlib import import_module

import numpy as np
import pytest

from disentangle import Unavailable
from disentangle.maths import gradient_boosting as boosting
from disentangle_plugins.metrics import downstream

PAIR = (
    *("mig", "mig-sup", "jemmig", "dcimig", "sap-r2", "modularity", "irs", "mcc"),
    *("minimality", "sufficiency", "infomec", "omes", "orthogonality"),
)
SPLIT = ("sap", "r2", "explicitness", "dci", "dci-lgbm", "dci-es", "downstream", "snc", "nk")
CHANGES = {
    "rows in another order": lambda z, v, order: (z[order], v[order]),
    "each row three times": lambda z, v, order: (np.repeat(z, 3, 0), np.repeat(v, 3, 0)),
    "constant latents": lambda z, v, order: (np.hstack([z, np.full((len(z), 2), 0.7)]), v),
    "labels from 3 in steps of 2": lambda z, v, order: (z, 2 * v + 3),
    "negative labels": lambda z, v, order: (z, v - 7),
    "labels as floats": lambda z, v, order: (z, v.astype(np.float32)),
    "float32 codes": lambda z, v, order: (z.astype(np.float32), v),
    "codes times 1e-6": lambda z, v, order: (z * 1e-6, v),
    "codes times 1e6": lambda z, v, order: (z * 1e6, v),
    "codes plus 1e6": lambda z, v, order: (z + 1e6, v),
    "latents of other scales": lambda z, v, order: (z * [1e-6, 1.0, 1e6], v),
}
PENALISED = "a penalty weighs the sizes of codes"
ABSOLUTE = "latents of less than an absolute deviation are left out"
EXCEPTIONS = {
    ("modularity", "constant latents"): "a latent without information counts 0",
    ("dci", "constant latents"): "completeness is relative to the number of latents",
    ("dci-lgbm", "constant latents"): "completeness is relative to the number of latents",
    ("dci-es", "constant latents"): "size is relative to the number of latents",
    ("sap", "constant latents"): "its accuracy is the share of the most common value",
    ("infomec", "each row three times"): "the nearest neighbour of a row is its copy",
    ("dci-lgbm", "each row three times"): "a leaf needs 20 rows",
    ("sap", "each row three times"): "three times the loss for the same penalty",
    ("downstream", "rows in another order"): "it draws the labelled rows",
    ("downstream", "each row three times"): "it draws the labelled rows",
    ("sap-r2", "codes times 1e-6"): "a variance up to 1e-12 counts as none",
    ("sap-r2", "latents of other scales"): "a variance up to 1e-12 counts as none",
    ("omes", "codes times 1e-6"): ABSOLUTE,
    ("omes", "latents of other scales"): ABSOLUTE,
    ("sap", "codes times 1e-6"): PENALISED,
    ("sap", "codes times 1e6"): PENALISED,
    ("sap", "codes plus 1e6"): "the penalty is on the intercept too",
    ("sap", "latents of other scales"): PENALISED,
    ("downstream", "codes times 1e-6"): PENALISED,
    ("downstream", "codes times 1e6"): PENALISED,
    ("downstream", "latents of other scales"): PENALISED,
    ("irs", "latents of other scales"): "latents are weighted by their range",
    ("infomec", "latents of other scales"): "latents of a small range are left out",
    ("dci", "latents of other scales"): "trees take values closer than 1e-7 for one",
}
"""Function and change -> why the result changes all the same; each is on the metric's page."""
DRAWS = {
    ("omes", "rows in another order"): 0.01,
    ("omes", "each row three times"): 0.02,
    ("irs", "each row three times"): 0.03,  # a quantile between two rows
    ("explicitness", "each row three times"): 0.01,
    ("dci", "rows in another order"): 0.02,
    ("dci", "each row three times"): 0.05,
    ("dci-es", "rows in another order"): 0.02,
    ("dci-es", "each row three times"): 0.05,
    ("dci-lgbm", "codes plus 1e6"): 0.01,  # borders of bins
    ("nk", "rows in another order"): 0.1,
    ("nk", "each row three times"): 0.1,
    ("nk", "constant latents"): 0.1,
}
"""Function and change -> the difference that chance or rounding makes."""
ROUNDING = 1e-6


@pytest.fixture(autouse=True)
def small_fits(monkeypatch):
    """Fewer stages of DCI's trees, fewer strengths of downstream's penalty."""
    monkeypatch.setattr(boosting, "STAGES", 10)
    monkeypatch.setattr(downstream, "STRENGTHS", downstream.STRENGTHS[::4])


def data():
    """Codes [N, 3] that are three factors with noise, and these factors [N, 3]."""
    rng = np.random.default_rng(0)
    v = rng.integers(0, (3, 4, 5), (400, 3))
    return v + 0.3 * rng.normal(size=v.shape), v


def result(name, change):
    """The scores of a function by name, of changed codes and factors."""
    module = import_module(f"disentangle_plugins.metrics.{name.replace('-', '_')}")
    z, v = data()
    parts = [(z[::2], v[::2]), (z[1::2], v[1::2])] if name in SPLIT else [(z, v)]
    arrays = []
    for part in parts:
        order = np.random.default_rng(1).permutation(len(part[0]))
        arrays += change(*part, order)
    scores = getattr(module, name.replace("-", "_"))(*arrays)
    scores = scores if isinstance(scores, dict) else {name: scores}
    return {score: value for score, value in scores.items() if not np.isnan(value)}


@pytest.fixture(scope="module")
def unchanged():
    """A function that gives the scores of the codes as they are, computed once."""
    cache = {}

    def scores(name):
        if name not in cache:
            cache[name] = result(name, lambda z, v, order: (z, v))
        return cache[name]

    return scores


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", [*PAIR, *SPLIT])
def test_what_means_nothing_changes_nothing(unchanged, name, change):
    before, after = unchanged(name), result(name, CHANGES[change])
    if (name, change) in EXCEPTIONS:
        assert before.keys() != after.keys() or any(
            abs(before[score] - after[score]) > 0.003 for score in before
        )
    else:
        assert after == pytest.approx(before, abs=DRAWS.get((name, change), ROUNDING))


CODES = {
    "the factors": lambda z, v, order: (v.astype(np.float64), v),
    "noise": lambda z, v, order: (np.random.default_rng(2).normal(size=(len(v), 6)), v),
    "constant": lambda z, v, order: (np.ones((len(v), 3)), v),
    "copies": lambda z, v, order: (np.hstack([z, z]), v),
    "one latent": lambda z, v, order: (z[:, :1] + z[:, 1:2], v),
    "thirty rows": lambda z, v, order: (z[:30], v[:30]),
}
UNBOUNDED = ("dci-es/size", "downstream/efficiency", "orthogonality/")
BELOW_0 = {"nk": 0.1, "r2": 0.1}
"""Scores that chance may take below 0, and how far; said on their pages."""


@pytest.mark.filterwarnings("ignore:.*The least populated class")
@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("name", [*PAIR, *SPLIT])
def test_results_are_between_0_and_1(name, codes):
    try:
        scores = result(name, CODES[codes])
    except Unavailable:
        return
    for score, value in scores.items():
        if not score.startswith(UNBOUNDED):
            assert -BELOW_0.get(name, 1e-9) <= value <= 1 + 1e-9, score
