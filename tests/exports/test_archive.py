"""Archives of runs: what they hold, and that the runs are the same on another machine."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.training_runs import logged, stop_at

import disentangle
from disentangle.errors import DisentangleError, UnwrittenWarning, UsageError
from disentangle.exports.archive_format import MANIFEST
from disentangle.runs.external import load_externals
from disentangle.runs.labels import write_label
from disentangle.runs.run import read_run
from disentangle.runs.scores import read_scores
from disentangle.scoring.baselines import read_baselines
from disentangle.training.stopping import Interrupted

OPTIONS = {"batch_size": 8, "figures": False, "device": "cpu"}


def entries(file):
    with zipfile.ZipFile(file) as archive:
        return archive.namelist()


@pytest.fixture
def results(run, tmp_path):
    """A results folder with the run in it, in a study of its own."""
    place = tmp_path / "results" / "mine" / "tiny" / "beta-vae" / run.record.id
    shutil.copytree(run.path, place)
    return tmp_path / "results"


@pytest.fixture
def placed(results):
    """The run in the results folder."""
    return read_run(next(results.glob("mine/*/*/*")))


def test_a_run_scores_to_the_same_digits_elsewhere(command, placed, tmp_path):
    words = ["--metric", "mig", "--metric", "sap", "--json"]
    code, out, err = command("export", "beta", "--output", "runs.zip")
    assert (code, out) == (1, "")  # no run has this name
    code, out, err = command("export", placed.record.id, "-o", "runs.zip")
    assert (code, out) == (0, "runs.zip\n"), err
    assert "runs.zip: 1 run, 3 files, " in err
    (expected,) = json.loads(command("score", placed.path, *words)[1]).values()
    code, out, err = command("import", "runs.zip", "--results", "there/other")
    assert (code, out) == (0, f"there/other/mine/tiny/beta-vae/{placed.record.id}\n")
    assert "there/other: 1 new" in err
    (actual,) = json.loads(command("score", out.strip(), *words)[1]).values()
    assert actual == expected
    assert not (tmp_path / "there/other/.import").exists()


def test_every_file_of_a_run_travels_as_it_is(placed, tmp_path):
    disentangle.score(placed, ["mig"])
    write_label(placed.path, name="first", note="a note")
    for name in ("figures/kl.png", "history/step-000000002.safetensors"):
        (placed.path / name).parent.mkdir()
        (placed.path / name).write_bytes(b"content")
    (placed.path / "trackers").mkdir()
    (placed.path / "trackers/wandb-0123abcd.json").write_text('{"track": "wandb", "entry": "7"}')
    (written,) = disentangle.export(placed, tmp_path / "runs.zip")
    (there,) = disentangle.import_runs(written.path, results=tmp_path / "there")
    files = [p.relative_to(placed.path) for p in placed.path.rglob("[!.]*") if p.is_file()]
    assert len(files) == 8
    for file in files:
        assert (there.path / file).read_bytes() == (placed.path / file).read_bytes()


def test_the_same_runs_make_the_same_archive(placed, tmp_path):
    for name in ("a.zip", "b.zip"):
        disentangle.export(placed, tmp_path / name)
        (placed.path / "run.json").touch()
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_files_that_are_no_part_of_a_run_are_left_out_and_named(placed, tmp_path):
    (placed.path / "report.html").write_text("<p>")
    lines = []
    disentangle.export(placed, tmp_path / "runs.zip", say=lines.append)
    assert not any("report.html" in name for name in entries(tmp_path / "runs.zip"))
    assert f"1 file left out, as no file of a run: {placed.path}/report.html" in lines[-1]


@pytest.mark.parametrize("part", ["", "mine", "mine/tiny"])
def test_a_folder_stands_for_all_runs_in_it(results, placed, tmp_path, part):
    disentangle.export(results / part, tmp_path / "runs.zip")
    (there,) = disentangle.import_runs(tmp_path / "runs.zip", results=tmp_path / "there")
    assert there.path == tmp_path / "there" / placed.path.relative_to(results)


def test_a_run_in_a_folder_of_another_name_gets_its_own_place(run, tmp_path):
    disentangle.export(run.path, tmp_path / "runs.zip")
    (there,) = disentangle.import_runs(tmp_path / "runs.zip", results=tmp_path / "there")
    assert there.path == tmp_path / "there/default/tiny/beta-vae" / run.record.id


def test_encoders_baselines_and_study_files_travel_with_their_scores(
    results, external, run, tmp_path
):
    one = external("theirs", seed=1, values=[{"value": 0.25}])
    shutil.copytree(one.path, results / "mine/tiny/external" / one.record.id)
    disentangle.baselines("tiny", ["mig"], only=["oracle"], results=results)
    (results / "mine" / "study.toml").write_text("# a study\n")
    disentangle.export(results, tmp_path / "runs.zip")
    there = tmp_path / "there"
    assert len(disentangle.import_runs(tmp_path / "runs.zip", results=there)) == 2
    ((copy,), problems) = load_externals(there)
    assert (copy.record, problems) == (one.record, [])
    assert read_scores(copy) == read_scores(one)
    assert read_baselines(there) == read_baselines(results)
    assert (there / "mine" / "study.toml").read_text() == "# a study\n"


def test_baselines_of_both_are_kept(tmp_path, strangers):
    for name, results in (("oracle", "a"), ("noise", "a"), ("oracle", "b")):
        metric = "sap" if results == "b" else "mig"
        disentangle.baselines("tiny", [metric], only=[name], results=tmp_path / results)
    disentangle.export(tmp_path / "a" / "baselines", tmp_path / "runs.zip")
    assert disentangle.import_runs(tmp_path / "runs.zip", results=tmp_path / "b") == []
    scores = read_baselines(tmp_path / "b")
    assert [score.name for score in scores["oracle"]] == ["sap", "mig"]
    assert [score.name for score in scores["noise"]] == ["mig"]


def test_an_encoder_is_exported_by_its_name_with_all_seeds(command, external, tmp_path):
    for seed in (0, 1):
        external("theirs", seed=seed)
    words = ["--results", tmp_path / "variants"]
    code, _, err = command("export", "theirs", "-o", "runs.zip", *words)
    assert code == 0
    assert "2 external encoders, 4 files" in err


def test_an_unfinished_run_is_resumed_elsewhere_exactly(strangers, tmp_path):
    whole = disentangle.train("vae", "tiny", steps=6, results=tmp_path / "whole", **OPTIONS)
    options = {"steps": 6, "checkpoint_every": 2, **OPTIONS}
    with pytest.raises(Interrupted):
        disentangle.train("vae", "tiny", results=tmp_path / "results", report=stop_at(3), **options)
    disentangle.export(tmp_path / "results", tmp_path / "runs.zip")
    (there,) = disentangle.import_runs(tmp_path / "runs.zip", results=tmp_path / "there")
    assert not there.finished
    resumed = disentangle.resume(there)
    assert resumed.record.weights == whole.record.weights
    assert logged(resumed) == logged(whole)


def test_a_run_that_is_being_trained_is_left_out_and_named(command, results, placed, variant):
    other = variant("other", seed=1)
    shutil.copytree(other.path, results / "mine/tiny/beta-vae" / other.record.id)
    with FileLock(placed.path / ".lock"):
        code, out, err = command("export", "results", "-o", "runs.zip")
    assert (code, out) == (1, "runs.zip\n")
    assert f"not exported: results/mine/tiny/beta-vae/{placed.record.id}: another process" in err
    assert {name.split("/")[3] for name in entries("runs.zip") if name != MANIFEST} == {
        other.record.id
    }
    with FileLock(placed.path / ".lock"):
        with pytest.warns(UnwrittenWarning, match="another process is training"):
            disentangle.export(results, "again.zip")
        with pytest.raises(DisentangleError, match="another process is training"):
            disentangle.export(placed, "alone.zip")
    assert not Path("alone.zip").exists()


def test_a_damaged_run_is_left_out_and_named(command, results, placed, variant):
    other = variant("other", seed=1)
    shutil.copytree(other.path, results / "mine/tiny/beta-vae" / other.record.id)
    (placed.path / "run.json").write_text("{")
    code, out, err = command("export", "results", "-o", "runs.zip")
    assert (code, out) == (1, "runs.zip\n")
    assert f"{placed.record.id}/run.json: invalid record" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN", "-o", "runs"], "runs: expected a file for the archive, as in runs.zip; got runs"),
        (["RUN", "-o", "results"], "as in runs.zip; got a folder"),
        (["RUN", "-o", "a.zip", "--part", "encoder"], "part encoder: an archive holds whole runs"),
        (["RUN", "-o", "a.zip", "--file", "x"], "--file requires --format onnx, pt2 or state-dict"),
        (["RUN", "-o", "a.zip", "--format", "pt2"], "a.zip: expected a folder for the files"),
        (["RUN", "-o", "a.onnx", "--format", "onnx"], "a.onnx: expected a folder for the files"),
        (["results", "-o", "a", "--format", "pt2"], "pt2: expected one run, got results; an arch"),
        (["RUN", "RUN", "-o", "a", "--format", "pt2"], "expected one run, got 2 of them"),
    ],
)
def test_wrong_calls_exit_with_2_and_say_why(command, placed, words, message):
    words = [placed.record.id if word == "RUN" else word for word in words]
    code, out, err = command("export", *words)
    assert (code, out) == (2, "")
    assert message in err


def test_an_existing_archive_is_replaced_only_by_force(command, placed):
    words = ("export", placed.record.id, "-o", "runs.zip")
    assert command(*words)[0] == 0
    code, out, err = command(*words)
    assert (code, out) == (1, "")
    assert "runs.zip already exists and is not overwritten" in err
    assert command(*words, "--force")[0] == 0


@pytest.mark.parametrize("given", ["nowhere", "empty"])
def test_what_is_no_run_is_refused(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DisentangleError, match=f"{given}: n"):
        disentangle.export(given, "runs.zip")
    assert not Path("runs.zip").exists()


def test_two_copies_of_a_run_do_not_fit_into_one_archive(results, run, tmp_path):
    shutil.copytree(results, results / "copy")
    with pytest.raises(DisentangleError, match="are the same run, which an archive holds once"):
        disentangle.export(results, tmp_path / "runs.zip")


def test_unknown_format_is_a_usage_error(run, tmp_path):
    with pytest.raises(UsageError, match="expected format archive, onnx, pt2 or state-dict; got x"):
        disentangle.export(run, tmp_path / "x.zip", format="x")


@pytest.mark.slow
def test_an_archive_has_every_file_that_a_training_leaves(strangers, tmp_path):
    options = {**OPTIONS, "figures": True, "keep": "every:1", "name": "first"}
    run = disentangle.train("vae", "tiny", steps=2, results=tmp_path / "results", **options)
    disentangle.score(run, ["mig"])
    lines = []
    disentangle.export(run, tmp_path / "runs.zip", say=lines.append)
    (there,) = disentangle.import_runs(tmp_path / "runs.zip", results=tmp_path / "there")
    assert len(lines) == 1  # none is left out
    assert there.kept == [1, 2]
    names = {path.name for path in there.path.rglob("[!.]*")}
    assert names == {path.name for path in run.path.rglob("[!.]*")}
    assert {"traversals.gif", "label.json", "scores.json", "checkpoint.safetensors"} <= names
