"""The verb `audit`: which metrics and cases, and the same numbers however it is run."""

import math

import pytest

from disentangle import UsageError, audit
from disentangle.auditing.audit import chosen_metrics
from disentangle.auditing.cases import CASES
from disentangle.auditing.measuring import Task, measure, tasks_of
from disentangle.contracts import registry

QUICK = {"cases": ["rotated", "copied"], "seeds": 2, "jobs": 1}


def values(result):
    return {key: cell.values for key, cell in result.cells.items()}


@pytest.fixture(scope="module")
def two():
    """An audit of two metrics in two cases."""
    return audit(["mcc", "mig"], **QUICK)


def test_results_do_not_depend_on_the_number_of_processes(two):
    other = audit(["mcc", "mig"], **{**QUICK, "jobs": 2})
    assert values(other) == values(two)
    assert list(other.cells) == list(two.cells)


def test_same_seeds_give_the_same_numbers_and_other_seeds_others(two):
    assert values(audit(["mcc", "mig"], **QUICK)) == values(two)
    other = audit(["mcc", "mig"], **QUICK, seed=5)
    assert other.seeds == (5, 6)
    assert values(other) != values(two)


def test_cases_and_scores_are_in_the_order_of_tables_and_of_the_request(two):
    assert list(two.claims) == ["mcc", "mig"]
    assert two.cases == ("rotated", "copied")
    assert audit(["mcc"], **{**QUICK, "cases": ["copied", "rotated"]}).cases == two.cases


def test_cells_hold_a_value_for_each_amount_and_seed(two):
    cell = two.cells["mig", "rotated"]
    assert list(cell.values) == list(CASES["rotated"].amounts)
    assert {len(each) for each in cell.values.values()} == {2}
    assert cell.verdict == "holds"
    assert two.failures == [two.cells["mig", "copied"]]  # MIG claims disentanglement


def test_progress_counts_computations():
    calls = []
    audit(["mcc"], cases=["copied"], seeds=1, jobs=1, progress=lambda *of: calls.append(of))
    assert calls == [(1, 3), (2, 3), (3, 3)]  # noise and the oracle are needed too


def test_a_metric_with_hyper_parameters_is_audited_beside_its_default():
    result = audit(["mig", "mig:bins=5"], cases=["oracle"], seeds=1, jobs=1)
    assert list(result.claims) == ["mig", "mig:bins=5"]
    assert result.claims["mig:bins=5"] == result.claims["mig"]
    by_score = {score: result.cells[score, "oracle"].values[0.0] for score in result.claims}
    assert by_score["mig"][0] > 0.99
    assert by_score["mig:bins=5"][0] < 0.9  # factors of ten values in five bins


def test_parts_of_a_metric_keep_their_claims_with_hyper_parameters():
    result = audit(["infomec:samples=500"], cases=["noise"], seeds=1, jobs=1)
    assert result.claims["infomec/infoc:samples=500"] == ("completeness",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ["mgi"]}, "did you mean 'mig'"),
        ({"metrics": ["mig:bin=3"]}, "bins"),
        ({"metrics": ["elbo"]}, "nothing to audit: elbo: it does not compare codes with factors"),
        ({"metrics": ["mig"], "cases": ["rotatd"]}, "no case 'rotatd'; did you mean 'rotated'"),
    ],
)
def test_unknown_names_are_usage_errors(arguments, message):
    with pytest.raises(UsageError, match=message):
        audit(**arguments)


def test_metrics_that_take_minutes_are_audited_if_they_are_named():
    kept, skipped = chosen_metrics(None, quick=False)
    assert "mig" in kept
    assert "dci-es" in kept
    assert "dci" not in kept
    assert "about 80 s; name it" in skipped["dci"]
    assert skipped["elbo"] == "it does not compare codes with factors"
    assert "dci" in chosen_metrics(["dci"], quick=True)[0]


def test_a_quick_audit_leaves_out_what_takes_long():
    kept, skipped = chosen_metrics(None, quick=True)
    assert all(kind.seconds <= 2 for kind in kept.values())
    assert {"dci", "dci-es", "dci-lgbm", "downstream"} <= set(skipped)


def test_slow_metrics_have_one_seed_by_default(monkeypatch):
    seen = {}

    def stop(tasks, *rest):
        for task in tasks:
            seen.setdefault(task.metric, set()).add(task.seed)
        return []

    monkeypatch.setattr("disentangle.auditing.audit.measure_all", stop)
    audit(["mig", "dci-es"])
    assert seen == {"mig": {0, 1, 2}, "dci-es": {0}}
    audit(["dci-es"], seeds=2)
    assert seen["dci-es"] == {0, 1}


def test_a_metric_without_any_score_is_skipped_with_its_reason(monkeypatch):
    monkeypatch.setattr(registry.metrics.load("mig"), "most_latents", 1)
    result = audit(["mig", "mcc"], cases=["copied"], seeds=1, jobs=1)
    assert list(result.claims) == ["mcc"]
    assert "exceed the maximum of 1" in result.skipped["mig"]


def test_codes_are_the_same_for_all_seeds_of_sampling():
    scores = [measure(Task("mig", "sorted rows", 0.0, seed))[0].value for seed in (0, 1)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-12)  # all rows are used


def test_tasks_are_every_metric_case_amount_and_seed():
    tasks = tasks_of({"mig": (0, 1), "mcc": (0,)}, ["quantised", "oracle"], 3)
    assert len(tasks) == len(set(tasks)) == 3 * (3 + 1)
    assert {task.codes_seed for task in tasks} == {3}


def test_reliability_is_of_every_score(two):
    assert set(two.reliability) == {"mcc", "mig"}
    assert two.reliability["mig"].signal_to_noise > 10
    assert math.isfinite(two.reliability["mig"].seconds)
