"""An audit catches metrics that are wrong on purpose, each in the case that shows its fault."""

import pytest

from disentangle import audit
from disentangle.auditing import factor_sets

CAUGHT = [
    ("counts-repeats", "repeated rows", "to 0.900 at 10 times"),
    ("rewards-latents", "beside noise", "goes from 0.500 at 0 to 1.000 at 10 latents"),
    ("always-the-same", "rotated", "noise has 0.050 and the oracle 0.050, so nothing lies between"),
    ("ignores-sign", "scaled", "expected 0.0"),
    ("reads-the-order", "sorted rows", "expected 1.000 as in 'unsorted rows', got 0.800"),
    ("depends-on-scale", "scaled", "expected 1.000 as in 'oracle', got 0.600"),
    ("tells-digits", "single precision", "as in 'noisy at 0.3'"),
    ("above-one", "copied", "expected 0 to 1, got 1.9"),
    ("upturned", "oracle", "expected at least 0.95, got 0.000"),
    ("crashes", "beside constants", "failed: ZeroDivisionError: a constant latent"),
    ("crashes", "constant", "failed: ZeroDivisionError: a constant latent"),
]


def cell(metric, case, seed):
    return audit([metric], cases=[case], seeds=1, seed=seed, jobs=1).cells[metric, case]


@pytest.mark.parametrize(("metric", "case", "why"), CAUGHT)
def test_a_wrong_metric_is_caught_in_the_case_that_shows_its_fault(
    wrong_metrics, metric, case, why
):
    found = cell(metric, case, seed=0)
    assert found.verdict == "fails"
    assert why in found.why


@pytest.mark.parametrize(("metric", "case", "why"), CAUGHT)
def test_it_is_caught_with_another_seed_of_factors_and_codes(wrong_metrics, metric, case, why):
    assert cell(metric, case, seed=7).verdict == "fails"


@pytest.mark.parametrize(("metric", "case", "why"), CAUGHT)
def test_it_is_caught_with_factors_of_other_sizes(wrong_metrics, monkeypatch, metric, case, why):
    monkeypatch.setattr(factor_sets, "GRIDS", {"small": (5, 7, 9, 6)})
    monkeypatch.setattr(factor_sets, "VALUES", 6)
    monkeypatch.setattr(factor_sets, "FACTORS", 4)
    assert cell(metric, case, seed=0).verdict == "fails"


@pytest.mark.parametrize("case", sorted({case for _, case, _ in CAUGHT}))
def test_the_same_metric_without_the_fault_is_not(wrong_metrics, case):
    assert cell("right", case, seed=0).verdict == "holds"
