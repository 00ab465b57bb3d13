"""Imports into a results folder in which some of the runs are already."""

import json
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.training_runs import stop_at

import disentangle
from disentangle.errors import Busy, DisentangleError
from disentangle.exports import placing
from disentangle.exports.import_runs import import_archive
from disentangle.runs.collection import find_runs
from disentangle.runs.labels import read_label, write_label
from disentangle.runs.run import read_run
from disentangle.runs.scores import read_scores
from disentangle.training.stopping import Interrupted

OPTIONS = {"batch_size": 8, "figures": False, "device": "cpu"}


@pytest.fixture
def archive(run, tmp_path):
    """An archive of the run with a score, in the study `default`."""
    disentangle.score(run, ["mig"])
    disentangle.export(run, tmp_path / "runs.zip")
    return tmp_path / "runs.zip"


@pytest.fixture
def there(tmp_path):
    """The results folder of the other machine."""
    return tmp_path / "there"


def stopped_at(step, results):
    """An unfinished run of 9 steps."""
    options = {"steps": 9, "checkpoint_every": 1, **OPTIONS}
    with pytest.raises(Interrupted):
        disentangle.train("vae", "tiny", results=results, report=stop_at(step), **options)
    return read_run(next(results.glob("default/*/*/*")))


def contents(folder):
    """The files of a folder without those that are hidden."""
    files = (path for path in Path(folder).rglob("[!.]*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def retrained(run, digest="0" * 64):
    """A run as another machine would have trained it."""
    other = read_run(run.path)
    other.save_record(weights=digest)
    return other


def test_a_run_that_is_there_is_left_as_it_is(command, archive):
    command("import", archive)
    before = contents("results")
    code, _, err = command("import", archive)
    assert code == 0
    assert "results: 1 already there" in err
    assert contents("results") == before


def test_scores_of_both_are_kept(archive, there):
    (here,) = disentangle.import_runs(archive, results=there)
    (here.path / "scores.json").unlink()
    disentangle.score(here, ["sap"])
    lines = []
    (united,) = disentangle.import_runs(archive, results=there, say=lines.append)
    assert {score.name for score in read_scores(united)} == {"mig", "sap"}
    assert lines == [f"{here.path}: scores added", f"{there}: 1 completed"]


def test_a_score_without_a_value_gives_way_to_one_that_has_it(archive, there):
    (here,) = disentangle.import_runs(archive, results=there)
    (score,) = read_scores(here)
    missing = score.model_copy(update={"value": None, "reason": "a package was missing"})
    placing.write_text(
        here.path / "scores.json", placing.ScoreFile(scores=(missing,)).model_dump_json()
    )
    (united,) = disentangle.import_runs(archive, results=there)
    assert read_scores(united) == (score,)


def test_a_score_that_is_there_is_not_replaced(archive, there):
    (here,) = disentangle.import_runs(archive, results=there)
    (score,) = read_scores(here)
    own = score.model_copy(update={"value": 0.5, "seconds": 7.0})
    placing.write_text(
        here.path / "scores.json", placing.ScoreFile(scores=(own,)).model_dump_json()
    )
    (united,) = disentangle.import_runs(archive, results=there)
    assert read_scores(united) == (own,)


def test_weights_and_figures_join_a_record_that_came_without(archive, there):
    (here,) = disentangle.import_runs(archive, results=there)
    here.checkpoint_path.unlink()
    lines = []
    (united,) = disentangle.import_runs(archive, results=there, say=lines.append)
    assert f"{here.path}: added checkpoint.safetensors" in lines
    assert united.model


def test_another_training_of_the_same_settings_is_replaced_only_by_force(command, run, archive):
    command("import", archive)
    here = retrained(read_run(next(Path("results").glob("*/*/*/*"))))
    before = contents("results")
    code, out, err = command("import", archive)
    assert (code, out) == (1, "")
    assert "a training of the same settings with other weights is there" in err
    assert contents("results") == before
    code, out, err = command("import", archive, "--force")
    assert code == 0, err
    assert read_run(here.path).record == run.record
    assert find_runs("results") == [here.path]


@pytest.mark.usefixtures("strangers")
def test_the_run_that_was_trained_further_is_kept(tmp_path, there):
    behind = stopped_at(2, tmp_path / "behind")
    ahead = stopped_at(4, tmp_path / "ahead")
    disentangle.export(behind, tmp_path / "behind.zip")
    disentangle.export(ahead, tmp_path / "ahead.zip")
    (here,) = disentangle.import_runs(tmp_path / "behind.zip", results=there)
    write_label(here.path, name="mine")
    lines = []
    (here,) = disentangle.import_runs(tmp_path / "ahead.zip", results=there, say=lines.append)
    assert f"{here.path}: replaced by the archive's, which was trained further" in lines
    assert here.load_checkpoint().step == 4
    assert read_label(here.path).name == "mine"
    lines = []
    (here,) = disentangle.import_runs(tmp_path / "behind.zip", results=there, say=lines.append)
    assert lines[0].startswith(f"{here.path}: left as it is: it was trained further")
    assert here.load_checkpoint().step == 4
    whole = disentangle.resume(here)
    disentangle.export(whole, tmp_path / "whole.zip")
    (elsewhere,) = disentangle.import_runs(tmp_path / "ahead.zip", results=tmp_path / "new")
    (elsewhere,) = disentangle.import_runs(tmp_path / "whole.zip", results=tmp_path / "new")
    assert elsewhere.record.weights == whole.record.weights
    assert find_runs(there) == [here.path]


@pytest.mark.usefixtures("strangers")
def test_kept_checkpoints_of_both_are_kept(tmp_path, there):
    stopped_at(2, there)
    (here,) = map(read_run, find_runs(there))
    (here.path / "history").mkdir()
    (here.path / "history/step-000000001.safetensors").write_bytes(b"kept")
    disentangle.export(stopped_at(4, tmp_path / "ahead"), tmp_path / "ahead.zip")
    (further,) = disentangle.import_runs(tmp_path / "ahead.zip", results=there)
    assert further.kept == [1]
    assert further.load_checkpoint().step == 4


def test_a_name_that_another_run_has_is_dropped(command, run, archive, tmp_path, variant):
    write_label(run.path, name="first", note="kept")
    disentangle.export(run, archive, force=True)
    other = variant("other", seed=1)
    write_label(other.path, name="first")
    words = ("--results", tmp_path / "variants")
    code, out, err = command("import", archive, *words)
    assert code == 0
    assert f"imported without its name 'first', which {other.path} has" in err
    assert read_label(Path(out.strip())).model_dump()["note"] == "kept"
    assert command("export", "first", "-o", "one.zip", *words)[0] == 0


def test_an_encoder_whose_name_is_taken_is_refused(command, external, tmp_path):
    disentangle.export(external("theirs", seed=1), tmp_path / "encoders.zip")
    disentangle.import_runs(tmp_path / "encoders.zip", results=tmp_path / "there")
    other = external("mine", seed=1)
    shutil.copytree(other.path, tmp_path / "new/default/tiny/external" / other.path.name)
    (here,) = (tmp_path / "new/default/tiny/external").iterdir()
    command("runs", "name", here, "theirs", "--results", "new")
    code, out, err = command("import", "encoders.zip", "--results", "new")
    assert (code, out) == (1, "")
    assert f"new/default/tiny/external/{here.name} has the name 'theirs' already" in err
    assert "`disentangle runs name new/" in err


def test_a_run_that_is_being_scored_is_refused_and_the_others_are_imported(
    command, run, variant, tmp_path
):
    other = variant("other", seed=1)
    (path,) = [
        one.path for one in disentangle.import_runs(export_of([run], tmp_path), results="results")
    ]
    with FileLock(path / ".lock"):
        code, out, err = command("import", export_of([run, other], tmp_path))
    assert code == 1
    assert out == f"results/default/tiny/beta-vae/{other.record.id}\n"
    assert f"not imported: results/default/tiny/beta-vae/{run.record.id}: another process" in err


def export_of(runs, folder):
    disentangle.export(runs, folder / "several.zip", force=True)
    return folder / "several.zip"


def test_what_an_interrupted_import_has_left_is_no_run_and_is_removed(archive, there, run):
    left = there / ".import/default/tiny/beta-vae" / run.record.id
    shutil.copytree(run.path, left)
    assert find_runs(there) == []
    (here,) = disentangle.import_runs(archive, results=there)
    assert find_runs(there) == [here.path]
    assert not (there / ".import").exists()


def test_a_run_whose_replacement_was_interrupted_is_not_lost(archive, there, monkeypatch, run):
    (here,) = disentangle.import_runs(archive, results=there)
    retrained(here)
    rename = Path.rename

    def killed(path, target):
        if path.parts[-5] == ".import":
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            disentangle.import_runs(archive, results=there, force=True)
    assert [read_run(path).record.weights for path in find_runs(there)] == ["0" * 64]
    (here,) = disentangle.import_runs(archive, results=there, force=True)
    assert find_runs(there) == [here.path]
    assert here.record == run.record


def test_a_link_to_a_run_is_not_replaced(archive, there, tmp_path):
    (here,) = disentangle.import_runs(archive, results=there)
    retrained(here)
    here.path.rename(tmp_path / "real")
    here.path.symlink_to(tmp_path / "real")
    before = contents(tmp_path / "real")
    with pytest.raises(DisentangleError, match="is a link to a run: remove the link"):
        disentangle.import_runs(archive, results=there, force=True)
    assert contents(tmp_path / "real") == before


def test_two_imports_into_one_folder_exclude_each_other(archive, there):
    (there / ".import").mkdir(parents=True)
    with FileLock(there / ".import/.lock"), pytest.raises(Busy, match="another import into it"):
        disentangle.import_runs(archive, results=there)


def test_an_unfinished_run_says_where_resuming_sends_it(strangers, tmp_path, there):
    run = stopped_at(2, tmp_path / "results")
    (run.path / "trackers").mkdir()
    record = {"track": "wandb:project=theirs", "entry": "7"}
    (run.path / "trackers/wandb-0123abcd.json").write_text(json.dumps(record))
    lines = []
    disentangle.import_runs(export_of([run], tmp_path), results=there, say=lines.append)
    assert lines[0].endswith(": resuming it sends it to wandb:project=theirs, as before")
    stopped_at(1, tmp_path / "behind")
    lines = []
    disentangle.import_runs(tmp_path / "several.zip", results=tmp_path / "behind", say=lines.append)
    assert lines[1].endswith(": resuming it sends it to wandb:project=theirs, as before")
    lines = []
    disentangle.import_runs(tmp_path / "several.zip", results=there, say=lines.append)
    assert not any("resuming" in line for line in lines)


def test_a_folder_that_cannot_be_written_to_is_named(archive, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DisentangleError, match="file: cannot write to this folder"):
        import_archive(archive, results=tmp_path / "file")


def test_weights_and_archives_are_told_apart(command, run, archive):
    weights = ("--model", "vae", "--dataset", "tiny")
    for words, message in (
        ([run.checkpoint_path], "For weights trained elsewhere give `--model NAME --dataset NAME`"),
        ([archive, *weights], "is an archive of runs: `disentangle import "),
        ([archive, "--model", "vae"], "is an archive of runs"),
        (["x.pt", "--model", "vae"], "--model requires --dataset NAME"),
        (["x.pt", "--dataset", "tiny"], "--dataset requires --model NAME"),
        ([archive, "--set", "beta=4"], "--set requires --model NAME and --dataset NAME"),
        (["x.pt", *weights, "--force"], "--force is for archives"),
    ):
        code, out, err = command("import", *words)
        assert (code, out) == (2, ""), words
        assert message in err
    code, out, err = command("import", "nowhere.zip")
    assert (code, out) == (1, "")
    assert "nowhere.zip: no such file" in err
