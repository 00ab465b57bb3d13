"""A study on disk shows what its published tables show: the runs of other studies too."""

import re

import pytest

from disentangle.runs.scores import current_scores
from disentangle.studies.study_runs import load_study

SAP = {"name": "sap", "metric": "sap"}
OTHER = {"protocol": "disjoint"}
STUDY = """
runs_of = ["other.toml"]
[[scores]]
metrics = ["mig"]
"""


@pytest.fixture
def results(variant):
    """Two studies: `own` includes the runs of `other` and asks for one of their three scores."""
    run = variant("own/a", values=[{"value": 0.1}, {"value": 0.7, **SAP}])
    scores = [{"value": 0.2}, {"value": 0.8, **SAP}, {"value": 0.3, **OTHER}]
    variant("other/b", seed=1, values=scores)
    (run.path.parent / "study.toml").write_text(STUDY)
    return run.path.parent.parent


def values(runs):
    return {run.path.name: [score.value for score in current_scores(run)] for run in runs}


def test_runs_of_other_studies_are_included_with_the_scores_that_are_asked_for(results):
    runs, problems = load_study(results / "own")
    assert problems == []
    assert values(runs) == {"a": [0.1, 0.7], "b": [0.2]}
    assert values(load_study(results / "other")[0])["b"] == [0.2, 0.8, 0.3]


def test_scores_of_an_older_version_count_where_no_newer_can_be_had(results, variant):
    variant("other/d", seed=2, values=[{"value": 0.4, "version": 0}])
    assert values(load_study(results / "own")[0])["d"] == [0.4]
    (results / "other" / "d" / "checkpoint.safetensors").write_bytes(b"")
    assert values(load_study(results / "own")[0])["d"] == []


def test_factors_that_are_asked_for_select_among_the_scores(results):
    (results / "own" / "study.toml").write_text(STUDY + 'factors = ["side"]\n')
    assert values(load_study(results / "own")[0])["b"] == []


def test_correlated_scores_are_no_answer_to_others(results, variant):
    weighted = {"value": 0.5, "view": {"correlate": ("side,x=0.3",)}}
    variant("other/e", seed=4, values=[{"value": 0.4}, weighted])
    assert values(load_study(results / "own")[0])["e"] == [0.4]


def test_studies_may_not_include_themselves_forever(results):
    (results / "other" / "study.toml").write_text(STUDY.replace("other", "own"))
    assert set(values(load_study(results / "own")[0])) == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (STUDY.replace("other", "nosuch"), "runs_of: no folder .*nosuch"),
        (STUDY.replace("mig", "mgi"), "runs of other studies are not shown: .*did you mean 'mig'"),
    ],
)
def test_runs_that_cannot_be_included_are_named(results, text, said):
    (results / "own" / "study.toml").write_text(text)
    runs, problems = load_study(results / "own")
    assert list(values(runs)) == ["a"]
    assert len(problems) == 1
    assert re.search(said, problems[0])


def test_commands_show_the_runs_of_a_study_with_those_that_it_includes(command, results):
    code, out, err = command("table", "--study", "own", "--results", results)
    assert code == 0, err
    assert "0.150" in out  # the mean of both runs
    out = command("runs", "--study", "own", "--results", results)[1]
    assert len(out.splitlines()) == 3
    code, out, err = command("report", "--study", "own", "--results", results)
    assert (code, out.strip()) == (0, str(results / "own" / "report.html")), err
