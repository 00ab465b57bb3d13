"""A results folder that was moved or copied works as it is: nothing in it depends on its path."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.training_runs import stop_at

import disentangle
from disentangle.runs.run import read_run
from disentangle.training.stopping import Interrupted

pytestmark = pytest.mark.usefixtures("strangers")
STUDY = """
pictures = false
runs_of = ["other.toml"]

[[runs]]
model = "vae"
dataset = "tiny"
batch_size = 8
steps = 3

[[scores]]
metrics = ["mig"]
"""
TRAIN = ("train", "vae", "tiny", "--steps", 3, "--batch-size", 8, "--no-figures")


@pytest.fixture
def moved(command, tmp_path):
    """A results folder with runs, an encoder, baselines and a study, after it was moved."""
    (tmp_path / "mine.toml").write_text(STUDY)
    (tmp_path / "other.toml").write_text(STUDY.replace('runs_of = ["other.toml"]\n', ""))
    assert command(*TRAIN, "--study", "mine", "--seed", 1, "--name", "first")[0] == 0
    assert command(*TRAIN, "--study", "other")[0] == 0
    shutil.copy("mine.toml", "results/mine/study.toml")
    (tmp_path / "codes.py").write_text("def encode(x):\n    return x.flatten(1)[:, :3]\n")
    keep = ("--dataset", "tiny", "--name", "pixels", "--metric", "mig")
    assert command("score", "--encoder", "codes.py:encode", *keep)[0] == 0
    assert command("score", "--metric", "mig")[0] == 0
    assert command("baselines", "tiny", "--only", "oracle", "--metric", "mig")[0] == 0
    Path("elsewhere").mkdir()
    shutil.move("results", "elsewhere/moved")
    return Path("elsewhere/moved")


def test_runs_encoders_and_baselines_are_in_the_same_table(command, moved):
    shutil.copytree(moved, "results")
    expected = command("table", "--baselines")
    actual = command("table", "--baselines", "--results", moved)
    assert actual[:2] == expected[:2]
    assert actual[0] == 0
    assert "pixels" in actual[1]
    assert "oracle" in actual[1]


def test_runs_and_encoders_have_their_names_and_score_to_the_same_digits(command, moved):
    words = ("--results", moved, "--metric", "mig", "--json")
    code, out, err = command("score", "first", *words)
    assert code == 0, err
    ((path, before),) = json.loads(out).items()
    assert path.startswith(str(moved))
    Path(path, "scores.json").unlink()
    assert json.loads(command("score", "first", *words)[1]) == {path: before}
    assert command("export", "pixels", "-o", "pixels.zip", "--results", moved)[0] == 0


def test_a_study_has_its_runs_and_those_of_others_and_nothing_left_to_do(command, moved):
    code, out, err = command("table", "--study", "mine", "--results", moved)
    assert code == 0, err
    assert "| vae (collapsed) | batch_size=8 | by hand | 3     | 2     |" in out
    code, out, err = command("sweep", "other.toml", "--results", moved, "--dry-run")
    assert (code, err) == (0, "other: 1 run: 1 done\n")


def test_an_unfinished_run_is_resumed_where_it_was_moved(tmp_path):
    options = {"steps": 6, "checkpoint_every": 2, "batch_size": 8, "figures": False}
    options["device"] = "cpu"
    whole = disentangle.train("vae", "tiny", results=tmp_path / "whole", **options)
    with pytest.raises(Interrupted):
        disentangle.train("vae", "tiny", results=tmp_path / "results", report=stop_at(3), **options)
    shutil.move(tmp_path / "results", tmp_path / "moved")
    resumed = disentangle.resume(next((tmp_path / "moved").glob("*/*/*/*")))
    assert resumed.record.weights == whole.record.weights


@pytest.fixture
def images(tmp_path):
    """A file of the user's own images."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 32, 32), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=pixels)
    return tmp_path / "own.npz"


def test_data_is_taken_from_the_usual_folder_if_the_recorded_one_is_not_there(
    command, tmp_path, images, monkeypatch
):
    train = ("train", "vae", images, "--steps", 2, "--batch-size", 8, "--no-figures")
    code, out, err = command(*train, "--data-dir", "theirs")
    assert code == 0, err
    run = read_run(out.strip())
    assert run.record.dataset.data_dir == str(tmp_path / "theirs")
    shutil.rmtree("theirs")
    monkeypatch.setenv("DISENTANGLE_DATA", str(tmp_path / "ours"))
    assert run.dataset.fingerprint == run.record.dataset.fingerprint
    assert (tmp_path / "ours").is_dir()
    assert not (tmp_path / "theirs").exists()


@pytest.mark.parametrize("given", [{}, {"data_dir": "given", "file": "given.npz"}])
def test_recorded_paths_that_are_not_there_count_as_not_given(run, monkeypatch, given):
    opened, seen = run.dataset, {}

    def load_dataset(name, **options):
        seen.update(options)
        return opened

    paths = {"data_dir": "/nowhere/data", "file": "/nowhere/tiny.npz"}
    run.save_record(dataset=run.record.dataset.model_copy(update=paths))
    monkeypatch.setattr("disentangle.data.loading.load_dataset", load_dataset)
    assert read_run(run.path, **given).dataset is opened
    assert (seen["data_dir"], seen.get("file")) == (given.get("data_dir"), given.get("file"))
