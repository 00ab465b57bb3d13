"""Metrics on factors of real numbers: perfect codes score as perfect, and noise low."""

import re
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from disentangle import Labelled, UsageError, score_codes
from disentangle.contracts import registry
from disentangle.scoring.measure import ScoreMapping
from disentangle_plugins.metrics.infomec import explicitness_regression
from disentangle_plugins.metrics.sap_r2 import with_angles

ROOT = Path(__file__).parents[2]
LIMITS = {
    "beta-vae-score": (0.99, 0.4),
    "factor-vae-score": (0.99, 0.45),
    "mig": (0.95, 0.05),
    "mig-sup": (0.95, 0.05),
    "jemmig": (0.95, 0.2),
    "dcimig": (0.93, 0.05),
    "minimality": (0.97, 0.12),
    "sufficiency": (0.97, 0.12),
    "modularity": (0.99, 0.6),
    "irs": (0.94, 0.45),
    "explicitness": (0.95, 0.55),
    "infomec/infom": (0.97, 0.9),
    "infomec/infoc": (0.97, 0.9),
    "infomec/infoe": (0.99, 0.2),
    "dci/disentanglement": (0.98, 0.1),
    "dci/completeness": (0.98, 0.1),
    "dci/informativeness": (0.98, 0.05),
    "dci-lgbm/disentanglement": (0.98, 0.1),
    "dci-lgbm/completeness": (0.98, 0.1),
    "dci-lgbm/informativeness": (0.98, 0.05),
    "dci-es/explicitness": (0.7, 0.1),
    "snc": (0.7, 0.12),
    "nk": (0.4, 0.05),
    "mcc": (0.999, 0.1),
    "r2": (0.99, 0.05),
    "sap-r2": (0.98, 0.05),
    "downstream/100": (0.3, 0.12),
}
"""Score -> the least of perfect codes of independent continuous factors, and the most of noise."""
NEITHER = {"omes", "sap", "tad", "fairness", "orthogonality"}
"""Metrics that have no score of continuous factors, or none of which more is better."""
CONTINUOUS = {"a": "continuous", "b": "continuous"}
SPECS = {"downstream": "downstream:labels=100", "nk": "nk:epochs=10"}


@cache
def scored(codes: str, metric: str, kind: str = "continuous") -> ScoreMapping:
    """Score codes of three factors, 1,500 rows and 700 to test: the factors, circles, or noise."""
    rng = np.random.default_rng(0)
    v, w = rng.uniform(size=(1500, 3)), rng.uniform(size=(700, 3))
    z, x = v, w
    if codes == "noise":
        z, x = rng.normal(size=(1500, 5)), rng.normal(size=(700, 5))
    if codes == "circles":
        z, x = (np.hstack([np.cos(2 * np.pi * a), np.sin(2 * np.pi * a)]) for a in (v, w))
    names = ["a", "b", "c"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return score_codes(
            z,
            v,
            test_codes=x,
            test_factors=w,
            names=names,
            kinds=dict.fromkeys(names, kind),
            metrics=[SPECS.get(metric, metric)],
        )


def test_each_metric_of_labels_is_here():
    of_labels = {
        name
        for name in registry.metrics.entries
        if issubclass(registry.metrics.load(name).needs, Labelled)
    }
    assert {score.partition("/")[0] for score in LIMITS} | NEITHER >= of_labels


@pytest.mark.parametrize("metric", sorted({score.partition("/")[0] for score in LIMITS}))
def test_perfect_codes_score_as_perfect_and_noise_low(metric):
    perfect, noise = scored("oracle", metric), scored("noise", metric)
    for score, (least, most) in LIMITS.items():
        if score.partition("/")[0] == metric:
            assert perfect[score] >= least, score
            assert noise[score] <= most, score


@pytest.mark.parametrize("metric", ["omes", "sap"])
def test_metrics_of_values_that_images_share_are_not_available(metric):
    reason = scored("oracle", metric).unavailable[metric]
    assert "needs factors with a few values, but a, b and c have real numbers" in reason


@pytest.mark.parametrize(
    ("metric", "score"),
    [
        ("mig", "mig"),
        ("dcimig", "dcimig"),
        ("infomec", "infomec/infom"),
        ("infomec", "infomec/infoc"),
    ],
)
def test_nearest_neighbours_read_the_numbers_of_perfect_codes(metric, score):
    assert scored("oracle", f"{metric}:information=neighbours")[score] > 0.97


@pytest.mark.parametrize("metric", ["mig", "dcimig"])
def test_nearest_neighbours_find_little_in_noise(metric):
    assert scored("noise", f"{metric}:information=neighbours")[metric] < 0.1


def test_mig_by_neighbours_is_r2_of_gaussian_variables():
    rng = np.random.default_rng(0)
    v = rng.normal(size=(4000, 2))
    z = np.stack([v[:, 0], 0.6 * v[:, 1] + 0.8 * rng.normal(size=4000)], 1)
    mig = score_codes(
        z, v, names=["a", "b"], kinds=CONTINUOUS, metrics=["mig:information=neighbours"]
    )["mig"]
    assert mig == pytest.approx((1 + 0.36) / 2, abs=0.05)


def test_infoe_of_numbers_is_the_r2_of_a_regression():
    rng = np.random.default_rng(0)
    v = rng.normal(size=(500, 2))
    z = v + rng.normal(size=v.shape)
    infoe = score_codes(
        z, v, names=["a", "b"], kinds=CONTINUOUS, metrics=["infomec:information=neighbours"]
    )["infomec/infoe"]
    assert infoe == pytest.approx(explicitness_regression(z, v))


def test_neighbours_of_a_discrete_code_need_bins():
    rng = np.random.default_rng(0)
    v = rng.normal(size=(200, 2))
    with pytest.warns(match="real codes; use information=bins"):
        score_codes(
            np.sign(v),
            v,
            names=["a", "b"],
            kinds=CONTINUOUS,
            metrics=["infomec:codes=integer,information=neighbours"],
        )


def test_bins_of_a_metric_by_neighbours_are_refused():
    with pytest.raises(UsageError, match=r"factor_bins.*information"):
        score_codes([[0.0]], [[0]], metrics=["mig:information=neighbours,factor_bins=3"])


def test_tad_leaves_real_numbers_out():
    assert "factors of two values" in scored("oracle", "tad").unavailable["tad"]


@pytest.mark.parametrize("metric", ["dci", "dci-lgbm"])
def test_dci_sees_a_cosine_and_a_sine_as_one_angle(metric):
    scores = scored("circles", metric, "cyclic=1")
    assert scores[f"{metric}/disentanglement"] > 0.98
    assert scores[f"{metric}/informativeness"] > 0.98
    # Of six latents each factor needs two.
    assert scores[f"{metric}/completeness"] == pytest.approx(1 - np.log(2) / np.log(6), abs=0.02)


def test_r2_of_an_angle_is_that_of_cosine_and_sine_together():
    angle = 2 * np.pi * np.arange(60) / 60
    z = np.stack([np.cos(angle), np.sin(angle), angle], 1)
    target = np.stack([np.cos(angle), np.sin(angle)], 1)
    # Of a sawtooth, the first harmonic has 6 / pi^2 of the variance, half of that of each target.
    assert with_angles(np.zeros((3, 1)), z, {0: target})[:, 0] == pytest.approx(
        [0.5, 0.5, 3 / np.pi**2], abs=0.001
    )


def test_sap_r2_takes_the_angles_of_grids_if_asked():
    grid = np.indices((12, 5)).reshape(2, -1).T
    z = np.stack([np.cos(np.pi * grid[:, 0] / 6), np.sin(np.pi * grid[:, 0] / 6), grid[:, 1]], 1)
    labels, angles = (
        score_codes(
            z, grid, names=["turn", "size"], kinds={"turn": "cyclic=12"}, metrics=[f"sap-r2{knobs}"]
        )["sap-r2"]
        for knobs in ("", ":cyclic=angles")
    )
    # The sine falls with most numbers of the turn, and the cosine with as many as it rises with.
    assert labels > 0.7
    assert angles == pytest.approx(0.5)


TABLE_COLUMNS = {
    "perfect": ("oracle", "continuous"),
    "noise": ("noise", "continuous"),
    "the angle": ("oracle", "cyclic=1"),
    "cosine and sine": ("circles", "cyclic=1"),
}
"""Heading of a column in docs/concepts.md -> codes and kind of factors."""


def section_of_kinds() -> str:
    """The section of docs/concepts.md on kinds of factors."""
    return (
        (ROOT / "docs" / "concepts.md").read_text().partition("{ #kinds }")[2].partition("\n## ")[0]
    )


def table_after(heading: str) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the table of the section whose first heading is this."""
    lines = section_of_kinds().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows[0], rows[2:]


@pytest.mark.parametrize("row", table_after("score")[1], ids=lambda row: row[0].strip("`"))
def test_the_page_has_the_scores_of_kinds(row):
    headings, _ = table_after("score")
    spec = row[0].strip("`")
    name, colon, knobs = spec.partition(":")
    metric = name.partition("/")[0] + colon + knobs
    for heading, cell in zip(headings[1:], row[1:], strict=True):
        codes, kind = TABLE_COLUMNS[heading]
        assert scored(codes, metric, kind)[name] == pytest.approx(float(cell), abs=0.011), heading


def test_the_page_says_how_each_metric_reads_real_numbers():
    _, rows = table_after("metrics")
    said = {metric: row[3] for row in rows for metric in re.findall(r"`([a-z0-9-]+)`", row[0])}
    for name in registry.metrics.entries:
        kind = registry.metrics.load(name)
        if issubclass(kind.needs, Labelled):
            reads = {"": "n/a"}.get(kind.real_factors, kind.real_factors)
            assert said[name].startswith("left out" if name == "tad" else reads), name


def test_a_component_of_cosine_and_sine_is_an_angle_to_mcc():
    angle = np.random.default_rng(0).uniform(0, 1, (400, 3))
    blocks = np.stack([np.cos(2 * np.pi * angle), np.sin(2 * np.pi * angle)], 2)
    scores = score_codes(
        blocks,
        angle,
        names=["a", "b", "c"],
        kinds=dict.fromkeys("abc", "cyclic=1"),
        reduce="pca1",
        metrics=["mcc:cyclic=angles"],
    )
    assert scores["mcc"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("knobs", "rows", "least", "most"),
    [
        ("", 2000, 0.96, 0.98),
        (":samples=1000", 2000, 0.72, 0.74),
        (":information=neighbours", 1000, 0.995, 1),
    ],
)
def test_mig_of_normal_factors_is_limited_by_bins(knobs, rows, least, most):
    v = np.random.default_rng(0).normal(size=(rows, 2))
    mig = score_codes(v, v, names=["a", "b"], kinds=CONTINUOUS, metrics=[f"mig{knobs}"])["mig"]
    assert least < mig < most
