"""TAD against the procedures of its authors, written out loop by loop."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

import disentangle
from disentangle.errors import Unavailable
from disentangle_plugins.metrics.tad import tad


def attributes(n=600, seed=0):
    """Attributes of which the fifth nearly copies the fourth, and codes of eight latents."""
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 5)) < [0.5, 0.3, 0.1, 0.5, 0.5]).astype(np.int64)
    y[:, 4] = np.where(rng.random(n) < 0.95, y[:, 3], y[:, 4])
    signal = y[:, :4] * [1.0, -1.0, 2.0, 1.5] + 0.4 * rng.normal(size=(n, 4))
    return np.hstack([signal, signal[:, :1] + rng.normal(size=(n, 1)), rng.normal(size=(n, 3))]), y


def captured(y, areas):
    """The difference of the two best areas of each attribute that is captured."""
    k = y.shape[1]
    gaps = []
    for a in range(k):
        told = 0.0
        p = y[:, a].mean()
        h = -(p * math.log(p) + (1 - p) * math.log(1 - p))
        for b in range(k):
            information = 0.0
            for i in (0, 1):
                for j in (0, 1):
                    both = np.mean((y[:, a] == i) & (y[:, b] == j))
                    if both:
                        apart = np.mean(y[:, a] == i) * np.mean(y[:, b] == j)
                        information += both * math.log(both / apart)
            if b != a:
                told = max(told, information / h)
        second, best = sorted(areas[a])[-2:]
        if best >= 0.75 and told <= 0.2:
            gaps.append(best - second)
    return sum(gaps), len(gaps)


def by_thresholds(x, y):
    """The area under a curve of 101 thresholds, the larger of both signs, in single precision."""
    x = x.astype(np.float32)
    if x.max() - x.min() <= np.float32(0.2):
        return 0.5
    best = 0.0
    for sign in (True, False):
        points = []
        for step in range(101):
            t = np.float32(step * 0.01) * (x.max() - x.min()) + x.min()
            positive = x >= t if sign else x < t
            points.append((positive[y == 0].mean(), positive[y == 1].mean()))
        points.sort()
        area = sum(points[i][1] * (points[i][0] - points[i - 1][0]) for i in range(1, 101))
        best = max(best, area)
    return best


def test_variant_of_the_authors_equals_their_procedure():
    z, y = attributes()
    z[:, 7] *= 0.01  # a latent of a small range
    areas = [[by_thresholds(z[:, d], y[:, a]) for d in range(8)] for a in range(5)]
    total, number = captured(y, areas)
    assert number == 3
    assert tad(z, y) == pytest.approx({"tad": total, "tad/attributes": number}, abs=1e-9)


def test_variant_of_later_papers_equals_their_procedure():
    z, y = attributes()
    results = []
    for part, _ in KFold(5, shuffle=True, random_state=0).split(z):
        x, of = z[part], y[part]
        areas = [
            [max(roc_auc_score(of[:, a], sign * x[:, d]) for sign in (1, -1)) for d in range(8)]
            for a in range(5)
        ]
        results.append(captured(of, areas))
    total, number = np.mean(results, axis=0)
    expected = {"tad": total, "tad/attributes": number}
    assert tad(z, y, "infodiffusion") == pytest.approx(expected, abs=1e-9)


def test_score_is_the_function_of_the_variant_and_says_the_number_of_latents():
    z, y = attributes(1000)
    for variant in ("nashae", "infodiffusion"):
        scores = disentangle.score_codes(z, y, metrics=[f"tad:variant={variant}"])
        assert dict(scores) == pytest.approx({**tad(z, y, variant), "tad/latents": 8})


def test_attribute_that_another_one_tells_is_not_captured():
    z, y = attributes()
    alone = np.delete(y, 4, axis=1)
    assert tad(z, alone)["tad/attributes"] == tad(z, y)["tad/attributes"] + 1


def test_copies_of_a_latent_leave_no_difference():
    z, y = attributes()
    assert tad(np.hstack([z, z]), y)["tad"] == 0


def test_signs_units_and_the_order_of_latents_change_nothing():
    z, y = attributes()
    other = z[:, ::-1] * -3.0 + 7
    assert tad(other, y, "infodiffusion") == pytest.approx(tad(z, y, "infodiffusion"), abs=1e-9)


@pytest.mark.parametrize("variant", ["nashae", "infodiffusion"])
def test_noise_captures_nothing(variant):
    _, y = attributes()
    noise = np.random.default_rng(1).normal(size=(len(y), 8))
    assert tad(noise, y, variant) == {"tad": 0, "tad/attributes": 0}


def test_factors_without_two_values_are_left_out():
    z, y = attributes()
    more = np.hstack([y, np.arange(len(y))[:, None] % 3, np.ones_like(y[:, :1])])
    assert tad(z, more) == tad(z, y)
    with pytest.raises(Unavailable, match="it needs factors of two values, and there is none"):
        tad(z, more[:, -2:])


def test_one_latent_has_no_second():
    z, y = attributes()
    with pytest.raises(Unavailable, match="there is one"):
        tad(z[:, :1], y)
