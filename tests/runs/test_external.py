"""External encoders on disk: found, named, listed, removed, and never taken for runs."""

import datetime

import pytest

from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.collection import find_runs
from disentangle.runs.external import find_external, load_externals, without_copies
from disentangle.runs.filters import where
from disentangle.runs.labels import find_run, rename_external, write_label
from disentangle.runs.overview import overview
from disentangle.runs.removal import remove_run
from disentangle.runs.scores import current_scores


@pytest.fixture
def mine(external):
    """An external encoder with a score."""
    return external("mine", seed=3, values=[{"value": 0.25}])


@pytest.fixture
def results(mine):
    return mine.path.parent.parent


def names(externals):
    return [one.record.name for one in externals]


def test_encoder_is_found_by_folder_name_and_start_of_its_id(mine, results):
    for given in (mine.path, "mine", mine.record.id, mine.record.id[:6]):
        assert names(find_external(given, results)) == ["mine"]
    assert find_external("yours", results) == []


def test_encoders_of_one_name_are_found_together_by_seed(mine, external, results):
    for seed in (7, 0, 5, 4):
        external("mine", seed=seed)
    assert [one.record.seed for one in find_external("mine", results)] == [0, 3, 4, 5, 7]


def test_encoder_is_no_run(mine, results):
    assert find_runs(results) == []
    with pytest.raises(DisentangleError, match="'mine' is an external encoder, not a run"):
        find_run("mine", results)


def test_folder_of_another_name_with_a_record_is_no_encoder(mine, results):
    mine.path.parent.rename(results / "elsewhere")
    assert load_externals(results) == ([], [])


def test_damaged_record_is_reported_and_hides_no_other(mine, external, results):
    broken = external("broken")
    (broken.path / "encoder.json").write_text('{"format": 1}')
    externals, problems = load_externals(results)
    assert names(externals) == ["mine"]
    assert len(problems) == 1
    assert "encoder.json: invalid record" in problems[0]


def test_copy_with_most_scores_is_kept(mine, results):
    copy = type(mine)(mine.path, mine.record)
    assert without_copies([copy, mine]) == [copy]


def test_scores_of_an_encoder_survive_its_renaming(mine, results):
    identity = mine.record.id
    rename_external(mine, results, name="other", note="a note")
    (found,) = find_external("other", results)
    assert (found.record.note, found.record.id) == ("a note", identity)
    assert [score.value for score in current_scores(found)] == [0.25]


def test_name_that_another_encoder_or_run_has_is_refused(mine, external, variant, results):
    external("other", seed=3)
    with pytest.raises(UsageError, match="has this name already"):
        rename_external(mine, results, name="other")
    write_label(variant("a").path, name="taken")
    with pytest.raises(UsageError, match="has this name already"):
        rename_external(mine, results, name="taken")
    assert names(find_external("mine", results)) == ["mine"]


def test_overview_of_an_encoder(mine):
    now = datetime.datetime.fromisoformat("2026-01-02T04:04:05+00:00")
    one = overview(mine, now)
    assert (one.name, one.progress, one.model, one.seed) == (
        "mine",
        "external",
        "mine.py:encode",
        3,
    )
    assert (one.scores, one.age, one.settings) == ({"mig": 0.25}, 3600, {})


@pytest.mark.parametrize(
    ("origin", "takes", "words"),
    [
        ({"reference": "mine.py:encode"}, "float", "mine.py:encode"),
        ({"file": "net.pt2 0123abcd"}, "float", "net.pt2"),
        (
            {"reference": "hf:a/b:pool=mean,size=64"},
            "uint8",
            "hf:a/b, pool=mean, size=64, takes=uint8",
        ),
        ({}, "float", ""),
    ],
    ids=["reference", "file", "options", "none"],
)
def test_source_is_said_in_few_words(mine, origin, takes, words):
    record = mine.record.model_copy(update={"origin": origin, "takes": takes})
    assert record.source == words


def test_removed_encoder_is_gone_with_its_empty_folder(mine, results):
    (results / "external" / ".lock").touch()
    remove_run(mine, results)
    assert not (results / "external").exists()


def test_conditions_select_encoders_by_the_fields_that_they_have(mine, variant):
    run = variant("a")
    every = [run, mine]
    assert where(every, ["state=external"]) == [mine]
    assert where(every, ["state!=external"]) == [run]
    assert where(every, ["beta=2"]) == [run]
    assert where(every, ["model=mine", "dataset=tiny"]) == [mine]
