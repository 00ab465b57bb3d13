"""Verdicts on values made by hand."""

import pytest

from disentangle.auditing import verdicts
from disentangle.auditing.expectations import Expectation
from disentangle.auditing.verdicts import Judge

D = "disentanglement"
ENDS = {"noise": {0.0: [0.2]}, "oracle": {0.0: [0.7, 0.9]}}
"""Noise at 0.2 and the oracle at 0.8: a level of 0.5 is a value of 0.5."""
BELOW, ABOVE = -1e-6, 1e-6


@pytest.fixture
def judge(monkeypatch):
    """A function that judges values in the case 'leaking', of which one thing is expected."""

    def verdict(kind, bound, values, other="", ends=ENDS, claims=(D,), reasons=(), failures=()):
        expectation = Expectation("leaking", (D,), kind, bound, "by hand", other)
        monkeypatch.setattr(verdicts, "EXPECTATIONS", (expectation,))
        by_amount = {float(k): v if isinstance(v, list) else [v] for k, v in values.items()}
        by_case = {**ends, **({"leaking": by_amount} if values else {})}
        found = Judge("s", claims, by_case, dict(reasons), dict(failures)).cell("leaking")
        return found.verdict, found.why

    return verdict

    return judge


@pytest.mark.parametrize(
    ("kind", "bound", "edge", "inside"),
    [
        ("value at least", 0.6, 0.6, ABOVE),
        ("value at most", 0.6, 0.6, BELOW),
        ("level at least", 0.5, 0.5, ABOVE),
        ("level at most", 0.5, 0.5, BELOW),
        ("level at least", 0.9, 0.74, ABOVE),
        ("level at most", 0.1, 0.26, BELOW),
    ],
)
def test_bounds_hold_on_one_side_and_fail_on_the_other(judge, kind, bound, edge, inside):
    assert judge(kind, bound, {0: edge + inside}) == ("holds", "")
    verdict, why = judge(kind, bound, {0: edge - inside})
    assert verdict == "fails"
    assert why.startswith(f"expected {kind.partition(' ')[2]} {bound:g}")


def test_bounds_are_of_the_last_amount_and_of_the_mean_over_seeds(judge):
    assert judge("value at least", 0.6, {0: 0.0, 1: [0.5, 0.7]})[0] == "holds"
    assert judge("value at least", 0.6, {0: 1.0, 1: [0.5, 0.6]})[0] == "fails"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({0: 0.8, 1: 0.5, 2: 0.2}, ""),
        ({0: 0.8, 1: 0.811, 2: 0.2}, ""),
        ({0: 0.8, 1: 0.5, 2: 0.513, 3: 0.2}, "rises from 0.500 at 1 to 0.513 at 2 share"),
        ({0: 0.8, 1: 0.51}, "expected to fall by 0.5 of the way from the oracle to noise"),
        ({0: 0.8, 1: 0.49}, ""),
    ],
)
def test_falls(judge, values, why):
    verdict, said = judge("falls", 0.5, values)
    assert verdict == ("fails" if why else "holds")
    assert why in said


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({0: 0.8, 1: 0.3, 2: 0.45}, ""),
        ({0: 0.7, 1: 0.72, 2: 0.2}, "rises from 0.700 at 0 to 0.720 at 1 share"),
        ({0: 0.8, 1: 0.51}, "falls by 0.48 (0.800 to 0.510)"),
    ],
)
def test_drops(judge, values, why):
    verdict, said = judge("drops", 0.5, values)
    assert verdict == ("fails" if why else "holds")
    assert why in said


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({0: 0.5, 1: 0.59, 2: 0.41}, ""),
        ({0: 0.5, 1: 0.61, 2: 0.5}, "goes from 0.500 at 0 to 0.610 at 1 share"),
        ({0: 0.5, 1: 0.61, 2: 0.3}, "goes from 0.500 at 0 to 0.300 at 2 share"),
    ],
)
def test_steady(judge, values, why):
    verdict, said = judge("steady", 0.1, values)
    assert verdict == ("fails" if why else "holds")
    assert why in said


def test_same(judge):
    assert judge("same", 0.1, {0: 0.71}, "oracle")[0] == "holds"
    assert judge("same", 0.1, {0: 0.69}, "oracle") == (
        "fails",
        "expected 0.800 as in 'oracle', got 0.690",
    )


@pytest.mark.parametrize("value", [-0.001, 1.001])
def test_values_outside_0_to_1_fail(judge, value):
    verdict, why = judge("value at most", 2.0, {0: [0.5, value]})
    assert (verdict, why) == ("fails", f"expected 0 to 1, got {value:.3f}")


def test_rounding_outside_0_to_1_does_not_fail(judge):
    assert judge("value at most", 2.0, {0: [1 + 1e-12, -1e-12]})[0] == "holds"


@pytest.mark.parametrize("kind", ["level at least", "falls", "drops"])
@pytest.mark.parametrize(("noise", "oracle"), [(0.5, 0.5), (0.6, 0.5)])
def test_without_a_scale_from_noise_to_the_oracle_levels_fail(judge, kind, noise, oracle):
    ends = {"noise": {0.0: [noise]}, "oracle": {0.0: [oracle]}}
    verdict, why = judge(kind, 0.5, {0: 0.5, 1: 0.5}, ends=ends)
    assert verdict == "fails"
    assert why == f"noise has {noise:.3f} and the oracle {oracle:.3f}, so nothing lies between them"


@pytest.mark.parametrize(
    ("kind", "missing"), [("level at least", "noise"), ("falls", "oracle"), ("same", "oracle")]
)
def test_nothing_to_compare_with_is_no_verdict(judge, kind, missing):
    ends = {name: values for name, values in ENDS.items() if name != missing}
    assert judge(kind, 0.5, {0: 0.5, 1: 0.2}, "oracle", ends=ends) == (
        "n/a",
        f"there is no score of '{missing}' to compare with",
    )


@pytest.mark.parametrize("kind", ["steady", "falls", "drops"])
def test_one_amount_of_a_sweep_is_no_verdict(judge, kind):
    verdict, why = judge(kind, 0.1, {0: 0.5})
    assert verdict == "n/a"
    assert "at one amount only" in why


def test_no_score_is_no_verdict_but_has_the_reason(judge):
    reasons = {"leaking": "needs two latents"}
    assert judge("steady", 0.1, {}, reasons=reasons) == ("n/a", "needs two latents")


def test_no_score_of_constant_codes_holds():
    cell = Judge("s", (D,), ENDS, {"constant": "every latent is constant"}).cell("constant")
    assert (cell.verdict, cell.why) == ("holds", "every latent is constant")


def test_a_metric_that_fails_fails_even_on_constant_codes():
    failures = {"constant": "metric 's' failed: ValueError: no"}
    cell = Judge("s", (D,), ENDS, failures, failures).cell("constant")
    assert (cell.verdict, cell.why) == ("fails", failures["constant"])


def test_what_is_not_claimed_has_no_verdict(judge):
    assert judge("value at least", 0.9, {0: 0.1}, claims=("completeness",)) == ("not claimed", "")
    assert judge("value at least", 0.9, {0: 2.0}, claims=())[0] == "not claimed"


def test_a_cell_holds_expectations_in_words_once(monkeypatch):
    both = Expectation("mixed", (D, "completeness"), "level at most", 0.5, "by hand")
    monkeypatch.setattr(verdicts, "EXPECTATIONS", (both,))
    cell = Judge("s", (D, "completeness"), {**ENDS, "mixed": {0.0: [0.8]}}, {}).cell("mixed")
    assert cell.expected == (
        "disentanglement: at most 0.5 of the way from noise to the oracle",
        "completeness: at most 0.5 of the way from noise to the oracle",
    )
    assert cell.why.count("expected") == 1


def test_fault_names_its_property_if_the_score_claims_others_too(judge):
    both = (D, "informativeness")
    assert judge("value at least", 0.9, {0: 0.1})[1] == "expected at least 0.9, got 0.100"
    why = judge("value at least", 0.9, {0: 0.1}, claims=both)[1]
    assert why == "disentanglement: expected at least 0.9, got 0.100"
